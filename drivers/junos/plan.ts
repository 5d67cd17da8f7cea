// Applies the operations of a change to a port's plan, and refuses those that must not be sent:
// Junos itself would let the key in use be deleted.

import type { DeviceChange } from "#hal/device.ts";
import type { Ckn, DrainMeans, KeyRef, KeySlot, MacsecSettings, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import {
  type Surroundings as AnySurroundings,
  type Changed,
  planPorts,
  refuseRemoval,
  refuseThird,
  rejected,
  secretFor,
} from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type ChainKey, type JunosConfig, neighboursOn } from "./config.ts";
import { drainOut, ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan {
  readonly port: PortName;
  readonly admin: "up" | "down";
  readonly association: string | undefined;
  readonly settings: MacsecSettings | undefined;
  /** Whether its association encrypts frames; true without an association. */
  readonly isEncrypted: boolean;
  readonly chain: string | undefined;
  readonly keys: readonly PlannedKey[];
  readonly drains: readonly DrainMeans[];
}

export interface PlannedKey {
  readonly ckn: Ckn;
  /** `chain`: an entry with its number and start; `static`: outside a chain, where it can stay. */
  readonly place:
    | { readonly kind: "chain"; readonly id: number; readonly startsAt: WallTime }
    | { readonly kind: "static"; readonly slot: "pre-shared-key" | "fallback-key" };
  /** Present if the key is new. */
  readonly secret?: Secret;
}

export interface Surroundings extends AnySurroundings<JunosConfig> {
  /** The time by the router's own clock. */
  readonly wall: WallTime;
}

const keyIdMax = 63;
const limits = { replayWindowMax: 65_535, sakRekeySeconds: { min: 60, max: 86_400 } };

export function planOf(config: JunosConfig, port: PortName): PortPlan {
  const binding = config.bindings.get(port);
  const association = binding && config.associations.get(binding.association);
  const chain = binding?.chain ?? association?.chain;
  const statics = (["pre-shared-key", "fallback-key"] as const).flatMap((slot): PlannedKey[] => {
    const ckn = (slot === "pre-shared-key" ? association?.preShared : association?.fallback)?.ckn;
    return ckn === undefined ? [] : [{ ckn, place: { kind: "static", slot } }];
  });
  const entries = (chain === undefined ? undefined : config.chains.get(chain)) ?? [];
  const chained = entries.map(({ ckn, id, startsAt }: ChainKey): PlannedKey => {
    return { ckn, place: { kind: "chain", id, startsAt } };
  });
  return {
    port,
    admin: config.interfaces.get(port)?.isDisabled === true ? "down" : "up",
    association: binding?.association,
    settings: association?.settings,
    isEncrypted: association?.isEncrypted !== false,
    chain,
    keys: [...statics, ...chained],
    drains: drainsOf(config, port),
  };
}

export function drainsOf(config: JunosConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ exportPolicies }) => exportPolicies?.some(isDrainOut) === true,
    gracefulShutdown: ({ isGraceful }) => isGraceful,
    peeringShutdown: ({ isInactive }) => isInactive,
  });
}

const isDrainOut = (policy: string): boolean => policy.startsWith(drainOut);

/**
 * Returns the keys with their roles; `undefined` inside a known reading of keys would be a guess.
 */
export function slotsOf(plan: PortPlan, wall: WallTime): readonly KeySlot[] {
  return plan.keys.map(({ ckn, place }): KeySlot => {
    if (place.kind === "static") {
      return { ckn, role: place.slot === "fallback-key" ? "fallback" : "primary" };
    }
    const { startsAt } = place;
    return startsAt > wall ? { ckn, role: "scheduled", startsAt } : { ckn, role: "primary" };
  });
}

/**
 * Returns each port of the change as it is and as it is to be.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function planChange(
  change: DeviceChange,
  around: Surroundings,
): readonly Changed<PortPlan>[] {
  return planPorts(change, {
    ...around,
    ...{ planOf, neighboursOn, limits },
    refuseUnread: (port) => refuseUnread(around, port),
    steps: {
      protect,
      addKey: (plan, { key }) => addKey(plan, key, around),
      replaceKey: (plan, { key }) => replaceKey(plan, key, around),
      removeKey: (plan, { ckn }) => removeKey(plan, ckn, around),
    },
    holdsKeys: ({ keys }) => keys.length > 0,
  });
}

/** Provides the association of a port, which encrypts frames. */
export function protect(plan: PortPlan): PortPlan {
  return { ...plan, association: plan.association ?? ownName(plan.port), isEncrypted: true };
}

// Configuration that is not understood must not be overwritten.
function refuseUnread(around: Surroundings, port: PortName): void {
  const { associations, bindings, chains } = around.config;
  const binding = bindings.get(port);
  if (binding === undefined) return;
  const association = associations.get(binding.association);
  const chain = binding.chain ?? association?.chain;
  const unread = association === undefined || (chain !== undefined && !chains.get(chain));
  if (unread) throw rejected(around, port, "what is configured there is not understood");
  for (const [other, { association: name }] of bindings) {
    if (other === port || name !== binding.association) continue;
    throw rejected(around, port, `${other} shares its connectivity association ${name}`);
  }
}

function addKey(plan: PortPlan, key: KeyRef, around: Surroundings): PortPlan {
  if (plan.keys.some(({ ckn }) => ckn === key.ckn)) return plan;
  const { port } = plan;
  if (plan.keys.some(({ place }) => place.kind === "static")) {
    const why = "its key is outside a key chain, where a second one cannot be added";
    throw rejected(around, port, `${why}; a replacement moves it into one`);
  }
  refuseThird(port, plan.keys.length, around);
  return {
    ...plan,
    chain: plan.chain ?? ownName(port),
    keys: [...plan.keys, newKey(plan, key, plan.keys, around)],
  };
}

function replaceKey(plan: PortPlan, key: KeyRef, around: Surroundings): PortPlan {
  if (plan.keys.length > 1) throw rejected(around, plan.port, "the port has two keys");
  if (plan.keys.some(({ ckn }) => ckn === key.ckn)) return plan;
  return {
    ...plan,
    chain: plan.chain ?? ownName(plan.port),
    keys: [newKey(plan, key, [], around)],
  };
}

function removeKey(plan: PortPlan, ckn: Ckn, around: Surroundings): PortPlan {
  const rest = plan.keys.filter((key) => key.ckn !== ckn);
  if (rest.length === plan.keys.length) return plan;
  refuseRemoval(plan, rest.length === 0, ckn, around);
  return { ...plan, keys: rest };
}

/** Makes a new key that starts at once, but never at the same time as an entry beside it. */
function newKey(
  plan: PortPlan,
  key: KeyRef,
  beside: readonly PlannedKey[],
  around: Surroundings,
): PlannedKey {
  const secret = secretFor(around, plan.port, key);
  const taken = new Set<number>();
  let startsAt = Math.floor(around.wall / 1000) * 1000;
  for (const { place } of plan.keys) {
    if (place.kind !== "chain") continue;
    taken.add(place.id);
    if (beside.length > 0) startsAt = Math.max(startsAt, place.startsAt + 1000);
  }
  let id = 0;
  while (taken.has(id)) id += 1;
  if (id > keyIdMax) throw rejected(around, plan.port, "its key chain is full");
  return { ckn: key.ckn, place: { kind: "chain", id, startsAt: startsAt as WallTime }, secret };
}
