// Logins to devices: how many begin together, in which order, and what a wait costs.

import { beforeEach, describe, expect, it } from "vitest";
import { LoginLimiter } from "#agent/runtime/polling/login-limiter.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";

describe("logins", () => {
  let clock: SimClock;
  let most: number;
  let running: number;
  let highest: number;
  const begun: number[] = [];
  let limiter: LoginLimiter;
  beforeEach(() => {
    clock = new SimClock(wallStart);
    [most, running, highest] = [16, 0, 0];
    begun.splice(0);
    limiter = new LoginLimiter(clock, () => most);
  });

  async function login(n: number, ms: number): Promise<number> {
    running += 1;
    highest = Math.max(highest, running);
    begun.push(n);
    await clock.sleep(ms);
    running -= 1;
    return n;
  }

  const all = (count: number, ms: number, signal = never): Promise<(number | undefined)[]> =>
    Promise.all(
      Array.from({ length: count }, (_, n) => limiter.run(signal, 0, () => login(n, ms))),
    );

  it("to a thousand devices are sixteen at a time, first come, first served", async () => {
    const done = await settled(clock, all(1_000, 500));
    expect(done).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(begun).toEqual(done);
    expect(highest).toBe(16);
  });

  it("follow a new limit as soon as one of them ends", async () => {
    most = 1;
    const done = all(10, 500);
    await clock.runFor(600);
    most = 4;
    await settled(clock, done);
    expect(highest).toBe(4);
  });

  it("that get no place within a minute begin nothing, and others go on", async () => {
    const done = await settled(clock, all(64, 25_000));
    // Three rounds of sixteen begin within the minute.
    expect(done.filter((n) => n === undefined)).toHaveLength(16);
    expect(begun).toHaveLength(48);
    expect(await settled(clock, all(1, 5))).toEqual([0]);
  });

  it("that fail give their place back", async () => {
    most = 1;
    const fails = limiter.run(never, 0, () => Promise.reject(new Error("refused")));
    await expect(fails).rejects.toThrow("refused");
    expect(await settled(clock, all(3, 5))).toEqual([0, 1, 2]);
  });

  it("that are given up while they wait take no place", async () => {
    most = 1;
    const first = all(1, 1_000);
    const gone = new AbortController();
    const second = limiter.run(gone.signal, 0, () => login(7, 5));
    const third = limiter.run(never, 0, () => login(8, 5));
    gone.abort(new Error("given up"));
    await expect(second).rejects.toThrow("given up");
    await expect(limiter.run(gone.signal, 0, () => login(9, 5))).rejects.toThrow("given up");
    await settled(clock, Promise.all([first, third]));
    expect(begun).toEqual([0, 8]);
  });

  it("to devices with fewer failures begin before those that waited longer", async () => {
    most = 1;
    const tries = [0, 7, 2, 1, 0].map((failures, n) =>
      limiter.run(never, failures, () => login(n, 5)),
    );
    await settled(clock, Promise.all(tries));
    // Two failures and seven are alike: a device that was away for long is not left out.
    expect(begun).toEqual([0, 4, 3, 1, 2]);
  });
});
