// Real time, and the time of a simulated site that an agent follows.

import { describe, expect, it } from "vitest";
import { countingSuspends, followingClock, hostClock } from "#agent/host/clock.ts";
import {
  type Clock,
  type Dialer,
  type HttpReply,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
} from "#hal/world.ts";

interface ScriptedSite {
  readonly dial: Dialer;
  reply: () => HttpReply;
  asked: number;
}

const json = (value: unknown, status = 200): HttpReply => ({
  status,
  headers: {},
  body: new TextEncoder().encode(JSON.stringify(value)),
});

function site(reply: () => HttpReply): ScriptedSite {
  const scripted: ScriptedSite = {
    reply,
    asked: 0,
    dial: {
      async http(request) {
        expect(request).toMatchObject({ to: "unix:/site", method: "GET", path: "/clock" });
        scripted.asked += 1;
        return scripted.reply();
      },
      routeTo: async () => undefined,
      resolve: async () => [],
      exec: noPrograms,
      framed: noFrames,
      stream: noStreams,
      channel: noChannels,
      snmp: noSnmp,
    },
  };
  return scripted;
}

/** A site whose clock started at `now` and runs at `speed`. */
function running(speed: number, now = 1000): () => HttpReply {
  const start = performance.now();
  return () => {
    const virtual = now + (performance.now() - start) * speed;
    return json({ now: virtual, wall: virtual + 1e12, speed });
  };
}

const elapsed = async (run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};

/** Bounds of what the wall clock is ahead by: a pause between two reads counts a hundredfold. */
const offsetOf = (clock: Clock): { readonly least: number; readonly most: number } => {
  const before = clock.now();
  const wall = clock.wall();
  return { least: wall - clock.now(), most: wall - before };
};

describe("the host's clock", () => {
  it("the host's clock sleeps, never goes back, and knows the date", async () => {
    const before = hostClock.now();
    await hostClock.sleep(20);
    expect(hostClock.now() - before).toBeGreaterThan(18);
    expect(Math.abs(hostClock.wall() - Date.now())).toBeLessThan(1000);
  });

  it("an aborted sleep of the host's clock rejects with the signal's reason", async () => {
    const reason = new Error("stop");
    await expect(hostClock.sleep(1e12, AbortSignal.abort(reason))).rejects.toBe(reason);
    const limit = new AbortController();
    const sleep = hostClock.sleep(1e12, limit.signal);
    limit.abort(reason);
    await expect(sleep).rejects.toBe(reason);
  });
});

describe("a monotonic clock that counts suspends", () => {
  // A reading from before a suspend looked new after it: CLOCK_MONOTONIC stops meanwhile.
  const readings = () => {
    const at = { monotonic: 5_000, wall: 1e12, sinceBoot: 65_000 };
    const pass = (ms: number): void => {
      at.monotonic += ms;
      at.wall += ms;
      at.sinceBoot += ms;
    };
    const suspend = (ms: number): void => {
      at.wall += ms;
      at.sinceBoot += ms;
    };
    const now = countingSuspends({
      monotonic: () => at.monotonic,
      wall: () => at.wall,
      sinceBoot: () => Math.floor(at.sinceBoot / 10) * 10,
    });
    return { at, pass, suspend, now };
  };

  it("the time of each suspend is counted from its first reading on", () => {
    const { pass, suspend, now } = readings();
    pass(100);
    expect(now()).toBe(5_100);
    suspend(3_600_000);
    expect(now()).toBe(3_605_100);
    pass(1_000);
    suspend(2_000);
    expect(now()).toBe(3_608_100);
  });

  it.each([-86_400_000, -1_000, 1_000, 86_400_000])(
    "a wall clock that is set by %i ms moves it by less than a tick of the boot time",
    (stepMs) => {
      const { at, pass, now } = readings();
      pass(7);
      at.wall += stepMs;
      pass(100);
      expect(Math.abs(now() - 5_107)).toBeLessThan(10);
    },
  );

  it("such a clock never goes back, whatever happens to the wall clock", () => {
    const { at, pass, suspend, now } = readings();
    let last = now();
    for (const stepMs of [1, -5_000, 86_400_000, -86_400_000, 999, -3]) {
      at.wall += stepMs;
      pass(3);
      if (stepMs === 999) suspend(50_000);
      expect(now()).toBeGreaterThan(last);
      last = now();
    }
    expect(last).toBeGreaterThan(55_000);
  });
});

describe("an alarm of the host's clock", () => {
  it("an alarm rings after its time, and not if it was cancelled", async () => {
    const rung: string[] = [];
    const begun = hostClock.now();
    hostClock.alarm(10, () => rung.push("kept"));
    const takeBack = hostClock.alarm(10, () => rung.push("taken back"));
    takeBack();
    while (rung.length === 0) await hostClock.sleep(1);
    expect(hostClock.now() - begun).toBeGreaterThan(9);
    await hostClock.sleep(20);
    expect(rung).toEqual(["kept"]);
  });
});

describe("a clock that follows a site", () => {
  it("a following clock shows the site's time, continued at its speed", async () => {
    const clock = await followingClock(site(running(100)).dial, "unix:/site");
    const start = clock.now();
    expect(start).toBeGreaterThanOrEqual(1000);
    await hostClock.sleep(50);
    expect(clock.now() - start).toBeGreaterThan(4500);
    const offset = offsetOf(clock);
    expect(offset.most).toBeGreaterThan(1e12 - 1);
    expect(offset.least).toBeLessThan(1e12 + 1);
  });

  // A hub believes no ask whose time is a fraction: a site at a speed never got its permit.
  it("the wall clock of a following clock has whole milliseconds", async () => {
    const clock = await followingClock(site(running(3.7)).dial, "unix:/site");
    for (let reading = 0; reading < 10; reading += 1) {
      expect(clock.wall() % 1).toBe(0);
      await hostClock.sleep(1);
    }
  });

  it("a following clock sleeps the site's milliseconds, and not less", async () => {
    const clock = await followingClock(site(running(1000)).dial, "unix:/site");
    const start = clock.now();
    const realMs = await elapsed(() => clock.sleep(60_000));
    expect(clock.now() - start).toBeGreaterThanOrEqual(60_000);
    expect(realMs).toBeGreaterThan(40);
    expect(realMs).toBeLessThan(30_000);
  });

  it("a following clock never goes back when the site does, and ends its sleeps", async () => {
    const scripted = site(running(1000, 50_000));
    const clock = await followingClock(scripted.dial, "unix:/site");
    scripted.reply = running(1000, 40_000);
    const seen = [clock.now()];
    for (let round = 0; round < 20; round += 1) {
      await clock.sleep(1000);
      seen.push(clock.now());
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(70_000);
  });

  it("a following clock that is held sends no request, so that its site waits", async () => {
    const scripted = site(() => json({ now: 1000, wall: 1e12, speed: 100, leash: 2000 }));
    let isHeld = true;
    const clock = await followingClock(scripted.dial, "unix:/site", () => isHeld);
    await expect(clock.sleep(60_000, AbortSignal.timeout(100))).rejects.toThrow("timeout");
    expect([clock.now(), scripted.asked]).toEqual([3000, 1]);
    isHeld = false;
    while (scripted.asked < 3) {
      await expect(clock.sleep(60_000, AbortSignal.timeout(20))).rejects.toThrow("timeout");
    }
  });

  it("a following clock stays within the site's leash, and asks twice in each", async () => {
    const scripted = site(() => json({ now: 1000, wall: 1e12, speed: 100, leash: 2000 }));
    const clock = await followingClock(scripted.dial, "unix:/site");
    await hostClock.sleep(100);
    expect(clock.now()).toBe(3000);
    const begun = performance.now();
    while (scripted.asked <= 5) {
      await expect(clock.sleep(60_000, AbortSignal.timeout(100))).rejects.toThrow("timeout");
    }
    expect(clock.now()).toBe(3000);
    // At most every fourth part of a leash of 20 ms.
    expect(scripted.asked).toBeLessThan((performance.now() - begun + 200) / 5);
  });

  it("a following clock does not run ahead of its site after one missed reply", async () => {
    const answer = () => json({ now: 1000, wall: 1e12, speed: 100, leash: 500 });
    const scripted = site(answer);
    const clock = await followingClock(scripted.dial, "unix:/site");
    scripted.reply = () => {
      scripted.reply = answer;
      const end = performance.now() + 30;
      while (performance.now() < end);
      throw new Error("timeout");
    };
    // A machine that is busy asks seldom: until it has asked again after the miss.
    while (scripted.asked <= 3) {
      await expect(clock.sleep(60_000, AbortSignal.timeout(100))).rejects.toThrow("timeout");
    }
    expect(clock.now()).toBeLessThanOrEqual(1500);
  });

  it("the wall clock of a following clock jumps with the site's", async () => {
    let offset = 1e12;
    const start = performance.now();
    const scripted = site(() => {
      const now = 100 * (performance.now() - start);
      return json({ now, wall: now + offset, speed: 100 });
    });
    const clock = await followingClock(scripted.dial, "unix:/site");
    offset = 5e11;
    await clock.sleep(100);
    const measured = offsetOf(clock);
    expect(measured.most).toBeGreaterThan(5e11 - 1);
    expect(measured.least).toBeLessThan(5e11 + 1);
  });

  it("a following clock asks an unpaced site until its time has come", async () => {
    let now = 0;
    const scripted = site(() => {
      now += 700;
      return json({ now, wall: now, speed: "max" });
    });
    const clock = await followingClock(scripted.dial, "unix:/site");
    await clock.sleep(5000);
    expect(clock.now()).toBeGreaterThanOrEqual(5700);
    expect(scripted.asked).toBeLessThan(20);
  });

  it("a following clock sends one request for many sleeps that end together", async () => {
    const scripted = site(running(100));
    const clock = await followingClock(scripted.dial, "unix:/site");
    await Promise.all(Array.from({ length: 50 }, () => clock.sleep(3000)));
    expect(scripted.asked).toBeLessThan(10);
  });

  it("a following clock goes on when the site is gone, and a sleep still ends", async () => {
    const scripted = site(running(1000));
    const clock = await followingClock(scripted.dial, "unix:/site");
    scripted.reply = () => {
      throw new Error("gone");
    };
    await clock.sleep(30_000);
    scripted.reply = () => json({}, 500);
    await clock.sleep(30_000);
    expect(clock.now()).toBeGreaterThanOrEqual(61_000);
  });

  it("a following clock does not flood a site that is gone", async () => {
    const scripted = site(running(1));
    const clock = await followingClock(scripted.dial, "unix:/site");
    scripted.reply = () => {
      throw new Error("gone");
    };
    for (let round = 0; round < 30; round += 1) {
      await hostClock.sleep(10);
      clock.now();
    }
    expect(scripted.asked).toBeLessThan(5);
  });

  it("an aborted sleep of a following clock rejects with the signal's reason", async () => {
    const clock = await followingClock(site(running(1)).dial, "unix:/site");
    const reason = new Error("stop");
    await expect(clock.sleep(1e9, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it.each([
    ["another status", () => json({ now: 1, wall: 1, speed: 1 }, 503)],
    ["no JSON", () => ({ status: 200, headers: {}, body: new TextEncoder().encode("time") })],
    ["null", () => json(null)],
    ["no speed", () => json({ now: 1, wall: 1 })],
    ["text for a number", () => json({ now: "1", wall: 1, speed: 1 })],
    ["a leash below zero", () => json({ now: 1, wall: 1, speed: 1, leash: -1 })],
    ["a speed below zero", () => json({ now: 1, wall: 1, speed: -1 })],
    ["an endless speed", () => json({ now: 1, wall: 1, speed: 1e300 })],
  ])("a following clock refuses a site that answers with %s", async (_name, reply) => {
    const clock = followingClock(site(reply).dial, "unix:/site");
    await expect(clock).rejects.toMatchObject({ code: "device.unparsed", effect: "none" });
  });
});
