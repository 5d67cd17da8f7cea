// HTTP at Unix sockets and loopback ports of this host: one request a connection; who is slow or
// rude keeps nobody out.

import { lstat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Server as NetServer, type Socket } from "node:net";
import { LinksealError } from "#hal/error.ts";
import { Seats } from "./seats.ts";

/** A client that needs longer to say what it wants is cut off. */
const requestMsMax = 5_000;
/** A client that does not take its reply for this long is cut off. */
const deliveryMsMax = 10_000;

export interface UnixCall {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface UnixReply {
  readonly status: number;
  /** Octets are not copied for each client. */
  readonly body: string | Uint8Array;
  /** JSON if absent. */
  readonly type?: string;
}

export interface HttpService {
  /** 0 = no request has a body, so none is waited for. */
  readonly requestBytesMax: number;
  /** Answers take no time: whoever still sits there takes his slowly, and makes room. */
  readonly isInstant?: true;
  /** Before a single octet of a client is read; absent = whoever can open the socket. */
  readonly admits?: (socket: Socket) => boolean;
  readonly answer: (call: UnixCall, gone: AbortSignal) => Promise<UnixReply>;
  readonly tooLong: () => UnixReply;
  /** Told of a defect, after which nothing that is answered can be trusted. */
  readonly broken: (error: unknown) => void;
}

export interface UnixService extends HttpService {
  readonly path: string;
}
/**
 * What a killed server left behind is replaced; throws `journal.locked` if another one answers
 * there. Only this user can open the socket.
 */
export async function serveUnix(service: UnixService): Promise<{ close(): Promise<void> }> {
  const server = serverFor(service);
  await bindSocket(server, service.path);
  return { close: () => closeServer(server) };
}

/** Where a port of this host is served. */
interface LoopbackPlace {
  readonly host: "127.0.0.1" | "::1";
  /** 0 = any that is free. */
  readonly port: number;
}

/**
 * Answers those alone who call it by a name of this host: the page of a browser may reach a
 * loopback port by a name of its own. Rejects with Node's error where the port cannot be had.
 */
export async function serveLoopback(
  service: HttpService,
  { host, port }: LoopbackPlace,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = serverFor(service, ownName);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ host, port, exclusive: true }, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" ? address?.port : undefined;
  return { port: bound ?? port, close: () => closeServer(server) };
}

const ownName = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

const misdirected: UnixReply = {
  status: 421,
  body: "this port answers as localhost, 127.0.0.1 or [::1] alone\n",
  type: "text/plain; charset=utf-8",
};

/** `name`: what the Host of a request must be; absent = anything. */
function serverFor(service: HttpService, name?: RegExp): Server {
  const limits = {
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: requestMsMax / 5,
    maxHeaderSize: 8_192,
  };
  const seats = new Seats(service.isInstant === true);
  const server = createServer(limits, (request, response) => {
    seats.serve(request.socket);
    if (name?.test(request.headers.host ?? "") === false) send(response, misdirected);
    else void reply(service, request, response);
  });
  // One request a connection: no state of one request can leak into the next.
  server.maxRequestsPerSocket = 1;
  server.on("connection", (socket: Socket) => {
    if (service.admits?.(socket) === false) socket.destroy();
    else seats.enter(socket);
  });
  return server;
}

async function reply(
  service: HttpService,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client is gone")));
  try {
    const { requestBytesMax } = service;
    const body = requestBytesMax === 0 ? "" : await bodyOf(request, requestBytesMax);
    if (body === undefined) return send(response, service.tooLong());
    const call = { method: request.method ?? "", path: request.url ?? "", body };
    send(response, await service.answer(call, gone.signal));
  } catch (error) {
    if (gone.signal.aborted) return;
    response.destroy();
    service.broken(error);
  }
}

function send(response: ServerResponse, { status, body, type }: UnixReply): void {
  const octets = typeof body === "string" ? Buffer.from(body) : body;
  response.socket?.setTimeout(deliveryMsMax, () => response.destroy());
  response
    .writeHead(status, {
      "content-type": type ?? "application/json",
      "content-length": octets.length,
      connection: "close",
    })
    .end(octets);
}

/**
 * undefined = too long: the rest is read and dropped, since a connection closed on unread bytes
 * loses the answer. Throws if the client went away.
 */
async function bodyOf(
  request: IncomingMessage,
  requestBytesMax: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= requestBytesMax) chunks.push(chunk);
  }
  return length > requestBytesMax ? undefined : Buffer.concat(chunks).toString();
}

/**
 * What a killed server left at the path is replaced; throws `journal.locked` if another one answers
 * there.
 */
export async function bindSocket(server: NetServer, path: string): Promise<void> {
  await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    // The umask and not a later chmod, since the socket is bound inside the call: nobody may
    // connect in between.
    const umask = process.umask(0o177);
    server.once("error", reject).listen(path, resolve);
    process.umask(umask);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

// Not every server has a lock on its folder; a socket that answers belongs to a server.
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const details = { effect: "none", where: path, next: "linkseal status" } as const;
  if (!found.isSocket()) throw new LinksealError("usage", `${path} is no socket`, details);
  if (await answers(path)) {
    throw new LinksealError("journal.locked", "another agent answers there", details);
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
