// The HTTP replies of the status page: its files, the login, and the day of a link or tunnel, which
// alone contains data of the site and needs an open session.

import type { IncomingMessage, ServerResponse } from "node:http";
import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import { cookieOf, isOwnHost, isOwnOrigin } from "../model/page-guard.ts";
import type { Days } from "../page/day.ts";
import { type Logins, type SessionHalves, sessionSeconds } from "../page/logins.ts";
import { bodyOf, type HttpReply, refuseUnmeasured, send } from "./listener.ts";
import type { PageFile } from "./page-files.ts";
import type { UntakenReplies } from "./untaken-replies.ts";

/** What all requests of a page share. */
export interface PageContext {
  readonly files: ReadonlyMap<string, PageFile>;
  readonly logins: Logins;
  readonly scheme: "http" | "https";
  readonly cookie: string;
  /** The days of all links and tunnels. */
  readonly days: Pick<Days, "link" | "tunnel">;
  /** Checks a name against the certificate; absent = only names of this host are accepted. */
  readonly certifies: (() => (name: string) => boolean) | undefined;
  /** Resolves in a turn of the event loop that no other request has. */
  readonly turn: () => Promise<void>;
  readonly untaken: UntakenReplies;
}

const bodyBytesMax = 256;
const halfHeader = "x-linkseal-half";

/**
 * Scripts, styles and connections come from this origin alone, frames and forms are forbidden, and
 * text is never taken for markup.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const guarding = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "cache-control": "no-store",
} as const;

/**
 * RFC 6797: for a year the browser uses TLS alone for this name, without sub-domains. Section 7.2
 * forbids it without TLS.
 */
const underTls = { "strict-transport-security": "max-age=31536000" } as const;

export async function answerPage(
  context: PageContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (refuseUnmeasured(request, response)) return;
  const headers = context.scheme === "https" ? { ...guarding, ...underTls } : guarding;
  await context.turn();
  const reply = await answerOf(context, request);
  context.untaken.add(response, reply);
  send(response, reply, headers);
}

async function answerOf(context: PageContext, request: IncomingMessage): Promise<HttpReply> {
  const { method = "", url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  if (!isCalledRight(context, request))
    return textReply(421, "the page is not served under this name");
  if (method === "GET" || method === "HEAD") {
    const file = context.files.get(path);
    if (file !== undefined) return { status: 200, type: file.type, body: file.octets };
    if (path === "/session") return jsonReply(200, { session: hasSession(context, request) });
    return dayReply(context, request, path) ?? textReply(404, "there is nothing here");
  }
  if (method !== "POST") return textReply(405, "the page is read-only");
  if (path !== "/login" && path !== "/logout") return textReply(404, "there is nothing here");
  if (!isFromPage(context, request)) return textReply(403, "the request comes from another page");
  return path === "/login" ? await login(context, request) : logout(context, request);
}

export function isCalledRight(
  { certifies }: PageContext,
  { headers, headersDistinct }: IncomingMessage,
): boolean {
  // Of two names Node passes on the first, and a proxy before it may go by the second.
  return headersDistinct["host"]?.length === 1 && isOwnHost(headers.host, certifies?.());
}

export function isFromPage({ scheme }: PageContext, { headers }: IncomingMessage): boolean {
  return isOwnOrigin(headers.origin, headers.host, scheme);
}

/** Returns the day that a path names; undefined = it names none. */
function dayReply(
  context: PageContext,
  request: IncomingMessage,
  path: string,
): HttpReply | undefined {
  const [, kind, name = ""] = /^\/day\/(link|tunnel)\/([\w.%/-]{1,300})$/.exec(path) ?? [];
  if (kind === undefined) return undefined;
  if (hasSession(context, request) !== "open") return textReply(403, "no session is open");
  const id = decoded(name);
  if (id === undefined) return undefined;
  const day = kind === "link" ? context.days.link(id) : context.days.tunnel(id);
  return day === undefined ? undefined : jsonReply(200, day);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign names nothing.
    return undefined;
  }
}

function hasSession(context: PageContext, request: IncomingMessage): "open" | "none" {
  const halves = halvesOf(context, request, request.headers[halfHeader]);
  return halves !== undefined && context.logins.holds(halves) ? "open" : "none";
}

/** Returns both halves of the session, or undefined. */
export function halvesOf(
  { cookie: name }: PageContext,
  { headers }: IncomingMessage,
  half: string | readonly string[] | undefined,
): SessionHalves | undefined {
  const cookie = cookieOf(headers.cookie, name);
  return cookie === undefined || typeof half !== "string" ? undefined : { cookie, half };
}

async function login(context: PageContext, request: IncomingMessage): Promise<HttpReply> {
  const code = await codeOf(request);
  if (code === undefined) return textReply(400, "the request contains no code");
  const entry = context.logins.enter(code, request.socket.remoteAddress ?? "");
  switch (entry.kind) {
    case "open": {
      const { cookie, half } = entry.halves;
      const headers = { "set-cookie": cookieText(context, cookie, sessionSeconds) };
      return { ...jsonReply(200, { half }), headers };
    }
    case "wrong":
      return textReply(403, "this code is wrong, too old, or was used before");
    case "later": {
      const seconds = String(Math.ceil(entry.waitMs / 1_000));
      const text = `too many codes were wrong, and so is this one: wait ${seconds} s`;
      return { ...textReply(429, text), headers: { "retry-after": seconds } };
    }
  }
}

function logout(context: PageContext, request: IncomingMessage): HttpReply {
  const halves = halvesOf(context, request, request.headers[halfHeader]);
  if (halves !== undefined) context.logins.end(halves);
  return { ...jsonReply(200, {}), headers: { "set-cookie": cookieText(context, "", 0) } };
}

function cookieText({ cookie, scheme }: PageContext, value: string, seconds: number): string {
  const secure = scheme === "https" ? "; Secure" : "";
  return `${cookie}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}

// Reads the login code. A longer body is read and dropped, for 5 s at most, or its sender would
// lose the reply.
async function codeOf(request: IncomingMessage): Promise<string | undefined> {
  const body = await bodyOf(request, bodyBytesMax);
  if (body === undefined) return undefined;
  try {
    const { code } = parseJson(body) as { code?: unknown };
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}

function jsonReply(status: number, value: object): HttpReply {
  return { status, body: JSON.stringify(value) };
}

function textReply(status: number, text: string): HttpReply {
  return jsonReply(status, { text });
}

/**
 * Makes the error for an address beyond loopback without TLS, which is never served, whatever the
 * config says.
 */
export function notInClear(host: string): LinksealError {
  const text = `${host} is beyond loopback, and the page has no certificate there`;
  const next = "linkseal validate FILE";
  return new LinksealError("config.invalid", text, { effect: "none", where: "serve.page", next });
}
