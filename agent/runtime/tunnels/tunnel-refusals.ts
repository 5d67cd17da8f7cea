// Errors for a key or certificate that is not changed, with the next step.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { DesiredTunnel } from "../../model/desired.ts";

export function refused(
  { name, auth }: DesiredTunnel,
  why: string,
  cause: LinksealError,
): LinksealError {
  const what = { psk: "key", certificate: "certificate" }[auth.kind];
  const next = nextOf(auth, name);
  const text = `${name} keeps its old ${what}, and its SAs: ${why}`;
  return new LinksealError("verify.mismatch", text, { effect: "none", where: name, next, cause });
}

function nextOf(auth: DesiredTunnel["auth"], name: string): string {
  const proceed = `linkseal psk proceed ${name}`;
  switch (auth.kind) {
    case "certificate":
      return "put a version into the vault that the gateway takes";
    case "psk":
      return auth.farEnd === "agent"
        ? `linkseal psk show ${name}`
        : `give the gateway the newer version, then ${proceed}`;
  }
}

export function notGiven(
  { name }: DesiredTunnel,
  cause: LinksealError,
  what: string,
): LinksealError {
  const { code, effect, next } = cause;
  const text = `${name} ${what}: ${cause.message}`;
  return new LinksealError(code, text, { effect, where: name, next, cause });
}

export function refusal(
  code: Extract<ErrorCode, `gate.${string}`> | "device.unsupported",
  where: string,
  why: string,
  next: string,
): LinksealError {
  const text = `the key of ${where} is not changed: ${why}`;
  return new LinksealError(code, text, { effect: "none", where, next });
}
