// What linkseal-mka is asked for while it is struck. A far end of ours has both keys all the time,
// wpa_supplicant the first one.

import type { MkaObservation } from "#drivers/linux/mka/client.ts";
import type { RequestedOperation } from "#drivers/linux/mka/protocol.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { keyOf, type TestKey } from "../mka/station.ts";

export const suite = "gcm-aes-256";
export const [first, second] = [keyOf("c0ffee", 32), keyOf("beef", 32)] as const;

/** The state of a port that its clients set: keys and settings. */
export interface Held {
  readonly ckns: readonly Ckn[];
  readonly priority: number;
}

export interface MkaScenario {
  readonly name: string;
  readonly before: Held;
  readonly after: Held;
  readonly operation: () => RequestedOperation;
  readonly how: "final" | "confirmed" | "rolledBack" | "expired";
}

const add =
  ({ ckn, cak }: TestKey) =>
  (): RequestedOperation => ({
    kind: "add",
    ckn,
    key: Secret.take("cak", Uint8Array.from(Buffer.from(cak, "hex"))),
  });
const replace =
  ({ ckn, cak }: TestKey) =>
  (): RequestedOperation => ({
    kind: "replace",
    ckn,
    key: Secret.take("cak", Uint8Array.from(Buffer.from(cak, "hex"))),
  });
const remove =
  ({ ckn }: TestKey) =>
  (): RequestedOperation => ({ kind: "remove", ckn });
const configure = (keyServerPriority: number) => (): RequestedOperation => ({
  kind: "configure",
  settings: { keyServerPriority, sakRekeyMs: undefined, delayProtection: "off" },
});

const usual = 16;
const one: Held = { ckns: [first.ckn], priority: usual };
const other: Held = { ckns: [second.ckn], priority: usual };
const both: Held = { ckns: [first.ckn, second.ckn], priority: usual };

export const scenarios: readonly MkaScenario[] = [
  { ...{ name: "add a key", before: one, after: both }, operation: add(second), how: "final" },
  {
    ...{ name: "add a key, confirmed", before: one, after: both },
    ...{ operation: add(second), how: "confirmed" },
  },
  {
    ...{ name: "add a key, rolled back", before: one, after: both },
    ...{ operation: add(second), how: "rolledBack" },
  },
  {
    ...{ name: "add a key, never confirmed", before: one, after: both },
    ...{ operation: add(second), how: "expired" },
  },
  {
    ...{ name: "remove the other key", before: both, after: one },
    ...{ operation: remove(second), how: "final" },
  },
  {
    ...{ name: "replace both keys by the other", before: both, after: other },
    ...{ operation: replace(second), how: "final" },
  },
  {
    ...{ name: "make a new SAK", before: one, after: one },
    ...{ operation: () => ({ kind: "rekey" }), how: "final" },
  },
  {
    ...{ name: "change the priority", before: one, after: { ...one, priority: 17 } },
    ...{ operation: configure(17), how: "final" },
  },
  {
    ...{ name: "change the priority, never confirmed", before: one },
    ...{ after: { ...one, priority: 17 }, operation: configure(17), how: "expired" },
  },
];

/**
 * The operations that lead from one state to another, keys in before keys out. A key that is in use
 * leaves only when another replaces it.
 */
export function wayTo(from: Held, to: Held): readonly RequestedOperation[] {
  const keys = [first, second];
  const [only, ...others] = keys.filter(({ ckn }) => to.ckns.includes(ckn));
  const isAlone = only !== undefined && others.length === 0;
  const keysIn = keys.filter(({ ckn }) => to.ckns.includes(ckn) && !from.ckns.includes(ckn));
  const isThere = from.ckns.length === to.ckns.length && keysIn.length === 0;
  return [
    ...(isThere ? [] : isAlone ? [replace(only)] : keysIn.map(add)),
    ...(from.priority === to.priority ? [] : [configure(to.priority)]),
  ].map((operation) => operation());
}

export function heldIn(observation: MkaObservation): Held | undefined {
  if (observation.kind !== "bound") return undefined;
  const ckns = observation.keys.flatMap(({ ckn }) => parseCkn(ckn) ?? []).toSorted();
  return { ckns, priority: observation.settings.keyServerPriority };
}

export const isSame = (one: Held | undefined, other: Held): boolean =>
  JSON.stringify([one?.ckns, one?.priority]) ===
  JSON.stringify([other.ckns.toSorted(), other.priority]);
