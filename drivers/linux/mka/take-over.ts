// How a KaY begins: as a new member, or as the member that its predecessor was, with the SAs in the
// SecY left alone. If the snapshot and the SecY contradict each other, the port ends closed.

import { Actor, lifeMs } from "./actor.ts";
import type { Cp } from "./cp.ts";
import { sameKey } from "./held-sak.ts";
import type { KayOptions } from "./kay-types.ts";
import { type KeyIdentifier, keyIdOf } from "./keys.ts";
import type { HeldSecy, HeldTransmitSa } from "./operations.ts";
import type { KeptChannel, SakSnapshot } from "./snapshot.ts";

interface TakenOver {
  /** `contradiction`: snapshot and SecY do not fit, and only the CAs were kept. */
  readonly kind: "begun" | "contradiction";
  readonly actors: readonly Actor[];
  /** Channels that stay for a while, until their stations have been heard. */
  readonly kept: readonly KeptChannel[];
  /** SAKs that are never taken again. */
  readonly spent: readonly KeyIdentifier[];
}

export function takeOver(options: KayOptions, cp: Cp): TakenOver {
  const { sci, entropy, now, held, snapshot } = options;
  const spent = snapshot?.spent ?? [];
  const encoding = held?.transmitSas.find(({ an, active }) => active && an === held.encodingAn);
  if (snapshot === undefined || snapshot.saks.length === 0) {
    // A sealed cache has no SAK either. The name of the one in use is known, without a key; that is
    // enough to leave it alone until there is another.
    const sak = encoding === undefined ? undefined : foundSak(encoding);
    if (held !== undefined) cp.adopt(held, sak === undefined ? [] : [sak], now);
    const before = snapshot?.actors ?? [];
    const actors = before.map((actor) => Actor.adopt(actor, sci, entropy, now));
    const kept = cp.channels.map((channel) => ({ sci: channel, leftMs: lifeMs }));
    return { kind: "begun", actors, kept: cp.held.length > 0 ? kept : [], spent };
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
    return { kind: "contradiction", actors, kept: [], spent };
  }
  const again = snapshot.saks.filter((sak) => !cp.holds(sak.keyIdentifier));
  const reopen = reopening(again, held);
  const actors = snapshot.actors.map((actor) =>
    Actor.adopt({ ...actor, peers: actor.peers.map(reopen) }, sci, entropy, now),
  );
  return { kind: "begun", actors, kept: snapshot.kept, spent: spent.map(reopen) };
}

function isOf(sa: HeldTransmitSa, an: number, key: KeyIdentifier): boolean {
  return sa.an === an && sa.keyId === keyIdOf(key);
}

// The key server distributes a SAK until we have it. A SAK whose installation the predecessor did
// not finish is taken again, unless a frame may have left under it: another program may have taken
// a transmit SA that is not there.
function reopening(again: readonly SakSnapshot[], held: HeldSecy | undefined) {
  const unused = again.filter(
    ({ an, keyIdentifier }) =>
      held?.transmitSas.some((sa) => isOf(sa, an, keyIdentifier) && sa.nextPn === 1n) === true,
  );
  return <K extends KeyIdentifier>(taken: K): K => {
    const isAgain = unused.some(({ keyIdentifier }) => sameKey(keyIdentifier, taken));
    return isAgain ? { ...taken, kn: taken.kn - 1 } : taken;
  };
}

function foundSak({ an, keyId }: HeldTransmitSa): SakSnapshot {
  const number = Buffer.from(keyId.slice(24), "hex").readUInt32LE();
  const keyIdentifier = { mi: keyId.slice(0, 24), kn: number };
  return { slot: "old", keyIdentifier, an, members: [], ssci: undefined, ageMs: 0 };
}
