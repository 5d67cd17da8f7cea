// A state folder on a small file system of its own, filled to its last page and made read-only
// under a running agent.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { LinksealError } from "#hal/error.ts";
import { socketIn } from "./deadly-site.ts";
import { hindrance, namespaces } from "./namespaces.ts";
import { Program } from "./program.ts";
import { Stage } from "./stage.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const why = hindrance();

let stage: Stage;
let program: Program;
// A test that this host cannot run counts as not run, which fails a complete run.
beforeEach(async (context) => {
  if (why !== undefined) context.skip(why);
  const setting = { seed: "disk-full", start: "protected", speed: 20, fate: undefined } as const;
  stage = await Stage.open(setting);
  program = onSmallDisk();
  await program.until('"code":"ready"');
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** Starts an agent in a mount namespace where its state folder is 256 kB of memory. */
function onSmallDisk(): Program {
  const script = 'mount -t tmpfs -o size=256k,mode=0700 none "$1"; exec "$2" "$3" agent';
  const argv = ["sh", "-ec", script, "sh", stage.state, process.execPath, command];
  const env = {
    ...process.env,
    LINKSEAL_HOME: stage.folder,
    LINKSEAL_SITE: `unix:${socketIn(stage.folder)}`,
  };
  const child = spawn("unshare", [...namespaces, ...argv], { env });
  const started = new Program(child);
  stage.programs.push(started);
  return started;
}

/** Returns the state folder as the agent sees it: its parent is unshare, which stays outside. */
function inside(): string {
  const children = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "latin1");
  return `/proc/${children.trim()}/root${stage.state}`;
}

/**
 * The file system is busy while the agent has a file open to write; then it retries a moment later.
 */
async function remount(mode: "ro" | "rw"): Promise<void> {
  const agent = inside().split("/")[2] ?? "";
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const argv = ["--target", agent, ...user, "--mount", "mount", "-o", `remount,${mode}`];
  await until(async () => {
    const { status, stderr } = spawnSync("nsenter", [...argv, stage.state], { encoding: "utf8" });
    if (stderr.includes("busy")) return false;
    expect([status, stderr]).toEqual([0, ""]);
    return true;
  });
}

function fill(): void {
  for (let part = 64_000; part >= 1; part = Math.floor(part / 4)) {
    try {
      for (;;) writeFileSync(join(inside(), "ballast"), new Uint8Array(part), { flag: "a" });
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
}

const unwritable = async (): Promise<Status["warnings"][number] | undefined> => {
  const { warnings } = await stage.view<Status>("/v1/status");
  return warnings.find(({ code }) => code === "state-unwritable");
};

async function isDrained(): Promise<boolean> {
  try {
    await stage.admin("/v1/drain", { link: "erd-demo/primary" });
    return true;
  } catch (error) {
    if (error instanceof LinksealError && error.code === "gate.siblingUnhealthy") return false;
    throw error;
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!program.dead && !(await holds())) await rest(50);
  expect(program.dead).toBe(false);
}

it("a full and a read-only disk are warnings that name drained links, and end", async () => {
  await stage.apply();
  const isProtected = async (): Promise<boolean> =>
    (await stage.view<Status>("/v1/status")).verdict === "protected";
  await until(async () => (await stage.view<Status>("/v1/status")).groups.length > 0);
  await stage.admin("/v1/adopt", { target: "erd-demo" });
  await until(isProtected);
  // A check uses the last verdict, which may be one poll old.
  await until(isDrained);
  expect(await unwritable()).toBeUndefined();

  fill();
  await until(async () => (await unwritable()) !== undefined);
  expect(await unwritable()).toMatchObject({
    severity: "error",
    about: "site",
    text: expect.stringMatching(
      /cannot be written: no space is left on its disk; .*erd-demo\/primary is drained for admin/,
    ),
    next: "free space in the state folder, then linkseal status",
  });
  rmSync(join(inside(), "ballast"));
  await until(async () => (await unwritable()) === undefined);

  await remount("ro");
  await until(async () => (await unwritable()) !== undefined);
  expect(await unwritable()).toMatchObject({
    text: expect.stringContaining("cannot be written: its file system is read-only; "),
    next: "mount the state folder read-write (mount -o remount,rw), then linkseal status",
  });
  // The undrain cannot be journalled either, and its error names the remedy.
  await expect(stage.admin("/v1/undrain", { link: "erd-demo/primary" })).rejects.toMatchObject({
    code: "journal.full",
    next: "mount the state folder read-write (mount -o remount,rw), then linkseal status",
  });
  await remount("rw");
  await until(async () => (await unwritable()) === undefined);
  await stage.admin("/v1/undrain", { link: "erd-demo/primary" });
  await until(isProtected);
  expect((await stage.account()).violations).toEqual([]);
});
