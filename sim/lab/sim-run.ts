// What every simulation of this process needs: a folder, its socket, its end and its exit status.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usage } from "#agent/cli/failure.ts";
import type { StaffedSite } from "./simulate.ts";

/** Virtual milliseconds that an agent which follows the site's clock may lag behind. */
export const leashMs = 500;

/**
 * Returns a signal that aborts at SIGINT, SIGTERM or SIGHUP; a second one ends the process at once.
 */
export function stopAsked(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => stop.abort());
  }
  return stop.signal;
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/** Runs in a temporary folder, which is removed afterwards. */
export async function inFolder<T>(name: string, run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), name));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Makes a handler for a server that cannot be opened at an option's port or path; it advises
 * another one.
 * @throws LinksealError (from the handler) with `usage`
 */
export function taken(what: "port" | "socket"): (error: unknown) => never {
  return (error) => {
    const text = error instanceof Error ? error.message : `no ${what}`;
    throw usage(text, `choose another --${what}`);
  };
}

/** Returns 1 if the oracle saw a broken promise; each is written to standard error. */
export async function verdictOf({ oracle }: Pick<StaffedSite, "oracle">): Promise<0 | 1> {
  const { formatViolation } = await import("./simulate.ts");
  for (const violation of oracle.violations) {
    process.stderr.write(`${formatViolation(violation)}\n`);
  }
  return oracle.violations.length === 0 ? 0 : 1;
}
