// The names of ports in EOS, and the names of our own objects in its configuration.

import type { PortName } from "#hal/model.ts";

/** An Ethernet port without a logical unit; no other interface is a link. */
const portPattern = /^Ethernet\d{1,3}(?:\/\d{1,3}){0,2}$/;

export function isPort(name: string): name is PortName {
  return portPattern.test(name);
}

/** Returns the port of a logical interface. */
export function portOfUnit(name: string): PortName | undefined {
  const port = name.replace(/\.\d{1,5}$/, "");
  return isPort(port) ? port : undefined;
}

/** Returns the name of our profile for a port. */
export function ownProfile(port: PortName): string {
  return `linkseal-${port.replaceAll("/", "-")}`;
}

const drainPrefix = "linkseal-drain-";

/** Returns the name of the route map that drains one neighbour; it calls the operator's own. */
export function drainMap(direction: "in" | "out", address: string): string {
  return `${drainPrefix}${direction}-${address.replaceAll(":", "-")}`;
}

export function isDrainMap(name: string | undefined): boolean {
  return name?.startsWith(drainPrefix) === true;
}
