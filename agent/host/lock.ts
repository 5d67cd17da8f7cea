// One process per folder. The lock is the kernel's, flock(2) on open files: every PID and mount
// namespace sees it, and it ends with its process, however the process ends. Node has no such call,
// and the addon may be missing, so flock(1) takes the lock: it belongs to the open file, which a
// child shares, so this process keeps it when that child has ended. No other child keeps it: Node
// opens each file with O_CLOEXEC.

import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, open, readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { unwritable } from "../store/journal/unwritable.ts";
import { openOwn } from "./disk.ts";
import { errnoOf } from "./folder.ts";

/** Released by a call, or by the end of the process, however it ends. */
export interface StateLock extends AsyncDisposable {
  /** The file that names the holder, for information only; it is never removed. */
  readonly path: string;
}

/** A name that no state file can have. */
const lockName = ".lock";
const holderText = /^([1-9]\d{0,9}) (([\w.-]{1,64}) pid:\[\d+\])\n$/;
/** Open locks: a file that is garbage-collected is closed, and its lock would end. */
const held = new Set<AsyncDisposableStack>();

/**
 * Takes the lock of a folder that only we can write.
 * @throws LinksealError with `journal.locked` if another process has it, `usage` if this host has
 * no such lock, `journal.full` if its file cannot be made
 */
export async function lockState(folder: string): Promise<StateLock> {
  const path = join(folder, lockName);
  await using opened = new AsyncDisposableStack();
  const take = async (file: FileHandle): Promise<void> => {
    opened.defer(() => file.close());
    await lockFile(file, folder);
  };
  // Both are locked: the folder, since a file can be removed, and the next process would lock
  // another one; and a file, since NFS carries the locks of files alone to another host.
  await take(await open(folder, constants.O_RDONLY | constants.O_DIRECTORY));
  try {
    // Not opened for writing: that would keep an operator from making the file system read-only.
    await take(await openLock(path, constants.O_RDONLY | constants.O_CREAT));
  } catch (error) {
    if (!(error instanceof LinksealError) || error.code !== "usage") throw error;
    // NFS locks a range of octets, for which the file must be open for writing.
    await take(await openLock(path, constants.O_RDWR));
  }
  await writeHolder(path);
  const files = opened.move();
  held.add(files);
  const release = async (): Promise<void> => {
    held.delete(files);
    await files.disposeAsync();
  };
  return { path, [Symbol.asyncDispose]: release };
}

async function openLock(path: string, flags: number): Promise<FileHandle> {
  try {
    return await openOwn(path, flags);
  } catch (error) {
    throw error instanceof LinksealError ? error : unwritable(path, path, error);
  }
}

const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };
/** The program does not wait for the lock: if it needs longer, it hangs. */
const programMsMax = 10_000;
/**
 * Status of flock(1) if another process has the lock; busybox also ends so for other errors, and
 * prints why.
 */
const takenStatus = 1;

async function lockFile(file: FileHandle, folder: string): Promise<void> {
  const { status, text } = await runFlock(file, folder);
  if (status === 0) return;
  if (status === takenStatus && text === "") throw await locked(folder);
  const why = text === "" ? `it ended with ${status ?? "a signal"}` : text;
  throw unlockable(folder, `flock cannot lock it (${why})`, `keep ${folder} on a local disk`);
}

function runFlock(
  { fd }: FileHandle,
  folder: string,
): Promise<{ readonly status: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", ["-n", "3"], {
      stdio: ["ignore", "ignore", "pipe", fd],
      env: environment,
      signal: AbortSignal.timeout(programMsMax),
      killSignal: "SIGKILL",
    });
    let text = "";
    child.stderr?.on("data", (data: Buffer) => {
      text = (text + data.toString("latin1")).slice(0, 200);
    });
    child.once("error", (cause) => {
      const why = `the program flock cannot be run (${errnoOf(cause)})`;
      reject(unlockable(folder, why, "apt-get install util-linux, then start again", cause));
    });
    child.once("close", (status) => resolve({ status, text: foreignText(text) }));
  });
}

function unlockable(folder: string, why: string, next: string, cause?: unknown): LinksealError {
  const text = `${why}: it is not known whether another process works in ${folder}`;
  return new LinksealError("usage", text, { effect: "none", where: folder, next, cause });
}

/**
 * Returns host and PID namespace; a process number means something in its own PID namespace alone.
 */
async function here(): Promise<string> {
  return `${hostname()} ${await readlink("/proc/self/ns/pid")}`;
}

// On a full disk the file stays empty, on a read-only one as it was: the lock does not need it.
async function writeHolder(path: string): Promise<void> {
  try {
    await using file = await openOwn(path, constants.O_WRONLY | constants.O_TRUNC);
    await file.writeFile(`${process.pid} ${await here()}\n`);
  } catch (error) {
    if (errnoOf(error) === "no errno") throw error;
  }
}

async function locked(folder: string): Promise<LinksealError> {
  const text = await readFile(join(folder, lockName), "latin1").catch(() => "");
  const [, pid, place, host] = holderText.exec(text) ?? [];
  const elsewhere = place === (await here()) ? "" : ` of another container or host, ${host}`;
  const who = pid === undefined ? "" : ` (process ${pid}${elsewhere})`;
  return new LinksealError("journal.locked", `another agent${who} works in ${folder}`, {
    effect: "none",
    where: folder,
    next: "linkseal status, or stop the other agent",
  });
}
