// A SAK that the SecY holds: the state of its SAs, and the packet numbers that they have reached.

import type { Secret } from "#hal/secret.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { type KeyIdentifier, keyIdOf } from "./keys.ts";
import type { HeldSecy } from "./operations.ts";
import type { SakSnapshot } from "./snapshot.ts";

export interface NewSak {
  readonly keyIdentifier: KeyIdentifier;
  readonly an: number;
  readonly sak: Secret;
  /** The MIs of the members it is made for, the key server among them. */
  readonly members: readonly string[];
  /** SSCIs by MI or SCI; present with extended packet numbering. */
  readonly extended?: { readonly own: number; readonly of: ReadonlyMap<string, number> };
}

export interface Receiving {
  /** `gone`: another program took the SA, and it could not be put back. */
  state: "installing" | "enabled" | "gone";
  readonly ssci: number | undefined;
  /** Frames below are refused: FPT_RPL.1 with delay protection. */
  lowestPn: bigint;
}

export interface HeldSak {
  readonly keyIdentifier: KeyIdentifier;
  readonly an: number;
  readonly members: readonly string[];
  /** Undefined if a predecessor installed it. */
  readonly sak: Secret | undefined;
  readonly extended: NewSak["extended"];
  readonly ssci: number | undefined;
  readonly createdAt: Instant;
  readonly receive: Map<string, Receiving>;
  /** The next packet numbers of senders by SCI, as seen last, also of channels that are gone. */
  readonly reached: Map<string, bigint>;
  /** `gone`: another program took the SA, so that no frame leaves under this SAK ever again. */
  transmit: "installing" | "installed" | "enabling" | "enabled" | "gone";
  /** When frames began to leave under it. */
  enabledAt: Instant | undefined;
  samples: { readonly at: Instant; readonly nextPn: bigint }[];
}

export function sameKey(a: KeyIdentifier, b: KeyIdentifier): boolean {
  return a.kn === b.kn && a.mi === b.mi;
}

/**
 * Returns true if frames of every member are accepted under the SAK, and it could be used to
 * transmit.
 */
export function isReceiving({ receive, transmit }: HeldSak): boolean {
  const channels = [...receive.values()];
  const enabled = channels.every(({ state }) => state === "enabled");
  return channels.length > 0 && enabled && transmit !== "installing";
}

/** Returns true if the SAK lost an SA that only another SAK can replace. */
export function isLacking({ receive, transmit }: HeldSak): boolean {
  return transmit === "gone" || [...receive.values()].some(({ state }) => state === "gone");
}

/** Returns undefined if the SecY does not have all of the SAK's SAs. */
export function adoptedSak(secy: HeldSecy, sak: SakSnapshot, now: Instant): HeldSak | undefined {
  const keyId = keyIdOf(sak.keyIdentifier);
  const isIt = (sa: { an: number; keyId: string; active: boolean }): boolean =>
    sa.an === sak.an && sa.keyId === keyId && sa.active;
  const sending = secy.transmitSas.find(isIt);
  const receiving = secy.receiveSas.filter(isIt);
  if (sending === undefined || receiving.length === 0) return undefined;
  const enabled = secy.encodingAn === sak.an;
  const taken = { state: "enabled", ssci: undefined, lowestPn: 1n } as const;
  return {
    keyIdentifier: sak.keyIdentifier,
    an: sak.an,
    members: sak.members,
    sak: undefined,
    extended: undefined,
    ssci: sak.ssci,
    createdAt: instantAfter(now, -sak.ageMs),
    receive: new Map(receiving.map(({ sci }) => [sci, { ...taken }])),
    reached: new Map(receiving.map(({ sci, nextPn }) => [sci, nextPn])),
    transmit: enabled ? "enabled" : "installed",
    enabledAt: enabled ? now : undefined,
    samples: [{ at: now, nextPn: sending.nextPn }],
  };
}
