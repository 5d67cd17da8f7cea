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

export function momentText(at: WallTime): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const month = monthNames[date.getUTCMonth()] ?? "";
  const day = String(date.getUTCDate()).padStart(2, "0");
  return `${date.toISOString().slice(11, 19)} ${month} ${day} ${date.getUTCFullYear()}`;
}
