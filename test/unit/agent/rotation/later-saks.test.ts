// The SAKs after the first one of a new key: which ones count, what takes the count back, and when
// the next one is asked for.

import { describe, expect, it } from "vitest";
import { type LaterSaks, laterSaksNeeded, type PortFacts } from "#agent/model/campaign.ts";
import type { Proven } from "#agent/rotation/evidence.ts";
import {
  advanceSaks,
  askedFor,
  laterSaksOf,
  makesSaks,
  type SakRun,
} from "#agent/rotation/later-saks.ts";
import { known, type MkaSession, unknown } from "#hal/model.ts";
import { calmPort, keyOne } from "../../kit/campaign-kit.ts";
import {
  at,
  desired,
  frames,
  link,
  peerOn,
  securedPort,
  session,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const { rotation } = desired;
const wanted: Proven = { which: "new", key: keyOne, settings: link.settings, keepsKey: false };
const bothKeys: PortFacts = { ...calmPort, keys: "both", carriedBy: "new" };

interface Look {
  readonly sak: number | undefined;
  readonly count: number;
  readonly port?: PortFacts | undefined;
  readonly session?: Partial<MkaSession>;
  readonly ms?: number;
}

/** One process that looks at a link again and again. */
class Looker {
  run: SakRun | undefined;
  #ms = 0;

  see(look: Look): LaterSaks {
    this.#ms += look.ms ?? 1_000;
    const view = this.#view(look);
    this.run = advanceSaks(this.run, view);
    return laterSaksOf(this.run, view);
  }

  ask(): void {
    this.run = askedFor(this.run, at(this.#ms));
  }

  /** The first look begins a proof, the second moves the counters, the third has the frames. */
  prove(sak: number): LaterSaks {
    for (const count of [0, 1]) this.see({ sak, count: sak * 1_000 + count });
    return this.see({ sak, count: sak * 1_000 + 1 + rotation.proofFrames });
  }

  #view({ sak, count, port = bothKeys, session: over }: Look) {
    const latestSak =
      sak === undefined
        ? undefined
        : { an: sak % 4, keyId: `${"ab".repeat(12)}/${sak}`, receive: true, transmit: true };
    const counted = { rxOk: BigInt(count), txProtected: BigInt(count) };
    const observed = securedPort({
      session: known({ ...session, latestSak, ...over }, at(this.#ms)),
      frames: known({ ...frames, ...counted }, at(this.#ms)),
    });
    const snapshot = snapshotOf(stateOf(observed), { peer: peerOn() });
    return { snapshot, port, wanted, far: "new" as const, rotation, now: at(this.#ms) };
  }
}

/** A process that has proven the first SAK, and asked for and proven so many later ones. */
function seenUpTo(later: number): Looker {
  const looker = new Looker();
  looker.prove(1);
  for (let number = 1; number <= later; number += 1) {
    looker.ask();
    looker.prove(1 + number);
  }
  return looker;
}

describe("the later SAKs of a new key", () => {
  it("the next SAK is due once the one in use has passed frames in both directions", () => {
    const looker = new Looker();
    expect(looker.see({ sak: 1, count: 0 }).kind).toBe("waiting");
    expect(looker.see({ sak: 1, count: 1 }).kind).toBe("waiting");
    expect(looker.see({ sak: 1, count: rotation.proofFrames })).toEqual({
      kind: "waiting",
      number: 1,
      cause: { code: "frames.lacking", direction: "receive", count: 1 },
    });
    expect(looker.see({ sak: 1, count: rotation.proofFrames + 1 })).toEqual({
      kind: "due",
      number: 1,
    });
  });

  it("four later SAKs are proven one after the other, and not one less", () => {
    const looker = seenUpTo(0);
    for (let number = 1; number <= laterSaksNeeded; number += 1) {
      looker.ask();
      const due = { kind: "due", number: number + 1 };
      expect(looker.prove(1 + number)).toEqual(number < laterSaksNeeded ? due : { kind: "proven" });
    }
  });

  it("a SAK that did not come is asked for again after the time of a proof", () => {
    const looker = seenUpTo(1);
    const count = 2_001 + rotation.proofFrames;
    looker.ask();
    const waiting = { kind: "waiting", number: 2, cause: { code: "sak.awaited" } };
    expect(looker.see({ sak: 2, count, ms: rotation.settleMs - 1 })).toEqual(waiting);
    expect(looker.see({ sak: 2, count, ms: 1 })).toEqual({ kind: "due", number: 2 });
  });

  it("a SAK that passes no frames stays unproven, whatever MKA reports", () => {
    const looker = seenUpTo(3);
    looker.ask();
    const count = 4_001 + rotation.proofFrames;
    for (let looks = 0; looks < 100; looks += 1) {
      expect(looker.see({ sak: 5, count })).toMatchObject({
        kind: "waiting",
        number: 4,
        cause: { code: "frames.lacking" },
      });
    }
  });

  it("a session that was lost begins the count anew, and the lost SAK keeps its number", () => {
    const looker = seenUpTo(2);
    looker.ask();
    const lost = { port: { ...bothKeys, carriedBy: "nothing" as const }, count: 0 };
    expect(looker.see({ sak: 4, ...lost })).toMatchObject({ kind: "waiting", number: 3 });
    expect(looker.see({ sak: undefined, ...lost })).toMatchObject({ kind: "waiting", number: 3 });
    expect(looker.prove(9)).toEqual({ kind: "due", number: 1 });
  });

  it("a session that cannot be read, and a port that cannot, take no count back", () => {
    const looker = seenUpTo(2);
    const { run } = looker;
    const now = at(60_000);
    const blind = snapshotOf(stateOf(securedPort({ session: unknown("queryFailed", now) })));
    const view = { snapshot: blind, port: bothKeys, wanted, far: "new" as const, rotation, now };
    expect(advanceSaks(run, view)).toBe(run);
    expect(advanceSaks(run, { ...view, port: undefined })).toBe(run);
  });

  it("a port that holds one key has no later SAK to prove", () => {
    const looker = seenUpTo(2);
    const port = { ...bothKeys, keys: "new" as const };
    expect(looker.see({ sak: 3, count: 0, port })).toEqual({ kind: "notOffered" });
    expect(looker.run).toBeUndefined();
    looker.ask();
    expect(looker.run).toBeUndefined();
  });

  it("a moment in which the peer lacks the new SAK begins the proof of this SAK anew", () => {
    const looker = seenUpTo(0);
    looker.ask();
    expect(looker.see({ sak: 2, count: 5_000, session: { respondedPeers: 0 } })).toEqual({
      kind: "waiting",
      number: 1,
      cause: { code: "mka.peerWithoutSak" },
    });
    expect(looker.prove(6)).toEqual({ kind: "due", number: 2 });
  });

  it("frames beside the old SAK prove nothing of the new one", () => {
    const looker = seenUpTo(0);
    looker.ask();
    const oldSak = { an: 1, keyId: `${"ab".repeat(12)}/1`, receive: true, transmit: false };
    for (const count of [5_000, 5_100, 5_200]) {
      expect(looker.see({ sak: 2, count, session: { oldSak } })).toEqual({
        kind: "waiting",
        number: 1,
        cause: { code: "sak.awaited" },
      });
    }
    expect(looker.see({ sak: 2, count: 5_300 })).toMatchObject({ kind: "waiting", number: 1 });
    expect(looker.see({ sak: 2, count: 5_301 })).toMatchObject({ kind: "waiting", number: 1 });
    expect(looker.see({ sak: 2, count: 5_400 })).toEqual({ kind: "due", number: 2 });
  });
});

describe("the maker of the SAKs", () => {
  const served = (keyServer: MkaSession["keyServer"]) =>
    securedPort({ session: known({ ...session, keyServer }, at(0)) });

  it("a SAK can be asked for only of a key server that makes one on request", () => {
    expect(makesSaks(served("self"), true)).toBe(true);
    expect(makesSaks(served("self"), undefined)).toBe(false);
    expect(makesSaks(served("peer"), true)).toBe(false);
    expect(makesSaks(served("none"), true)).toBe(false);
    expect(makesSaks(undefined, true)).toBe(false);
    expect(makesSaks(securedPort({ session: unknown("queryFailed", at(0)) }), true)).toBe(false);
  });
});
