// The sync of the state folder fails after a file was made in it: the record is refused, and the
// next one is acknowledged only once the name of the file is on the disk.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FsDisk } from "#agent/host/disk.ts";
import { Strace } from "../kernel/host-faults/strace.ts";
import { whyLacking } from "../machine/place.ts";

const why = whyLacking(["strace"]);
const octets = new TextEncoder().encode("record");

let folder = "";
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
  folder = mkdtempSync(join(tmpdir(), "linkseal-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the work beside strace; returns how often the folder was synced. */
async function syncs(work: () => Promise<unknown>, errno?: string): Promise<number> {
  const fate =
    errno === undefined
      ? ({ kind: "none" } as const)
      : ({ kind: "failing", errno, call: "fsync", nth: 1 } as const);
  using strace = await Strace.attach(process.pid, { calls: ["fsync"], files: [folder] }, fate);
  await work();
  return (await strace.end()).get("fsync") ?? 0;
}

// A power cut took an acknowledged record away with its file.
it.each([
  ["append", "journal", "EIO"],
  ["append", "journal", "ENOSPC"],
  ["append", "audit/00", "EIO"],
  ["replace", "intent/1", "EIO"],
] as const)(
  "after %s to %s failed with %s at its folder, the next one syncs the folder",
  async (verb, name, errno) => {
    const disk = await FsDisk.open(folder);
    const refusal = { code: "journal.full" };
    const failing = async (): Promise<void> =>
      await expect(disk[verb](name, octets)).rejects.toMatchObject(refusal);
    expect(await syncs(failing, errno)).toBeGreaterThan(0);
    expect(await syncs(() => disk[verb](name, octets))).toBe(1);
    // Another process does not know what failed before it.
    const next = await FsDisk.open(folder);
    expect(await syncs(() => next[verb](name, octets))).toBe(1);
    expect(await syncs(() => next[verb](name, octets))).toBe(0);
  },
);
