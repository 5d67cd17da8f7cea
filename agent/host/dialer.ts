// The real Dialer: HTTP over a socket of this host, this host's routes, and its name service.

import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { isIP, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { fillCommand } from "#drivers/index.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import type { Dialer, HttpReply, HttpRequest } from "#hal/world.ts";
import { errnoOf } from "./folder.ts";

export const hostDialer: Dialer = {
  http: (request, signal) => exchange(request, signal, fillCommand),
  async routeTo(address, signal) {
    signal.throwIfAborted();
    if (!isIPv4(address)) return undefined;
    if (isOwnAddress(address)) return "lo";
    const table = await readFile("/proc/net/route", "latin1").catch(() => "");
    return portTo(address, table);
  },
  async resolve(host, signal) {
    signal.throwIfAborted();
    if (isIP(host) !== 0) return [host];
    try {
      const found = await Promise.race([lookup(host, { all: true }), aborted(signal)]);
      return found.map(({ address }) => address);
    } catch (error) {
      signal.throwIfAborted();
      throw failed("transport.unreachable", `${host} has no address`, "none", host, error);
    }
  },
};

const prefix = "unix:";

/** One call over a connection of its own. The caller wipes a reply that holds a key. */
export async function exchange(
  request: HttpRequest,
  signal: AbortSignal,
  fill: (command: Command) => Uint8Array,
): Promise<HttpReply> {
  signal.throwIfAborted();
  if (!request.to.startsWith(prefix)) {
    const text = "only `unix:PATH` can be dialled";
    throw failed("transport.unreachable", text, "none", request.to, undefined);
  }
  const body = fill(request.body ?? []);
  const call = httpRequest({
    socketPath: request.to.slice(prefix.length),
    method: request.method,
    path: request.path,
    headers: {
      host: "localhost",
      "content-type": "application/json",
      "content-length": body.length,
    },
    agent: false,
    signal,
  });
  // The bytes may hold a key: gone as soon as the kernel has them, or nobody will take them any
  // more.
  const wipe = (): unknown => body.fill(0);
  call.once("finish", wipe).once("close", wipe);
  try {
    const reply = await answerTo(call, body);
    return { status: reply.statusCode ?? 0, body: await bodyOf(reply, request) };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LinksealError ? error : lost(request, error);
  } finally {
    call.destroy();
  }
}

function answerTo(call: ClientRequest, body: Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Stays on: a call that is destroyed after its answer may still report an error.
    call.on("error", reject).once("response", resolve).end(body);
  });
}

async function bodyOf(reply: IncomingMessage, request: HttpRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of reply as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > request.replyBytesMax) {
      const text = `the reply is longer than ${request.replyBytesMax} bytes`;
      throw failed("transport.closed", text, effectOf(request), request.to, undefined);
    }
    chunks.push(chunk);
  }
  return joined(chunks, length);
}

// The vault's reply is a key: of its octets only the caller's copy stays.
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
    chunk.fill(0);
  }
  return whole;
}

function lost(request: HttpRequest, error: unknown): LinksealError {
  const errno = errnoOf(error);
  const connected = !(error instanceof Error && "syscall" in error && error.syscall === "connect");
  return !connected
    ? failed("transport.unreachable", `nobody answers (${errno})`, "none", request.to, error)
    : failed("transport.closed", `no reply (${errno})`, effectOf(request), request.to, error);
}

// RFC 9110 9.2.1: GET is safe; anything else may have been carried out although no reply came.
function effectOf(request: HttpRequest): "none" | "unknown" {
  return request.method === "GET" ? "none" : "unknown";
}

function failed(
  code: ErrorCode,
  text: string,
  effect: "none" | "unknown",
  where: string,
  cause: unknown,
): LinksealError {
  return new LinksealError(code, text, { effect, where, next: "linkseal status", cause });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function isOwnAddress(address: string): boolean {
  if (address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((own) =>
    own?.some((item) => item.address === address),
  );
}

const routeUp = 0x1;
const routeReject = 0x200;

/**
 * The port of the longest prefix in a table as /proc/net/route prints it; undefined = no route, or
 * one that refuses. Only the main IPv4 table is there: other tables and IPv6 stay unknown.
 */
export function portTo(address: string, table: string): string | undefined {
  // The kernel prints addresses as they lie in memory; x64 and arm64 are both little-endian.
  const target = address.split(".").reduceRight((sum, octet) => sum * 256 + Number(octet), 0);
  const fits = table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([port, destination, , flags, , , metric, mask]) =>
      port === undefined || mask === undefined || metric === undefined
        ? []
        : {
            port,
            destination: Number.parseInt(destination ?? "", 16),
            flags: Number.parseInt(flags ?? "", 16),
            metric: Number(metric),
            mask: Number.parseInt(mask, 16),
          },
    )
    .filter((row) => (row.flags & routeUp) !== 0)
    .filter((row) => ((target ^ row.destination) & row.mask) === 0)
    .sort((a, b) => bitsOf(b.mask) - bitsOf(a.mask) || a.metric - b.metric);
  const best = fits[0];
  return best === undefined || (best.flags & routeReject) !== 0 ? undefined : best.port;
}

function bitsOf(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
