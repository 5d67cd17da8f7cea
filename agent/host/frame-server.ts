// Serves frames at a Unix socket of this host: one question and one answer per connection. A client
// that may not ask is refused before an octet of it is read.

import { createServer, type Server, type Socket } from "node:net";
import { bindSocket, giveBack } from "./listener.ts";

/**
 * How long a client may take to send its question, or to read its answer, in milliseconds; then it
 * is cut off.
 */
const quietMsMax = 5_000;
const clientsMax = 16;
const lengthBytes = 4;

export interface FrameService {
  readonly path: string;
  /** A longer question is cut off. */
  readonly requestBytesMax: number;
  readonly admits: (socket: Socket) => boolean;
  /** Answers a question, and wipes the question's octets. */
  readonly answer: (question: Uint8Array, gone: AbortSignal) => Promise<Uint8Array>;
  /** Called with a defect, after which no answer can be trusted. */
  readonly broken: (error: unknown) => void;
}

/**
 * Serves until `close`. Like `serveUnix` it replaces the socket of a killed server, but not that of
 * a running one.
 */
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

/**
 * Reads the question; undefined = it did not come in time or is too long, and the socket is closed.
 */
function questionOf(socket: Socket, bytesMax: number): Promise<Uint8Array | undefined> {
  const room = new Uint8Array(lengthBytes + bytesMax);
  let length = 0;
  return new Promise((resolve) => {
    const end = (question?: Uint8Array): void => {
      clearTimeout(late);
      socket.off("close", giveUp).off("data", take);
      room.fill(0);
      giveBack(room);
      resolve(question);
    };
    const giveUp = (): void => {
      end();
      socket.destroy();
    };
    const take = (chunk: Buffer): void => {
      const before = length;
      length += chunk.length;
      const fits = length <= room.length;
      if (fits) room.set(chunk, before);
      chunk.fill(0);
      giveBack(chunk);
      const announced = length < lengthBytes ? undefined : new DataView(room.buffer).getUint32(0);
      if (!fits || (announced ?? 0) > bytesMax || length > lengthBytes + (announced ?? bytesMax)) {
        giveUp();
        return;
      }
      if (announced === undefined || length < lengthBytes + announced) return;
      end(Uint8Array.from(room.subarray(lengthBytes, length)));
      // More behind the question cuts the client off.
      socket.on("data", () => socket.destroy());
    };
    const late = setTimeout(giveUp, quietMsMax);
    socket.once("close", giveUp).on("data", take);
    socket.resume();
  });
}

function closeServer(server: Server, clients: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of clients) socket.destroy();
  });
}
