// One agent per state folder. A lock is a symbolic link whose target names its holder: made whole
// in one system call, dead as soon as its holder is, so that neither kill -9 nor a power cut leaves
// a dead end.

import { readdir, readFile, readlink, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { errnoOf } from "./folder.ts";

/** Released by hand, or by the end of the process, however it ends. */
export interface StateLock extends AsyncDisposable {
  readonly path: string;
}

const lockName = /^lock\.([1-9]\d{0,14})$/;
const released = "released";
const attemptsMax = 100;

/**
 * Takes the lock of a folder that only we can write; `journal.locked` if a living process holds it.
 *
 * The highest number holds. A number is only taken above a dead one, never used again while a
 * higher one stands, and given back by a higher one that says so; so of two processes that saw the
 * same dead holder one finds its number taken, and one that was late finds a higher number when it
 * looks again.
 */
export async function lockState(folder: string, isHeldBy = isAlive): Promise<StateLock> {
  const me = await identityOf(process.pid);
  if (me === undefined) throw new Error("/proc does not show this process");
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const highest = await highestLock(folder);
    const holder = highest === 0 ? released : await holderOf(folder, highest);
    if (holder === undefined) continue;
    if (await isHeldBy(holder)) throw locked(folder, holder);
    const mine = highest + 1;
    if (!(await take(folder, mine, me))) continue;
    if ((await highestLock(folder)) > mine) {
      await unlink(lockPath(folder, mine)).catch(() => undefined);
      continue;
    }
    await dropBelow(folder, mine);
    return lockOf(folder, mine);
  }
  throw locked(folder, "processes that come and go");
}

function lockOf(folder: string, number: number): StateLock {
  let held = true;
  return {
    path: lockPath(folder, number),
    async [Symbol.asyncDispose]() {
      if (!held) return;
      held = false;
      await take(folder, number + 1, released);
      await unlink(lockPath(folder, number));
    },
  };
}

async function take(folder: string, number: number, holder: string): Promise<boolean> {
  try {
    await symlink(holder, lockPath(folder, number));
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw new LinksealError("journal.full", `the lock cannot be written (${errnoOf(error)})`, {
      effect: "none",
      where: folder,
      next: "free space in the state folder, then start again",
      cause: error,
    });
  }
}

async function highestLock(folder: string): Promise<number> {
  return Math.max(0, ...(await lockNumbers(folder)));
}

async function dropBelow(folder: string, number: number): Promise<void> {
  for (const old of await lockNumbers(folder)) {
    if (old < number) await unlink(lockPath(folder, old)).catch(() => undefined);
  }
}

async function lockNumbers(folder: string): Promise<readonly number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => lockName.exec(name)?.[1] ?? []).map(Number);
}

// undefined = it went away since it was listed.
function holderOf(folder: string, number: number): Promise<string | undefined> {
  return readlink(lockPath(folder, number)).catch(() => undefined);
}

// A process id comes round again; with its start time and the boot it names one process for ever.
async function identityOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  });
  // proc_pid_stat(5): state is field 3, start time field 22, counted from the last bracket on.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  const [state, start] = [fields[0], fields[19]];
  // A zombie has closed its files and does nothing more, whether or not its parent has noticed.
  if (state === "Z" || state === "X" || start === undefined) return undefined;
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1");
  return `${pid}:${start}:${boot.trim()}`;
}

async function isAlive(holder: string): Promise<boolean> {
  const pid = /^([1-9]\d*):/.exec(holder)?.[1];
  return pid !== undefined && (await identityOf(Number(pid))) === holder;
}

function lockPath(folder: string, number: number): string {
  return join(folder, `lock.${number}`);
}

function locked(folder: string, holder: string): LinksealError {
  const who = /^\d+(?=:)/.exec(holder)?.[0];
  return new LinksealError(
    "journal.locked",
    `another agent (${who === undefined ? holder : `process ${who}`}) works in ${folder}`,
    { effect: "none", where: folder, next: "linkseal status" },
  );
}
