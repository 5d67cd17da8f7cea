// Errors for a key or certificate that is not changed, with the next step.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import type { Cause } from "../../model/reason.ts";
import { bareCauseText } from "../../model/reason-text.ts";
import { type KeyUnit, nameOf } from "./key-unit.ts";

const wordsOf = ({ length }: KeyUnit) =>
  length === 1
    ? ({ keeps: "keeps", its: "its" } as const)
    : ({ keeps: "keep", its: "their" } as const);

/** The gateway refuses the newer version, or nothing proves it, for this reason. */
export function refused(unit: KeyUnit, why: Cause, cause: LinksealError): LinksealError {
  const [{ name, auth }] = unit;
  const { keeps, its } = wordsOf(unit);
  const what = { psk: "key", certificate: "certificate" }[auth.kind];
  const next = nextOf(auth, name);
  const text = `${nameOf(unit)} ${keeps} ${its} old ${what}, and ${its} SAs: ${bareCauseText(why)}`;
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

/** `has`: the key that the gateway has: the old one, or one that is not known. */
export function notGiven(
  unit: KeyUnit,
  cause: LinksealError,
  has: "old" | "either",
): LinksealError {
  const { code, effect, next } = cause;
  const [{ name }] = unit;
  const { keeps, its } = wordsOf(unit);
  const what = {
    old: `${keeps} ${its} old key at both ends`,
    either: `${keeps} ${its} SAs, and ${its} gateway may have either key`,
  }[has];
  const text = `${nameOf(unit)} ${what}: ${cause.message}`;
  return new LinksealError(code, text, { effect, where: name, next, cause });
}

/** The key in use cannot be read; nothing was sent. */
export function noWayBack([{ name: where }]: KeyUnit, cause: LinksealError): LinksealError {
  const next = `linkseal psk proceed ${where}`;
  const text =
    `the key in use cannot be read (${cause.message}), so nothing would lead back to it; ` +
    `if it must not be used again: ${next}`;
  return new LinksealError(cause.code, text, { effect: "none", where, next, cause });
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
