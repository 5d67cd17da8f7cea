import { describe, expect, it } from "vitest";
import { SharedReports } from "#agent/api/shared-reports.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled } from "../../kit/site-bench.ts";

/** An agent whose status takes its time, and shows the number of changes so far. */
function bench(tookMs: number) {
  const clock = new SimClock(0);
  const state = { made: 0, changes: 0 };
  const agent = {
    status: () => {
      state.made += 1;
      spent += tookMs;
      return { changes: state.changes };
    },
  };
  let spent = 0;
  const world = {
    now: () => (clock.now() + spent) as ReturnType<typeof clock.now>,
    wall: () => clock.wall(),
    sleep: clock.sleep.bind(clock),
  };
  const reports = new SharedReports(agent as unknown as Agent, world);
  const ask = async (): Promise<number> => {
    const { text } = await reports.status.get(new AbortController().signal);
    return (JSON.parse(text) as typeof state).changes;
  };
  return { clock, state, ask };
}

describe("issue 32: the status of many readers", () => {
  it("64 readers at once cost two answers, and at most a tenth of the time", async () => {
    const { clock, state, ask } = bench(10);
    const readers = Array.from({ length: 64 }, async () => {
      for (let again = 0; again < 10; again += 1) await ask();
    });
    await clock.runFor(1_000);
    expect(state.made).toBeGreaterThan(5);
    expect(state.made).toBeLessThanOrEqual(12);
    await Promise.all(readers);
  });

  it("an answer is never older than its request, whatever else is asked", async () => {
    const { clock, state, ask } = bench(10);
    const seen: [asked: number, got: number][] = [];
    const client = async (): Promise<void> => {
      for (let again = 0; again < 20; again += 1) {
        state.changes += 1;
        const asked = state.changes;
        seen.push([asked, await ask()]);
      }
    };
    const clients = [client(), client(), client()];
    await clock.runFor(5_000);
    await Promise.all(clients);
    expect(seen).toHaveLength(60);
    expect(seen.filter(([asked, got]) => got < asked)).toEqual([]);
    expect(state.made).toBeLessThan(40);
  });

  it("a status that takes no time is made for each reader in turn", async () => {
    const { state, ask } = bench(0);
    for (let again = 0; again < 5; again += 1) await ask();
    expect(state.made).toBe(5);
  });
});

describe("issue 32: the scorecard of many readers", () => {
  it("64 scorecards at once are one, and the next one is made after a pause", async () => {
    const clock = new SimClock(0);
    let made = 0;
    const agent = {
      ...{ memory: emptyMemory, azureReader: () => undefined },
      status: () => {
        made += 1;
        return { groups: [], tunnels: [], at: "2026-11-28T00:00:00Z" };
      },
    };
    const { scorecard } = new SharedReports(agent as unknown as Agent, clock);
    const all = Array.from({ length: 64 }, () => scorecard.get(never));
    expect(new Set(await settled(clock, Promise.all(all))).size).toBe(1);
    expect(made).toBe(1);
    await settled(clock, scorecard.get(never));
    expect([made, clock.now()]).toEqual([2, 3_000]);
  });
});
