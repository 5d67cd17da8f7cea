// Requests and replies of the simulated cloud, as a transport delivers and returns them.

import { LinksealError } from "#hal/error.ts";

export interface AzureRequest {
  /** The value of the `Host` header, with its port. */
  readonly host: string;
  readonly method: string;
  /** The path with the query, as it was sent. */
  readonly path: string;
  /** The headers; their names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A reply of the simulated cloud. */
export interface AzureReply {
  /** The HTTP status. */
  readonly status: number;
  /** The headers; their names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as text. */
  readonly body: string;
  /** The time that the body takes to arrive, in milliseconds; 0 if absent. */
  readonly bodyMs?: number;
}

/**
 * Answers one request. An abort ends it before its answer; what it changed by then stays.
 * @throws LinksealError `transport.closed` for a connection that is cut; apart from that it rejects
 * only with the signal's reason, or when the simulator itself is broken.
 */
export type AzureHandler = (request: AzureRequest, signal: AbortSignal) => Promise<AzureReply>;

export interface Route {
  readonly method: string;
  /** The decoded segments of the path, without the empty one that a trailing slash makes. */
  readonly segments: readonly string[];
  /** The query parameters by lower-case name: clients write `api-version` in several ways. */
  readonly query: ReadonlyMap<string, string>;
}

/** Splits a request's path; undefined means a path that no service could have. */
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

/** Returns an error in the form that Key Vault and the management API share. */
export function refusal(
  status: number,
  { code, message, inner }: ErrorBody,
  headers: Readonly<Record<string, string>> = {},
): AzureReply {
  const more = inner === undefined ? {} : { innererror: { code: inner } };
  return reply(status, { error: { code, message, ...more } }, headers);
}

/** Returns the 404 of the management API. */
export function notFound(path: string): AzureReply {
  const message = `The Resource '${path}' was not found.`;
  return refusal(404, { code: "ResourceNotFound", message });
}

/** Returns the 405 of the management API. */
export function notAllowed(method: string): AzureReply {
  const message = `The method ${method} is not allowed on this resource.`;
  return refusal(405, { code: "MethodNotAllowed", message });
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses a JSON object; undefined if the body is not one. */
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

/** Returns a number that is written with exactly these digits. */
export function exactNumber(digits: string): unknown {
  return exactJson.rawJSON(digits);
}

/** Parses a JSON object as `objectOf` does, with every number as it was written. */
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

/** Returns the error that a client sees of a connection that is reset instead of answered. */
export function cut(host: string): LinksealError {
  return new LinksealError("transport.closed", "the connection was reset", {
    effect: "unknown",
    where: host,
    next: "linkseal status",
  });
}
