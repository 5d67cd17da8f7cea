// Reads the members of a request, each by the rule that its route gives. Pure.

import { LinksealError } from "#hal/error.ts";
import type { Campaign } from "../model/campaign.ts";
import { type RiskName, riskNames } from "../model/desired.ts";

/**
 * Reads the value of a member; undefined as `value` = the request does not have it.
 * @throws LinksealError with `usage`, which names the member
 */
export type Member<T> = (value: unknown, name: string) => T;

/** Longest text in characters: the largest config that is accepted, and some more. */
export const textLengthMax = 2_000_000;
/**
 * Longest name in characters. Names are GROUP/LINK, a path or a moment, and paths are the longest
 * of them.
 */
const nameLengthMax = 4_096;
const listLengthMax = 100;

export const text: Member<string> = (value, name) => textOf(value, name, textLengthMax);

/** Reads the name of something: it comes back in errors, and is the subject of an audit record. */
export const name: Member<string> = (value, member) => textOf(value, member, nameLengthMax);

function textOf(value: unknown, name: string, lengthMax: number): string {
  if (typeof value !== "string" || value === "") {
    throw usage(`the request lacks the text "${name}"`);
  }
  if (value.length > lengthMax) {
    throw usage(`the text "${name}" is longer than ${lengthMax} characters`);
  }
  return value;
}

export const names: Member<readonly string[]> = (value, member) => {
  const list = value ?? [];
  if (Array.isArray(list) && list.every((each) => typeof each === "string")) {
    if (list.length <= listLengthMax) return list;
    throw usage(`"${member}" has more than ${listLengthMax} texts`);
  }
  throw usage(`"${member}" is not a list of texts`);
};

export const risks: Member<readonly RiskName[]> = (value, member) =>
  names(value, member).map((each) => {
    const risk = riskNames.find((one) => one === each);
    if (risk === undefined) throw usage(`there is no risk named ${quoted(each)}`);
    return risk;
  });

export const urgency: Member<Campaign["urgency"]> = (value, member) => {
  const found = value ?? "planned";
  if (found === "planned" || found === "emergency") return found;
  throw usage(`"${member}" is planned or emergency`);
};

/** Reads a whole number: decimal digits in a query, a JSON number in a body. */
export const whole: Member<number> = (value, member) => {
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw usage(`"${member}" is not a whole number`);
};

/** Reads true or false; an absent member means false. */
export const flag: Member<boolean> = (value, member) => {
  const found = value ?? false;
  if (typeof found === "boolean") return found;
  throw usage(`"${member}" is neither true nor false`);
};

/** Takes any value, for a member that the route only compares with something. */
export const anything: Member<unknown> = (value) => value;

function optional<T>(read: Member<T>): Member<T | undefined> {
  return (value, member) => (value === undefined ? undefined : read(value, member));
}

/** Readers of members that a request may leave out. */
export const maybe = {
  text: optional(text),
  name: optional(name),
  whole: optional(whole),
} as const;

/**
 * Refuses members that the route does not have.
 * @throws LinksealError with `usage`, which lists up to three of them
 */
export function refuseUnknown(received: Iterable<string>, known: readonly string[]): void {
  const unknown = [...received].filter((each) => !known.includes(each));
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, 3).map(quoted).join(", ");
  const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
  const takes = known.length === 0 ? "none" : known.join(", ");
  throw usage(`the request has an unknown member ${shown}${more}; it takes ${takes}`);
}

const shownMax = 60;

function quoted(each: string): string {
  return JSON.stringify(each.length > shownMax ? `${each.slice(0, shownMax)}...` : each);
}

export function usage(what: string, next = "linkseal --help"): LinksealError {
  return new LinksealError("usage", what, { effect: "none", where: "socket", next });
}
