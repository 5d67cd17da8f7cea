// Two hubs, killed and overtaken between any two calls, on one wave.

import { describe, expect, it } from "vitest";
import { effort } from "../../../effort.ts";
import { WaveStorm } from "../../kit/wave-storm.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "waves";
const storms = effort(60, 5_000);

describe("two hubs on one wave", () => {
  it(`${storms} storms: the share, a stop and what is asked bind every permit`, async () => {
    console.log(`seed ${seed}`);
    const sums = new Map<string, number>();
    for (let index = 0; index < storms; index += 1) {
      const storm = new WaveStorm(`${seed}/${index}`);
      await storm.run(1_200).catch((error: unknown) => {
        throw new Error(`LINKSEAL_SEED=${seed}, storm ${index}`, { cause: error });
      });
      for (const [name, count] of Object.entries(storm.counts)) {
        sums.set(name, (sums.get(name) ?? 0) + count);
      }
    }
    console.log(JSON.stringify(Object.fromEntries(sums)));
    // That a wave comes to its end in so short a storm is luck: other tests see it.
    sums.delete("done");
    for (const [name, sum] of sums) expect(sum, name).toBeGreaterThan(0);
  });

  it.each([
    ["linkseal-waves", /open|stopped wave/],
    ["linkseal-permits", /withdrawn permit/],
  ] as const)("an engine that takes every write to %s is caught", async (bucket, why) => {
    let found: unknown;
    for (let index = 0; index < 300 && found === undefined; index += 1) {
      const storm = new WaveStorm(`offender/${index}`, [bucket]);
      found = await storm.run(1_200).catch((error: unknown) => error);
    }
    expect(String(found)).toMatch(why);
  });
});
