// What linkseal-net keeps over a crash, as those that change the kernel use it.

import type { Kept } from "./kept.ts";

/** What outlives a crash. */
export interface Memory {
  readonly kept: Kept;
  remember(change: Partial<Kept>): Promise<void>;
}
