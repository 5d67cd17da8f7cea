// Rotations of pairs of which one in five has hardware that fails at a later SAK: each is found
// before its old key goes, and without the later SAKs none is. LINKSEAL_SEED=NAME replays one seed.

import { describe, expect, it } from "vitest";
import type { OnDecision } from "#agent/model/decision.ts";
import { decide } from "#agent/rotation/campaign.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { Enrolled, type LinkName } from "../unit/kit/later-saks-kit.ts";

const asked = process.env["LINKSEAL_SEED"];
const seeds =
  asked === undefined
    ? Array.from({ length: effort(10, 2_500) }, (_, index) => `later-saks-${index}`)
    : [asked];

/** Decides as an agent that never asks for a later SAK. */
const withoutLaterSaks: OnDecision = (decision) => {
  if (decision.kind !== "step") return;
  const { campaign, facts } = decision;
  decision.step = decide(campaign, { ...facts, laterSaks: { kind: "notOffered" } });
};

/** The link that has the faulty hardware of a seed; one device in five has it. */
function faultyOf(seed: string): LinkName | undefined {
  const prng = new Prng(`${seed}/hardware`);
  return (["primary", "secondary"] as const).find(() => prng.chance(0.2));
}

interface Played {
  readonly faulty: LinkName | undefined;
  /** Whether the router with the faulty hardware still holds the key of before. */
  readonly keepsOld: boolean;
  readonly outcomes: readonly (string | undefined)[];
  readonly violations: readonly string[];
}

async function play(seed: string, onDecision?: OnDecision): Promise<Played> {
  const hook = onDecision === undefined ? {} : { onDecision };
  const bench = await Enrolled.by({ server: "router", seed, ...hook });
  const faulty = faultyOf(seed);
  const before = faulty === undefined ? [] : bench.ckns(faulty);
  if (faulty !== undefined) bench.plant("staleAn", faulty);
  await bench.rotate();
  const after = faulty === undefined ? [] : bench.ckns(faulty);
  const keepsOld = before.length > 0 && before.every((ckn) => after.includes(ckn));
  const played = { faulty, keepsOld, outcomes: bench.outcomes(), violations: bench.violations() };
  await bench.end();
  return played;
}

describe("hardware that fails at a later SAK of a new key", () => {
  it.each(seeds)(
    "faulty hardware is found before the old key goes, and sound hardware rotates, seed %s",
    async (seed) => {
      const { faulty, keepsOld, outcomes, violations } = await play(seed);
      expect(violations).toEqual([]);
      if (faulty === undefined) expect(outcomes).toEqual(["rotated", "rotated"]);
      else expect([keepsOld, outcomes]).toEqual([true, expect.arrayContaining(["reverted"])]);
    },
  );

  it("some of these seeds have faulty hardware", () => {
    if (asked !== undefined) return;
    expect(seeds.filter((seed) => faultyOf(seed) !== undefined).length).toBeGreaterThan(0);
  });

  it.each(seeds.filter((seed) => faultyOf(seed) !== undefined))(
    "an agent without later SAKs takes the old key of faulty hardware away, seed %s",
    async (seed) => {
      const { keepsOld, outcomes } = await play(seed, withoutLaterSaks);
      expect([keepsOld, outcomes]).toEqual([false, ["rotated", "rotated"]]);
    },
  );
});
