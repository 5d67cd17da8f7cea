// Requests and replies of the simulated cloud, as a transport hands them over and takes them back.

import { LinksealError } from "#hal/error.ts";

export interface AzureRequest {
  /** Of the `Host` header, with its port. */
  readonly host: string;
  readonly method: string;
  /** With the query, as it was sent. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AzureReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body takes so long to arrive; at once if not said. */
  readonly bodyMs?: number;
}

/**
 * Rejects only with the signal's reason, with `transport.closed` for a connection that is cut, or
 * when the simulator itself is broken.
 */
export type AzureHandler = (request: AzureRequest, signal: AbortSignal) => Promise<AzureReply>;

export interface Route {
  readonly method: string;
  /** Decoded, without the empty segment that a trailing slash makes. */
  readonly segments: readonly string[];
  /** By lower-case name: clients write `api-version` in several ways. */
  readonly query: ReadonlyMap<string, string>;
}

/** undefined = no path that any service could have. */
export function routeOf({ method, path }: AzureRequest): Route | undefined {
  if (!URL.canParse(path, "https://host.invalid")) return undefined;
  const url = new URL(path, "https://host.invalid");
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  try {
    const query = [...url.searchParams].map(
      ([name, value]) => [name.toLowerCase(), value] as const,
    );
    return { method, segments: segments.map(decodeURIComponent), query: new Map(query) };
  } catch {
    return undefined;
  }
}

export function reply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): AzureReply {
  const type = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { status, headers: { ...type, ...headers }, body: JSON.stringify(value) };
}

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly inner?: string;
}

/** The error body of Key Vault and of the management API. */
export function refusal(
  status: number,
  { code, message, inner }: ErrorBody,
  headers: Readonly<Record<string, string>> = {},
): AzureReply {
  const more = inner === undefined ? {} : { innererror: { code: inner } };
  return reply(status, { error: { code, message, ...more } }, headers);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** undefined = no JSON object. */
export function objectOf(body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// TypeScript's library does not list these two yet (ECMAScript "JSON.parse source text access").
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

const exactJson = JSON as unknown as ExactJson;

/** A number that is written with exactly these digits. */
export function exactNumber(digits: string): unknown {
  return exactJson.rawJSON(digits);
}

/** As `objectOf`, with every number as it was written. */
export function exactObjectOf(body: string): JsonObject | undefined {
  try {
    const value = exactJson.parse(body, (_key, inner, { source }) =>
      typeof inner === "number" && source !== undefined ? exactNumber(source) : inner,
    );
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function bearerOf({ headers }: AzureRequest): string | undefined {
  return /^bearer (\S+)$/i.exec(headers["authorization"] ?? "")?.[1];
}

/** What a client sees of a connection that is torn down instead of answered. */
export function cut(host: string): LinksealError {
  return new LinksealError("transport.closed", "the connection was reset", {
    effect: "unknown",
    where: host,
    next: "linkseal status",
  });
}
