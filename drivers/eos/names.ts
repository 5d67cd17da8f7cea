// What EOS calls its ports, and what we call our own things in its configuration.

import type { PortName } from "#hal/model.ts";

/** An Ethernet port, without a logical unit: whatever else has an interface name is no link. */
const portPattern = /^Ethernet\d{1,3}(?:\/\d{1,3}){0,2}$/;

export function isPort(name: string): name is PortName {
  return portPattern.test(name);
}

/** The port of a logical interface on it. */
export function portOfUnit(name: string): PortName | undefined {
  const port = name.replace(/\.\d{1,5}$/, "");
  return isPort(port) ? port : undefined;
}

/** Of the profile of a port. */
export function ownProfile(port: PortName): string {
  return `linkseal-${port.replaceAll("/", "-")}`;
}

const drainPrefix = "linkseal-drain-";

/** Of the route map that drains one neighbour; it calls the operator's own. */
export function drainMap(direction: "in" | "out", address: string): string {
  return `${drainPrefix}${direction}-${address.replaceAll(":", "-")}`;
}

export function isDrainMap(name: string | undefined): boolean {
  return name?.startsWith(drainPrefix) === true;
}
