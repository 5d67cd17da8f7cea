import { describe, expect, it } from "vitest";
import { type Instant, instantAfter } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";

const wallStart = Date.UTC(2026, 10, 24, 10);
const newClock = (): SimClock => new SimClock(wallStart);
const at = (ms: number): Instant => ms as Instant;

describe("SimClock", () => {
  it("a clock runs events in order of time, equal times in order of request", async () => {
    const clock = newClock();
    const log: string[] = [];
    for (const [ms, name] of [
      [20, "c"],
      [10, "a"],
      [20, "d"],
      [10, "b"],
      [-5, "now"],
    ] as const) {
      clock.after(ms, () => log.push(`${clock.now()} ${name}`));
    }
    await clock.run(at(100));
    expect(log).toEqual(["0 now", "10 a", "10 b", "20 c", "20 d"]);
    expect(clock.now()).toBe(100);
    expect(clock.events).toBe(5);
  });

  it("a clock stops at the requested end, before later events", async () => {
    const clock = newClock();
    let ran = 0;
    clock.after(10, () => (ran += 1));
    clock.after(11, () => (ran += 1));
    await clock.run(at(10));
    expect([ran, clock.now(), clock.next()]).toEqual([1, 10, 11]);
    await clock.runFor(1);
    expect([ran, clock.now(), clock.next()]).toEqual([2, 11, undefined]);
  });

  it("a clock that is stopped early keeps the time of its last event", async () => {
    const clock = newClock();
    for (const ms of [1, 2, 3]) clock.after(ms, () => undefined);
    await clock.run(at(100), () => clock.events === 2);
    expect(clock.now()).toBe(2);
  });

  it("a clock runs no cancelled event, even at the same moment", async () => {
    const clock = newClock();
    const log: string[] = [];
    const first = clock.after(5, () => log.push("first"));
    clock.after(5, () => second());
    const second = clock.after(5, () => log.push("second"));
    first();
    first();
    await clock.run(at(10));
    expect(log).toEqual([]);
    expect(clock.events).toBe(1);
  });

  it("a sleep takes virtual time", async () => {
    const clock = newClock();
    const log: string[] = [];
    const actor = async (name: string, ms: number): Promise<void> => {
      for (let round = 1; round <= 2; round += 1) {
        await clock.sleep(ms);
        log.push(`${clock.now()} ${name}${round}`);
      }
    };
    const done = Promise.all([actor("slow", 3), actor("fast", 2)]);
    await clock.run(at(10));
    await done;
    expect(log).toEqual(["2 fast1", "3 slow1", "4 fast2", "6 slow2"]);
  });

  it("an aborted sleep ends with the signal's reason and leaves no event", async () => {
    const clock = newClock();
    const stop = new AbortController();
    const asleep = clock.sleep(1000, stop.signal);
    clock.after(5, () => {
      clock.wake();
      stop.abort(new Error("stopped"));
    });
    const ended = asleep.catch((error: unknown) => `${String(error)} at ${clock.now()}`);
    await clock.run(at(10));
    expect(await ended).toBe("Error: stopped at 5");
    expect(clock.next()).toBeUndefined();
    await expect(clock.sleep(1, stop.signal)).rejects.toThrow("stopped");
    expect(clock.next()).toBeUndefined();
  });

  it("a signal that aborts after its sleep has no effect", async () => {
    const clock = newClock();
    const stop = new AbortController();
    const asleep = clock.sleep(1, stop.signal);
    await clock.run(at(5));
    stop.abort(new Error("late"));
    await expect(asleep).resolves.toBeUndefined();
  });

  it("a clock settles promises of any depth before the next event", async () => {
    const clock = newClock();
    const log: string[] = [];
    const deep = async (depth: number): Promise<void> => {
      if (depth > 0) await deep(depth - 1);
    };
    const chain = async (): Promise<void> => {
      await clock.sleep(10);
      await deep(500);
      log.push(`${clock.now()} chain`);
    };
    const done = chain();
    clock.after(10, () => log.push("10 same moment"));
    clock.after(11, () => log.push("11 next"));
    await clock.run(at(20));
    await done;
    expect(log).toEqual(["10 chain", "10 same moment", "11 next"]);
  });

  it("a clock calls the oracle after every event, once its promises are settled", async () => {
    const clock = newClock();
    let settled = 0;
    const seen: string[] = [];
    clock.afterEvent = () => seen.push(`${clock.now()}:${settled}`);
    const actor = async (): Promise<void> => {
      await clock.sleep(1);
      settled += 1;
      await clock.sleep(1);
      settled += 1;
    };
    const done = actor();
    await clock.run(at(5));
    await done;
    expect(seen).toEqual(["1:1", "2:2"]);
  });

  it("a jump of the wall clock does not move monotonic time", async () => {
    const clock = newClock();
    let fired = 0;
    clock.after(10, () => (fired += 1));
    clock.jumpWall(3_600_000);
    expect([clock.now(), clock.wall() - wallStart]).toEqual([0, 3_600_000]);
    await clock.runFor(5);
    expect([fired, clock.wall() - wallStart]).toEqual([0, 3_600_005]);
    clock.jumpWall(-7_200_000);
    await clock.runFor(5);
    expect([fired, clock.wall() - wallStart]).toEqual([1, 10 - 3_600_000]);
  });

  it("a clock sorts any mix of events and cancellations", async () => {
    const clock = newClock();
    const prng = new Prng("heap");
    const ran: number[] = [];
    const expected: { ms: number; order: number }[] = [];
    for (let order = 0; order < 500; order += 1) {
      const ms = prng.between(0, 50);
      const cancel = clock.after(ms, () => ran.push(order));
      if (prng.chance(0.3)) cancel();
      else expected.push({ ms, order });
    }
    await clock.run(instantAfter(at(0), 50));
    expected.sort((a, b) => a.ms - b.ms || a.order - b.order);
    expect(ran).toEqual(expected.map((one) => one.order));
  });

  it("a site writes the same log for the same seed, byte for byte", async () => {
    const story = async (seed: string): Promise<string> => {
      const clock = newClock();
      const log: string[] = [];
      const actor = async (name: string): Promise<void> => {
        const prng = new Prng(seed).fork(name);
        for (let round = 0; round < 20; round += 1) {
          await clock.sleep(prng.between(1, 5));
          log.push(`${clock.now()} ${name} ${prng.uint32()}`);
        }
      };
      const actors = Promise.all(["a", "b", "c", "d"].map(actor));
      await clock.run(at(1000));
      await actors;
      return log.join("\n");
    };
    expect(await story("1")).toBe(await story("1"));
    expect(await story("1")).not.toBe(await story("2"));
  });
});
