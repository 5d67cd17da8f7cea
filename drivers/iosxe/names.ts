// The names of our own objects in a configuration of IOS XE.

import { portNames } from "../platform/cisco-config.ts";

/**
 * Interface types of ports that can face a provider, with the letters by which tables abbreviate
 * them.
 */
const kinds: Readonly<Record<string, string>> = {
  GigabitEthernet: "Gi",
  TenGigabitEthernet: "Te",
  TwentyFiveGigE: "Twe",
  FortyGigabitEthernet: "Fo",
  FiftyGigE: "Fi",
  HundredGigE: "Hu",
  FourHundredGigE: "FH",
};

/** A management port has a single number. */
export const { isPort, ownName } = portNames(kinds, /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){1,3})$/);

const drainPrefix = "linkseal-drain-";

/**
 * Returns the name of the route map that drains one neighbour; it contains the name of the one that
 * it replaces. Route maps belong to the whole router, and one address may be in several VRFs.
 */
export function drainMap(
  way: "in" | "out",
  { address, vrf }: { readonly address: string; readonly vrf: string | undefined },
  own: string | undefined,
): string {
  const instance = vrf === undefined ? "" : `${vrf}-`;
  const name = `${drainPrefix}${way}-${instance}${address.replaceAll(":", "-")}`;
  return own === undefined ? name : `${name}@${own}`;
}

export function isDrainMap(name: string | undefined): boolean {
  return name?.startsWith(drainPrefix) === true;
}

/** Returns the route map that a drain replaces; undefined = there was none. */
export function ownMapOf(drain: string): string | undefined {
  const at = drain.indexOf("@");
  return at < 0 ? undefined : drain.slice(at + 1);
}

/** A variable of the event manager that no policy reads: configuration without an effect. */
export const markName = "linkseal_commit";
