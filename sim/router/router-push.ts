// Applies a difference of configurations to a port endpoint.

import type { EndpointKey, PortEndpoint } from "../mka/port-endpoint.ts";
import { type Difference, sameCak } from "./router-config.ts";

/** Applies one key; a change of role alone is left to `settlePrimary`. */
export function pushKey(endpoint: PortEndpoint, key: Extract<Difference, { kind: "key" }>): void {
  const { before, after } = key;
  if (before !== undefined && after !== undefined) {
    if (sameCak(before, after) && before.startsAt === after.startsAt) return;
  }
  if (before !== undefined) endpoint.removeKey(before.ckn);
  if (after !== undefined) endpoint.putKey(after);
}

/** Prefers the last primary key: in a key chain every entry is a primary in its turn. */
export function settlePrimary(endpoint: PortEndpoint, keys: readonly EndpointKey[]): void {
  const preferred = keys.findLast(({ role }) => role === "primary");
  if (preferred !== undefined) endpoint.promoteKey(preferred.ckn);
}

/**
 * Sorts differences as hardware takes them: MACsec is configured before the first key comes and
 * removed after the last one has gone, and an old key leaves before a new one takes its role.
 */
export function inHardwareOrder(differences: readonly Difference[]): readonly Difference[] {
  const rank = (difference: Difference): number => {
    if (difference.kind === "settings") return difference.after === undefined ? 3 : 0;
    return difference.kind === "key" && difference.after === undefined ? 1 : 2;
  };
  return differences.toSorted((a, b) => rank(a) - rank(b));
}
