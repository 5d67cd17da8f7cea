// The waits that services demand: which of two stays, and when one is forgotten.

import { beforeEach, describe, expect, it } from "vitest";
import { RetryAfterBudget } from "#agent/azure/retry-after-budget.ts";
import type { HttpReply } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";

const origin = "https://management.azure.com";

const reply = (status: number, headers: HttpReply["headers"] = {}): HttpReply => ({
  ...{ status, headers },
  body: new Uint8Array(),
});

const demand = (seconds: number): HttpReply => reply(429, { "retry-after": String(seconds) });

describe("the wait that a service demands", () => {
  let clock: SimClock;
  let budget: RetryAfterBudget;
  beforeEach(() => {
    clock = new SimClock(0);
    budget = new RetryAfterBudget(clock);
  });

  it.each([
    ["an answer", reply(200)],
    ["a refusal", reply(403)],
    ["a server error", reply(500)],
    ["a 503 without a time", reply(503)],
    ["a shorter demand", demand(1)],
    ["a demand without a time", reply(429)],
  ])("stays although %s to another request comes later", async (_what, later) => {
    budget.note(origin, demand(300));
    budget.note(origin, later);
    expect(budget.remainingMs(origin)).toBe(300_000);
    await clock.runFor(299_999);
    expect(budget.remainingMs(origin)).toBe(1);
    await clock.runFor(1);
    expect(budget.remainingMs(origin)).toBe(0);
  });

  it("becomes longer with a later time", () => {
    budget.note(origin, demand(10));
    expect(budget.note(origin, demand(300))).toBe(300_000);
    expect(budget.remainingMs(origin)).toBe(300_000);
  });

  it("doubles with demands without a time, and once for requests under way together", async () => {
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      waits.push(budget.note(origin, reply(429)), budget.note(origin, reply(429)));
      await clock.runFor(budget.remainingMs(origin));
    }
    expect(waits).toEqual([1, 1, 2, 2, 4, 4, 8, 8].map((seconds) => seconds * 1_000));
  });

  it("begins at one second again after an answer that came when it was over", async () => {
    budget.note(origin, reply(429));
    await clock.runFor(1_000);
    expect(budget.note(origin, reply(429))).toBe(2_000);
    await clock.runFor(2_000);
    budget.note(origin, reply(200));
    expect(budget.note(origin, reply(429))).toBe(1_000);
  });

  it("is kept for each origin alone", () => {
    budget.note(origin, demand(300));
    expect(budget.remainingMs("https://vault.azure.net")).toBe(0);
  });
});
