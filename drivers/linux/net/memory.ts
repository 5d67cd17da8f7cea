// Access to the undo log, for the parts that change the kernel.

import type { Kept } from "./kept.ts";

/** The undo log, which outlives a crash. */
export interface Memory {
  readonly kept: Kept;
  remember(change: Partial<Kept>): Promise<void>;
}
