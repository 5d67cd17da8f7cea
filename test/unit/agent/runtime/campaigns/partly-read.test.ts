// Readings of a router that failed, or that lack a part: what a campaign makes of them.

import { describe, expect, it } from "vitest";
import { unknown } from "#hal/model.ts";
import { failing } from "../../../kit/rotation-runner-bench.ts";
import { FactCollectorBench } from "./fact-collector-bench.ts";

describe("a reading that lacks a part", () => {
  it("a port that lacks a part keeps effects back, as no rule of gated fits", async () => {
    const bench = new FactCollectorBench();
    bench.port.primary = { keys: unknown("queryFailed", bench.clock.now()) };
    const { port, unmetPrecondition } = await bench.see();
    expect(port).toBeUndefined();
    expect(unmetPrecondition).toEqual({ code: "gate.stale", cause: { code: "router.unread" } });
  });

  it("an unread sibling is unsure until its last whole reading is too old", async () => {
    const gone = (bench: FactCollectorBench): void => {
      bench.failures.observe = failing("transport.closed", "gone");
    };
    const partly = (bench: FactCollectorBench): void => {
      bench.port.secondary = { session: unknown("queryFailed", bench.clock.now()) };
    };
    const { staleAfterMs } = new FactCollectorBench().parts.desired.health;
    for (const breaks of [gone, partly]) {
      const bench = new FactCollectorBench();
      expect((await bench.see()).sibling).toBe("carrying");
      breaks(bench);
      expect((await bench.see()).sibling).toBe("unsure");
      expect((await bench.later(staleAfterMs - 1_000)).sibling).toBe("unsure");
      expect((await bench.later(2_000)).sibling).toBe("lost");
    }
  });
});
