// The requests to Azure of those who read reports.

import { beforeEach, describe, expect, it } from "vitest";
import { ReadBudget } from "#agent/runtime/polling/read-budget.ts";
import { Secret } from "#hal/secret.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";

describe("the budget of reports", () => {
  let clock: SimClock;
  let budget: ReadBudget;
  beforeEach(() => {
    clock = new SimClock(wallStart);
    budget = new ReadBudget(clock);
  });

  async function sentWithin(requests: number, ms: number): Promise<number> {
    let sent = 0;
    for (let n = 0; n < requests; n += 1) void budget.take(1, never).then(() => (sent += 1));
    await clock.runFor(ms);
    return sent;
  }

  it("lets a hundred requests go at once", async () => {
    expect(await sentWithin(1_000, 0)).toBe(100);
  });

  it("leaves Azure's own limit to others, however many scorecards are asked for", async () => {
    // 40 scorecards of 14 requests in 7 s drew 93 answers 429.
    expect(await sentWithin(560, 7_000)).toBe(170);
  });

  it("is whole again after it was not used", async () => {
    await sentWithin(100, 10_000);
    expect(await sentWithin(1_000, 0)).toBe(100);
  });

  it("counts documents and the vault alike, and an abort ends the wait", async () => {
    const asked: string[] = [];
    const read = budget.document(async (path) => void asked.push(path));
    const vault = budget.vault({
      versions: async (name) => {
        asked.push(name);
        return [];
      },
      read: async (id) => {
        asked.push(id);
        return Secret.take("value", new Uint8Array(1));
      },
    });
    await budget.take(97, never);
    await settled(clock, read("/port", {}, never));
    await settled(clock, vault.versions("cak", never));
    (await settled(clock, vault.read("cak/1", never)))[Symbol.dispose]();
    expect(asked).toEqual(["/port", "cak", "cak/1"]);
    const gone = new AbortController();
    const late = vault.versions("ckn", gone.signal);
    await clock.runFor(50);
    gone.abort(new Error("the client is gone"));
    await expect(late).rejects.toThrow("the client is gone");
    expect(asked).toHaveLength(3);
  });
});
