// Received frames that were authenticated and not encrypted: what counters prove, and what forged
// frames, resets and readings in the middle of a frame must never make them prove.

import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import { confidentialityOf, type ReceiveCounts } from "#agent/health/readable.ts";
import { Prng } from "#sim/base/prng.ts";
import {
  type Course,
  evidence,
  fine,
  grows,
  judged,
  last,
  moving,
  over,
  verdictOf,
} from "../health-evidence.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "readable";
const readable = ["unprotected", "frames-readable"] as const;

/** Counts of the octets as a SecY has them, in frames of 100 octets. */
const octets = (validated: (index: number) => bigint, decrypted: (index: number) => bigint) =>
  over(moving, (index) => ({
    frames: { rxOctetsValidated: validated(index), rxOctetsDecrypted: decrypted(index) },
  }));
const none = (): bigint => 0n;
const steady = (index: number): bigint => BigInt(index) * 500_000n;
const forged =
  (count: bigint): Course =>
  (index) => ({ frames: { rxNotValid: index > 10 ? count : 0n } });

describe("frames that are not encrypted", () => {
  judged("the receive direction", [
    ["is encrypted", octets(none, steady), {}, ...fine],
    ["has readable frames alone", octets(steady, none), {}, ...readable],
    ["has both kinds of frames", octets(steady, steady), {}, ...readable],
    [
      "has one readable frame at the beginning of the evidence",
      octets((index) => (index > 2 ? 60n : 0n), steady),
      {},
      ...readable,
    ],
    [
      "has 1,000 forged readable frames beside encrypted ones",
      over(
        octets((index) => (index > 10 ? 1_500_000n : 0n), steady),
        forged(1000n),
      ),
      {},
      "degraded",
      "frames-not-valid",
    ],
    [
      "has 1,000 forged encrypted frames beside readable ones",
      over(
        octets(steady, (index) => (index > 10 ? 1_500_000n : 0n)),
        forged(1000n),
      ),
      {},
      "unprotected",
      "frames-readable frames-not-valid",
    ],
    [
      "has readable octets in the newest reading only",
      octets((index) => (index > 18 ? 60n : 0n), steady),
      {},
      "unknown",
      "collecting-evidence",
    ],
    [
      "has readable octets in the first two readings",
      octets(steady, none),
      last(octets(steady, none), 2),
      "unknown",
      "collecting-evidence",
    ],
    ["has readable octets in three readings", moving, last(octets(steady, none), 3), ...readable],
    ["is not visible", over(moving, grows("rxOctetsValidated")), {}, ...fine],
  ]);

  it("the reason names the octets, both ends, and drains the link first", () => {
    const [reason] = deriveLinkHealth(evidence(octets(steady, none))).reasons;
    expect(reason?.text).toBe(
      "9500000 octets from the far end (link1 of erd-demo) were authenticated and not encrypted, " +
        "and edge-a et-0/0/0 took them",
    );
    expect(reason?.next).toMatch(/^linkseal /);
  });

  it.each([
    ["encrypted", octets(none, steady), "encrypted"],
    ["without counters of octets", moving, "notVisible"],
    ["with counters of octets that never move", octets(none, none), "notVisible"],
    ["readable", octets(steady, steady), "readable"],
  ] as const)("received frames %s are reported as such", (_name, course, received) => {
    expect(deriveLinkHealth(evidence(course)).received).toBe(received);
  });

  it("the sample window begins again when a counter of octets is reset", () => {
    const course = octets((index) => (index < 19 ? 60n : 0n), steady);
    expect(verdictOf(course)).toEqual(["unknown", "collecting-evidence"]);
  });
});

interface Frame {
  readonly kind: "encrypted" | "readable";
  readonly origin: "peer" | "forger";
  readonly octets: number;
}

/** A SecY as the kernel has it: the octets are counted first, then the verdict on the ICV. */
class Secy {
  counts = { validated: 0n, decrypted: 0n, accepted: 0n, refused: 0n };
  saks = 0;
  readonly looks: ReceiveCounts[] = [];

  receive({ kind, origin, octets: size }: Frame, isRead: boolean): void {
    this.counts[kind === "readable" ? "validated" : "decrypted"] += BigInt(size);
    if (isRead) this.read();
    this.counts[origin === "peer" ? "accepted" : "refused"] += 1n;
  }

  read(): void {
    this.looks.push({ ...this.counts, sak: `sak/${this.saks}` });
  }

  renew(): void {
    this.saks += 1;
  }

  /** The channel is deleted and made again, under another SAK. */
  replace(): void {
    this.renew();
    this.reset();
  }

  reset(): void {
    this.counts = { validated: 0n, decrypted: 0n, accepted: 0n, refused: 0n };
  }

  wrap(): void {
    for (const name of ["validated", "decrypted", "accepted", "refused"] as const) {
      this.counts[name] %= 2n ** 64n;
    }
  }
}

interface Mix {
  readonly peer: readonly Frame["kind"][];
  readonly forger: readonly Frame["kind"][];
  readonly odd: boolean;
}

function play(prng: Prng, { peer, forger, odd }: Mix): readonly ReceiveCounts[] {
  const secy = new Secy();
  if (odd && prng.chance(0.2)) secy.counts.decrypted = 2n ** 64n - BigInt(prng.between(1, 100_000));
  secy.read();
  const steps = prng.between(1, 60);
  for (let step = 0; step < steps; step += 1) {
    const origin = forger.length > 0 && prng.chance(0.5) ? "forger" : "peer";
    const kind = prng.pick(origin === "peer" ? peer : forger);
    const count = prng.chance(0.1) ? 1000 : prng.between(1, 3);
    const size = prng.pick([1, 46, 1500, 9216, 65_535]);
    for (let frame = 0; frame < count; frame += 1) {
      secy.receive({ kind, origin, octets: size }, frame === 0 && prng.chance(0.2));
    }
    secy.wrap();
    if (odd && prng.chance(0.1)) secy.renew();
    if (odd && prng.chance(0.1)) secy.replace();
    if (odd && prng.chance(0.05)) {
      // A reset shows by a counter that is lower: one that every counter has made up for does not.
      secy.reset();
      secy.read();
    }
    if (prng.chance(0.5)) secy.read();
  }
  return secy.looks;
}

const both = ["encrypted", "readable"] as const;

describe("what counters of octets prove", () => {
  it.each([
    ["no forger", []],
    ["forged encrypted frames", ["encrypted"]],
    ["forged readable frames", ["readable"]],
    ["both forged", both],
  ] as const)("a peer that encrypts is never called readable: %s", (name, forger) => {
    console.log(`LINKSEAL_SEED=${seed}`);
    for (let run = 0; run < 3000; run += 1) {
      const prng = new Prng(`${seed} ${name} ${run}`);
      const looks = play(prng, { peer: ["encrypted"], forger, odd: true });
      expect(confidentialityOf(looks), `${seed} ${name} ${run}`).not.toBe("readable");
    }
  });

  it.each([
    ["alone", ["readable"], []],
    ["beside encrypted ones", both, []],
    ["beside forged encrypted ones", ["readable"], ["encrypted"]],
    ["beside forged readable ones", ["readable"], ["readable"]],
    ["beside everything", both, both],
  ] as const)("readable frames are never called encrypted: %s", (name, peer, forger) => {
    for (let run = 0; run < 2000; run += 1) {
      const prng = new Prng(`${seed} ${name} ${run}`);
      const looks = play(prng, { peer: [...peer], forger: [...forger], odd: false });
      const rose = (looks.at(-1)?.validated ?? 0n) > (looks[0]?.validated ?? 0n);
      if (!rose) continue;
      const proven = confidentialityOf(looks);
      expect(proven, `${seed} ${name} ${run}`).not.toBe("encrypted");
      if (forger.length === 0) expect(["readable", "unsettled"]).toContain(proven);
    }
  });

  const counts = (change: Partial<ReceiveCounts>): ReceiveCounts => ({
    ...{ validated: 0n, decrypted: 0n, accepted: 0n, refused: 0n, sak: "mi/1" },
    ...change,
  });
  /** Readings of a peer that never encrypts, 100 octets and one frame each. */
  const plain = (count: number, change: Partial<ReceiveCounts> = {}): ReceiveCounts[] =>
    Array.from({ length: count }, (_, index) =>
      counts({ validated: BigInt(index) * 100n, accepted: BigInt(index), ...change }),
    );

  it("without a count of refused frames, frames in excess of decrypted octets are proof", () => {
    expect(confidentialityOf(plain(3, { refused: undefined }))).toBe("readable");
    const mixed = plain(3, { refused: undefined }).map((one, index) => ({
      ...one,
      decrypted: BigInt(index) * 100n,
    }));
    expect(confidentialityOf(mixed)).toBe("unproven");
  });

  it("forged frames of both kinds leave readable frames unproven, and never encrypted", () => {
    const looks = plain(4).map((one, index) => ({
      ...one,
      decrypted: BigInt(index) * 1_000_000n,
      refused: BigInt(index) * 1000n,
    }));
    expect(confidentialityOf(looks)).toBe("unproven");
  });

  it("octets that a new SAK leaves unexplained stay unsettled", () => {
    const looks = plain(3).map((one, index) => ({ ...one, sak: `mi/${index}` }));
    expect(confidentialityOf(looks)).toBe("unsettled");
  });

  it("a channel that was made anew, with lower counters, is not compared with the old one", () => {
    const old = counts({ decrypted: 9_000n, accepted: 90n });
    const anew = counts({ validated: 100n, decrypted: 10n, refused: 1n, accepted: 1n });
    expect(confidentialityOf([old, old, anew, anew])).toBe("noFrames");
  });

  it("a link without frames is not called encrypted", () => {
    expect(confidentialityOf([counts({}), counts({}), counts({})])).toBe("noFrames");
    expect(confidentialityOf([])).toBe("notVisible");
  });
});
