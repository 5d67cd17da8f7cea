// The agent's host ends, with the agent and the link that ends there, after any step of a rotation
// of a pair: the other host goes on by itself, and the agent finishes once its host is back.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { HostPair, type StepTaken } from "./linux-host/host-pair.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "the agent's host ends";

interface Ended {
  /** undefined = the host did not end. */
  readonly alone: Awaited<ReturnType<HostPair["second"]>> | undefined;
  readonly outcomes: string;
  readonly holds: number;
  readonly steps: readonly StepTaken[];
  readonly repeats: readonly string[];
  readonly violations: readonly string[];
  readonly agreed: readonly boolean[];
}

/** Rotates both links; the host ends once the step with this number was taken. */
async function rotated(nth?: number): Promise<Ended> {
  const pair = await HostPair.adopted(seed, { agentAt: "first" });
  let count = 0;
  let isDue = false;
  pair.onStep = () => {
    count += 1;
    isDue = count === nth;
  };
  pair.newKeys();
  await pair.asked();
  await pair.ended(() => isDue);
  let alone: Ended["alone"];
  if (isDue) {
    await pair.endHost();
    alone = await pair.second();
    isDue = false;
    await pair.bootHost();
    await pair.ended();
  }
  const links = pair.site.truth().groups[0]?.links ?? [];
  return {
    ...{ alone, outcomes: pair.outcomes(), holds: pair.holds, steps: pair.steps },
    ...{ repeats: pair.repeats(), violations: pair.violations() },
    agreed: links.map(({ edgeKeys, farKey }) => edgeKeys.join() === farKey),
  };
}

const isBad = ({ alone, repeats, violations, agreed }: Ended): boolean =>
  alone?.carries !== true ||
  !alone.agreed ||
  alone.pending ||
  repeats.length + violations.length > 0 ||
  agreed.includes(false);

/** Numbers of the steps to end at: the first of each kind for each link, and in a long run all. */
function chosen(steps: readonly StepTaken[]): readonly number[] {
  const lots = new Prng(`${seed} steps`);
  const numbered = steps.map((step, index) => ({ ...step, nth: index + 1, lot: lots.real() }));
  const kinds = [...Map.groupBy(numbered, ({ link, row }) => `${link} ${row}`).values()];
  const firsts = kinds.flatMap(([first]) => first ?? []).sort((a, b) => a.lot - b.lot);
  return effort(firsts.slice(0, 6), numbered)
    .map(({ nth }) => nth)
    .sort((a, b) => a - b);
}

function table(rows: readonly (Ended & { readonly nth: number })[]): string {
  const lines = rows.map(({ nth, steps, outcomes, holds }) => {
    const step = steps[nth - 1];
    return `${step?.link}\t${step?.row}\t${outcomes}\t${holds} holds`;
  });
  return [`seed ${seed}`, ...lines].join("\n");
}

describe("the agent's host ends in a rotation of a pair", () => {
  it("the other host's link carries by itself after any step, and the rotation ends", async () => {
    const clean = await rotated();
    expect(clean).toMatchObject({ outcomes: "rotated, rotated", holds: 0, alone: undefined });
    const rows: (Ended & { readonly nth: number })[] = [];
    for (const nth of chosen(clean.steps)) rows.push({ ...(await rotated(nth)), nth });
    console.log(table(rows));
    const bad = rows.filter(isBad).map(({ steps, nth, ...row }) => {
      return JSON.stringify({ ...steps[nth - 1], ...row });
    });
    expect(bad).toEqual([]);
  });
});
