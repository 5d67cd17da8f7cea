// A rotation on a simulated site whose hardware fails at a later SAK of a new key: it is found
// while the old key is the way back.

import { describe, expect, it } from "vitest";
import { Enrolled, group } from "../../../kit/later-saks-kit.ts";

describe("a rotation of a router that makes the SAKs", () => {
  it("four later SAKs are asked for on each link, and no promise is broken", async () => {
    const bench = await Enrolled.by({ server: "router" });
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    for (const name of ["primary", "secondary"]) {
      expect(bench.asked.filter((link) => link === `${group}/${name}`)).toHaveLength(4);
    }
    expect(bench.violations()).toEqual([]);
  });

  it.each(["staleAn", "oldSakAfterRollover"] as const)(
    "hardware with the fault %s is found while the old key is the way back",
    { timeout: 60_000 },
    async (fault) => {
      const bench = await Enrolled.by({ server: "router" });
      const before = bench.ckns();
      bench.plant(fault);
      await bench.rotate();
      expect(bench.outcomes()).toEqual(["reverted", undefined]);
      expect(bench.ckns()).toEqual(before);
      expect(bench.trail().some((text) => /SAK \d of 4 after the first one/.test(text))).toBe(true);
      expect(bench.carrying()).toEqual([true, true]);
      expect(bench.violations()).toEqual([]);
    },
  );

  it("an emergency asks for no later SAK while the old key is there", async () => {
    const bench = await Enrolled.by({ server: "router" });
    await bench.rotate("emergency");
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.trail().some((text) => text.includes("after the first one"))).toBe(false);
  });
});

describe("a rotation of a router whose far end makes the SAKs", () => {
  it("no later SAK is asked for where the far end makes them", async () => {
    const bench = await Enrolled.by({ server: "far end" });
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.asked).toEqual([]);
    expect(bench.violations()).toEqual([]);
  });
});
