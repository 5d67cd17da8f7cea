// The warning of a device that does not answer: one for all of its links and tunnels.

import type { Instant } from "#hal/world.ts";
import { type DeviceContact, unseen } from "../model/health.ts";
import { listed } from "../model/text.ts";
import type { Raised } from "./warnings.ts";

/**
 * Returns a warning for each device whose silence is a reason of a verdict in `raised`; it names
 * the links and tunnels of which nothing is known.
 */
export function silentDevices(
  raised: readonly Raised[],
  contact: (device: string) => DeviceContact,
  now: Instant,
): Raised[] {
  const silent = raised.filter(({ code }) => code === "device-unreachable");
  const byDevice = Map.groupBy(silent, ({ because }) => because?.about);
  return [...byDevice].flatMap(([device, parts]): Raised[] => {
    if (device === undefined) return [];
    const part = `with ${listed(parts.map(({ about }) => about))}`;
    const { code, text, next } = unseen({ device, part }, device, contact(device), now);
    return [{ code, text, next, about: device, within: [] }];
  });
}
