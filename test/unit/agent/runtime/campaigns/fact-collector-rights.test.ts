// When the fact collector reads the rights in Azure, and what a missing one keeps from happening.

import { describe, expect, it } from "vitest";
import { followRight, writeRight } from "../../../kit/rights-kit.ts";
import { rotation } from "../../../kit/rotation-runner-bench.ts";
import { FactCollectorBench } from "./fact-collector-bench.ts";

describe("the rights in Azure", () => {
  const missing = { missing: [writeRight, followRight], unknown: [] };
  const cause = { code: "gate.rightsMissing", ...writeRight, others: 1 };

  it.each([
    ["queued", 0],
    ["gated", 60_000],
    ["draining", 60_000],
  ] as const)(
    "in %s the rights are read before each decision, and a missing one is the cause",
    async (state, everyMs) => {
      const bench = new FactCollectorBench();
      bench.rights = missing;
      expect((await bench.see(rotation({ state }))).unmetPrecondition).toEqual(cause);
      expect(bench.rightsCalls).toEqual([`refresh ${everyMs}`]);
    },
  );

  it.each(["staged", "switching", "proving", "reverting", "held"] as const)(
    "in %s the rights are not asked for: an API that hangs must not delay the way on",
    async (state) => {
      const bench = new FactCollectorBench();
      await bench.see(rotation({ state }));
      expect(bench.rightsCalls).toEqual([]);
    },
  );

  it("a missing right keeps neither a link that is taken nor the way back", async () => {
    const bench = new FactCollectorBench();
    bench.rights = missing;
    const begun = await bench.see(rotation({ state: "switching", told: true }));
    expect(begun.unmetPrecondition).toBeUndefined();
    const back = await bench.see(rotation({ goal: "revert" }));
    expect(back.unmetPrecondition).toBeUndefined();
  });

  it("an emergency waits for a missing right as well", async () => {
    const bench = new FactCollectorBench();
    bench.rights = missing;
    const facts = await bench.see(rotation({ urgency: "emergency" }));
    expect(facts.unmetPrecondition).toEqual(cause);
  });
});
