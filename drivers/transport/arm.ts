// A small client of Azure's management API: fixed API versions, raw documents, and operations that
// take time.

import { withDeadline } from "#hal/deadline.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import { type Command, Secret } from "#hal/secret.ts";
import { SentSecrets, secretsOf } from "#hal/sent-secrets.ts";
import type { Clock, Dialer, HttpReply, HttpRequest } from "#hal/world.ts";
import {
  codeOf,
  connectionError,
  problem,
  refusalOf,
  type Subject,
  seconds,
} from "./arm-errors.ts";
import { parseFaithful, textAt } from "./arm-json.ts";
import { fillCommand } from "./fill.ts";

/** Returns a bearer token for a scope; the caller wipes it. Throws `vault.*`, effect "none". */
type TokenSource = (scope: string, signal: AbortSignal) => Promise<Secret>;

/** Enforces the waits that services demand. */
interface RetryAfter {
  /** Returns how long this origin must be left alone, in milliseconds; 0 = requests may be sent. */
  remainingMs(origin: string): number;
  /** Records the wait that a reply demands, and returns it in milliseconds; 0 = none. */
  note(origin: string, reply: HttpReply): number;
  /**
   * Returns the delay before the next request that a reply names, in milliseconds; undefined =
   * none.
   */
  namedMs(reply: HttpReply): number | undefined;
}

/** The parts of a client of the management API. */
export interface ArmParts {
  /** The agent's clock. */
  readonly clock: Clock;
  /** Sends the requests. */
  readonly dial: Pick<Dialer, "http">;
  /** Origin of the API, such as `https://management.azure.com`. */
  readonly origin: string;
  /** Audience of the tokens. */
  readonly resource: string;
  /** Source of bearer tokens. */
  readonly token: TokenSource;
  /** Waits that the service demands. */
  readonly retryAfter: RetryAfter;
}

/** An operation that Azure accepted. */
export interface Accepted {
  /** Path and query of its URL. */
  readonly operation: string;
  /** Azure wants it to be polled no sooner, in milliseconds. */
  readonly waitMs: number;
}

/**
 * State of an operation. `lost` = Azure does not show it: it does not know the operation yet or any
 * more, or names no status (`refusal` is absent), or it refuses this identity. Then only the
 * resource shows how it ended.
 */
export type OperationState =
  | { readonly kind: "running"; readonly waitMs: number }
  | { readonly kind: "succeeded" }
  | { readonly kind: "lost"; readonly refusal?: LinksealError }
  | { readonly kind: "failed"; readonly code: string | undefined };

interface Ask {
  readonly method: "GET" | "PUT";
  readonly path: string;
  readonly body?: Command;
  readonly where: string;
}

interface Answered {
  readonly reply: HttpReply;
  readonly waitMs: number;
}

const documentBytesMax = 1_000_000;
/**
 * Shorter than an observation, and together shorter than the time within which a lost write may
 * take effect; in milliseconds.
 */
const exchangeMsMax = { GET: 8_000, PUT: 30_000 } as const;
const permissions = /\/providers\/Microsoft\.Authorization\/permissions(?=$|\?)/i;
const operationResult = /\/operationResults\//i;
const isPath = /^\/[\x21-\x7e]+$/;
/** Signed URLs that contain a certificate have some 4,000 characters. */
const operationLengthMax = 12_000;

/** A client of one management API. */
export class Arm {
  readonly #parts: ArmParts;

  constructor(parts: ArmParts) {
    this.#parts = parts;
  }

  /**
   * Returns the document at a path. An abort leaves nothing behind.
   * @throws LinksealError `peer.*` or `vault.*`, with effect "none".
   */
  async get(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const ask = { method: "GET", path: withQuery(path, query), where: lastOf(path) } as const;
    return documentOf(this.#carriedOut(ask, await this.#ask(ask, signal)), ask.where);
  }

  /**
   * Writes a whole resource; undefined = it was done at once. After an abort it may have been
   * written.
   * @throws LinksealError `peer.*` or `vault.*`, with effect "unknown" if the reply was lost.
   */
  async put(
    path: string,
    version: string,
    body: Command,
    signal: AbortSignal,
  ): Promise<Accepted | undefined> {
    const where = lastOf(path);
    const ask: Ask = {
      method: "PUT",
      path: withQuery(path, { "api-version": version }),
      where,
      body,
    };
    using sent = new SentSecrets();
    sent.add(secretsOf(body));
    const asked = this.#ask(ask, signal).then((answered) => this.#carriedOut(ask, answered));
    const reply = await sent.cleaning(asked);
    // The reply may repeat what was written, including the key.
    reply.body.fill(0);
    const url = reply.headers["azure-asyncoperation"] ?? reply.headers["location"];
    if (url === undefined) return undefined;
    const waitMs = this.#parts.retryAfter.namedMs(reply) ?? 0;
    return { operation: this.#operationPath(url, where), waitMs };
  }

  /**
   * Returns how far an operation has come. An abort leaves nothing behind.
   * @throws LinksealError like `get`, if the failure only delays the result.
   */
  async operation(path: string, signal: AbortSignal): Promise<OperationState> {
    const ask = { method: "GET", path, where: "operation" } as const;
    const answered = await this.#ask(ask, signal);
    const { status } = answered.reply;
    if (status === 404 || status === 410) return { kind: "lost" };
    const refusal = this.#refusal(ask, answered);
    if (refusal !== undefined && isFinal(status)) return { kind: "lost", refusal };
    if (refusal !== undefined) throw refusal;
    const { reply } = answered;
    const running = {
      kind: "running",
      waitMs: this.#parts.retryAfter.namedMs(reply) ?? 0,
    } as const;
    if (status === 202) return running;
    if (status === 204) return { kind: "succeeded" };
    const document = documentOf(reply, ask.where);
    reply.body.fill(0);
    const reported = textAt(document, "status") ?? textAt(document, "properties", "status");
    // The URL of a `Location` replies with what was written once the operation has ended. Every
    // other answer has a status, and one without it shows no end.
    const state = reported ?? textAt(document, "properties", "provisioningState");
    switch (state ?? (operationResult.test(path) ? "Succeeded" : undefined)) {
      case undefined:
        return { kind: "lost" };
      case "Succeeded":
        return { kind: "succeeded" };
      case "Failed":
      case "Canceled":
        return { kind: "failed", code: codeOf(document) };
      default:
        return running;
    }
  }

  // A foreign host in this header would get our token.
  #operationPath(url: string, where: string): string {
    const { origin } = this.#parts;
    const path = url.slice(origin.length);
    const known = url.startsWith(`${origin}/`) && path.length <= operationLengthMax;
    if (known && isPath.test(path)) return path;
    const text = "it accepted the change and names an operation at another host";
    throw problem("peer.rejected", text, { effect: "unknown", where }, "linkseal status");
  }

  #carriedOut(ask: Ask, answered: Answered): HttpReply {
    const refusal = this.#refusal(ask, answered);
    if (refusal !== undefined) throw refusal;
    return answered.reply;
  }

  #refusal(ask: Ask, { reply, waitMs }: Answered): LinksealError | undefined {
    const { where, path } = ask;
    return refusalOf({ reply, where, effect: effectOf(ask), waitMs, subject: subjectOf(path) });
  }

  async #ask(ask: Ask, signal: AbortSignal): Promise<Answered> {
    const { clock, dial, origin, resource, token, retryAfter } = this.#parts;
    const { method, where } = ask;
    signal.throwIfAborted();
    // Ids that a document names become paths; a text that is not a path must not reach the HTTP
    // client.
    if (!isPath.test(ask.path)) {
      const text = "it names a resource by a text that is not a path; nothing was sent";
      throw problem("peer.rejected", text, { effect: "none", where });
    }
    const leftMs = retryAfter.remainingMs(origin);
    if (leftMs > 0) {
      const text = `nothing is asked there for another ${seconds(leftMs)}, as it demanded`;
      throw problem("peer.throttled", text, { effect: "none", where });
    }
    using bare = await token(`${resource}/.default`, signal);
    const value = ["Bearer ", { secret: bare, as: "raw" }] as const;
    using bearer = Secret.take("bearer", fillCommand(value));
    const request = requestOf(ask, origin, bearer);
    const deadline = { ms: exchangeMsMax[method], where, effect: effectOf(ask) };
    try {
      const reply = await withDeadline(clock, deadline, signal, (bounded) =>
        dial.http(request, bounded),
      );
      return { reply, waitMs: retryAfter.note(origin, reply) };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof LinksealError ? connectionError(error, where, effectOf(ask)) : error;
    }
  }
}

function subjectOf(path: string): Subject {
  if (permissions.test(path)) return "rights";
  if (/\/locations\//i.test(path)) return "operation";
  if (/\/vpnLinkConnections\//i.test(path)) return "linkConnection";
  return /\/connections\//i.test(path) ? "connection" : "port";
}

/**
 * Returns whether the status stays the same if the request is repeated soon: neither time nor load
 * is its cause.
 */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

function effectOf({ method }: Ask): Effect {
  return method === "GET" ? "none" : "unknown";
}

function requestOf({ method, path, body }: Ask, to: string, bearer: Secret): HttpRequest {
  return {
    to,
    method,
    path,
    headers: {
      accept: "application/json",
      authorization: { secret: bearer, as: "raw" },
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body }),
    replyBytesMax: documentBytesMax,
  };
}

function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const terms = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  return `${path}?${terms.join("&")}`;
}

function documentOf({ body }: HttpReply, where: string): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return parseFaithful(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    const next = "check what is between this host and Azure: proxies, captive portals";
    const text = "its answer is not JSON";
    throw problem("peer.unreachable", text, { effect: "none", where }, next);
  }
}

// A document below a resource is reported under that resource's name.
function lastOf(path: string): string {
  const resource = path.replace(/\/sharedkey(s\/default)?$/i, "").replace(permissions, "");
  return resource.split("/").at(-1) ?? path;
}
