// How Cisco routers write numbers, suites, times and the names of their ports.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";

/** Returns the length of a mask such as `255.255.255.252`. */
export function bitsOf(mask: string): number {
  const bits = mask.split(".").map((part) => Number(part).toString(2).padStart(8, "0"));
  return bits.join("").replace(/0+$/, "").length;
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const moment =
  /^(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))? ([A-Za-z]{3})[A-Za-z]* (\d{1,2}) (\d{4})$/;

/** Reads `18:00:00 november 25 2026` as UTC; the month is a name or its first letters. */
export function momentOf(text: string): WallTime | undefined {
  const found = moment.exec(text.trim().replaceAll(/ +/g, " "));
  if (found === null) return undefined;
  const [, hour, minute, second, fraction = "0", word = "", day, year] = found;
  const month = months.indexOf(word.toLowerCase());
  if (month < 0) return undefined;
  const clock = [Number(hour), Number(minute), Number(second)] as const;
  const ms = Number(fraction.padEnd(3, "0"));
  return Date.UTC(Number(year), month, Number(day), ...clock, ms) as WallTime;
}

export interface Lifetime {
  /** undefined = always. */
  readonly startsAt: WallTime | undefined;
  /** undefined = never. */
  readonly endsAt: WallTime | undefined;
}

/**
 * Reads the lifetime of a key in a chain; without a text it is valid always. undefined = it is not
 * understood.
 */
export function lifetimeOf(text: string | undefined): Lifetime | undefined {
  if (text === undefined) return { startsAt: undefined, endsAt: undefined };
  const found = /^(\S+ [A-Za-z]+ \d{1,2} \d{4}) (?:(infinite)|duration (\d{1,10})|(.+))$/.exec(
    text,
  );
  const startsAt = momentOf(found?.[1] ?? "");
  if (found === null || startsAt === undefined) return undefined;
  if (found[2] !== undefined) return { startsAt, endsAt: undefined };
  const endsAt =
    found[3] === undefined
      ? momentOf(found[4] ?? "")
      : ((startsAt + Number(found[3]) * 1000) as WallTime);
  return endsAt === undefined ? undefined : { startsAt, endsAt };
}

/** Returns whether a printed name means the port: `Hu0/0/0/0` means `HundredGigE0/0/0/0`. */
export function isNameOf(printed: string, port: PortName): boolean {
  const split = (name: string): readonly string[] => /^(\D+)(.*)$/.exec(name)?.slice(1) ?? [];
  const [letters = "", place] = split(printed);
  const [kind = "", where] = split(port);
  if (letters === "" || place !== where) return false;
  return kind.startsWith(letters) || kind.replaceAll(/[a-z]/g, "").startsWith(letters);
}
