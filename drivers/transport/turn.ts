// Long work in slices, so that one device does not keep the event loop from the others.

import { setImmediate } from "node:timers/promises";

/** Resolves after the event loop has served whatever else waits. */
export async function nextTurn(): Promise<void> {
  await setImmediate();
}
