// The names of our own objects in a configuration of Junos, and how it writes time.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";

/** An Ethernet port without a logical unit; no other interface is a link. */
const portPattern = /^(?:fe|ge|xe|et|mge)-\d{1,3}\/\d{1,2}\/\d{1,3}(?::\d{1,2})?$/;

export function isPort(name: string): name is PortName {
  return portPattern.test(name);
}

/**
 * Returns the name of the connectivity association and the key chain of a port; both may have 32
 * characters.
 */
export function ownName(port: PortName): string {
  return `linkseal-${port.replace(/[/:]/g, "-")}`;
}

export const drainOut = "linkseal-drain-out";
export const drainIn = "linkseal-drain-in";

/** Reads `YYYY-MM-DD.HH:MM[:SS]`, with or without an offset; without one it counts as UTC. */
export function startOf(text: string): WallTime | undefined {
  const found =
    /^(\d{4})-(\d{1,2})-(\d{1,2})\.(\d{2}):(\d{2})(?::(\d{2}))? ?([+-])?(\d{2})?:?(\d{2})?$/.exec(
      text.replaceAll('"', "").trim(),
    );
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, sign, zoneHours, zoneMinutes] = found;
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0] = [year, month, day, hour, minute].map(Number);
  const utc = Date.UTC(y, mo - 1, d, h, mi, Number(second ?? 0));
  const offsetMin = Number(zoneHours ?? 0) * 60 + Number(zoneMinutes ?? 0);
  return (utc - (sign === "-" ? -1 : 1) * offsetMin * 60_000) as WallTime;
}

export function startText(at: WallTime): string {
  const [, date = "", time = ""] =
    /^(\S{10})T(\S{8})/.exec(new Date(Math.floor(at / 1000) * 1000).toISOString()) ?? [];
  return `${date}.${time}+0000`;
}
