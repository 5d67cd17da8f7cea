// HTTP at Unix sockets and loopback ports of this host: one request per connection; slow or
// misbehaving clients are cut off.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ownTurns } from "#drivers/transport/turn.ts";
import { type Client, userOf } from "../model/client.ts";
import { ConnectionLimiter } from "./connection-limiter.ts";
import {
  bindPort,
  bindSocket,
  bodyOf,
  closeServer,
  type HttpReply,
  httpLimits,
  LongRequests,
  refuseUnmeasured,
  send,
} from "./listener.ts";
import { pace } from "./paced-socket.ts";
import { UntakenReplies } from "./untaken-replies.ts";

export interface UnixCall {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  /** Who connected; absent = the service does not ask. */
  readonly client?: Client;
}

export interface HttpService {
  /** 0 = no request has a body, so none is waited for. */
  readonly requestBytesMax: number;
  /**
   * Answers take no time: a connection that is still open only reads slowly, and may be closed for
   * a newcomer.
   */
  readonly isInstant?: true;
  /**
   * Decides before a single octet of a client is read; absent = every client that can open the
   * socket.
   */
  readonly admits?: (socket: Socket) => boolean;
  /** Reads who connected, before a single octet of a client is read. */
  readonly identify?: (socket: Socket) => Client;
  readonly answer: (call: UnixCall, gone: AbortSignal) => Promise<HttpReply>;
  /** `long`: the body is longer than allowed; `busy`: too many long ones come at once. */
  readonly refused: (why: "long" | "busy") => HttpReply;
  /** Called with a defect, after which no answer can be trusted. */
  readonly broken: (error: unknown) => void;
}

export interface UnixService extends HttpService {
  readonly path: string;
}
/**
 * Serves until `close`, at a socket that only this user can open; the socket of a killed server is
 * replaced.
 * @throws LinksealError with `journal.locked` if another process answers there
 */
export async function serveUnix(service: UnixService): Promise<{ close(): Promise<void> }> {
  const server = serverFor(service);
  await bindSocket(server, service.path);
  return { close: () => closeServer(server) };
}

/** A port of this host to serve at. */
interface LoopbackPlace {
  readonly host: "127.0.0.1" | "::1";
  /** Port number; 0 = any free one. */
  readonly port: number;
}

/**
 * Serves until `close`, for clients that use a name of this host: a web page could reach a loopback
 * port under a name of its own.
 * @throws Error of Node if the port cannot be bound
 */
export async function serveLoopback(
  service: HttpService,
  place: LoopbackPlace,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = serverFor(service, ownName);
  const bound = await bindPort(server, place);
  return { port: bound, close: () => closeServer(server) };
}

const ownName = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

const misdirected: HttpReply = {
  status: 421,
  body: "this port answers as localhost, 127.0.0.1 or [::1] alone\n",
  type: "text/plain; charset=utf-8",
};

/** `name`: pattern for the Host header of a request; absent = any. */
function serverFor(service: HttpService, name?: RegExp): Server {
  const limiter = new ConnectionLimiter(service.isInstant === true);
  const clients = new WeakMap<Duplex, Client>();
  const [long, untaken, turn] = [new LongRequests(), new UntakenReplies(), ownTurns()];
  const serving: Serving = { service, long, untaken, turn };
  const server = createServer(httpLimits, (request, response) => {
    limiter.serve(request.socket);
    if (name?.test(request.headers.host ?? "") === false) send(response, misdirected);
    else if (!refuseUnmeasured(request, response)) {
      void reply(serving, request, response, clients.get(request.socket));
    }
  });
  // One request per connection: no state of one request can leak into the next.
  server.maxRequestsPerSocket = 1;
  pace(server, (socket, paced) => {
    if (service.admits?.(socket) === false) {
      socket.destroy();
      return false;
    }
    const client = service.identify?.(socket);
    if (client !== undefined) clients.set(paced, client);
    limiter.enter(paced, client && userOf(client));
    return true;
  });
  return server;
}

interface Serving {
  readonly service: HttpService;
  readonly long: LongRequests;
  readonly untaken: UntakenReplies;
  /** Resolves in a turn of the event loop that no other request of the server has. */
  readonly turn: () => Promise<void>;
}

async function reply(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  client: Client | undefined,
): Promise<void> {
  const { service, long, untaken } = serving;
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client is gone")));
  using place = long.place();
  try {
    const { requestBytesMax } = service;
    const body = requestBytesMax === 0 ? "" : await bodyOf(request, requestBytesMax, place);
    if (body === undefined) {
      return send(response, service.refused(place.isRefused() ? "busy" : "long"));
    }
    // Clients that send at once do not take one turn together for their answers.
    await serving.turn();
    const call = { method: request.method ?? "", path: request.url ?? "", body };
    const known = client === undefined ? call : { ...call, client };
    const answered = await service.answer(known, gone.signal);
    untaken.add(response, answered);
    send(response, answered);
  } catch (error) {
    if (gone.signal.aborted) return;
    response.destroy();
    service.broken(error);
  }
}
