// What we call our own things in a configuration of IOS XR, and how it writes names and time.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";

/** Speeds at which a port can face a provider, with the letters that tables shorten them to. */
const kinds: Readonly<Record<string, string>> = {
  GigabitEthernet: "Gi",
  TenGigE: "Te",
  TwentyFiveGigE: "TF",
  FortyGigE: "Fo",
  FiftyGigE: "Fi",
  HundredGigE: "Hu",
  TwoHundredGigE: "TH",
  FourHundredGigE: "FH",
  EightHundredGigE: "EH",
};
const portPattern = /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){3,4})$/;

/** An Ethernet port, without a logical unit: whatever else has an interface name is no link. */
export function isPort(name: string): name is PortName {
  return kinds[portPattern.exec(name)?.[1] ?? ""] !== undefined;
}

function shortOf(port: PortName): string {
  const [, kind = "", place = ""] = portPattern.exec(port) ?? [];
  return `${kinds[kind] ?? kind}${place}`;
}

/** As long as a `macsec-policy` may be called. */
const policyMax = 16;

/** Of the policy and the key chains of a port; undefined = it would be too long. */
export function ownName(port: PortName): string | undefined {
  const name = `ls-${shortOf(port).replaceAll("/", "-")}`;
  return name.length <= policyMax ? name : undefined;
}

const monthNames = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
];

/** By its name or its first three letters; undefined = there is no such month. */
function monthOf(word: string): number | undefined {
  const at = monthNames.findIndex((one) => one.slice(0, 3) === word.slice(0, 3).toLowerCase());
  return at < 0 ? undefined : at;
}

const moment = /^(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))? ([A-Za-z]+) (\d{1,2}) (\d{4})$/;

/** `18:00:00 november 25 2026`, taken for UTC. */
export function momentOf(text: string): WallTime | undefined {
  const found = moment.exec(text.trim().replaceAll(/ +/g, " "));
  if (found === null) return undefined;
  const [, hour, minute, second, fraction = "0", word = "", day, year] = found;
  const month = monthOf(word);
  if (month === undefined) return undefined;
  const clock = [Number(hour), Number(minute), Number(second)] as const;
  const ms = Number(fraction.padEnd(3, "0"));
  return Date.UTC(Number(year), month, Number(day), ...clock, ms) as WallTime;
}

export function momentText(at: WallTime): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const month = monthNames[date.getUTCMonth()] ?? "";
  const day = String(date.getUTCDate()).padStart(2, "0");
  return `${date.toISOString().slice(11, 19)} ${month} ${day} ${date.getUTCFullYear()}`;
}
