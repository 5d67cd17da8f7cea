// One of several hubs leads.

import { describe, expect, it } from "vitest";
import { Lease, leadMs, leaseHolder, takeMs } from "#agent/hub/lease.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { MemoryEngine } from "../../kit/engine-kit.ts";
import { never, wallStart } from "../../kit/site-bench.ts";

function bench() {
  const engine = new MemoryEngine();
  const clock = new SimClock(wallStart);
  const lease = (name: string): Lease =>
    new Lease({ world: { clock, entropy: new Prng(name) }, engine, name });
  const holder = (): string | undefined =>
    leaseHolder(engine.messages.at(-1)?.octets ?? new Uint8Array());
  return { engine, clock, one: lease("one"), two: lease("two"), holder };
}

/** Both keep their lease each second; returns who led at the end. */
async function keep(clock: SimClock, leases: readonly Lease[], seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (const lease of leases) await lease.keep(never);
    await clock.runFor(1_000);
  }
}

describe("the lease of hubs", () => {
  it("the first one leads for as long as it renews, and the other follows", async () => {
    const { clock, one, two, holder } = bench();
    for (let second = 0; second < 60; second += 1) {
      await keep(clock, [one, two], 1);
      expect([one.leads, two.leads, holder()]).toEqual([true, false, "one"]);
    }
  });

  it("a hub that dies leads no more before the other takes over", async () => {
    const { clock, one, two, holder } = bench();
    await keep(clock, [one, two], 5);
    let seconds = 0;
    for (; !two.leads; seconds += 1) {
      await keep(clock, [two], 1);
      expect(one.leads && two.leads).toBe(false);
      expect(seconds).toBeLessThan(takeMs / 1_000 + 5);
    }
    expect(seconds).toBeGreaterThan(leadMs / 1_000 - 5);
    expect(holder()).toBe("two");
    expect(await one.keep(never)).toBe(false);
  });

  it("a hub that gives its lease up is followed at once", async () => {
    const { clock, one, two } = bench();
    await keep(clock, [one, two], 2);
    await one.release(never);
    await keep(clock, [two, one], 1);
    expect([one.leads, two.leads]).toEqual([false, true]);
    await one.release(never);
    expect(await two.keep(never)).toBe(true);
  });

  it("a lost engine ends the lead, whatever the other hub does", async () => {
    const { engine, clock, one } = bench();
    await keep(clock, [one], 1);
    engine.isUp = false;
    await keep(clock, [one], leadMs / 1_000 - 2);
    expect(one.leads).toBe(true);
    await keep(clock, [one], 2);
    expect(one.leads).toBe(false);
    engine.isUp = true;
    expect(await one.keep(never)).toBe(true);
  });

  it("a renewal whose answer is lost is found in the engine", async () => {
    const { engine, clock, one, two } = bench();
    engine.isMute = true;
    expect(await one.keep(never)).toBe(false);
    engine.isMute = false;
    expect(await one.keep(never)).toBe(true);
    await keep(clock, [two, one], 20);
    expect([one.leads, two.leads]).toEqual([true, false]);
  });

  it("a record that is no lease is waited for, and taken over", async () => {
    const { engine, clock, one } = bench();
    await engine.put("linkseal-waves", "hub.lease", Buffer.from("{"));
    await keep(clock, [one], takeMs / 1_000);
    expect(one.leads).toBe(false);
    await keep(clock, [one], 2);
    expect(one.leads).toBe(true);
  });
});
