// One HTTP exchange over a connection of its own: to a socket of this host, over TLS, or to an
// identity endpoint of this host.

import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { ReceiveBuffer } from "#drivers/transport/receive-buffer.ts";
import { refuseForeign } from "#drivers/transport/socket-owner.ts";
import { nextTurn } from "#drivers/transport/turn.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Command, SecretHole } from "#hal/secret.ts";
import type { HttpReply, HttpRequest } from "#hal/world.ts";
import { errnoOf } from "./folder.ts";
import { tlsFailure, tlsLine } from "./https.ts";
import type { Line } from "./line.ts";

/**
 * Sends one request and returns the reply; the caller wipes a reply that contains a key. An abort
 * closes the connection, and the request may still have been carried out.
 * @throws LinksealError with a `transport.*` code
 */
export async function exchange(
  request: HttpRequest,
  signal: AbortSignal,
  fill: (command: Command) => Uint8Array,
): Promise<HttpReply> {
  signal.throwIfAborted();
  const line = await lineOf(request, signal);
  const { method, path } = request;
  const headers = headersOf(line, request, fill);
  const call = line.call({ method, path, headers, agent: false, signal, highWaterMark });
  const body = fill(request.body ?? []);
  if (line.kind === "socket" || method !== "GET") call.setHeader("content-length", body.length);
  // The bytes may contain a key: they are wiped as soon as the kernel has taken them, or the call
  // has ended.
  const wipe = (): unknown => body.fill(0);
  call.once("finish", wipe).once("close", wipe);
  try {
    const reply = await answerTo(call, body);
    return {
      status: reply.statusCode ?? 0,
      headers: headersIn(reply),
      body: await bodyOf(reply, request),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LinksealError ? error : lost(line, request, error);
  } finally {
    call.destroy();
  }
}

/**
 * Octets of a body that are parsed ahead of their reader. A reply may come in pieces of one octet,
 * and each of them costs the event loop as much as a large one.
 */
const highWaterMark = 8_192;

async function lineOf(request: HttpRequest, signal: AbortSignal): Promise<Line> {
  const { to } = request;
  if (to.startsWith("unix:")) {
    const socketPath = to.slice("unix:".length);
    refuseForeign(socketPath);
    signal.throwIfAborted();
    return {
      kind: "socket",
      call: (options) => httpRequest({ ...options, socketPath }),
      established: undefined,
    };
  }
  if (to.startsWith("https://")) return await tlsLine(to, request.reach, signal);
  // Only literal addresses, so that no name service decides where a secret goes in clear.
  const found = /^http:\/\/(127\.0\.0\.1|localhost|169\.254\.169\.254)(?::(\d{1,5}))?$/.exec(to);
  if (found === null) {
    const text = "only unix:PATH, https://HOST and identity endpoints of this host can be dialled";
    throw failed("transport.unreachable", text, "none", to, undefined);
  }
  const host = found[1] === "localhost" ? "127.0.0.1" : found[1];
  const port = Number(found[2] ?? 80);
  return {
    kind: "identity",
    call: (options) => httpRequest({ ...options, host, port }),
    established: undefined,
  };
}

function headersOf(
  line: Line,
  request: HttpRequest,
  fill: (command: Command) => Uint8Array,
): Record<string, string> {
  const asked = Object.entries(request.headers ?? {});
  const own = Object.fromEntries(asked.map(([name, value]) => [name, text(value, fill)]));
  if (line.kind === "socket") return { host: "localhost", "content-type": jsonType, ...own };
  return request.method === "GET" ? own : { "content-type": jsonType, ...own };
}

const jsonType = "application/json";

// Node takes header values as strings alone: a copy of a token stays in memory until it is
// collected.
function text(value: string | SecretHole, fill: (command: Command) => Uint8Array): string {
  if (typeof value === "string") return value;
  const bytes = fill([value]);
  const filled = Buffer.from(bytes).toString("latin1");
  bytes.fill(0);
  return filled;
}

function answerTo(call: ClientRequest, body: Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The listener stays: a call that is destroyed after its reply may still report an error.
    call.on("error", reject).once("response", resolve).end(body);
  });
}

function headersIn(reply: IncomingMessage): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

// The vault's reply is a key, so only the caller's copy of its octets stays.
async function bodyOf(reply: IncomingMessage, request: HttpRequest): Promise<Uint8Array> {
  const body = new ReceiveBuffer();
  for await (const chunk of reply as AsyncIterable<Uint8Array>) {
    body.push(chunk);
    chunk.fill(0);
    // Else one turn of the event loop takes two megabytes from the socket.
    await nextTurn();
    if (body.length > request.replyBytesMax) {
      const long = `the reply is longer than ${request.replyBytesMax} bytes`;
      throw failed("transport.closed", long, effectOf(request), request.to, undefined);
    }
  }
  return body.takeAll();
}

function lost(line: Line, request: HttpRequest, error: unknown): LinksealError {
  const errno = errnoOf(error);
  const dialled = error instanceof Error && "syscall" in error && error.syscall === "connect";
  const reached = line.established?.() ?? !dialled;
  if (reached) {
    return failed("transport.closed", `no reply (${errno})`, effectOf(request), request.to, error);
  }
  const distrusted = line.kind === "tls" ? tlsFailure(errno, request.to, error) : undefined;
  const text = `no answer (${errno})`;
  return distrusted ?? failed("transport.unreachable", text, "none", request.to, error);
}

// RFC 9110 9.2.1: GET is safe; any other method may have been carried out although no reply came.
function effectOf(request: HttpRequest): "none" | "unknown" {
  return request.method === "GET" ? "none" : "unknown";
}

function failed(
  code: ErrorCode,
  message: string,
  effect: "none" | "unknown",
  where: string,
  cause: unknown,
): LinksealError {
  return new LinksealError(code, message, { effect, where, next: "linkseal status", cause });
}
