// The names of ports in EOS, and the names of our own objects in its configuration.

import type { PortName } from "#hal/model.ts";

/** An Ethernet port without a logical unit; no other interface is a link. */
const portPattern = /^Ethernet\d{1,3}(?:\/\d{1,3}){0,2}$/;

export function isPort(name: string): name is PortName {
  return portPattern.test(name);
}

/** Returns the name of our profile for a port. */
export function ownProfile(port: PortName): string {
  return `linkseal-${port.replaceAll("/", "-")}`;
}

/** Begins the names of our configuration sessions; the token of the transaction follows. */
export const sessionPrefix = "linkseal-";

const drainPrefix = "linkseal-drain-";

/** The VRF in which everything is that no line places in another. */
export const defaultVrf = "default";

/**
 * Returns the name of the route map that drains one neighbour; it calls the operator's own. Route
 * maps belong to the whole router, and one address may be in several VRFs.
 */
export function drainMap(
  direction: "in" | "out",
  { address, vrf }: { readonly address: string; readonly vrf: string },
): string {
  const instance = vrf === defaultVrf ? "" : `${vrf}-`;
  return `${drainPrefix}${direction}-${instance}${address.replaceAll(":", "-")}`;
}

export function isDrainMap(name: string | undefined): boolean {
  return name?.startsWith(drainPrefix) === true;
}
