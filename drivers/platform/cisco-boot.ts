// When a device of Cisco last booted: some print the moment, others only the time since then.

import type { WallTime } from "#hal/world.ts";
import type { Cli } from "../transport/cli.ts";
import { StagingSession } from "./cisco-direct.ts";

/** What a device prints about its last boot; undefined = it does not print it. */
export interface BootTimes {
  /** When it last booted, as the device prints it. */
  readonly restartedAt: string | undefined;
  /** Time since the boot, rounded down to a minute. */
  readonly uptimeMs: number | undefined;
}

/** A boot, for as long as its id is the same. */
export interface Boot {
  readonly id: string;
  /** When it was, from clock and uptime; undefined = the device prints when it booted. */
  readonly at: WallTime | undefined;
}

/**
 * The uptime is rounded down to a minute, and the device's clock may be corrected meanwhile. No
 * device boots twice within this time.
 */
const bootToleranceMs = 120_000;

/**
 * Returns the last boot; undefined = it is not known. `before`: what was returned the last time,
 * also in an earlier session. A boot that is estimated keeps its id.
 */
export function bootOf(
  { restartedAt, uptimeMs }: BootTimes,
  wall: WallTime,
  before: Boot | undefined,
): Boot | undefined {
  if (restartedAt !== undefined) return { id: restartedAt, at: undefined };
  if (uptimeMs === undefined) return undefined;
  const at = (wall - uptimeMs) as WallTime;
  const isSame = before?.at !== undefined && Math.abs(at - before.at) <= bootToleranceMs;
  const id = isSame ? before.id : `about ${new Date(at).toISOString().slice(0, 16)}`;
  return { id, at };
}

/** A session, and the boot that it reported the last time. */
export class BootedSession<R> extends StagingSession<R> {
  boot: Boot | undefined;

  constructor(cli: Cli, boot: Boot | undefined) {
    super(cli);
    this.boot = boot;
  }
}
