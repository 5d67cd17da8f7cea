// Serves streams of octets at a Unix socket of this host. A client that may not connect is cut off
// before an octet of it is read.

import { createServer, type Server, type Socket } from "node:net";
import { streamOver } from "#drivers/transport/stream.ts";
import type { StreamChannel } from "#hal/world.ts";
import { bindSocket } from "./listener.ts";

export interface StreamService {
  readonly path: string;
  /**
   * Clients at a time. One more ends the oldest: a client that the path was lost to is there until
   * its login notices that, which may take a quarter of an hour.
   */
  readonly clientsMax: number;
  readonly admits: (socket: Socket) => boolean;
  /** Serves one client until it resolves, and closes the channel. */
  readonly serve: (channel: StreamChannel) => Promise<void>;
  /** Called with a defect, after which no answer can be trusted. */
  readonly broken: (error: unknown) => void;
}

/**
 * Serves until `close`. Like `serveUnix` it replaces the socket of a killed server, but not that of
 * a running one.
 */
export async function serveStreams(service: StreamService): Promise<{ close(): Promise<void> }> {
  const clients = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (!service.admits(socket)) {
      socket.destroy();
      return;
    }
    const [oldest] = clients;
    if (clients.size >= service.clientsMax) oldest?.destroy();
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    service.serve(streamOver(socket, service.path)).catch(service.broken);
  });
  await bindSocket(server, service.path);
  return { close: () => closeServer(server, clients) };
}

function closeServer(server: Server, clients: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const client of clients) client.destroy();
  });
}
