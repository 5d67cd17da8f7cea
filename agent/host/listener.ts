// What the servers of this host share: where they listen, how long a client may take, and how they
// end.

import { lstat, unlink } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect, type Server as NetServer, type Socket } from "node:net";
import type { Native } from "#drivers/transport/native.ts";
import { LinksealError } from "#hal/error.ts";

/**
 * How long a client may take for its handshake or its request, in milliseconds; then it is cut off.
 */
export const requestMsMax = 5_000;
/** How long a client may leave its reply unread, in milliseconds; then it is cut off. */
const deliveryMsMax = 10_000;

export const httpLimits = {
  requestTimeout: requestMsMax,
  headersTimeout: requestMsMax,
  connectionsCheckingInterval: requestMsMax / 5,
  maxHeaderSize: 8_192,
};

export interface HttpReply {
  readonly status: number;
  /** Octets are not copied for each client. */
  readonly body?: string | Uint8Array;
  /** The content type; absent = JSON. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns the descriptor of a socket or server; undefined = it is closed. */
export function descriptorOf(owner: Socket | NetServer): number | undefined {
  // Node has no public access to the descriptor.
  const { _handle: handle } = owner as { readonly _handle?: { readonly fd?: number } };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/** Longer requests and replies take memory that matters: a request is received beside few. */
const longBytes = 128 * 1024;

/**
 * Sends a reply and closes the connection; `first`: headers that come before those of the reply.
 * A text is passed on as a text: Node writes it from memory that it frees itself, while an array of
 * octets for each client would wait for the collector.
 */
export function send(
  response: ServerResponse,
  { status, body = "", type = "application/json", headers }: HttpReply,
  first: Readonly<Record<string, string>> = {},
): void {
  response.socket?.setTimeout(deliveryMsMax, () => response.destroy());
  response.writeHead(status, {
    ...first,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    connection: "close",
    ...headers,
  });
  // Sent with the body, they would be joined to one text with it: a copy of each long reply.
  if (body.length > longBytes) response.flushHeaders();
  response.end(body);
}

const longMost = 2;

/** The long requests of one server. */
export class LongRequests {
  #free = longMost;

  /** Makes the place of one request, which takes room once it turns out to be long. */
  place(): LongPlace {
    let holds: "nothing" | "room" | "refusal" = "nothing";
    return {
      take: () => {
        if (holds === "nothing") {
          holds = this.#free > 0 ? "room" : "refusal";
          if (holds === "room") this.#free -= 1;
        }
        return holds === "room";
      },
      isRefused: () => holds === "refusal",
      [Symbol.dispose]: () => {
        if (holds === "room") this.#free += 1;
        holds = "refusal";
      },
    };
  }
}

interface LongPlace extends Disposable {
  /** Takes room, once; false = there is none, now and later. */
  take(): boolean;
  /** Returns true if there was no room. */
  isRefused(): boolean;
}

const unmeasured: HttpReply = {
  status: 411,
  body: "a request with a body needs a Content-Length\n",
  type: "text/plain; charset=utf-8",
};

/**
 * Refuses a request whose body has no announced length, which no client of ours sends: it may come
 * in pieces of one octet, each of which costs hundreds and a call. Returns false if it has one.
 */
export function refuseUnmeasured(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.headers["transfer-encoding"] === undefined) return false;
  // Node would go on reading until the connection is closed in both directions.
  request.socket.pause();
  response.once("finish", () => request.socket.destroy());
  send(response, unmeasured);
  return true;
}

/**
 * Reads the body of a request; undefined = it is too long, or `place` has no room for a long one.
 * Such a body is read and dropped, because a connection that is closed with unread bytes loses the
 * reply.
 * @throws Error if the client went away
 */
export async function bodyOf(
  request: IncomingMessage,
  bytesMax: number,
  place?: LongPlace,
): Promise<string | undefined> {
  const length = Number(request.headers["content-length"] ?? 0);
  const fits = length <= bytesMax && (length <= longBytes || place?.take() !== false);
  const room = new Uint8Array(fits ? length : 0);
  try {
    let at = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (fits) room.set(chunk, at);
      at += chunk.length;
      giveBack(chunk);
    }
    return fits ? Buffer.from(room.buffer).toString() : undefined;
  } finally {
    giveBack(room);
  }
}

/**
 * Frees the memory of octets that the caller alone has and does not use any more. The collector
 * frees such memory only once there are 64 MB of it, which clients fill in a moment.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  // Short octets share a pool with others.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/**
 * Binds a server to a socket path, which only this user can open; the socket of a killed server is
 * replaced.
 * @throws LinksealError with `journal.locked` if another process answers there, or `usage` if the
 * path is not a socket
 */
export async function bindSocket(server: NetServer, path: string): Promise<void> {
  await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    // The umask is set, instead of a later chmod, because the socket is bound inside the call: no
    // other user may connect in between.
    const umask = process.umask(0o177);
    server.once("error", reject).listen(path, resolve);
    process.umask(umask);
  });
}

/**
 * Binds a server to a port and returns the port: 0 asks for any free one.
 * @throws Error of Node if the port cannot be bound
 */
export async function bindPort(
  server: NetServer,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ host, port, exclusive: true }, resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

const unreadBytes = 4_096;

/** The part of the addon that limits what is unread. */
export type ReceiveLimiter = Pick<Native, "limitReceive">;

/**
 * Limits what a turn of the event loop reads of each client of a bound port. Node reads up to
 * 64 KiB at once, which hold 3,000 TLS records of one octet, and each of them costs a call: with 64
 * such clients one turn took seconds. Sockets that are accepted from now on inherit the limit.
 */
export function limitUnread(server: NetServer, native: ReceiveLimiter): void {
  const descriptor = descriptorOf(server);
  if (descriptor !== undefined) native.limitReceive(descriptor, unreadBytes);
}

export function closeServer(server: Server): Promise<void> {
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
  if (!found.isSocket()) throw new LinksealError("usage", `${path} is not a socket`, details);
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
