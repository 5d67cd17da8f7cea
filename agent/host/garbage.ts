// Memory that is no longer used goes back to the host: a process that mostly waits allocates so
// little that V8 would do that after hours.

import type { Clock } from "#hal/world.ts";

/** The time between collections; one takes some 15 ms. */
const collectMs = 600_000;

/** The part of Node's gc() (`--expose-gc`) that this needs. */
type Collect = (options: {
  readonly type: "major";
  readonly execution: "sync";
  readonly flavor: "last-resort";
}) => void;

/**
 * Collects now and every ten minutes, until the signal aborts. `collect`: gc() of this process;
 * undefined = Node was started without it, and V8 decides alone.
 */
export async function collectGarbage(
  clock: Pick<Clock, "sleep">,
  end: AbortSignal,
  collect: Collect | undefined = globalThis.gc,
): Promise<void> {
  if (collect === undefined) return;
  while (!end.aborted) {
    // V8 also returns the pages that it holds in reserve in this kind of collection alone.
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    await clock.sleep(collectMs, end).catch(() => undefined);
  }
}
