// Two keys of a port as routers of Cisco hold them: a key chain each, the second attached as the
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

export interface ChainKey extends Lifetime {
  readonly ckn: Ckn;
  /** As the router writes it: it is deleted by that word. */
  readonly word: string;
}

export interface PlannedKey extends ChainKey {
  /** Of a key that is new. */
  readonly secret?: Secret;
}

export interface PlannedChain {
  readonly name: string;
  readonly keys: readonly PlannedKey[];
}

/** What the keys of a port are changed in. */
export interface ChainPlan {
  readonly port: PortName;
  readonly admin: "up" | "down";
  readonly primary: PlannedChain | undefined;
  readonly fallback: PlannedChain | undefined;
}

type Chained = Pick<ChainPlan, "primary" | "fallback">;

export interface ChainSurroundings extends Pick<Surroundings<unknown>, "work" | "principal"> {
  /** When a new key begins; undefined = it is always valid. */
  readonly begins: WallTime | undefined;
}

interface Chains {
  /** undefined = there, and a key in it is not understood. */
  readonly chains: ReadonlyMap<string, readonly ChainKey[] | undefined>;
}

export function chainOf({ chains }: Chains, name: string | undefined): PlannedChain | undefined {
  return name === undefined ? undefined : { name, keys: chains.get(name) ?? [] };
}

export function keysOf(plan: Chained): readonly PlannedKey[] {
  return chainsOf(plan).flatMap(({ keys }) => keys);
}

/** What a key is at that moment; one whose time is over is none any more. */
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

/** One of two names, so that a chain that is in use is never written into. */
export function freeChain({ primary, fallback }: ChainPlan, own: string): string {
  const taken = [primary?.name, fallback?.name];
  return taken.includes(`${own}-a`) ? `${own}-b` : `${own}-a`;
}

/** `own`: how our chains of the port begin. */
export function addKey<P extends ChainPlan>(
  plan: P,
  key: KeyRef,
  own: string,
  around: ChainSurroundings,
): P {
  const held = keysOf(plan);
  if (held.some(({ ckn }) => ckn === key.ckn)) return plan;
  const chain = { name: freeChain(plan, own), keys: [newKey(plan, key, around)] };
  if (held.length === 0) {
    const { primary = chain } = plan;
    // A chain without a key may be what a policy was attached with.
    return { ...plan, primary: { ...primary, keys: chain.keys }, fallback: undefined };
  }
  refuseThird(plan.port, held.length, around);
  return { ...plan, fallback: chain };
}

/** The chains change places, and no key is written anew. */
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
  if (held.length > 1) throw rejected(around, plan.port, "the port holds two keys");
  if (held.some(({ ckn }) => ckn === key.ckn)) return plan;
  const chain = { name: freeChain(plan, own), keys: [newKey(plan, key, around)] };
  return { ...plan, primary: chain, fallback: undefined };
}

export function removeKey<P extends ChainPlan>(plan: P, ckn: Ckn, around: ChainSurroundings): P {
  const held = keysOf(plan);
  const { port, primary, fallback } = plan;
  if (held.every((key) => key.ckn !== ckn)) return plan;
  refuseRemoval(plan, held.length === 1, ckn, around);
  const without = (chain: PlannedChain | undefined): PlannedChain | undefined => {
    const keys = chain?.keys.filter((key) => key.ckn !== ckn) ?? [];
    return chain === undefined || keys.length === 0 ? undefined : { ...chain, keys };
  };
  const rest = without(primary);
  if (rest === undefined) {
    throw rejected(around, port, "it is the primary key; the fallback is to be promoted before");
  }
  return { ...plan, primary: rest, fallback: without(fallback) };
}

function newKey({ port }: ChainPlan, key: KeyRef, around: ChainSurroundings): PlannedKey {
  const secret = secretFor(around, port, key);
  return { ckn: key.ckn, word: key.ckn, startsAt: around.begins, endsAt: undefined, secret };
}

export function chainsOf({ primary, fallback }: Chained): readonly PlannedChain[] {
  return [primary, fallback].filter((one) => one !== undefined);
}

/** Keys that leave a chain and come into it; `was`: the chain as it is. */
export function keysBetween(held: readonly PlannedChain[], chain: PlannedChain) {
  const was = held.find(({ name }) => name === chain.name);
  const left = (was?.keys ?? []).filter(({ ckn }) => chain.keys.every((key) => key.ckn !== ckn));
  return { was, left, come: chain.keys.filter(({ secret }) => secret !== undefined) };
}

export function algorithmOf(secret: Secret): string {
  return secret.byteLength === 16 ? "aes-128-cmac" : "aes-256-cmac";
}

/** A line for each key and its role. */
export function keyTexts(plan: Chained): readonly string[] {
  const isPrimary = (ckn: Ckn): boolean =>
    plan.primary?.keys.some((key) => key.ckn === ckn) === true;
  return keysOf(plan).map(({ ckn }) => `key ${ckn} ${isPrimary(ckn) ? "primary" : "fallback"}`);
}

/** Lines that go and come. */
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
