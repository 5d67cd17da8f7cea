// How a KaY begins: as a new member, or as the member that its predecessor was, with the SAs in the
// SecY left alone. If the snapshot and the SecY contradict each other, the port ends closed.

import { Actor, lifeMs } from "./actor.ts";
import type { Cp } from "./cp.ts";
import type { KayOptions } from "./kay-types.ts";
import { type KeyIdentifier, keyIdOf } from "./keys.ts";
import type { HeldSecy, HeldTransmitSa } from "./operations.ts";
import type { ActorSnapshot, KeptChannel, SakSnapshot } from "./snapshot.ts";

interface TakenOver {
  /** `contradiction`: snapshot and SecY do not fit, and only the CAs were kept. */
  readonly kind: "begun" | "contradiction";
  readonly actors: readonly Actor[];
  /** Channels that stay for a while, until their stations have been heard. */
  readonly kept: readonly KeptChannel[];
}

export function takeOver(options: KayOptions, cp: Cp): TakenOver {
  const { sci, entropy, now, held, snapshot } = options;
  const encoding = held?.transmitSas.find(({ an, active }) => active && an === held.encodingAn);
  if (snapshot === undefined || snapshot.saks.length === 0) {
    // A sealed cache has no SAK either. The name of the one in use is known, without a key; that is
    // enough to leave it alone until there is another.
    const sak = encoding === undefined ? undefined : foundSak(encoding);
    if (held !== undefined) cp.adopt(held, sak === undefined ? [] : [sak], now);
    const before = snapshot?.actors ?? [];
    const actors = before.map((actor) => Actor.adopt(actor, sci, entropy, now));
    const kept = cp.channels.map((channel) => ({ sci: channel, leftMs: lifeMs }));
    return { kind: "begun", actors, kept: cp.held.length > 0 ? kept : [] };
  }
  const isFromSnapshot =
    encoding === undefined ||
    snapshot.saks.some((sak) => isOf(encoding, sak.an, sak.keyIdentifier));
  if (held !== undefined) cp.adopt(held, isFromSnapshot ? snapshot.saks : [], now);
  const isLost = cp.held.length === 0;
  if (!isFromSnapshot || isLost) {
    const actors = snapshot.actors.map(({ ckn, ick, kek }) => {
      const keys = { ick: ick.copy(), kek: kek.copy() };
      return new Actor(ckn, keys, sci, entropy, now);
    });
    return { kind: "contradiction", actors, kept: [] };
  }
  const again = snapshot.saks.filter((sak) => !cp.holds(sak.keyIdentifier));
  const actors = snapshot.actors.map((actor) =>
    Actor.adopt(withoutTaken(actor, again, held), sci, entropy, now),
  );
  return { kind: "begun", actors, kept: snapshot.kept };
}

function isOf(sa: HeldTransmitSa, an: number, key: KeyIdentifier): boolean {
  return sa.an === an && sa.keyId === keyIdOf(key);
}

// The key server distributes a SAK until we have it. A SAK whose installation the predecessor did
// not finish is taken again, unless a frame may have left under it.
function withoutTaken(
  actor: ActorSnapshot,
  again: readonly SakSnapshot[],
  held: HeldSecy | undefined,
): ActorSnapshot {
  const unused = again.filter(
    ({ an, keyIdentifier }) =>
      held?.transmitSas.every((sa) => !isOf(sa, an, keyIdentifier) || sa.nextPn === 1n) === true,
  );
  const peers = actor.peers.map((peer) => {
    const isAgain = unused.some(
      ({ keyIdentifier: { mi, kn } }) => mi === peer.mi && kn === peer.kn,
    );
    return isAgain ? { ...peer, kn: peer.kn - 1 } : peer;
  });
  return { ...actor, peers };
}

function foundSak({ an, keyId }: HeldTransmitSa): SakSnapshot {
  const number = Buffer.from(keyId.slice(24), "hex").readUInt32LE();
  const keyIdentifier = { mi: keyId.slice(0, 24), kn: number };
  return { slot: "old", keyIdentifier, an, members: [], ssci: undefined, ageMs: 0 };
}
