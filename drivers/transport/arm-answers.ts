// What an answer of the management API means for the operator: read from status and code, never
// from the server's own sentences, which may hold anything.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import type { HttpReply } from "#hal/world.ts";
import { parseFaithful, textAt } from "./arm-json.ts";

export interface Answer {
  readonly reply: HttpReply;
  /** What was asked about. */
  readonly where: string;
  /** What the request may have done if it was not refused outright. */
  readonly effect: Effect;
  /** How long the API is left alone; 0 = no such wait. */
  readonly waitMs: number;
}

interface Row {
  /** Matched against `STATUS CODE`. */
  readonly when: RegExp;
  readonly code: Extract<ErrorCode, `peer.${string}`>;
  readonly text: string;
  readonly next: string;
}

const network = "Microsoft.Network";
const again = "linkseal rotation show, once whatever runs there has ended";

const rows: readonly Row[] = [
  {
    when: /^401 /,
    code: "peer.denied",
    text: "it does not accept the token of this identity",
    next: "compare the tenant of azure.identity with the subscription's tenant",
  },
  {
    when: /^403 LinkedAuthorizationFailed/,
    code: "peer.denied",
    text: "this identity may not assign the managed identity that the port carries",
    next: "give it Microsoft.ManagedIdentity/userAssignedIdentities/assign/action on that identity",
  },
  {
    when: /^403 RequestDisallowedByPolicy/,
    code: "peer.rejected",
    text: "an Azure policy forbids the change",
    next: "ask whoever keeps the policies of the subscription",
  },
  {
    when: /^403 /,
    code: "peer.denied",
    text: "this identity has no right here",
    next: `give it ${network}/expressRoutePorts/read, and /write if farEnd is agent`,
  },
  {
    when: /^404 (SubscriptionNotFound|ResourceGroupNotFound)/,
    code: "peer.rejected",
    text: "there is no such subscription or resource group",
    next: "compare expressRoutePort in the config with the port's resource id",
  },
  {
    when: /^404 /,
    code: "peer.rejected",
    text: "there is no such resource",
    next: "compare expressRoutePort in the config with the port's resource id",
  },
  {
    when: /^409 ScopeLocked/,
    code: "peer.rejected",
    text: "a lock on the resource forbids the change",
    next: "take the lock away, or change the far end by hand",
  },
  {
    when: /^4(09|12) /,
    code: "peer.rejected",
    text: "the port is being changed by somebody",
    next: again,
  },
  {
    when: /^400 (NoRegisteredProviderFound|InvalidApiVersionParameter|InvalidResourceType)/,
    code: "peer.rejected",
    text: "this cloud does not know the resource in the version that we speak",
    next: "compare azure.cloud and expressRoutePort; LAGs are not in every cloud yet",
  },
  {
    when: /^4\d\d /,
    code: "peer.rejected",
    text: "it does not take the request",
    next: "linkseal doctor",
  },
];

/** The error that an answer is; undefined = it was carried out. */
export function refusalOf({ reply, where, effect, waitMs }: Answer): LinksealError | undefined {
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  const details = { effect: refused(status) ? "none" : effect, where } as const;
  const code = errorCodeIn(reply);
  const shown = code === undefined ? `(${status})` : `(${status} ${code})`;
  if (status === 429) {
    return problem("peer.throttled", `it throttles ${shown}${leftAlone(waitMs)}`, details);
  }
  if (status >= 300 && status < 400) {
    return problem("peer.unreachable", `it sends elsewhere ${shown}, not followed`, details);
  }
  const row = rows.find(({ when }) => when.test(`${status} ${code ?? ""}`));
  return row === undefined
    ? problem("peer.unreachable", `it fails ${shown}${leftAlone(waitMs)}`, details)
    : problem(row.code, `${row.text} ${shown}`, details, row.next);
}

// A server error, or one that speaks of time, may come after the change was taken (RFC 9110 15.6).
function refused(status: number): boolean {
  return status < 500 && status !== 408;
}

function leftAlone(waitMs: number): string {
  return waitMs > 0 ? ` and is left alone for ${seconds(waitMs)}` : "";
}

export function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}

export function problem(
  code: Row["code"],
  text: string,
  { effect, where }: { readonly effect: Effect; readonly where: string },
  next = "linkseal status, until it answers",
  cause?: unknown,
): LinksealError {
  const told = `the management API: ${text}`;
  return new LinksealError(code, told, { effect, where, next, cause });
}

/** A connection that failed, in the far end's terms. */
export function connectionError(error: LinksealError, where: string, effect: Effect) {
  const next = error.next === "linkseal status" ? undefined : error.next;
  const done = error.effect === "none" ? "none" : effect;
  return problem("peer.unreachable", error.message, { effect: done, where }, next, error);
}

/** One word, as codes are; undefined = the body tells none. */
export function errorCodeIn({ body }: Pick<HttpReply, "body">): string | undefined {
  try {
    const document = parseFaithful(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return codeAt(document, "error") ?? codeAt(document, "properties", "error");
  } catch (error) {
    // A body that is no JSON tells no code; the status speaks for itself.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function codeAt(document: unknown, ...path: readonly string[]): string | undefined {
  const code = textAt(document, ...path, "code");
  return code !== undefined && /^[A-Za-z0-9._-]{1,80}$/.test(code) ? code : undefined;
}
