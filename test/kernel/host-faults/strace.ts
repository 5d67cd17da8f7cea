// strace(1) beside a process of ours: it counts system calls, and makes one of them fail or be the
// process's last.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One system call: the `nth` of its name since strace was attached. */
export interface Step {
  readonly call: string;
  readonly nth: number;
}

export type Fate =
  | { readonly kind: "none" }
  /** The process gets SIGKILL on entry, so that the call has no effect. */
  | ({ readonly kind: "killed" } & Step)
  /** This call fails alone. */
  | ({ readonly kind: "failed"; readonly errno: string } & Step)
  /** From this one on each call of its name fails, as on a disk that is full. */
  | ({ readonly kind: "failing"; readonly errno: string } & Step);

/** Which calls are seen. */
export interface Scope {
  readonly calls: readonly string[];
  /** Only calls on these files; absent = on all. */
  readonly files?: readonly string[];
}

/** Makes all file calls of a process come from one thread, by which strace counts. */
export const oneFileThread = { UV_THREADPOOL_SIZE: "1" } as const;

function injection(fate: Fate): readonly string[] {
  switch (fate.kind) {
    case "none":
      return [];
    case "killed":
      return ["-e", `inject=${fate.call}:signal=KILL:when=${fate.nth}`];
    case "failed":
      return ["-e", `inject=${fate.call}:error=${fate.errno}:when=${fate.nth}`];
    case "failing":
      return ["-e", `inject=${fate.call}:error=${fate.errno}:when=${fate.nth}+`];
  }
}

export class Strace implements Disposable {
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves once all threads of the process are traced. */
  static async attach(pid: number, { calls, files = [] }: Scope, fate: Fate): Promise<Strace> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-strace-"));
    const paths = files.flatMap((path) => ["-P", path]);
    const seen = ["-e", `trace=${calls.join(",")}`, ...paths, ...injection(fate)];
    const argv = ["-f", "-o", join(folder, "log"), ...seen, "-p", String(pid)];
    const child = spawn("strace", argv, { stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", () => reject(new Error(`strace ended: ${output}`)));
      child.stderr.on("data", (chunk) => {
        output += String(chunk);
        if (/attached/.test(output)) resolve();
      });
    });
    return new Strace(child, folder);
  }

  /** Detaches, if the process lives; returns the calls that it made, by name. */
  async end(): Promise<ReadonlyMap<string, number>> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "close");
      this.#child.kill("SIGINT");
      await ended;
    }
    const counts = new Map<string, number>();
    for (const line of readFileSync(join(this.#folder, "log"), "latin1").split("\n")) {
      const name = /^\d+ +([a-z0-9_]+)\(/.exec(line)?.[1];
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true });
  }
}

/** Lists each single call that was counted. */
export function stepsOf(counts: ReadonlyMap<string, number>): readonly Step[] {
  return [...counts].flatMap(([call, count]) =>
    Array.from({ length: count }, (_, index) => ({ call, nth: index + 1 })),
  );
}

/** Calls that change a file or its folder, and those that only look. */
export const fileCalls = {
  changing: ["openat", "write", "fsync", "rename", "unlink", "ftruncate"],
  looking: ["read", "close", "statx", "newfstatat", "fstat", "getdents64"],
} as const;
