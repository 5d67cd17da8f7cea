// Pending changes when a process dies, the kernel refuses, or a file is damaged.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import { emptyState } from "#drivers/linux/net/stored-state.ts";
import type { TransactionToken } from "#hal/device.ts";
import type { WallTime } from "#hal/world.ts";
import { effort } from "../../../../effort.ts";
import { never, refused } from "../../../kit/site-bench.ts";
import { type Death, open, portIn, shut } from "./net-kernel.ts";
import { hour, NetBench } from "./net-kit.ts";

const unknownToken = "net-0" as TransactionToken;
const inverse = (operation: NetOperation): NetOperation =>
  operation.kind === "port.shut" ? open(portIn(operation)) : shut(portIn(operation));

describe("a successor", () => {
  it("the undo of an operation is on the disk before the operation", async () => {
    const bench = new NetBench();
    const observed: (readonly NetOperation[] | undefined)[] = [];
    bench.kernel.onApply = async () => {
      observed.push((await bench.stored()).pending?.undo);
    };
    await bench.applied(await bench.life(), [shut("p1"), shut("p2")], 60_000);
    expect(observed).toEqual([[open("p1")], [open("p2"), open("p1")]]);
  });

  it("a successor leaves a confirmed change, and reverts an unconfirmed one in time", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const first = await bench.life();
    await first.confirm(await bench.applied(first, [shut("p1")], 60_000));
    const token = await bench.applied(first, [shut("p2")], 60_000);
    first.close();
    await clock.runFor(20_000);
    const second = await bench.life();
    expect(second.recall(token)?.preview).toBe("preview");
    await clock.runFor(39_999);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2")]);
    await clock.runFor(hour);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2"), open("p2")]);
    expect(bench.log).toEqual([`warn commit-reverted: ${token} was not confirmed in time`]);
    expect(await refused(second.confirm(token))).toMatchObject({ code: "device.commitExpired" });
  });

  it("a successor reverts at once what expired while no process ran", async () => {
    const bench = new NetBench();
    const first = await bench.life();
    await bench.applied(first, [shut("p1")], 60_000);
    first.close();
    await bench.clock.runFor(hour);
    expect(bench.kernel.up.get("p1")).toBe(false);
    await bench.life();
    await bench.clock.runFor(0);
    expect(bench.kernel.up.get("p1")).toBe(true);
  });

  it.each(["confirm", "rollback"] as const)("a successor takes a %s of it", async (verb) => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const first = await bench.life();
    const token = await bench.applied(first, [shut("p1")], 60_000);
    first.close();
    const second = await bench.life();
    await second[verb](token, never);
    await clock.runFor(hour);
    expect(kernel.flips).toEqual(verb === "confirm" ? [shut("p1")] : [shut("p1"), open("p1")]);
    expect(bench.log).toEqual([]);
  });

  it("after a boot the SecYs are made again as they were confirmed", async () => {
    const bench = new NetBench();
    const first = await bench.life("boot-1");
    const [old, next] = [5, 6].map((replayWindow) => {
      return { suite: "gcm-aes-256", includeSci: true, replayWindow } as const;
    });
    if (old === undefined || next === undefined) throw new Error("two of them");
    const undo = [
      { kind: "macsec.protect", port: "p1", settings: old },
      { kind: "macsec.unprotect", port: "p2", linkLocal: "none" },
    ] as const;
    const waits = { token: unknownToken, preview: "", revertsAt: 0 as WallTime, within: 1000 };
    await first.remember({
      standing: { p1: next, p2: next, p3: next },
      pending: { ...waits, undo, extent: "whole" },
    });
    first.close();
    expect(bench.kernel.raised).toEqual([]);
    const second = await bench.life("boot-2");
    expect(bench.kernel.raised).toEqual([["p1", "p3"]]);
    expect(second.state.standing).toEqual({ p1: old, p3: next });
    second.close();
    await (await bench.life("boot-2")).raise();
    expect(bench.kernel.raised).toHaveLength(1);
  });

  it("after a boot no change waits", async () => {
    const bench = new NetBench();
    const first = await bench.life("boot-1");
    const token = await bench.applied(first, [shut("p1")], 60_000);
    await first.remember({ keepsakes: { p1: { addresses: ["00"], routes: [], down: [] } } });
    first.close();
    const second = await bench.life("boot-2");
    expect(second.recall(token)).toBeUndefined();
    expect(second.state).toEqual(emptyState("boot-2"));
    await bench.clock.runFor(hour);
    expect(bench.kernel.flips).toEqual([shut("p1")]);
  });

  it("a successor has the link snapshots of its predecessor", async () => {
    const bench = new NetBench();
    const first = await bench.life();
    await first.remember({
      keepsakes: { p1: { addresses: ["0a"], routes: ["0b", "0c"], down: [] } },
    });
    const token = await bench.applied(first, [shut("p1")], 60_000);
    first.close();
    const { keepsakes, pending } = (await bench.life()).state;
    expect(keepsakes).toEqual({ p1: { addresses: ["0a"], routes: ["0b", "0c"], down: [] } });
    expect(pending).toMatchObject({ token, undo: [open("p1")], within: 60_000 });
  });

  it("a successor undoes exactly what was done, wherever its predecessor was killed", async () => {
    const port = fc.constantFrom("p1", "p2", "p3");
    const operation = fc.record({ kind: fc.constantFrom("port.shut", "port.open"), port });
    const death: fc.Arbitrary<Death> = fc.record({
      act: fc.nat(5),
      when: fc.constantFrom("before", "after"),
    });
    const starts = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    const run = async (
      change: readonly NetOperation[],
      dies: Death,
      up: readonly boolean[],
    ): Promise<void> => {
      const bench = new NetBench(["p1", "p2", "p3"]);
      const { clock, kernel } = bench;
      for (const [index, isUp] of up.entries()) kernel.up.set(`p${index + 1}`, isUp);
      const before = new Map(kernel.up);
      const first = await bench.life();
      kernel.death = dies;
      void first.apply(first.prepare(change, ""), 60_000, never);
      await clock.runFor(1_000);
      first.close();
      const done = [...kernel.flips];
      kernel.death = undefined;
      await bench.life();
      await clock.runFor(59_000);
      expect(kernel.up).toEqual(before);
      expect(kernel.flips).toEqual([...done, ...done.toReversed().map(inverse)]);
      expect((await bench.stored()).pending).toBeUndefined();
    };
    const changes = fc.array(operation, { minLength: 1, maxLength: 6 });
    await fc.assert(fc.asyncProperty(changes as fc.Arbitrary<NetOperation[]>, death, starts, run), {
      numRuns: effort(200, 5_000),
    });
  });
});

describe("a move that was left in the middle", () => {
  // A timer that had expired undid the port while a successor still moved links onto it.
  it("an unfinished move is completed before an expired timer undoes the port", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const first = await bench.life();
    await bench.applied(first, [shut("p1")], 1_000);
    const operation = { kind: "macsec.unprotect", port: "p2", linkLocal: "none" } as const;
    await first.remember({ moves: { p2: { part: operation, stack: [] } } });
    first.close();
    await clock.runFor(5_000);
    kernel.applyMs = 400;
    const acts: string[] = [];
    kernel.onApply = async (operation) => {
      acts.push(`${operation.kind} ${portIn(operation)} at ${clock.now()}`);
    };
    const second = bench.life();
    await clock.runFor(60_000);
    await second;
    expect(acts.map((act) => act.replace(/ at .*/, ""))).toEqual([
      "macsec.unprotect p2",
      "port.open p1",
    ]);
    const [moved, undone] = acts.map((act) => Number(act.split(" at ")[1]));
    expect(undone).toBeGreaterThanOrEqual((moved ?? 0) + 400);
  });
});

describe("half a change", () => {
  // A successor answered that it was applied, and a confirmation made it final.
  it("half a change is never applied or confirmed, only undone", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const first = await bench.life();
    kernel.death = { act: 1, when: "before" };
    const token = first.prepare([shut("p1"), shut("p2")], "");
    void first.apply(token, 60_000, never);
    await clock.runFor(1_000);
    first.close();
    kernel.death = undefined;
    const second = await bench.life();
    expect(second.recall(token)?.preview).toBe("");
    for (const act of [second.apply(token, 60_000, never), second.confirm(token)]) {
      const error = await refused(act);
      expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
      expect(error.message).toContain("was interrupted");
    }
    await clock.runFor(59_000);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
  });
});

describe("a kernel that refuses", () => {
  it("a change that the kernel refuses halfway is undone, and can be tried again", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const commits = await bench.life();
    for (const within of [60_000, "final"] as const) {
      kernel.flips.splice(0);
      kernel.refuse(1, 1);
      const token = commits.prepare([shut("p1"), shut("p2")], "");
      const error = await refused(commits.apply(token, within, never));
      expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
      expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
      expect(commits.state.pending).toBeUndefined();
      expect((await bench.stored()).pending).toBeUndefined();
      await clock.runFor(hour);
      await commits.apply(token, within, never);
      expect([kernel.up.get("p1"), kernel.up.get("p2")]).toEqual([false, false]);
      if (within !== "final") await commits.rollback(token, never);
    }
    expect(bench.log).toEqual([]);
  });

  it('a change whose undo is refused is "unknown", and undone at the deadline', async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const commits = await bench.life();
    kernel.refuse(2, 1);
    const token = commits.prepare([shut("p1"), shut("p2")], "");
    const error = await refused(commits.apply(token, 60_000, never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    expect(error.message).toContain("could not be undone");
    expect(kernel.up.get("p1")).toBe(false);
    await clock.runFor(60_000);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
    expect((await bench.stored()).pending).toBeUndefined();
  });

  it('a final change that is refused both ways is "unknown"', async () => {
    const bench = new NetBench();
    bench.kernel.refuse(2, 1);
    const commits = await bench.life();
    const token = commits.prepare([shut("p1"), shut("p2")], "");
    const error = await refused(commits.apply(token, "final", never));
    expect(error).toMatchObject({ effect: "unknown" });
    expect(commits.state.pending).toBeUndefined();
  });

  it("an undo that the kernel refuses is tried each second until it succeeds", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const commits = await bench.life();
    const token = await bench.applied(commits, [shut("p1")], 60_000);
    kernel.refuse(3);
    await clock.runFor(62_999);
    expect(kernel.flips).toEqual([shut("p1")]);
    expect(commits.recall(token)?.preview).toBe("preview");
    expect(bench.log.map((line) => line.split(":")[0])).toEqual(
      Array(3).fill("error device.rejected"),
    );
    await clock.runFor(1);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
    expect(bench.log.at(-1)).toContain("warn commit-reverted");
    await clock.runFor(hour);
    expect(bench.log).toHaveLength(4);
  });

  it("a refused rollback leaves the change to its deadline, and to another try", async () => {
    const bench = new NetBench();
    const { clock, kernel } = bench;
    const commits = await bench.life();
    for (const byHand of [true, false]) {
      kernel.flips.splice(0);
      const token = await bench.applied(commits, [shut("p1")], 60_000);
      kernel.refuse(1);
      await refused(commits.rollback(token, never));
      expect(commits.recall(token)?.preview).toBe("preview");
      if (byHand) await commits.rollback(token, never);
      else await clock.runFor(60_000);
      expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
    }
  });
});

describe("a client that goes away", () => {
  it.each([60_000, "final"] as const)(
    "a client that goes away in the middle leaves no half change (%s)",
    async (within) => {
      const bench = new NetBench();
      const { clock, kernel } = bench;
      const commits = await bench.life();
      kernel.applyMs = 500;
      const gone = new AbortController();
      const token = commits.prepare([shut("p1"), shut("p2")], "");
      const answer = commits.apply(token, within, gone.signal).catch((error: unknown) => error);
      await clock.runFor(700);
      expect(kernel.flips).toEqual([shut("p1")]);
      gone.abort(new Error("the client is gone"));
      expect(await bench.settled(answer)).toEqual(new Error("the client is gone"));
      expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
      expect(commits.state.pending).toBeUndefined();
      // The change does not block another one.
      await bench.applied(commits, [shut("p2")], "final");
    },
  );
});

describe("a state file that is damaged", () => {
  const logged = "error state-unreadable: what was pending before is not known any more";
  const good = {
    bootId: "boot-1",
    pending: {
      token: "net-1",
      preview: "p",
      undo: [open("p1")],
      revertsAt: 0,
      within: 1_000,
      extent: "whole",
    },
    keepsakes: { p1: { addresses: ["00ff"], routes: [], down: [] } },
    moves: {},
    standing: { p1: { suite: "gcm-aes-256", includeSci: true } },
    due: ["p1"],
  };

  it.each<[string, unknown]>([
    ["a list", []],
    ["no boot", { ...good, bootId: undefined }],
    ["no link snapshots", { ...good, keepsakes: undefined }],
    ["no moves", { ...good, moves: undefined }],
    ["no standing SecYs", { ...good, standing: undefined }],
    ["a SecY without a suite", { ...good, standing: { p1: { includeSci: true } } }],
    ["nothing that is due", { ...good, due: undefined }],
    ["moves in a list", { ...good, moves: [] }],
    ["a pending that is a word", { ...good, pending: "net-1" }],
    ["an undo of another kind", { ...good, pending: { ...good.pending, undo: [{ kind: "x" }] } }],
    ["too many parts", { ...good, pending: { ...good.pending, undo: Array(65).fill(open("p1")) } }],
    ["no time", { ...good, pending: { ...good.pending, revertsAt: null } }],
    ["no extent", { ...good, pending: { ...good.pending, extent: undefined } }],
    ["half a millisecond", { ...good, pending: { ...good.pending, within: 0.5 } }],
    ["a token over two lines", { ...good, pending: { ...good.pending, token: "a\nb" } }],
    ["no octets", { ...good, keepsakes: { p1: { addresses: ["xx"], routes: [], down: [] } } }],
    ["half an octet", { ...good, keepsakes: { p1: { addresses: [], routes: ["abc"], down: [] } } }],
    ["empty octets", { ...good, keepsakes: { p1: { addresses: [], routes: [""], down: [] } } }],
    [
      "too many octets",
      { ...good, keepsakes: { p1: { addresses: ["00".repeat(4097)], routes: [], down: [] } } },
    ],
    [
      "too many routes",
      { ...good, keepsakes: { p1: { addresses: [], routes: Array(10_001).fill("00"), down: [] } } },
    ],
    ["a port without its links", { ...good, keepsakes: { p1: { addresses: [], routes: [] } } }],
    ["a port without routes", { ...good, keepsakes: { p1: { addresses: [] } } }],
  ])("a damaged state file is logged and counts as empty: %s", async (_name, content) => {
    const bench = new NetBench();
    await bench.write(JSON.stringify(content));
    const commits = await bench.life();
    expect(bench.log).toEqual([logged]);
    expect(commits.state).toEqual(emptyState("boot-1"));
    await bench.applied(commits, [shut("p1")], "final");
  });

  it("an intact state file is read", async () => {
    const bench = new NetBench();
    await bench.write(JSON.stringify(good));
    // A SecY that is due is made at once.
    expect((await bench.life()).state).toEqual({ ...good, due: [] });
    expect(bench.kernel.raised).toEqual([good.due]);
    expect(bench.log).toEqual([]);
  });

  it("a damaged state file is read or counts as empty, and nothing is thrown", async () => {
    const text = JSON.stringify(good);
    const octets = new TextEncoder().encode(text);
    const damage = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.json().map((json) => new TextEncoder().encode(json)),
      fc.nat(octets.length - 1).map((length) => octets.slice(0, length)),
      fc.tuple(fc.nat(octets.length - 1), fc.nat(255)).map(([at, octet]) => {
        const bent = octets.slice();
        bent[at] = octet;
        return bent;
      }),
    );
    const run = async (content: Uint8Array): Promise<void> => {
      const bench = new NetBench(["p1"]);
      bench.kernel.up.set("p1", false);
      await bench.write(content);
      const commits = await bench.life();
      const { state } = commits;
      if (state.pending === undefined) expect(state.bootId).toBe("boot-1");
      else
        expect(state.pending.undo.every(({ kind }) => /^port\.(shut|open)$/.test(kind))).toBe(true);
      expect(bench.log.filter((line) => line !== logged)).toEqual([]);
      commits.close();
    };
    await fc.assert(fc.asyncProperty(damage, run), { numRuns: effort(500, 20_000) });
  });

  it("an undo for a port that is gone is tried and logged, and blocks no change", async () => {
    const bench = new NetBench(["p2"]);
    await bench.write(JSON.stringify(good));
    const commits = await bench.life();
    await bench.clock.runFor(2_500);
    expect(bench.log).toEqual(Array(3).fill("error device.rejected: not undone yet: no port p1"));
    const token = "net-1" as TransactionToken;
    await commits.confirm(token);
    await bench.applied(commits, [shut("p2")], "final");
    await bench.clock.runFor(hour);
    expect(bench.log).toHaveLength(3);
  });
});
