// Makes and takes SAKs: IEEE Std 802.1X-2020 9.8, and 802.1AE-2018 10.7.13 for SSCIs.

import type { CipherSuite } from "#hal/model.ts";
import type { Actor, Peer } from "./actor.ts";
import type { NewSak } from "./held-sak.ts";
import { type KeyIdentifier, unwrapSak } from "./keys.ts";
import type { DistributedSak, Mkpdu } from "./mkpdu.ts";
import { suiteOfId, suites } from "./suite.ts";

/** Why a SAK was made. */
export type SakReason =
  | "first"
  /** The key server, or the CA it comes on, has changed. */
  | "keyServer"
  | "newPeer"
  | "packetNumber"
  | "timer"
  | "command"
  /** A live peer no longer receives under the SAK in use. */
  | "peerLostIt"
  /** Another program took an SA that only another SAK replaces. */
  | "saLost";

/** Why a distributed SAK is not taken. */
export type SakRefusal =
  /** The SAK is for another suite than the wanted one; `offered` by name, or by its id in hex. */
  | { readonly kind: "suite"; readonly offered: string }
  /** The key server does not want MACsec. */
  | { readonly kind: "plain" }
  /** Integrity without confidentiality. */
  | { readonly kind: "noConfidentiality" }
  | { readonly kind: "confidentialityOffset"; readonly offset: 30 | 50 }
  /** The SAK is damaged, or was wrapped with another KEK. */
  | { readonly kind: "unwrap" }
  /** Its number is not above all that came from this key server. */
  | { readonly kind: "keyNumber" }
  /** A live peer uses another SAK under this AN. */
  | { readonly kind: "anInUse"; readonly an: number }
  /** The key server does not count us among its members. */
  | { readonly kind: "notMember" };

const anCount = 4;

/** Returns the next AN that no station uses. */
export function nextAn(last: number | undefined, taken: ReadonlySet<number>): number {
  const first = last === undefined ? 0 : (last + 1) % anCount;
  for (let step = 0; step < anCount; step += 1) {
    const an = (first + step) % anCount;
    if (!taken.has(an)) return an;
  }
  return first;
}

interface Station {
  readonly mi: string;
  readonly sci: string;
}

/** SSCI 1 belongs to the numerically highest SCI. */
export function ssciOrder(stations: readonly Station[]): Station[] {
  return stations.toSorted((a, b) => (a.sci > b.sci ? -1 : 1));
}

export function ssciMap(stations: readonly Station[]): ReadonlyMap<string, number> {
  return new Map(
    ssciOrder(stations).flatMap(({ mi, sci }, index) => [
      [mi, index + 1],
      [sci, index + 1],
    ]),
  );
}

/**
 * Returns the SSCIs that the key server reports: from version 3 on by the order of its live peers,
 * with a gap for itself, because a member that has not heard every other could not know the order.
 * Undefined if it does not report them.
 */
function announcedSscis({
  basic,
  livePeers,
  keyServerSsci,
}: Mkpdu): ReadonlyMap<string, number> | undefined {
  if (basic.version < 3 || keyServerSsci === 0) return undefined;
  const sscis = new Map([
    [basic.mi, keyServerSsci],
    [basic.sci, keyServerSsci],
  ]);
  let ssci = 0;
  for (const { mi } of livePeers) {
    ssci += 1;
    if (ssci === keyServerSsci) ssci += 1;
    sscis.set(mi, ssci);
  }
  return sscis;
}

export interface TakenUnder {
  readonly actor: Actor;
  readonly server: Peer;
  readonly suite: CipherSuite;
  /** Returns true if a live peer uses another SAK under this AN. */
  isAnInUse(an: number): boolean;
  /** Returns true if the SAK was taken before: its packet numbers would begin again. */
  isSpent(key: KeyIdentifier): boolean;
}

type Taken =
  | { readonly kind: "taken"; readonly sak: NewSak }
  | { readonly kind: "refused"; readonly why: SakRefusal };

const refused = (why: SakRefusal): Taken => ({ kind: "refused", why });

/** Takes a SAK from the elected key server, if it is acceptable. */
export function takeSak(mkpdu: Mkpdu, sak: DistributedSak, under: TakenUnder): Taken {
  const { actor, server } = under;
  if (sak.kind === "plain") return refused({ kind: "plain" });
  const offered = sak.suiteId === undefined ? "gcm-aes-128" : suiteOfId(sak.suiteId);
  if (offered !== under.suite) {
    return refused({ kind: "suite", offered: offered ?? sak.suiteId ?? "" });
  }
  switch (sak.confidentialityOffset) {
    case 1:
      break;
    case 0:
      return refused({ kind: "noConfidentiality" });
    default: {
      const offset = sak.confidentialityOffset === 2 ? 30 : 50;
      return refused({ kind: "confidentialityOffset", offset });
    }
  }
  const keyIdentifier = { mi: server.mi, kn: sak.kn };
  if (sak.kn <= server.kn || under.isSpent(keyIdentifier)) return refused({ kind: "keyNumber" });
  if (under.isAnInUse(sak.an)) return refused({ kind: "anInUse", an: sak.an });
  const stations = [actor, ...actor.livePeers];
  const members = [actor.mi, server.mi, ...mkpdu.livePeers.map(({ mi }) => mi)];
  const isExtended = suites[under.suite].packetNumber === "64 bit";
  const of = announcedSscis(mkpdu) ?? ssciMap(stations);
  const own = of.get(actor.mi);
  if (isExtended && own === undefined) return refused({ kind: "notMember" });
  const key = unwrapSak(actor.keys.kek, sak.wrapped);
  if (key === undefined) return refused({ kind: "unwrap" });
  const named = { keyIdentifier, an: sak.an, sak: key, members };
  if (!isExtended || own === undefined) return { kind: "taken", sak: named };
  return { kind: "taken", sak: { ...named, extended: { own, of } } };
}
