// The real World: the only place where time, files, sockets, randomness and the environment come
// from.

import { randomBytes } from "node:crypto";
import type { Clock, Disk, Entropy, LogLevel, World } from "#hal/world.ts";
import { hostClock } from "./clock.ts";
import { hostDialer } from "./dialer.ts";
import { FsDisk } from "./disk.ts";
import { hostLog } from "./log.ts";

export { followingClock, hostClock } from "./clock.ts";
export { hostDialer } from "./dialer.ts";
export { openHostKey, openReportKey, readHostId } from "./key.ts";
export { lockState } from "./lock.ts";

export interface HostOptions {
  /** The state folder; created with mode 0700, refused (`usage`) if others can reach into it. */
  readonly state: string;
  readonly level: LogLevel;
  /** A followed site's clock; the host's own if absent. */
  readonly clock?: Clock;
}

export const hostEntropy: Entropy = { bytes: (length) => Uint8Array.from(randomBytes(length)) };

/** Opens the state folder and binds clock, entropy, dialer and log to this host. */
export async function hostWorld(options: HostOptions): Promise<World> {
  const clock = options.clock ?? hostClock;
  const disk: Disk = await FsDisk.open(options.state);
  const { JOURNAL_STREAM: journalStream } = process.env;
  const log = hostLog({ level: options.level, clock, fd: 1, journalStream });
  return { clock, entropy: hostEntropy, disk, dial: hostDialer, log };
}
