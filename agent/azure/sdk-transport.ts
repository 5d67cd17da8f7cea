// The HTTP client of Microsoft's libraries over World.dial: the libraries speak their protocols,
// this module decides where requests go, how long they may take and what a reply means.

import type { SecretClientOptions } from "@azure/keyvault-secrets";
import { type AzureEndpoints, checkChallenge } from "#drivers/azure/azure-url.ts";
import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import { type Command, Secret, type SecretHole } from "#hal/secret.ts";
import type { Dialer, HttpReply, HttpRequest, World } from "#hal/world.ts";
import { answerError, connectionError, problem, type SignInKind, seconds } from "./answers.ts";
import { elsewhere, type LibraryService, serviceAt } from "./guard.ts";
import { RetryAfterBudget } from "./retry-after-budget.ts";

export type SdkClient = NonNullable<SecretClientOptions["httpClient"]>;
type SdkRequest = Parameters<SdkClient["sendRequest"]>[0];
type SdkReply = Awaited<ReturnType<SdkClient["sendRequest"]>>;
type SdkHeaders = SdkReply["headers"];

/** Longest reply in bytes; a page of 25 versions with all their tags fits. */
const replyBytesMax = 1024 * 1024;
const exchangeMsMax = 10_000;

export interface TransportParts {
  readonly world: Pick<World, "clock">;
  /** The dialer that `guardedDialer` made. */
  readonly dial: Dialer;
  readonly endpoints: AzureEndpoints;
  /** How tokens are got, for what errors tell the operator to do. */
  readonly signIn: SignInKind;
  /** Origin of the identity endpoint on this host; undefined = the credential has none. */
  readonly identityOrigin: string | undefined;
  /**
   * Checks the key file that an Arc challenge names.
   * @throws LinksealError that says why it must not be read
   */
  readonly checkArcKey: (path: string) => Promise<void>;
}

/** Makes the HTTP clients that Microsoft's libraries get, for one config. */
export class SdkTransport {
  readonly #parts: TransportParts;
  readonly #retryAfter: RetryAfterBudget;

  constructor(parts: TransportParts) {
    this.#parts = parts;
    this.#retryAfter = new RetryAfterBudget(parts.world.clock);
  }

  /** Makes a client for a library that may use these services only; `hear` gets every error. */
  client(services: readonly LibraryService[], hear?: (failure: LinksealError) => void): SdkClient {
    return {
      sendRequest: async (request) => {
        try {
          return await this.#send(request, services);
        } catch (error) {
          if (error instanceof LinksealError) hear?.(error);
          throw error;
        }
      },
    };
  }

  async #send(request: SdkRequest, services: readonly LibraryService[]): Promise<SdkReply> {
    const url = new URL(request.url);
    const { endpoints, identityOrigin } = this.#parts;
    const at = { to: url.origin, path: url.pathname + url.search };
    const asked = serviceAt(at, endpoints, identityOrigin);
    const service = services.find((each) => each === asked);
    // A list's next page and the place of tokens are URLs that servers choose.
    if (service === undefined) throw elsewhere(url.origin);
    const where = url.origin + (service === "vault" ? url.pathname.replace(/\/$/, "") : "");
    const reply = await this.#exchange(service, where, request, url);
    return { request, status: reply.status, ...replyParts(reply) };
  }

  async #exchange(
    service: LibraryService,
    where: string,
    request: SdkRequest,
    url: URL,
  ): Promise<HttpReply> {
    const { signIn, world } = this.#parts;
    const { clock } = world;
    const waitMs = this.#retryAfter.remainingMs(url.origin);
    if (waitMs > 0) {
      const text = `nothing is asked there for another ${seconds(waitMs)}, as it demanded`;
      throw problem("vault.unreachable", text, where);
    }
    const parent = signalOf(request);
    const deadline = { ms: exchangeMsMax, where, effect: "none" } as const;
    let reply: HttpReply;
    try {
      const asked = requestOf(request, url);
      reply = await withDeadline(clock, deadline, parent, (signal) =>
        this.#parts.dial.http(asked, signal),
      );
    } catch (error) {
      parent.throwIfAborted();
      if (!(error instanceof LinksealError)) throw error;
      throw connectionError({ service, signIn, where }, error);
    }
    const named = this.#retryAfter.note(url.origin, reply);
    if (await this.#isChallenge(service, where, reply, request)) return reply;
    const refusal = answerError({ service, signIn, where, reply, waitMs: named });
    if (refusal !== undefined) throw refusal;
    return reply;
  }

  /** True for a 401 that the library should handle, after its challenge was checked. */
  async #isChallenge(
    service: LibraryService,
    where: string,
    reply: HttpReply,
    request: SdkRequest,
  ): Promise<boolean> {
    const challenge = reply.headers["www-authenticate"];
    if (reply.status !== 401 || challenge === undefined) return false;
    if (service === "identity") {
      const path = /^Basic realm=(.{1,200})$/.exec(challenge)?.[1];
      if (path === undefined || request.headers.has("authorization")) return false;
      await this.#parts.checkArcKey(path);
      return true;
    }
    if (service !== "vault") return false;
    // A refused token is worth another attempt only if the vault names the claims that it lacks.
    const claims = /error="?insufficient_claims/.test(challenge);
    if (request.headers.has("authorization") && !claims) return false;
    const why = checkChallenge(challenge, this.#parts.endpoints);
    if (why === undefined) return true;
    const text = `the vault's demand for a token is not answered: ${why}`;
    throw problem("vault.denied", text, where, "compare azure.vault and azure.cloud");
  }
}

/**
 * Runs one call of a library and turns its errors into LinksealError.
 * @throws LinksealError
 */
export async function run<T>(where: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explained(where, error, undefined);
  }
}

/**
 * Returns what a library's error means; `heard` is the transport's own error, for libraries that
 * hide it.
 */
export function explained(
  where: string,
  error: unknown,
  heard: LinksealError | undefined,
): LinksealError {
  const own = linksealIn(error) ?? heard;
  if (own !== undefined) return own;
  const status =
    typeof error === "object" && error !== null && "statusCode" in error && error.statusCode;
  if (status === 401) {
    const text = "the vault does not accept the token of this identity (401)";
    const next = "compare the tenant of azure.identity with the vault's tenant";
    return problem("vault.denied", text, where, next);
  }
  // Neither name nor message of a foreign error is shown: it may quote the body.
  return problem("vault.unreachable", "the answer cannot be understood", where);
}

function linksealIn(error: unknown): LinksealError | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; depth += 1) {
    if (each instanceof LinksealError) return each;
    each = each.cause;
  }
  return undefined;
}

function signalOf({ abortSignal }: SdkRequest): AbortSignal {
  if (abortSignal instanceof AbortSignal) return abortSignal;
  const controller = new AbortController();
  if (abortSignal?.aborted === true) controller.abort();
  abortSignal?.addEventListener("abort", () => controller.abort());
  return controller.signal;
}

function requestOf(request: SdkRequest, url: URL): HttpRequest {
  const { method } = request;
  if (method !== "GET" && method !== "POST" && method !== "PUT" && method !== "PATCH") {
    throw problem("vault.denied", `${method} is never sent`, url.origin);
  }
  const headers: Record<string, string | SecretHole> = {};
  for (const [written, value] of request.headers) {
    const name = written.toLowerCase();
    // The Dialer returns octets as they came, and decompresses nothing.
    if (name === "accept-encoding") continue;
    const secret = /^(authorization|secret|x-identity-header)$/.test(name);
    headers[name] = secret ? held(value) : value;
  }
  // The body of a sign-in contains an assertion, and that of a new secret version its value.
  const body: Command = typeof request.body === "string" ? [held(request.body)] : [];
  const path = url.pathname + url.search;
  return { to: url.origin, method, path, headers, body, replyBytesMax };
}

function held(text: string): SecretHole {
  return { secret: Secret.take("azure", new TextEncoder().encode(text)), as: "raw" };
}

function replyParts(reply: HttpReply): { headers: SdkHeaders; bodyAsText: string } {
  const bodyAsText = new TextDecoder().decode(reply.body);
  reply.body.fill(0);
  return { headers: new ReplyHeaders(reply.headers), bodyAsText };
}

/** Reply headers in the form that the libraries expect. */
class ReplyHeaders implements SdkHeaders {
  readonly #values: Map<string, string>;

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = new Map(Object.entries(values));
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string | number | boolean): void {
    this.#values.set(name.toLowerCase(), String(value));
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values.entries();
  }
}
