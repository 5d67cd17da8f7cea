// Two keys of a port as Cisco routers store them: a key chain each, the second attached as the
// fallback of the first. The routers themselves would let the key in use be deleted.

import type { Ckn, KeyRef, KeySlot, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import type { Lifetime } from "./cisco-text.ts";
import {
  refuseRemoval,
  refuseThird,
  rejected,
  type Surroundings,
  secretFor,
} from "./port-change.ts";

/** A key of a key chain, with its lifetime. */
export interface ChainKey extends Lifetime {
  /** The key's CKN. */
  readonly ckn: Ckn;
  /** The CKN as the router writes it; the key is deleted by that word. */
  readonly word: string;
}

/** A key that is configured or shall be. */
export interface PlannedKey extends ChainKey {
  /** Present if the key is new. */
  readonly secret?: Secret;
}

/** A key chain as it is configured or shall be. */
export interface PlannedChain {
  /** The chain's name. */
  readonly name: string;
  /** Its keys. */
  readonly keys: readonly PlannedKey[];
}

/** The part of a port's plan in which keys change. */
export interface ChainPlan {
  readonly port: PortName;
  readonly admin: "up" | "down";
  readonly primary: PlannedChain | undefined;
  readonly fallback: PlannedChain | undefined;
}

type Chained = Pick<ChainPlan, "primary" | "fallback">;

export interface ChainSurroundings extends Pick<Surroundings<unknown>, "work" | "principal"> {
  /** Start of a new key; undefined = it is always valid. */
  readonly begins: WallTime | undefined;
}

interface Chains {
  /** undefined = the chain exists, and a key in it is not understood. */
  readonly chains: ReadonlyMap<string, readonly ChainKey[] | undefined>;
}

/** Returns the chain of that name; a chain that is missing or not understood has no keys. */
export function chainOf({ chains }: Chains, name: string | undefined): PlannedChain | undefined {
  return name === undefined ? undefined : { name, keys: chains.get(name) ?? [] };
}

/** Returns the keys of all chains of a port. */
export function keysOf(plan: Chained): readonly PlannedKey[] {
  return chainsOf(plan).flatMap(({ keys }) => keys);
}

/** Returns the keys of a port at that moment, without those whose lifetime has ended. */
export function slotsOf({ primary, fallback }: ChainPlan, wall: WallTime): readonly KeySlot[] {
  const slots = (chain: PlannedChain | undefined, role: "primary" | "fallback"): KeySlot[] =>
    (chain?.keys ?? [])
      .filter(({ endsAt }) => endsAt === undefined || endsAt > wall)
      .map(({ ckn, startsAt }) =>
        startsAt !== undefined && startsAt > wall
          ? { ckn, role: "scheduled", startsAt }
          : { ckn, role },
      );
  return [...slots(primary, "primary"), ...slots(fallback, "fallback")];
}

/** Returns one of two names, so that a chain in use is not written into. */
export function freeChain({ primary, fallback }: ChainPlan, own: string): string {
  const taken = [primary?.name, fallback?.name];
  return taken.includes(`${own}-a`) ? `${own}-b` : `${own}-a`;
}

/**
 * Returns the chains of ours for a port that no interface has; none where one of them is not
 * understood. `attached`: the chains that each interface has.
 */
export function looseChains(
  own: string | undefined,
  { chains }: Chains,
  attached: readonly (readonly (string | undefined)[] | "unread")[],
): readonly string[] {
  if (own === undefined || attached.includes("unread")) return [];
  const names = attached.flat();
  return [`${own}-a`, `${own}-b`].filter((name) => chains.has(name) && !names.includes(name));
}

/**
 * Adds a key in a chain of its own; `own` is the prefix of our chain names for the port.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function addKey<P extends ChainPlan>(
  plan: P,
  key: KeyRef,
  own: string,
  around: ChainSurroundings,
): P {
  const held = keysOf(plan);
  if (held.some(({ ckn }) => ckn === key.ckn)) return plan;
  const chain = chainFor(plan, key, own, around);
  if (held.length === 0) return { ...plan, primary: chain, fallback: undefined };
  refuseThird(plan.port, held.length, around);
  return isBare(plan.primary) ? { ...plan, primary: chain } : { ...plan, fallback: chain };
}

const isBare = (chain: PlannedChain | undefined): boolean =>
  chain === undefined || chain.keys.length === 0;

/**
 * Returns a chain with the new key alone: the primary one if it has none, because a policy was
 * attached with it or its last key was retired, or else one that is free.
 */
function chainFor(
  plan: ChainPlan,
  key: KeyRef,
  own: string,
  around: ChainSurroundings,
): PlannedChain {
  const { primary } = plan;
  const name = primary?.keys.length === 0 ? primary.name : freeChain(plan, own);
  return { name, keys: [newKey(plan, key, around)] };
}

/**
 * Exchanges the roles of the chains; no key is written again.
 * @throws LinksealError `device.rejected`, with effect "none".
 */
export function promoteKey<P extends ChainPlan>(plan: P, ckn: Ckn, around: ChainSurroundings): P {
  const { primary, fallback, port } = plan;
  if (primary?.keys.some((key) => key.ckn === ckn)) return plan;
  if (primary === undefined || !fallback?.keys.some((key) => key.ckn === ckn)) {
    throw rejected(around, port, "the key to be promoted is not on the port");
  }
  return { ...plan, primary: fallback, fallback: primary };
}

export function replaceKey<P extends ChainPlan>(
  plan: P,
  key: KeyRef,
  own: string,
  around: ChainSurroundings,
): P {
  const held = keysOf(plan);
  if (held.length > 1) throw rejected(around, plan.port, "the port has two keys");
  if (held.some(({ ckn }) => ckn === key.ckn)) return plan;
  return { ...plan, primary: chainFor(plan, key, own, around), fallback: undefined };
}

/**
 * Removes a key. Where neither key needs a promotion, the primary chain stays attached without a
 * key, and the other chain is not touched.
 * @throws LinksealError `device.rejected`, with effect "none".
 */
export function removeKey<P extends ChainPlan>(plan: P, ckn: Ckn, around: ChainSurroundings): P {
  const held = keysOf(plan);
  const { port, primary, fallback } = plan;
  if (held.every((key) => key.ckn !== ckn)) return plan;
  refuseRemoval(plan, held.length === 1, ckn, around);
  const without = (chain: PlannedChain | undefined): PlannedChain | undefined =>
    chain && { ...chain, keys: chain.keys.filter((key) => key.ckn !== ckn) };
  const rest = { primary: without(primary), fallback: without(fallback) };
  if (around.work.capabilities.macsec?.overlap !== "keychain" && isBare(rest.primary)) {
    throw rejected(around, port, "it is the primary key; the fallback is to be promoted before");
  }
  return { ...plan, ...rest, fallback: isBare(rest.fallback) ? undefined : rest.fallback };
}

function newKey({ port }: ChainPlan, key: KeyRef, around: ChainSurroundings): PlannedKey {
  const secret = secretFor(around, port, key);
  return { ckn: key.ckn, word: key.ckn, startsAt: around.begins, endsAt: undefined, secret };
}

/** Returns the chains that exist, the primary one first. */
export function chainsOf({ primary, fallback }: Chained): readonly PlannedChain[] {
  return [primary, fallback].filter((one) => one !== undefined);
}

/**
 * Returns the keys that leave a chain and those that are added; `was` is the chain as it is
 * configured.
 */
export function keysBetween(held: readonly PlannedChain[], chain: PlannedChain) {
  const was = held.find(({ name }) => name === chain.name);
  const left = (was?.keys ?? []).filter(({ ckn }) => chain.keys.every((key) => key.ckn !== ckn));
  return { was, left, come: chain.keys.filter(({ secret }) => secret !== undefined) };
}

/** Returns Cisco's name of the MKA algorithm for a CAK of this length. */
export function algorithmOf(secret: Secret): string {
  return secret.byteLength === 16 ? "aes-128-cmac" : "aes-256-cmac";
}

/** Returns a line for each key, with its role. */
export function keyTexts(plan: Chained): readonly string[] {
  const isPrimary = (ckn: Ckn): boolean =>
    plan.primary?.keys.some((key) => key.ckn === ckn) === true;
  return keysOf(plan).map(({ ckn }) => `key ${ckn} ${isPrimary(ckn) ? "primary" : "fallback"}`);
}

/** Returns lines that are removed (`-`) and added (`+`). */
export function differences(
  port: PortName,
  was: readonly string[],
  is: readonly string[],
): readonly string[] {
  return [
    ...was.filter((one) => !is.includes(one)).map((one) => `- ${port} ${one}`),
    ...is.filter((one) => !was.includes(one)).map((one) => `+ ${port} ${one}`),
  ];
}
