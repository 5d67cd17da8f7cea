// The ring of events: how many are kept, and what it says about those that are not.

import { describe, expect, it } from "vitest";
import { EventRing } from "#agent/model/events.ts";
import type { WallTime } from "#hal/world.ts";

function ringOf(links: number, count: number): EventRing {
  const ring = new EventRing();
  ring.keepFor(links);
  for (let n = 1; n <= count; n += 1) ring.add(n as WallTime, "verdict", "site", `event ${n}`);
  return ring;
}

describe("the ring of events", () => {
  it.each([
    { links: 0, count: 1_000 },
    { links: 2, count: 1_000 },
    { links: 200, count: 8_000 },
    { links: 2_000, count: 80_000 },
  ])("of a site with $links links keeps $count events, none of them lost", ({ links, count }) => {
    const { events, lost } = ringOf(links, count).after(0);
    expect([events.length, lost]).toEqual([count, 0]);
  });

  it("reports how many after a number it has dropped, and returns all others in order", () => {
    const ring = ringOf(2, 5_805);
    for (const after of [0, 1, 3_000, 4_900, 5_800, 5_805]) {
      const { events, lost } = ring.after(after);
      expect(lost + events.length).toBe(5_805 - after);
      expect(events.map(({ n }) => n)).toEqual(
        Array.from(events, (_event, index) => after + lost + index + 1),
      );
    }
    expect(ring.after(0).events.length).toBeGreaterThanOrEqual(1_000);
    expect(ring.after(0).events.length).toBeLessThanOrEqual(2_000);
  });

  it("returns all that it has for a number of an earlier agent", () => {
    expect(ringOf(2, 3).after(77)).toMatchObject({
      events: [{ n: 1 }, { n: 2 }, { n: 3 }],
      lost: 0,
    });
  });

  it("keeps what it has if the site becomes smaller than its events", () => {
    const ring = ringOf(200, 8_000);
    ring.keepFor(2);
    expect(ring.after(7_000).lost).toBe(0);
  });
});
