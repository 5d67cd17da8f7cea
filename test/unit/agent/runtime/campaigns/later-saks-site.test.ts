// A rotation on a simulated site whose hardware fails at a later SAK of a new key: it is found
// while the old key is the way back.

import { describe, expect, it } from "vitest";
import { Enrolled, group } from "../../../kit/later-saks-kit.ts";

describe("a rotation of a router that makes the SAKs", () => {
  it("four later SAKs are asked for on each link, and no promise is broken", async () => {
    const bench = await Enrolled.by({ server: "router" });
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.watches()).toEqual([null, null]);
    for (const name of ["primary", "secondary"]) {
      expect(bench.asked.filter((link) => link === `${group}/${name}`)).toHaveLength(4);
    }
    expect(bench.violations()).toEqual([]);
  });

  it.each(["staleAn", "oldSakAfterRollover"] as const)(
    "hardware with the fault %s is found while the old key is the way back",
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

  it("the SAKs that a rotation asks for are not reported as churn", async () => {
    const bench = await Enrolled.by({ server: "router" });
    const codes: string[] = [];
    bench.agent.events.listen(({ code }) => codes.push(code));
    await bench.rotate();
    await bench.run(120_000);
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(codes).toContain("campaign-retiring");
    expect(codes).not.toContain("sak-churn");
  });

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

  it("later SAKs are watched until the fourth is proven where the far end makes them", async () => {
    const bench = await Enrolled.by({ server: "far end" });
    await bench.rotate();
    const seen: (number | undefined)[] = [];
    for (let number = 0; number <= 4; number += 1) {
      seen.push(bench.watches()[0]?.seen);
      bench.link("primary").far.rekeySak();
      await bench.run(300_000);
    }
    expect(seen).toEqual([0, 1, 2, 3, undefined]);
    expect(bench.violations()).toEqual([]);
  });

  it("no rotation waits for the watch of the one before", async () => {
    const bench = await Enrolled.by({ server: "far end" });
    await bench.rotate();
    const watch = { seen: 0, needed: 4 };
    expect(bench.watches()).toEqual([watch, watch]);
    const before = bench.ckns();
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.ckns()).not.toEqual(before);
    expect(bench.violations()).toEqual([]);
  });

  it("a loss at a later SAK is an alarm that names SAK, cause and way back", async () => {
    const bench = await Enrolled.by({ server: "far end" });
    bench.plant("staleAn");
    await bench.rotate();
    const alarm = () => bench.agent.status().warnings.find(({ code }) => code === "stale-sak");
    const lost = (): string | undefined => alarm()?.text;
    for (let later = 1; later <= 4 && lost() === undefined; later += 1) {
      bench.link("primary").far.rekeySak();
      await bench.run(300_000, () => lost() !== undefined);
    }
    expect(lost()).toMatch(/this is SAK \d of 4 after the rotation of .*: hardware can keep/);
    expect(lost()).toMatch(/Drain the link and restart MACsec on its port$/);
    expect(alarm()?.next).toBe(`linkseal explain stale-sak ${group}/primary`);
  });

  it("the watch goes on in the agent that is started next", async () => {
    const bench = await Enrolled.by({ server: "far end" });
    await bench.rotate();
    bench.link("primary").far.rekeySak();
    await bench.run(60_000);
    await bench.end();
    await bench.live();
    await bench.run(60_000);
    expect(bench.watches()).toEqual([
      { seen: 1, needed: 4 },
      { seen: 0, needed: 4 },
    ]);
  });
});
