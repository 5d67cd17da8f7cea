// One request and one reply over a Unix socket of this host, each a frame behind its length. They
// are never text, so a key in a request leaves no string behind.

import { connect, type Socket } from "node:net";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import type { FramedRequest } from "#hal/world.ts";
import { fillOctets } from "./octets.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";
import { refuseForeign } from "./socket-owner.ts";

const lengthBytes = 4;

/**
 * Returns the octets of the reply. After an abort the request may have been carried out.
 * @throws LinksealError `transport.*`, or the signal's reason once it aborts.
 */
export async function askFramed(request: FramedRequest, signal: AbortSignal): Promise<Uint8Array> {
  const { path, octets } = request;
  refuseForeign(path);
  signal.throwIfAborted();
  const socket = connect(path);
  const aborted = (): void => void socket.destroy();
  signal.addEventListener("abort", aborted, { once: true });
  try {
    await connected(socket, path);
    const frame = framed(octets);
    socket.write(frame, () => frame.fill(0));
    return await answerOf(socket, request);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", aborted);
    socket.destroy();
  }
}

function connected(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      reject(failure("transport.unreachable", "no process answers", "none", path, cause));
    };
    socket.once("connect", resolve).once("close", failed).once("error", failed);
  });
}

function framed(octets: Octets): Uint8Array {
  const length = octets.reduce((sum, part) => sum + part.byteLength, 0);
  const frame = new Uint8Array(lengthBytes + length);
  new DataView(frame.buffer).setUint32(0, length);
  fillOctets(octets, frame.subarray(lengthBytes));
  return frame;
}

async function answerOf(socket: Socket, request: FramedRequest): Promise<Uint8Array> {
  const { path, replyBytesMax, effect } = request;
  const received = new ReceiveBuffer();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received.push(chunk);
      if (received.length < lengthBytes) continue;
      const length = received.octets.readUInt32BE();
      if (length > replyBytesMax) {
        throw failure("transport.closed", "the reply is too long", effect, path, undefined);
      }
      const end = lengthBytes + length;
      if (received.length >= end) return received.takeAll().subarray(lengthBytes, end);
    }
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    throw failure("transport.closed", "no reply", effect, path, error);
  }
  throw failure("transport.closed", "no reply", effect, path, undefined);
}

function failure(
  code: ErrorCode,
  text: string,
  effect: Effect,
  where: string,
  cause: unknown,
): LinksealError {
  const next = "systemctl status 'linkseal-mka@*'";
  return new LinksealError(code, text, { effect, where, next, cause });
}
