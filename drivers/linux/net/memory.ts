// Access to the undo log, for the parts that change the kernel.

import type { StoredState } from "./stored-state.ts";

/** The undo log, which outlives a crash. */
export interface Memory {
  readonly state: StoredState;
  remember(change: Partial<StoredState>): Promise<void>;
}
