// What the servers of this host have in common: where they listen, how long a client may take, and
// how they end.

import { lstat, unlink } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect, type Server as NetServer } from "node:net";
import { LinksealError } from "#hal/error.ts";

/** A client that needs longer for its handshake or its request is cut off. */
export const requestMsMax = 5_000;
/** A client that does not take its reply for this long is cut off. */
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
  /** JSON if absent. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `first`: headers that stand before those of the reply. */
export function send(
  response: ServerResponse,
  { status, body = "", type = "application/json", headers }: HttpReply,
  first: Readonly<Record<string, string>> = {},
): void {
  const octets = typeof body === "string" ? Buffer.from(body) : body;
  response.socket?.setTimeout(deliveryMsMax, () => response.destroy());
  response
    .writeHead(status, {
      ...first,
      "content-type": type,
      "content-length": octets.length,
      connection: "close",
      ...headers,
    })
    .end(octets);
}

/**
 * undefined = too long: the rest is read and dropped, since a connection closed on unread bytes
 * loses the answer. Throws if the client went away.
 */
export async function bodyOf(
  request: IncomingMessage,
  bytesMax: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
  }
  return length > bytesMax ? undefined : Buffer.concat(chunks).toString();
}

/**
 * What a killed server left at the path is replaced; throws `journal.locked` if another one answers
 * there. Only this user can open the socket.
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

/** Gives back the port: 0 asks for any that is free. Rejects where it cannot be had. */
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
