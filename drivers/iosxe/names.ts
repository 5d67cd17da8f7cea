// What we call our own things in a configuration of IOS XE.

import type { PortName } from "#hal/model.ts";
import { portNames } from "../platform/cisco-config.ts";

/** Speeds at which a port can face a provider, with the letters that tables shorten them to. */
const kinds: Readonly<Record<string, string>> = {
  GigabitEthernet: "Gi",
  TenGigabitEthernet: "Te",
  TwentyFiveGigE: "Twe",
  FortyGigabitEthernet: "Fo",
  FiftyGigE: "Fi",
  HundredGigE: "Hu",
  FourHundredGigE: "FH",
};

/** A management port has one number alone. */
export const { isPort, ownName } = portNames(kinds, /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){1,3})$/);

/** The port of a logical interface on it. */
export function portOfUnit(name: string): PortName | undefined {
  const port = name.replace(/\.\d{1,10}$/, "");
  return isPort(port) ? port : undefined;
}

const drainPrefix = "linkseal-drain-";

/** Of the route map that drains one neighbour, with the name of the one whose place it takes. */
export function drainMap(way: "in" | "out", address: string, own: string | undefined): string {
  const name = `${drainPrefix}${way}-${address.replaceAll(":", "-")}`;
  return own === undefined ? name : `${name}@${own}`;
}

export function isDrainMap(name: string | undefined): boolean {
  return name?.startsWith(drainPrefix) === true;
}

/** The route map whose place it has taken; undefined = there was none. */
export function ownMapOf(drain: string): string | undefined {
  const at = drain.indexOf("@");
  return at < 0 ? undefined : drain.slice(at + 1);
}

/** A variable of the event manager that no policy reads: configuration that changes nothing. */
export const markName = "linkseal_commit";
