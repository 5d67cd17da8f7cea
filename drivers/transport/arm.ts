// A small client of Azure's management API: pinned versions, raw documents, operations that last.

import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { Dialer, HttpReply, HttpRequest, Reach } from "#hal/world.ts";
import { parseFaithful, writeFaithful } from "./arm-json.ts";

/** A bearer token for a scope; the caller wipes it. Throws `vault.*` or `transport.*`. */
export type TokenSource = (scope: string, signal: AbortSignal) => Promise<Secret>;

export interface ArmParts {
  readonly dial: Pick<Dialer, "http">;
  /** Such as `https://management.azure.com`. */
  readonly origin: string;
  /** Audience of the tokens. */
  readonly resource: string;
  readonly token: TokenSource;
  readonly reach?: Reach;
}

export type OperationState = "running" | "succeeded" | "failed";

const documentBytesMax = 1_000_000;
const where = "Azure management API";
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

export class Arm {
  readonly #parts: ArmParts;

  constructor(parts: ArmParts) {
    this.#parts = parts;
  }

  /** The document of a resource. Throws `peer.*` or `transport.*` with effect "none". */
  async get(path: string, version: string, signal: AbortSignal): Promise<unknown> {
    const reply = await this.#call("GET", `${path}?api-version=${version}`, undefined, signal);
    if (reply.status === 200) return documentOf(reply, path);
    throw refusal(reply, path, "none");
  }

  /**
   * Writes a whole resource; the URL of the operation, or undefined if it was done at once. A lost
   * reply has effect "unknown".
   */
  async put(
    path: string,
    version: string,
    document: unknown,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const text = writeFaithful(document);
    const reply = await this.#call("PUT", `${path}?api-version=${version}`, text, signal);
    if (![200, 201, 202].includes(reply.status)) {
      // A server error may come after the change was taken (RFC 9110 15.6).
      throw refusal(reply, path, reply.status >= 500 ? "unknown" : "none");
    }
    const url = reply.headers["azure-asyncoperation"] ?? reply.headers["location"];
    return url === undefined ? undefined : this.#operationPath(url);
  }

  /** How an operation stands; one that Azure has forgotten is over. */
  async operation(path: string, signal: AbortSignal): Promise<OperationState> {
    const reply = await this.#call("GET", path, undefined, signal);
    if (reply.status === 404) return "succeeded";
    if (reply.status === 202) return "running";
    if (reply.status !== 200) throw refusal(reply, "operation", "none");
    const document = documentOf(reply, "operation");
    const status = textIn(document, "status") ?? textIn(field(document, "properties"), "status");
    switch (status ?? "") {
      case "Succeeded":
        return "succeeded";
      case "Failed":
      case "Canceled":
        return "failed";
      default:
        return "running";
    }
  }

  // A foreign host in this header would get our token.
  #operationPath(url: string): string {
    const { origin } = this.#parts;
    const path = url.slice(origin.length);
    if (url.startsWith(`${origin}/`) && /^\/[\x21-\x7e]{1,2000}$/.test(path)) return path;
    throw new LinksealError("peer.rejected", "the operation lies at another host than asked", {
      effect: "unknown",
      where,
      next: "linkseal status",
    });
  }

  async #call(
    method: "GET" | "PUT",
    path: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    const { dial, origin, resource, token, reach } = this.#parts;
    using bearer = await token(`${resource}/.default`, signal);
    const request: HttpRequest = {
      to: origin,
      method,
      path,
      headers: {
        accept: "application/json",
        authorization: { secret: bearer, as: "raw" },
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: [body] }),
      ...(reach === undefined ? {} : { reach }),
      replyBytesMax: documentBytesMax,
    };
    return await dial.http(request, signal);
  }
}

function documentOf(reply: HttpReply, path: string): unknown {
  try {
    return parseFaithful(strictUtf8.decode(reply.body));
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    throw new LinksealError("device.unparsed", `${where} answered something that is no JSON`, {
      effect: "none",
      where: lastOf(path),
      next: "linkseal status",
    });
  }
}

function field(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function textIn(value: unknown, key: string): string | undefined {
  const found = field(value, key);
  return typeof found === "string" ? found : undefined;
}

/** Only a code of letters and the status: bodies of errors are not ours to repeat. */
function refusal(reply: HttpReply, path: string, effect: "none" | "unknown"): LinksealError {
  const details = { effect, where: lastOf(path), next: "linkseal doctor" } as const;
  const code = errorCodeOf(reply);
  const text = `${where} refused (${reply.status}${code === undefined ? "" : ` ${code}`})`;
  switch (reply.status) {
    case 401:
      return new LinksealError(
        "transport.authentication",
        `${text}: the token is not valid`,
        details,
      );
    case 403:
      return new LinksealError("peer.rejected", `${text}: a right on the port is missing`, details);
    case 404:
      return new LinksealError("peer.rejected", `${text}: there is no such port`, details);
    case 409:
    case 412:
      return new LinksealError("peer.rejected", `${text}: the port is being changed`, details);
    case 429: {
      const wait = reply.headers["retry-after"];
      const after = wait !== undefined && /^\d{1,6}$/.test(wait) ? `, asks for ${wait} s` : "";
      return new LinksealError("peer.throttled", `${text}${after}`, details);
    }
    default:
      return reply.status >= 500
        ? new LinksealError("transport.unreachable", text, details)
        : new LinksealError("peer.rejected", text, details);
  }
}

function errorCodeOf(reply: HttpReply): string | undefined {
  try {
    const body = parseFaithful(strictUtf8.decode(reply.body));
    const code = textIn(field(body, "error"), "code");
    return code !== undefined && /^[A-Za-z0-9._-]{1,80}$/.test(code) ? code : undefined;
  } catch {
    // A body that is no JSON tells no code; the status speaks for itself.
    return undefined;
  }
}

function lastOf(path: string): string {
  return path.split("/").at(-1)?.split("?", 1)[0] ?? path;
}
