// A bound on every wait: what does not answer in time may still have happened.

import { type Effect, LinksealError } from "./error.ts";
import type { Clock } from "./world.ts";

export interface Deadline {
  readonly ms: number;
  /** Place named in the error. */
  readonly where: string;
  /** What a lost reply may have done: "none" for reads, "unknown" for everything else. */
  readonly effect: Effect;
}

/**
 * Runs `f` with a signal that aborts after `ms` or with the parent; late answers are
 * `transport.timeout`.
 */
export async function withDeadline<T>(
  clock: Clock,
  deadline: Deadline,
  parent: AbortSignal,
  f: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  const limit = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    limit.abort(reason);
    reject(reason);
  };
  // A plain listener: AbortSignal.any costs more than a look at a device.
  const follow = (): void => end(parent.reason);
  parent.addEventListener("abort", follow, { once: true });
  let cancel: (() => void) | undefined;
  try {
    const answer = f(limit.signal);
    // An alarm, and no sleep with a signal of its own: a fleet run makes millions of these.
    cancel = clock.alarm(deadline.ms, () => end(timeout(deadline)));
    return await Promise.race([answer, over]);
  } finally {
    parent.removeEventListener("abort", follow);
    cancel?.();
  }
}

function timeout({ ms, effect, where }: Deadline): LinksealError {
  const next = "linkseal status";
  return new LinksealError("transport.timeout", `no answer within ${ms} ms`, {
    effect,
    where,
    next,
  });
}

/** The promise, or a rejection with the signal's reason; what it waits for is not ended by that. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
