// The common parts of the simulator's servers: they bind a port, read a request, report a defect
// and close.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";

const requestBytesMax = 1024 * 1024;

/** Listens on the loopback address and returns the port; 0 asks for any that is free. */
export function listenAt(
  server: Pick<NetServer, "once" | "listen" | "address">,
  port: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Calls `reply` with the body of the request and a signal that aborts once its client has gone. */
export async function serveCall(
  request: IncomingMessage,
  response: ServerResponse,
  reply: (body: string, gone: AbortSignal) => Promise<void>,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the client is gone"));
  });
  const body = await bodyOf(request);
  if (body === undefined) {
    response.destroy();
    return;
  }
  try {
    await reply(body, gone.signal);
  } catch (error) {
    if (gone.signal.aborted) return;
    response.destroy();
    // The simulated world is broken, and its further answers would be meaningless.
    process.nextTick(() => {
      throw error;
    });
  }
}

/** Reads a body; undefined if it is too long or the client went away. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > requestBytesMax) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
