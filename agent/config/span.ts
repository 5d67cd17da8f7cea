// Spans of time as operators write them: weekly windows, and freezes of whole days.

import { wallAfter } from "#hal/world.ts";
import type { Freeze, Window } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import { shown } from "./complaint.ts";
import { endOfDay } from "./units.ts";
import { Zone, zoneExists } from "./zone.ts";

const weekdays: readonly string[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const weekday = `(?:${weekdays.join("|")})`;
const daysItem = `${weekday}(?:-${weekday})?`;
const windowPattern = new RegExp(
  `^(daily|${daysItem}(?:,${daysItem})*) (\\d\\d:\\d\\d)-(\\d\\d:\\d\\d) ([A-Za-z][\\w/+-]{0,60})$`,
);
export const freezePattern =
  /^2\d{3}-(?:0[1-9]|1[0-2])-\d\d\/2\d{3}-(?:0[1-9]|1[0-2])-\d\d(?: [A-Za-z][\w/+-]{0,60})?$/;

const minutesOfDay = 1_440;
const windowMinutesMin = 15;
const dayMs = 86_400_000;

type ReadSpan<T> =
  | { readonly kind: "ok"; readonly span: T }
  | { readonly kind: "refused"; readonly what: string; readonly why: string };

/** Returns the texts of a key that has one text or a list of them. */
export function windowTexts(window: string | readonly string[] | undefined): readonly string[] {
  return typeof window === "string" ? [window] : (window ?? []);
}

export function readWindow(text: string): ReadSpan<Window> {
  const [, days = "", from = "", to = "", timeZone = ""] = windowPattern.exec(text) ?? [];
  if (days === "") return refused("is not a weekly span", "it has days, two times and a time zone");
  const fromMinute = minuteOf(from);
  const toMinute = minuteOf(to);
  if (fromMinute === undefined || toMinute === undefined || fromMinute === minutesOfDay) {
    return refused("contains no time of day", "a span goes from 00:00 to 24:00 at most");
  }
  if (lengthOf(fromMinute, toMinute) < windowMinutesMin) {
    const why = `nothing is finished in less than ${windowMinutesMin} minutes`;
    return refused("is too short", why);
  }
  if (!zoneExists(timeZone)) return noZone(timeZone);
  return {
    kind: "ok",
    span: { text, days: daysOf(days), fromMinute, toMinute, timeZone },
  };
}

export function readFreeze(text: string): ReadSpan<Freeze> {
  const [days = "", timeZone = "UTC"] = text.split(" ");
  const [first = "", last = ""] = days.split("/");
  const wrong = [first, last].find((day) => !dayExists(day));
  if (wrong !== undefined) return refused(`contains ${wrong}`, "the calendar has no such day");
  if (last < first) return refused("ends before it begins", `${last} comes before ${first}`);
  if (!zoneExists(timeZone)) return noZone(timeZone);
  const zone = new Zone(timeZone);
  const from = zone.startOfDay(endOfDay(first) - dayMs);
  return { kind: "ok", span: { text, from, until: zone.startOfDay(endOfDay(last)) } };
}

/** Parses a text that was read without a complaint before. */
export function windowOf(text: string): Window {
  return spanOf(readWindow(text));
}

export function freezeOf(text: string): Freeze {
  return spanOf(readFreeze(text));
}

function spanOf<T>(read: ReadSpan<T>): T {
  if (read.kind === "refused") throw new Error(`a checked span of time ${read.what}`);
  return read.span;
}

function refused(what: string, why: string): { kind: "refused"; what: string; why: string } {
  return { kind: "refused", what, why };
}

function noZone(timeZone: string): { kind: "refused"; what: string; why: string } {
  return refused("names no time zone", `this host knows no zone ${shown(timeZone)}`);
}

function minuteOf(time: string): number | undefined {
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  const whole = hour * 60 + minute;
  return minute < 60 && whole <= minutesOfDay ? whole : undefined;
}

// Equal times are refused, because they could mean a whole day or nothing.
function lengthOf(fromMinute: number, toMinute: number): number {
  return toMinute >= fromMinute ? toMinute - fromMinute : toMinute + minutesOfDay - fromMinute;
}

function dayExists(day: string): boolean {
  return isoTime(wallAfter(endOfDay(day), -dayMs)).startsWith(day);
}

function daysOf(text: string): readonly number[] {
  if (text === "daily") return weekdays.map((_, day) => day);
  const days = new Set<number>();
  for (const item of text.split(",")) {
    const [first = 0, last = first] = item.split("-").map((name) => weekdays.indexOf(name));
    const more = (last - first + 7) % 7;
    for (let day = first; day <= first + more; day += 1) days.add(day % 7);
  }
  return [...days].sort((a, b) => a - b);
}
