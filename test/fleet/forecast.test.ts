// Predicted outage compared with the truth of the site, for each way of holding keys.

import { describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import { watchOutages } from "#sim/oracle/outage.ts";
import { group, overlaps, Pair } from "../unit/kit/rotate-kit.ts";
import { never, settled } from "../unit/kit/site-bench.ts";

const rounds = 3;
const asked = { by: "test", risks: [], urgency: "planned" } as const;

async function planOf(pair: Pair): Promise<Plan> {
  return await settled(pair.site.clock, pair.agent.commands.previewRotation(group, asked, never));
}

interface Predicted {
  readonly likely: number;
  readonly low: number;
  readonly high: number;
}

function outageIn({ steps }: Plan, link: string): Predicted {
  const dark = steps.filter((step) => step.link === link);
  const likely = dark.reduce(
    (total, step) => total + (step.dark?.theirs.likely ?? 0) + (step.dark?.ours.likely ?? 0),
    0,
  );
  const low = dark.reduce((total, { darkMs }) => total + darkMs.low, 0);
  const high = dark.reduce((total, { darkMs }) => total + darkMs.high, 0);
  return { likely, low, high };
}

const tookIn = ({ steps }: Plan): number =>
  steps.reduce((total, { takes }) => total + (takes?.likely ?? 0), 0);

const shuts = (text: string): string =>
  text.replaceAll("driver: sim", "driver: sim\n    quirks: [shutBeforeKeyChange]");

describe.each(overlaps)("the forecast for routers with overlap %s", (overlap) => {
  it.each([
    ["as they are", (text: string): string => text],
    ["that shut the port first", shuts],
  ])(
    "routers %s: the forecast is within a factor of two, before and after a run",
    async (_, edit) => {
      const pair = await Pair.adopted({ overlap, edit });
      const dark = watchOutages(pair.site);
      for (let round = 0; round < rounds; round += 1) {
        pair.newKeys();
        const plan = await planOf(pair);
        const begunAt = pair.site.clock.now();
        await pair.rotate();
        await pair.reach("secondary done");
        const tookMs = pair.site.clock.now() - begunAt;
        for (const { id } of pair.site.links) {
          const { likely, low, high } = outageIn(plan, id);
          const { wholeMs, theirsMs, oursMs } = dark.time(id, begunAt);
          const parts = `theirs ${theirsMs}, ours ${oursMs}`;
          console.log(`${overlap}, round ${round}, ${id}: ${likely} for ${wholeMs} ms (${parts})`);
          expect(likely / wholeMs).toBeGreaterThan(0.5);
          expect(likely / wholeMs).toBeLessThan(2);
          expect(wholeMs).toBeGreaterThanOrEqual(low);
          expect(wholeMs).toBeLessThanOrEqual(high);
        }
        console.log(`${overlap}, round ${round}: ${tookIn(plan)} for ${tookMs} ms in all`);
        expect(tookIn(plan) / tookMs).toBeGreaterThan(0.5);
        expect(tookIn(plan) / tookMs).toBeLessThan(2);
      }
      expect(pair.violations()).toEqual([]);
    },
  );
});
