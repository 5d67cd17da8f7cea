// Long work in slices, so that one device does not keep the event loop from the others.

import { setImmediate } from "node:timers/promises";

/** Returns turns: each resolves in one that no other of them has. */
export function ownTurns(): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.then(nextTurn);
    return last;
  };
}

/** Resolves after the event loop has served whatever else waits. */
export async function nextTurn(): Promise<void> {
  await setImmediate();
}
