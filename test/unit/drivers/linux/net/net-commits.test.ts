// Changes that wait for their confirmation, over every order of requests.

import { describe, expect, it } from "vitest";
import type { Commits } from "#drivers/linux/net/commits.ts";
import type { TransactionToken } from "#hal/device.ts";
import { never, refused } from "../../../kit/site-bench.ts";
import { open, shut } from "./net-kernel.ts";
import { hour, NetBench } from "./net-kit.ts";

const unknownToken = "net-00" as TransactionToken;
const rejected = { code: "device.rejected", effect: "none", where: "linkseal-net" };
const locked = { code: "device.locked", effect: "none" };
const expired = { code: "device.commitExpired", effect: "none" };

async function bench(): Promise<NetBench & { readonly commits: Commits }> {
  const made = new NetBench();
  return Object.assign(made, { commits: await made.life() });
}

describe("a prepared change", () => {
  it("a prepared change has no effect, and a token of its own", async () => {
    const { commits, kernel, disk } = await bench();
    const tokens = [commits.prepare([shut("p1")], "a"), commits.prepare([shut("p1")], "a")];
    expect(new Set(tokens).size).toBe(2);
    expect(tokens[0]).toMatch(/^net-[0-9a-f]{24}$/);
    expect(kernel.flips).toEqual([]);
    expect(disk.contents()).toEqual([]);
    expect(commits.recall(tokens[0] ?? unknownToken)).toBeUndefined();
  });

  it("a change that was dropped, or never prepared, is not applied", async () => {
    const { commits, kernel } = await bench();
    const token = commits.prepare([shut("p1")], "");
    await commits.rollback(token, never);
    for (const each of [token, unknownToken]) {
      expect(await refused(commits.apply(each, "final", never))).toMatchObject(rejected);
      await commits.rollback(each, never);
    }
    expect(kernel.flips).toEqual([]);
  });

  it("a prepared change is dropped after 64 newer ones", async () => {
    const { commits, kernel } = await bench();
    const [first, second] = [commits.prepare([shut("p1")], ""), commits.prepare([shut("p2")], "")];
    for (let more = 0; more < 63; more += 1) commits.prepare([], "");
    expect(await refused(commits.apply(first, "final", never))).toMatchObject(rejected);
    await commits.apply(second, "final", never);
    expect(kernel.flips).toEqual([shut("p2")]);
  });

  it.each([0, -1, 0.5 - 1, Number.NaN, Number.POSITIVE_INFINITY, 24 * hour + 1])(
    "a change that is to wait %d ms is refused",
    async (within) => {
      const { commits, kernel } = await bench();
      const token = commits.prepare([shut("p1")], "");
      expect(await refused(commits.apply(token, within, never))).toMatchObject(rejected);
      expect(kernel.flips).toEqual([]);
      // The change is still prepared.
      await commits.apply(token, 24 * hour, never);
      expect(kernel.flips).toEqual([shut("p1")]);
    },
  );
});

describe("a final change", () => {
  it("a final change is applied once, and is never undone", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = await made.applied(commits, [shut("p1"), shut("p2")], "final");
    await commits.apply(token, "final", never);
    await commits.apply(token, 1_000, never);
    await clock.runFor(48 * hour);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2")]);
    expect(commits.state.pending).toBeUndefined();
    expect(commits.recall(token)).toBeUndefined();
    expect(await refused(commits.confirm(token))).toMatchObject(expired);
    expect(await refused(commits.rollback(token, never))).toMatchObject(rejected);
    expect(made.log).toEqual([]);
  });

  it("a final change has nothing pending while it is made", async () => {
    const made = await bench();
    made.kernel.onApply = async (_operation, memory) =>
      expect(memory.state.pending).toBeUndefined();
    await made.applied(made.commits, [shut("p1"), shut("p2")], "final");
  });
});

describe("a change with a time", () => {
  it("a pending change is recalled by its token, and applied once", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = commits.prepare([shut("p1")], "what it does");
    await commits.apply(token, 60_000, never);
    await clock.runFor(30_000);
    await commits.apply(token, 120_000, never);
    await commits.apply(token, "final", never);
    expect(commits.recall(token)?.preview).toBe("what it does");
    expect(commits.recall(unknownToken)).toBeUndefined();
    await clock.runFor(29_999);
    expect(kernel.flips).toEqual([shut("p1")]);
    await clock.runFor(1);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
    expect(commits.recall(token)).toBeUndefined();
    expect(made.log).toEqual([`warn commit-reverted: ${token} was not confirmed in time`]);
    expect((await made.stored()).pending).toBeUndefined();
  });

  it("a confirmed change is final, also when it is confirmed twice", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = await made.applied(commits, [shut("p1")], 60_000);
    await clock.runFor(59_999);
    await commits.confirm(token);
    await commits.confirm(token);
    await commits.apply(token, 1_000, never);
    expect(await refused(commits.rollback(token, never))).toMatchObject(rejected);
    await clock.runFor(hour);
    expect(kernel.flips).toEqual([shut("p1")]);
    expect((await made.stored()).pending).toBeUndefined();
    expect(made.log).toEqual([]);
  });

  it("a change confirmed too late is neither confirmed nor applied again", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = await made.applied(commits, [shut("p1")], 60_000);
    await clock.runFor(60_000);
    expect(await refused(commits.confirm(token))).toMatchObject(expired);
    expect(await refused(commits.apply(token, 1_000, never))).toMatchObject(rejected);
    await commits.rollback(token, never);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
  });

  it("a change that is rolled back is undone at once, and not again at the deadline", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = await made.applied(commits, [shut("p1"), shut("p2")], 60_000);
    await commits.rollback(token, never);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2"), open("p2"), open("p1")]);
    await commits.rollback(token, never);
    await made.applied(commits, [shut("p1")], "final");
    await clock.runFor(hour);
    expect(kernel.up.get("p1")).toBe(false);
    expect(await refused(commits.confirm(token))).toMatchObject(expired);
    expect(made.log).toEqual([]);
  });

  it("a pending change locks out another one, which stays prepared", async () => {
    const made = await bench();
    const { commits, kernel } = made;
    const first = await made.applied(commits, [shut("p1")], 60_000);
    const second = commits.prepare([shut("p2")], "");
    for (const within of [1_000, "final"] as const) {
      const error = await refused(commits.apply(second, within, never));
      expect(error).toMatchObject(locked);
      expect(error.message).toContain(first);
    }
    expect(await refused(commits.confirm(second))).toMatchObject(expired);
    expect(kernel.flips).toEqual([shut("p1")]);
    await commits.confirm(first);
    await commits.apply(second, "final", never);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2")]);
  });

  it("a prepared change is dropped beside a pending one without touching that", async () => {
    const made = await bench();
    const { commits, kernel } = made;
    const first = await made.applied(commits, [shut("p1")], 60_000);
    await commits.rollback(commits.prepare([shut("p2")], ""), never);
    await commits.rollback(unknownToken, never);
    expect(commits.recall(first)?.preview).toBe("preview");
    expect(kernel.flips).toEqual([shut("p1")]);
  });

  it("a change that finds nothing to do waits for nothing", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    const token = await made.applied(commits, [open("p1"), open("p2")], 60_000);
    expect(commits.state.pending).toBeUndefined();
    await commits.confirm(token);
    await clock.runFor(hour);
    expect(kernel.flips).toEqual([]);
    expect(made.log).toEqual([]);
  });

  it("a change undoes only what it did, and each operation by the state before it", async () => {
    const made = await bench();
    const { commits, kernel, clock } = made;
    kernel.up.set("p2", false);
    await made.applied(commits, [shut("p1"), shut("p2"), open("p1"), open("p2")], 60_000);
    await clock.runFor(60_000);
    expect(kernel.flips).toEqual([
      ...[shut("p1"), open("p1"), open("p2")],
      ...[shut("p2"), shut("p1"), open("p1")],
    ]);
  });

  it("requests at the same time are carried out one after the other", async () => {
    const made = await bench();
    const { commits, kernel } = made;
    kernel.applyMs = 500;
    const [first, second] = [commits.prepare([shut("p1")], ""), commits.prepare([shut("p2")], "")];
    const answers = Promise.allSettled([
      commits.apply(first, 60_000, never),
      commits.apply(first, 60_000, never),
      commits.apply(second, 60_000, never),
      commits.confirm(first),
      commits.apply(second, "final", never),
    ]);
    const kinds = (await made.settled(answers)).map(({ status }) => status);
    expect(kinds).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2")]);
  });
});

describe("a wall clock that jumps", () => {
  it.each([-365 * 24, -1, 1, 365 * 24])(
    "a wall clock that jumps by %d hours does not move the deadline",
    async (hours) => {
      const made = await bench();
      const { commits, kernel, clock } = made;
      await made.applied(commits, [shut("p1")], 60_000);
      clock.jumpWall(hours * hour);
      await clock.runFor(59_999);
      expect(kernel.up.get("p1")).toBe(false);
      await clock.runFor(1);
      expect(kernel.up.get("p1")).toBe(true);
    },
  );

  it.each([-365 * 24, -1, 1, 365 * 24])(
    "a clock jump of %d hours while no process runs waits no longer than the limit",
    async (hours) => {
      const made = await bench();
      const { commits, kernel, clock } = made;
      const token = await made.applied(commits, [shut("p1")], 60_000);
      commits.close();
      await clock.runFor(10_000);
      clock.jumpWall(hours * hour);
      const successor = await made.life();
      if (hours < 0) expect(successor.recall(token)?.preview).toBe("preview");
      await clock.runFor(hours < 0 ? 59_999 : 0);
      expect(kernel.up.get("p1")).toBe(hours > 0);
      await clock.runFor(1);
      expect(kernel.up.get("p1")).toBe(true);
    },
  );
});
