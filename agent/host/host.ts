// The real World: the only module that uses this host's time, files, sockets, randomness and
// environment.

import type { Clock, LogLevel, World } from "#hal/world.ts";
import { followingClock, hostClock } from "./clock.ts";
import { hostDialer } from "./dialer.ts";
import { FsDisk } from "./disk.ts";
import { hostEntropy } from "./entropy.ts";
import { hostLog } from "./log.ts";

export { followingClock, hostClock } from "./clock.ts";
export { closingConnections, hostDialer } from "./dialer.ts";
export { openHostKey, openReportKey, readHostId } from "./key.ts";
export { lockState } from "./lock.ts";

export interface HostOptions {
  /**
   * The state folder; created with mode 0700, and refused (`usage`) if other users may enter it.
   */
  readonly state: string;
  readonly level: LogLevel;
  /** Address of the simulated site whose time is used; absent = this host's own time. */
  readonly site?: string;
}

/**
 * Opens the state folder and binds clock, entropy, dialer and log to this host.
 * @throws LinksealError with `usage` if the folder is not safe
 */
export async function hostWorld(options: HostOptions): Promise<World> {
  const disk = await FsDisk.open(options.state);
  const clock = await clockOf(options, disk);
  const { JOURNAL_STREAM: journalStream } = process.env;
  const log = hostLog({ level: options.level, clock, fd: 1, journalStream });
  return { clock, entropy: hostEntropy, disk, dial: hostDialer, log };
}

async function clockOf({ site }: HostOptions, disk: FsDisk): Promise<Clock> {
  if (site === undefined) return hostClock;
  return await followingClock(hostDialer, site, () => disk.isBusy);
}
