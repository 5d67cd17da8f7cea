// One exchange over a socket of this host: its reply or refusal, and what a lost reply may have
// caused.

import { type Decoder, each, Malformed, object, oneOf, sentence } from "#hal/decoder.ts";
import { type Effect, type ErrorCode, isErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { Command } from "#hal/secret.ts";
import type { Dialer, HttpReply } from "#hal/world.ts";

/** Values of the longest reply; a state with 1,000 ports has half of them. */
const valuesMax = 100_000;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** How a daemon on this host is reached. */
export interface LocalLine {
  /** Opens the connection. */
  readonly dial: Dialer;
  /** `unix:PATH`. */
  readonly address: string;
}

/** One request. */
export interface LocalCall {
  /** The HTTP method. */
  readonly method: "GET" | "POST";
  /** The path of the resource. */
  readonly path: string;
  /** The request's JSON; absent = the request has no body. */
  readonly body?: Command;
  /** A longer reply is an error. */
  readonly replyBytesMax: number;
  /** The device, as errors name it. */
  readonly where: string;
  /** The possible effect of a lost or malformed reply: "none" for every request that only reads. */
  readonly effect: Extract<Effect, "none" | "unknown">;
}

/**
 * Sends a request and returns the octets of a good reply.
 * @throws LinksealError the daemon's refusal or the transport's error; the signal's reason when it
 * aborts
 */
export async function ask(
  line: LocalLine,
  call: LocalCall,
  signal: AbortSignal,
): Promise<Uint8Array> {
  signal.throwIfAborted();
  const { method, path, body, replyBytesMax } = call;
  const request = { to: line.address, method, path, replyBytesMax };
  let reply: HttpReply;
  try {
    reply = await line.dial.http(body === undefined ? request : { ...request, body }, signal);
  } catch (error) {
    throw error instanceof LinksealError && !signal.aborted ? lost(error, call) : error;
  }
  if (reply.status === 200) return reply.body;
  throw refusal(reply, call);
}

/**
 * As `ask`, for a reply in JSON.
 * @throws LinksealError also `device.unparsed` for a reply that is malformed
 */
export async function askJson<T>(
  line: LocalLine,
  call: LocalCall,
  read: Decoder<T>,
  signal: AbortSignal,
): Promise<T> {
  const body = await ask(line, call, signal);
  return parsed(body, read, call);
}

/**
 * Reads a good reply in JSON.
 * @throws LinksealError `device.unparsed` if `read` finds it malformed
 */
export function parsed<T>(body: Uint8Array, read: Decoder<T>, call: LocalCall): T {
  try {
    return read(jsonOf(body), "reply");
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw unparsed(call, error.message);
  }
}

// The parser's own message quotes the text, which may contain anything, so it is dropped.
function jsonOf(body: Uint8Array): unknown {
  try {
    return parseJson(strictUtf8.decode(body), { values: valuesMax });
  } catch {
    throw new Malformed("JSON");
  }
}

function unparsed(call: LocalCall, what: string): LinksealError {
  return new LinksealError("device.unparsed", `the reply makes no sense at: ${what}`, {
    effect: call.effect,
    where: call.where,
    next: "run both ends of the socket in the same version",
  });
}

// Only a connection that was never established proves that nothing happened.
function lost(error: LinksealError, { where, effect }: LocalCall): LinksealError {
  const untouched = error.code === "transport.unreachable" && error.effect === "none";
  return new LinksealError(error.code, error.message, {
    effect: untouched ? "none" : effect,
    where,
    next: error.next,
    cause: error,
  });
}

/**
 * Decodes an error code of these areas: a device must not claim errors of our journal,
 * preconditions or sockets.
 */
export const codeOf =
  (areas: RegExp): Decoder<ErrorCode> =>
  (code, what) => {
    if (isErrorCode(code) && areas.test(code)) return code;
    throw new Malformed(what);
  };

const readRefusal = object<
  Readonly<Record<"text" | "where" | "next", string>> & {
    readonly code: ErrorCode;
    readonly effect: Effect;
  }
>({
  code: codeOf(/^(?:vault|transport|device|peer)\./),
  effect: oneOf(["none", "unknown", "applied"]),
  ...each(["text", "where", "next"], sentence),
});

function refusal({ body }: HttpReply, call: LocalCall): LinksealError {
  const read = (value: unknown) => readRefusal(value, "refusal");
  const { code, effect, text, where, next } = parsed(body, read, call);
  const known = call.effect === "none" ? "none" : effect;
  return new LinksealError(code, foreignText(text), {
    effect: known,
    where: foreignText(where),
    next: foreignText(next),
  });
}

/** Returns the body of the refusal that `daemon` answers; rethrows what is not a refusal. */
export function refusalBody(
  error: unknown,
  daemon: string,
  codeFor = (code: ErrorCode): ErrorCode => code,
): string {
  if (error instanceof LinksealError) {
    const { effect, message: text, where, next } = error;
    return encodeJson({ code: codeFor(error.code), effect, text, where, next });
  }
  if (!(error instanceof Malformed)) throw error;
  const text = `${daemon} does not understand the request at: ${error.message}`;
  const next = `run linkseal and ${daemon} in the same version`;
  return encodeJson({ code: "device.rejected", effect: "none", text, where: daemon, next });
}
