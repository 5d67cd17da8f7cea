// One agent per state folder, with real processes (F45, F46).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockState } from "#agent/host/lock.ts";

const source = JSON.stringify(new URL("../../agent/host/lock.ts", import.meta.url).href);

// Says `held` or the error's code, and holds until its standard input ends.
const holder = `
  import { lockState } from ${source};
  process.stdin.once("data", async () => {
    const lock = lockState(process.argv[1]);
    process.stdout.write((await lock.then(() => "held", (error) => error.code)) + "\\n");
    process.stdin.on("end", () => process.exit(0));
  });
  process.stdout.write("ready\\n");
`;

let folder = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "linkseal-lock-"));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  await rm(folder, { recursive: true, force: true });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function said(child: ChildProcess): Promise<string> {
  const [data]: unknown[] = await once(child.stdout ?? child, "data");
  return String(data).trim();
}

async function ready(): Promise<ChildProcess> {
  const argv = ["--input-type=module", "-e", holder, folder];
  const child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  expect(await said(child)).toBe("ready");
  return child;
}

function go(child: ChildProcess): Promise<string> {
  child.stdin?.write("go\n");
  return said(child);
}

const lockFiles = async (): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith("lock."));

describe("the lock of a state folder", () => {
  it("is held by one process, and free at once when that is killed", async () => {
    const first = await ready();
    expect(await go(first)).toBe("held");
    expect(await go(await ready())).toBe("journal.locked");
    await expect(lockState(folder)).rejects.toMatchObject({
      code: "journal.locked",
      effect: "none",
    });
    await kill(first);
    await (await lockState(folder))[Symbol.asyncDispose]();
  });

  it("is still held by a process that is only stopped", async () => {
    const first = await ready();
    expect(await go(first)).toBe("held");
    first.kill("SIGSTOP");
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
  });

  it("goes to exactly one of eight that find a dead holder at the same moment", async () => {
    for (let round = 0; round < 3; round += 1) {
      const crowd = await Promise.all(Array.from({ length: 8 }, ready));
      const answers = await Promise.all(crowd.map(go));
      expect(answers.toSorted()).toEqual(["held", ...Array<string>(7).fill("journal.locked")]);
      expect(await lockFiles()).toHaveLength(1);
      await Promise.all(crowd.map(kill));
    }
  });

  it("is refused inside one process too, until it is given back", async () => {
    const lock = await lockState(folder);
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
    await lock[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
    await using again = await lockState(folder);
    expect(await lockFiles()).toEqual([again.path.slice(folder.length + 1)]);
  });

  it("is never held twice by many that take it and give it back", async () => {
    let held = 0;
    let most = 0;
    let taken = 0;
    const worker = async (): Promise<void> => {
      while (taken < 60) {
        const lock = await lockState(folder).catch(() => undefined);
        if (lock === undefined) continue;
        held += 1;
        taken += 1;
        most = Math.max(most, held);
        await readdir(folder);
        held -= 1;
        await lock[Symbol.asyncDispose]();
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    expect([most, held]).toEqual([1, 0]);
    expect(await lockFiles()).toHaveLength(1);
  });

  it("is not taken by one that saw a dead holder and slept while others came", async () => {
    await symlink("1:1:dead", join(folder, "lock.1"));
    const seen: string[] = [];
    const late = lockState(folder, async (holder) => {
      seen.push(holder);
      if (holder !== "1:1:dead") return true;
      await (await lockState(folder))[Symbol.asyncDispose]();
      await lockState(folder);
      return false;
    });
    await expect(late).rejects.toMatchObject({ code: "journal.locked" });
    expect(seen).toEqual(["1:1:dead", expect.stringMatching(`^${process.pid}:`)]);
    expect(await lockFiles()).toEqual(["lock.4"]);
  });

  it.each([
    ["a process of an earlier boot", `${process.pid}:1:11111111-1111-1111-1111-111111111111`],
    ["a process id that came round again", `${process.pid}:1`],
    ["nonsense", "x"],
  ])("left by %s is nobody's", async (_name, target) => {
    await symlink(target, join(folder, "lock.7"));
    await using lock = await lockState(folder);
    expect(lock.path).toBe(join(folder, "lock.8"));
    expect(await lockFiles()).toEqual(["lock.8"]);
  });
});
