// Frames at a Unix socket of this host: one question and one answer a connection; who may not ask
// is turned away before an octet of his is read.

import { createServer, type Server, type Socket } from "node:net";
import { bindSocket } from "./listener.ts";

/** A client that needs longer to say what it wants, or to take its answer, is cut off. */
const quietMsMax = 5_000;
const clientsMax = 16;
const lengthBytes = 4;

export interface FrameService {
  readonly path: string;
  /** A longer question is cut off. */
  readonly requestBytesMax: number;
  readonly admits: (socket: Socket) => boolean;
  /** Wipes the octets of the question. */
  readonly answer: (question: Uint8Array, gone: AbortSignal) => Promise<Uint8Array>;
  /** Told of a defect, after which nothing that is answered can be trusted. */
  readonly broken: (error: unknown) => void;
}

/** As `serveUnix`: what a killed server left is replaced, a living one is not. */
export async function serveFrames(service: FrameService): Promise<{ close(): Promise<void> }> {
  const clients = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (clients.size >= clientsMax || !service.admits(socket)) {
      socket.destroy();
      return;
    }
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    void serve(service, socket);
  });
  await bindSocket(server, service.path);
  return { close: () => closeServer(server, clients) };
}

async function serve(service: FrameService, socket: Socket): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort(new Error("the client is gone")));
  try {
    const question = await questionOf(socket, service.requestBytesMax);
    if (question === undefined) return;
    socket.setTimeout(0);
    const answer = await service.answer(question, gone.signal);
    const frame = Buffer.alloc(lengthBytes + answer.length);
    frame.writeUInt32BE(answer.length);
    frame.set(answer, lengthBytes);
    socket.setTimeout(quietMsMax, () => socket.destroy());
    socket.end(frame);
  } catch (error) {
    socket.destroy();
    service.broken(error);
  }
}

/** Undefined where it does not come, or is too long; the socket is closed then. */
function questionOf(socket: Socket, bytesMax: number): Promise<Uint8Array | undefined> {
  const room = new Uint8Array(lengthBytes + bytesMax);
  let length = 0;
  return new Promise((resolve) => {
    const giveUp = (): void => {
      room.fill(0);
      socket.destroy();
      resolve(undefined);
    };
    const late = setTimeout(giveUp, quietMsMax);
    socket.once("close", giveUp);
    socket.on("data", (chunk: Buffer) => {
      const fits = length + chunk.length <= room.length;
      if (fits) room.set(chunk, length);
      length += chunk.length;
      chunk.fill(0);
      const told = length < lengthBytes ? undefined : new DataView(room.buffer).getUint32(0);
      if (!fits || (told ?? 0) > bytesMax || length > lengthBytes + (told ?? bytesMax)) {
        giveUp();
        return;
      }
      if (told === undefined || length < lengthBytes + told) return;
      clearTimeout(late);
      socket.off("close", giveUp);
      const question = Uint8Array.from(room.subarray(lengthBytes, length));
      room.fill(0);
      resolve(question);
    });
    socket.once("close", () => clearTimeout(late));
    socket.resume();
  });
}

function closeServer(server: Server, clients: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of clients) socket.destroy();
  });
}
