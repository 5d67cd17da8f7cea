// Tasks beside a loop, and the loops themselves.

import { describe, expect, it } from "vitest";
import { Loops } from "#agent/runtime/polling/loops.ts";
import { Slots } from "#agent/runtime/polling/slots.ts";
import { Tasks } from "#agent/runtime/polling/tasks.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";

describe("tasks", () => {
  it("a task has its names until it ends", async () => {
    const clock = new SimClock(wallStart);
    const tasks = new Tasks();
    tasks.begin(["a", "b"], () => clock.sleep(1_000, never));
    expect([tasks.has("a"), tasks.has("b"), tasks.has("c"), tasks.size]).toEqual([
      ...[true, true, false, 2],
    ]);
    await settled(clock, tasks.ended());
    expect([tasks.has("a"), tasks.size, clock.now()]).toEqual([false, 0, 1_000]);
  });

  it("the error of a task is thrown at the next check, once the others have ended", async () => {
    const clock = new SimClock(wallStart);
    const tasks = new Tasks();
    tasks.begin(["a"], () => Promise.reject(new Error("broken")));
    tasks.begin(["b"], () => clock.sleep(1_000, never));
    await expect(settled(clock, tasks.ended())).rejects.toThrow("broken");
    expect(clock.now()).toBe(1_000);
    expect(() => tasks.check()).toThrow("broken");
  });

  it("slots are given in order, also after one that failed", async () => {
    const clock = new SimClock(wallStart);
    const slots = new Slots(2);
    const order: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} ${clock.now()}`);
      await clock.sleep(1_000, never);
      if (name === "a") throw new Error("broken");
    };
    const all = ["a", "b", "c", "d", "e"].map((name) => slots.run(work(name)));
    const outcomes = await settled(clock, Promise.allSettled(all));
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...["rejected", "fulfilled", "fulfilled", "fulfilled", "fulfilled"],
    ]);
    expect(order).toEqual(["a 0", "b 0", "c 1000", "d 1000", "e 2000"]);
  });
});

describe("loops", () => {
  it("a loop that is woken turns early, at most once a second", async () => {
    const clock = new SimClock(wallStart);
    const loops = new Loops(clock);
    const stop = new AbortController();
    const turns: number[] = [];
    const turn = async (): Promise<number> => {
      turns.push(clock.now());
      return 10_000;
    };
    const run = loops.run({ name: "a", turn, wakes: true }, stop.signal);
    await clock.runFor(3_000);
    loops.wake("a");
    await clock.runFor(100);
    loops.wake("a");
    await clock.runFor(20_000);
    expect(turns).toEqual([0, 3_000, 4_000, 14_000]);
    stop.abort();
    loops.wakeAll();
    await settled(clock, run);
    expect(loops.heartbeats).toEqual([{ name: "a", turns: 4, busy: false }]);
  });

  it("a loop that cannot be woken ends its wait when it is stopped", async () => {
    const clock = new SimClock(wallStart);
    const loops = new Loops(clock);
    const stop = new AbortController();
    const run = loops.run({ name: "a", turn: async () => 60_000 }, stop.signal);
    await clock.runFor(1_000);
    loops.wake("a");
    stop.abort();
    await settled(clock, run);
    expect(clock.now()).toBeLessThan(60_000);
  });
});
