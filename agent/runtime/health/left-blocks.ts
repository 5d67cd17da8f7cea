// Prefixes that a device still blocks although no tunnel of the accepted config protects them: of a
// tunnel that left the config, or whose prefix was narrowed, whether or not it ever came up.

import { strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { leftBlocked, releaseCommand } from "../../compare/tunnel-change.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { fresh } from "../../model/link-snapshot.ts";
import { listed } from "../../model/text.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";

/** Warns of prefixes that stay blocked until a person releases them. */
export function leftBlockWarnings(
  { intent, deviceCache }: SiteView,
  { memory, made }: EvaluatedAgent,
  now: Instant,
): Raised[] {
  const { devices, health, tunnels } = intent.desired;
  // A tunnel that goes on unmanaged still needs its blocks.
  const unmanaged = Object.keys(memory.tunnels).flatMap((name) => made(name) ?? []);
  const needing = [
    ...tunnels,
    ...unmanaged.filter(({ name }) => !tunnels.some((tunnel) => tunnel.name === name)),
  ];
  return devices.flatMap(({ name: device }): Raised[] => {
    const blocked = fresh(deviceCache.state(device), health, now)?.blocked;
    const prefixes = blocked === undefined ? [] : (strongValue(blocked) ?? []);
    const left = leftBlocked(device, prefixes, needing);
    const [first] = left;
    if (first === undefined) return [];
    const text = `${device} blocks ${listed(left)}, and no tunnel of the config protects that`;
    return [{ ...raise("guard-left", device, text), next: releaseCommand(first) }];
  });
}
