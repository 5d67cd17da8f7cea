// Pending changes on a disk that takes no write, or takes one and reports that it did not.

import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { never, refused } from "../../../kit/site-bench.ts";
import { open, shut } from "./net-kernel.ts";
import { hour, NetBench } from "./net-kit.ts";

describe("a full disk", () => {
  const full = { code: "journal.full" };

  it("a full disk lets no change begin", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const commits = await bench.life();
    const token = commits.prepare([shut("p1")], "");
    disk.setFault("full", true);
    expect(await refused(commits.apply(token, 60_000, never))).toMatchObject(full);
    expect(kernel.flips).toEqual([]);
    expect(commits.recall(token)).toBeUndefined();
    disk.setFault("full", false);
    await commits.apply(token, 60_000, never);
    await clock.runFor(60_000);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
  });

  // The next process carried out the undo of a change that had been refused, against a later one.
  it("an undo that a failed write left on the disk does not undo a later change", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const first = await bench.life();
    const replace = disk.replace.bind(disk);
    disk.replace = async (name, bytes) => {
      // The file has its new name, and the folder cannot be synced.
      await replace(name, bytes);
      const details = { effect: "none", where: name, next: "" } as const;
      throw new LinksealError("journal.full", "EIO", details);
    };
    const token = first.prepare([shut("p1")], "");
    expect(await refused(first.apply(token, 60_000, never))).toMatchObject(full);
    disk.replace = replace;
    expect((await bench.stored()).pending).toBeDefined();
    await bench.applied(first, [shut("p1")], "final");
    first.close();
    await bench.life();
    await clock.runFor(hour);
    expect(kernel.up.get("p1")).toBe(false);
  });

  it("a full disk lets no confirmation through, so the change is reverted in time", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const commits = await bench.life();
    const token = await bench.applied(commits, [shut("p1")], 60_000);
    disk.setFault("full", true);
    expect(await refused(commits.confirm(token))).toMatchObject(full);
    disk.setFault("full", false);
    await clock.runFor(60_000);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
  });

  it("a disk that has room again accepts the confirmation", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const commits = await bench.life();
    const token = await bench.applied(commits, [shut("p1")], 60_000);
    disk.setFault("full", true);
    await refused(commits.confirm(token));
    disk.setFault("full", false);
    await commits.confirm(token);
    await clock.runFor(hour);
    expect(kernel.flips).toEqual([shut("p1")]);
  });

  it("on a slow disk a confirmation in time wins, and the next change is not hit", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const commits = await bench.life();
    const token = await bench.applied(commits, [shut("p1")], 60_000);
    disk.setFault("slow", true);
    await clock.runFor(58_000);
    const next = commits.prepare([shut("p2")], "");
    const both = Promise.all([commits.confirm(token), commits.apply(next, 60_000, never)]);
    await bench.settled(both);
    await clock.runFor(30_000);
    expect(kernel.flips).toEqual([shut("p1"), shut("p2")]);
    expect(bench.log).toEqual([]);
  });

  it("an undo stays pending until it can be written to the disk", async () => {
    const bench = new NetBench();
    const { clock, kernel, disk } = bench;
    const commits = await bench.life();
    const token = await bench.applied(commits, [shut("p1")], 60_000);
    disk.setFault("full", true);
    await clock.runFor(65_000);
    expect(kernel.flips).toEqual([shut("p1"), open("p1")]);
    expect(commits.recall(token)?.preview).toBe("preview");
    disk.setFault("full", false);
    await clock.runFor(1_000);
    expect(commits.recall(token)).toBeUndefined();
    expect((await bench.stored()).pending).toBeUndefined();
  });
});
