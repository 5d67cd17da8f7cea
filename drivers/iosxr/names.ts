// The names of our own objects in a configuration of IOS XR, and how it writes names and time.

import type { WallTime } from "#hal/world.ts";
import { portNames } from "../platform/cisco-config.ts";

/**
 * Interface types of ports that can face a provider, with the letters by which tables abbreviate
 * them.
 */
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

export const { isPort, ownName } = portNames(kinds, /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){3,4})$/);

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
