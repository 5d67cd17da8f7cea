// One agent per state folder, with real processes.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockState } from "#agent/host/lock.ts";
import { firstLine } from "../first-line.ts";
import { hindrance, namespaces } from "./namespaces.ts";

const source = JSON.stringify(new URL("../../agent/host/lock.ts", import.meta.url).href);

// Prints `held` or the error's code, and holds the lock until its standard input ends.
const holder = `
  import { spawn } from "node:child_process";
  import { lockState } from ${source};
  process.stdin.once("data", async () => {
    const lock = lockState(process.argv[1]);
    process.stdin.on("data", () => {
      const program = spawn("sleep", ["600"], { stdio: "ignore", detached: true });
      process.stdout.write(program.pid + "\\n");
    });
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

async function output(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("its output is not read");
  return await firstLine(child.stdout);
}

async function ready(): Promise<ChildProcess> {
  const argv = ["--input-type=module", "-e", holder, folder];
  const child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  expect(await output(child)).toBe("ready");
  return child;
}

function go(child: ChildProcess): Promise<string> {
  child.stdin?.write("go\n");
  return output(child);
}

describe("the lock of a state folder", () => {
  it("a lock has one holder, and is free as soon as that is killed", async () => {
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

  it("a stopped process still holds the lock", async () => {
    const first = await ready();
    expect(await go(first)).toBe("held");
    first.kill("SIGSTOP");
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
  });

  it("exactly one of eight processes that ask at once gets the lock", async () => {
    for (let round = 0; round < 3; round += 1) {
      const crowd = await Promise.all(Array.from({ length: 8 }, ready));
      const answers = await Promise.all(crowd.map(go));
      expect(answers.toSorted()).toEqual(["held", ...Array<string>(7).fill("journal.locked")]);
      await Promise.all(crowd.map(kill));
    }
  });

  it("a second lock inside one process is refused, until the first is released", async () => {
    const lock = await lockState(folder);
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
    await lock[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
    await using again = await lockState(folder);
    expect(again.path).toBe(lock.path);
  });

  it("many tasks that take and release the lock never hold it twice", async () => {
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
  });

  it("a lock holds even after an operator has removed its file", async () => {
    await using lock = await lockState(folder);
    await rm(lock.path);
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
  });

  it("a program that a killed holder had started does not keep the lock", async () => {
    const first = await ready();
    expect(await go(first)).toBe("held");
    first.stdin?.write("start\n");
    const program = Number(await output(first));
    await kill(first);
    try {
      expect(readFileSync(`/proc/${program}/comm`, "latin1")).toBe("sleep\n");
      await (await lockState(folder))[Symbol.asyncDispose]();
    } finally {
      process.kill(program, "SIGKILL");
    }
  });

  it("a refusal names the holder, and no holder if the file names none", async () => {
    await using lock = await lockState(folder);
    const refusal = async (): Promise<string> =>
      await lockState(folder).then(
        () => "held",
        (error: unknown) => (error instanceof Error ? error.message : ""),
      );
    expect(await refusal()).toBe(`another agent (process ${process.pid}) works in ${folder}`);
    await writeFile(lock.path, "4711 else where pid:[1]\n");
    expect(await refusal()).toBe(`another agent works in ${folder}`);
  });
});

// A test that this host cannot run counts as not run, which fails a complete run.
describe("the lock of a state folder, seen from other namespaces", () => {
  beforeEach((context) => {
    const why = hindrance();
    if (why !== undefined) context.skip(why);
  });

  const inside = (script: string, ...argv: readonly string[]): string => {
    const words = [...namespaces, "sh", "-ec", script, "sh", ...argv];
    const { stdout, stderr } = spawnSync("unshare", words, { encoding: "utf8" });
    return `${stdout}${stderr}`.trim();
  };
  // `$1` is Node, `$2` the program, `$3` the folder.
  const answer = (before = ""): string =>
    inside(
      `${before}exec "$1" --input-type=module -e "$2" "$3"`,
      process.execPath,
      `import { lockState } from ${source};
       await lockState(process.argv[1]).then(
         () => console.log("held"),
         ({ code, message, next }) => console.log(code, message, "|", next),
       );`,
      folder,
    );

  it("a lock works against a process that is invisible in /proc", async () => {
    const lock = await lockState(folder);
    expect(answer()).toBe(
      `journal.locked another agent (process ${process.pid} of another container or host, ` +
        `${hostname()}) works in ${folder} | linkseal status, or stop the other agent`,
    );
    expect(existsSync(lock.path)).toBe(true);
    await expect(lockState(folder)).rejects.toMatchObject({ code: "journal.locked" });
    await lock[Symbol.asyncDispose]();
    expect(answer()).toBe("held");
  });

  it("a lock on a read-only file system can be taken if its file exists", async () => {
    await (await lockState(folder))[Symbol.asyncDispose]();
    const readOnly = 'mount --bind "$3" "$3"; mount -o remount,bind,ro "$3"; ';
    expect(answer(readOnly)).toBe("held");
    await using _lock = await lockState(folder);
    expect(answer(readOnly)).toMatch(/^journal\.locked /);
  });

  it("a lock can be taken where the file must be open for writing, as on NFS", async () => {
    const picky = [
      "#!/bin/sh",
      'flags=$(sed -n "s/^flags:[^0-9]*//p" /proc/self/fdinfo/3)',
      "if [ -f /proc/self/fd/3 ] && [ $((flags & 3)) = 0 ]; then",
      '  echo "flock: 3: Bad file descriptor" >&2; exit 65',
      "fi",
      'exec /mnt/flock "$@"',
    ];
    await writeFile(join(folder, "picky"), picky.join("\n"), { mode: 0o755 });
    const onNfs =
      "mount -t tmpfs none /mnt; cp /usr/bin/flock /mnt/flock; " +
      'mount --bind "$3/picky" /usr/bin/flock; ';
    expect(answer(onNfs)).toBe("held");
    await using _lock = await lockState(folder);
    expect(answer(onNfs)).toMatch(/^journal\.locked /);
  });

  it("without a flock program the lock is refused, with the remedy", () => {
    expect(answer("mount --bind /dev/null /usr/bin/flock; ")).toBe(
      "usage the program flock cannot be run (EACCES): it is not known whether another process " +
        `works in ${folder} | apt-get install util-linux, then start again`,
    );
  });
});
