// What a reply of the management API means for the operator: it is read from status and code, never
// from the server's own sentences, which may contain anything.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { withoutKeys } from "#hal/key-lines.ts";
import type { HttpReply } from "#hal/world.ts";
import { parseFaithful, textAt } from "./arm-json.ts";

export interface ArmResponse {
  readonly reply: HttpReply;
  /** The resource that the request named. */
  readonly where: string;
  /** The effect that the request may have had if it was not refused outright. */
  readonly effect: Effect;
  /** How long the API must be left alone, in milliseconds; 0 = no such wait. */
  readonly waitMs: number;
  readonly subject: Subject;
}

interface Row {
  /** Matched against `STATUS CODE`. */
  readonly when: RegExp;
  readonly code: Extract<ErrorCode, `peer.${string}`>;
  readonly text: string;
  readonly next: string;
}

/** The kind of resource that a request concerned; the messages and the rights depend on it. */
export type Subject = Resource | "operation" | "rights";
type Resource = "port" | "connection" | "linkConnection";

const network = "Microsoft.Network";
const link = `${network}/vpnGateways/vpnConnections/vpnLinkConnections`;
const assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

type Words = Readonly<Record<"right" | "compare" | "byHand" | "busy" | "again" | "age", string>>;

const connection: Words = {
  right:
    `give it ${network}/connections/read, and ${network}/connections/sharedKey/write if ` +
    "auth.farEnd is agent",
  compare: "compare remote.azureConnection in the config with the connection's resource id",
  byHand: "take the lock away, or give the key to the gateway by hand",
  busy: "another change of the connection or its gateway is running",
  again: "linkseal psk show, once whatever runs there has ended",
  age: "compare azure.cloud with the cloud of the subscription",
};

const words: Readonly<Record<Resource, Words>> = {
  port: {
    right: `give it ${network}/expressRoutePorts/read, and /write if farEnd is agent`,
    compare: "compare expressRoutePort in the config with the port's resource id",
    byHand: "take the lock away, or change the far end by hand",
    busy: "another change of the port is running",
    again: "linkseal rotation show, once whatever runs there has ended",
    age: "compare azure.cloud and expressRoutePort; LAGs are not in every cloud yet",
  },
  connection,
  linkConnection: {
    ...connection,
    right: `give it ${link}/read, and ${link}/sharedKeys/write if auth.farEnd is agent`,
  },
};

const tokenRows: readonly Row[] = [
  {
    when: /^401 ExpiredAuthenticationToken/,
    code: "peer.denied",
    text: "the token of this identity has expired",
    next: "compare this host's clock with true time: a new token is asked for when this one is old",
  },
  {
    when: /^401 /,
    code: "peer.denied",
    text: "it does not accept the token of this identity",
    next: "compare the tenant of azure.identity with the subscription's tenant",
  },
];

/**
 * An operation is a resource of the subscription and not of a port: a role that is assigned on the
 * port does not reach it, one on the resource group does ("Track asynchronous Azure operations",
 * section "Permission for tracking async status").
 */
const operationRows: readonly Row[] = [
  ...tokenRows,
  {
    when: /^403 /,
    code: "peer.denied",
    text: "this identity may start an operation and not follow it",
    next:
      `give it ${network}/locations/operations/read and ${network}/locations/operationResults/` +
      "read by a role at the resource group, as a role on the resource alone does not reach them",
  },
  {
    when: /^4\d\d /,
    code: "peer.rejected",
    text: "it does not show the operation",
    next: "linkseal doctor",
  },
];

const rightsRows: readonly Row[] = [
  ...tokenRows,
  {
    when: /^403 /,
    code: "peer.denied",
    text: "this identity may not read which rights it has here",
    next: "give it Microsoft.Authorization/permissions/read, as linkseal azure setup prints it",
  },
  {
    when: /^404 /,
    code: "peer.rejected",
    text: "it knows no such scope",
    next: "compare the resource ids of the config and of the port's identity with Azure",
  },
  {
    when: /^4\d\d /,
    code: "peer.rejected",
    text: "it does not show which rights this identity has",
    next: "linkseal doctor",
  },
];

const rowsOf = (subject: Resource): readonly Row[] => {
  const { right, compare, byHand, busy, again, age } = words[subject];
  return [
    ...tokenRows,
    {
      when: /^403 LinkedAuthorizationFailed/,
      code: "peer.denied",
      text: "this identity may not assign the managed identity that the port carries",
      next: `give it ${assign} on that identity`,
    },
    {
      when: /^403 RequestDisallowedByPolicy/,
      code: "peer.rejected",
      text: "an Azure policy forbids the change",
      next: "ask the owner of the subscription's policies",
    },
    { when: /^403 /, code: "peer.denied", text: "this identity has no right here", next: right },
    {
      when: /^404 (SubscriptionNotFound|ResourceGroupNotFound)/,
      code: "peer.rejected",
      text: "there is no such subscription or resource group",
      next: compare,
    },
    { when: /^404 /, code: "peer.rejected", text: "there is no such resource", next: compare },
    {
      when: /^409 ScopeLocked/,
      code: "peer.rejected",
      text: "a lock on the resource forbids the change",
      next: byHand,
    },
    { when: /^4(09|12) /, code: "peer.rejected", text: busy, next: again },
    {
      when: /^400 (NoRegisteredProviderFound|InvalidApiVersionParameter|InvalidResourceType)/,
      code: "peer.rejected",
      text: "this cloud does not know the resource in the API version that linkseal uses",
      next: age,
    },
    {
      when: /^4\d\d /,
      code: "peer.rejected",
      text: "it does not accept the request",
      next: "linkseal doctor",
    },
  ];
};

const rows: Readonly<Record<Subject, readonly Row[]>> = {
  port: rowsOf("port"),
  connection: rowsOf("connection"),
  linkConnection: rowsOf("linkConnection"),
  operation: operationRows,
  rights: rightsRows,
};

/** Returns the error that a reply means; undefined = the request was carried out. */
export function refusalOf({
  reply,
  where,
  effect,
  waitMs,
  subject,
}: ArmResponse): LinksealError | undefined {
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
  const row = rows[subject].find(({ when }) => when.test(`${status} ${code ?? ""}`));
  return row === undefined
    ? problem("peer.unreachable", `it fails ${shown}${leftAlone(waitMs)}`, details)
    : problem(row.code, `${row.text} ${shown}`, details, row.next);
}

// A server error, or one about time, may come after the change was accepted (RFC 9110 15.6).
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
  const fullText = `the management API: ${text}`;
  return new LinksealError(code, fullText, { effect, where, next, cause });
}

/** Returns a failed connection as an error of the far end. */
export function connectionError(error: LinksealError, where: string, effect: Effect) {
  const next = error.next === "linkseal status" ? undefined : error.next;
  const done = error.effect === "none" ? "none" : effect;
  return problem("peer.unreachable", error.message, { effect: done, where }, next, error);
}

/** Returns the code, which is one word; undefined = the body contains none. */
function errorCodeIn({ body }: Pick<HttpReply, "body">): string | undefined {
  try {
    return codeOf(parseFaithful(new TextDecoder("utf-8", { fatal: true }).decode(body)));
  } catch (error) {
    // A body that is not JSON has no code; the status is enough.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Returns the code of the error in a document. */
export function codeOf(document: unknown): string | undefined {
  return codeAt(document, "error") ?? codeAt(document, "properties", "error");
}

function codeAt(document: unknown, ...path: readonly string[]): string | undefined {
  const code = textAt(document, ...path, "code");
  const isCode = code !== undefined && /^[A-Za-z0-9._-]{1,80}$/.test(code);
  return isCode && withoutKeys(code) === code ? code : undefined;
}
