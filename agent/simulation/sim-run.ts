// What every simulation of this process needs: a folder, its socket, its end and its exit status.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usage } from "../cli/failure.ts";
import type { StaffedSite } from "./simulate.ts";

/** Virtual time that an agent which follows the site's clock may lag behind. */
export const leashMs = 500;

/** Aborts at SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export function stopAsked(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => stop.abort());
  }
  return stop.signal;
}

/** Resolves once the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/** In a folder that is gone afterwards. */
export async function inFolder<T>(name: string, run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), name));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** For a server that cannot be opened where an option says: another one is to be chosen. */
export function taken(what: "port" | "socket"): (error: unknown) => never {
  return (error) => {
    const text = error instanceof Error ? error.message : `no ${what}`;
    throw usage(text, `choose another --${what}`);
  };
}

/** 1 if the oracle saw a broken promise; each is written to standard error. */
export async function verdictOf({ oracle }: Pick<StaffedSite, "oracle">): Promise<0 | 1> {
  const { formatViolation } = await import("./simulate.ts");
  for (const violation of oracle.violations) {
    process.stderr.write(`${formatViolation(violation)}\n`);
  }
  return oracle.violations.length === 0 ? 0 : 1;
}
