// What gets a newer key or certificate at once: one tunnel, or the two tunnels of a connection to
// an active-active gateway, whose key is one.

import { encodeJson } from "#hal/json.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import type { AuthInUse } from "../../model/tunnel-change.ts";
import { sharersOf } from "../../model/tunnel-pair.ts";
import { type JournalRecord, type Memory, named } from "../../store/journal/memory.ts";

/** The tunnels of one unit, on one device and with the same secrets. */
export type KeyUnit = readonly [DesiredTunnel, ...DesiredTunnel[]];

/** The units of a config, in its order. */
export function unitsOf(tunnels: readonly DesiredTunnel[]): readonly KeyUnit[] {
  return tunnels
    .map((one) => sharersOf(tunnels, one))
    .filter(([first], at) => first === tunnels[at]);
}

/** The names of a unit's tunnels, as a sentence has them. */
export function nameOf(unit: KeyUnit): string {
  return unit.map(({ name }) => name).join(" and ");
}

/**
 * The state of a unit; undefined = one of its tunnels is not set up yet, and nothing has begun. A
 * change that began when the unit had fewer tunnels goes on.
 */
export function stateOf(unit: KeyUnit, { auths }: Memory): AuthInUse | undefined {
  const all = unit.map(({ name }) => named(auths, name));
  const begun = all.find((one) => one !== undefined && !isSettled(one));
  return begun ?? (all.includes(undefined) ? undefined : all[0]);
}

/** The versions in use; more than one if the tunnels of a unit were not changed together. */
export function versionsOf(unit: KeyUnit, { auths }: Memory): readonly TunnelAuth[] {
  const all = unit.flatMap(({ name }) => named(auths, name)?.auth ?? []);
  return all.filter((auth, at) => all.findIndex((other) => sameAuth(other, auth)) === at);
}

/**
 * The versions that a tunnel is set up with; for one that has none yet, those of the tunnel with
 * the same key, because the gateway has them.
 */
export function authInUse(
  tunnels: readonly DesiredTunnel[],
  tunnel: DesiredTunnel,
  memory: Memory,
): TunnelAuth | undefined {
  const own = named(memory.auths, tunnel.name)?.auth;
  return own ?? versionsOf(sharersOf(tunnels, tunnel), memory)[0];
}

/** Journals the state of all tunnels of a unit at once. */
export function recordOf(unit: KeyUnit, inUse: AuthInUse): JournalRecord {
  const [{ name }, ...others] = unit;
  if (others.length === 0) return { kind: "auth", name, inUse };
  return { kind: "sharedAuth", names: unit.map((each) => each.name), inUse };
}

/** The newer version was sent to no end, or was removed from both. */
export function isSettled({ next }: AuthInUse): boolean {
  return next === undefined || next.state === "waiting" || next.state === "held";
}

/** No SA of the tunnel is left that another key could cost, because the gateway has another one. */
export function isRefused({ name }: DesiredTunnel, { ipsec }: DeviceState): boolean {
  const now = ipsec.find((each) => each.name === name);
  return now?.trouble !== undefined && strongValue(now.ike) !== "established";
}

/**
 * The order in which the tunnels of a unit authenticate anew, each with its traffic on the other:
 * first one that has nothing to lose, then one that a predecessor left drained.
 */
export function inOrder(unit: KeyUnit, state: DeviceState | undefined, memory: Memory): KeyUnit {
  const rank = (tunnel: DesiredTunnel): number => {
    const observed = state?.ipsec.find(({ name }) => name === tunnel.name);
    if (observed === undefined || strongValue(observed.ike) !== "established") return 0;
    return named(memory.drains, tunnel.name)?.until === "authenticated" ? 1 : 2;
  };
  const [first, ...others] = unit.toSorted((a, b) => rank(a) - rank(b));
  return first === undefined ? unit : [first, ...others];
}

/** Returns true if both use the same secret versions and the same peer. */
export function sameAuth(one: TunnelAuth, other: TunnelAuth): boolean {
  if (encodeJson(one.ppk ?? null) !== encodeJson(other.ppk ?? null)) return false;
  if (one.kind !== "certificate" || other.kind !== "certificate") {
    return one.kind === other.kind && one.secretId === other.secretId;
  }
  const { secretId, authoritiesId, peer } = other;
  return one.secretId === secretId && one.authoritiesId === authoritiesId && one.peer === peer;
}
