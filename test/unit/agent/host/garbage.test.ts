import { describe, expect, it } from "vitest";
import { collectGarbage } from "#agent/host/garbage.ts";
import { SimClock } from "#sim/base/clock.ts";

describe("garbage of a process that mostly waits", () => {
  it("garbage is collected at once and every ten minutes, until the end", async () => {
    const clock = new SimClock(0);
    const end = new AbortController();
    const collected: number[] = [];
    const begun = clock.now();
    const running = collectGarbage(clock, end.signal, () => collected.push(clock.now() - begun));
    await clock.runFor(1_500_000);
    end.abort();
    await running;
    await clock.runFor(1_500_000);
    expect(collected).toEqual([0, 600_000, 1_200_000]);
  });

  it("a Node without gc() is left alone", async () => {
    const running = collectGarbage(new SimClock(0), new AbortController().signal, undefined);
    await expect(running).resolves.toBeUndefined();
  });
});
