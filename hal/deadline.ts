// Bounds every wait; a call that did not answer in time may still have taken effect.

import { type Effect, LinksealError } from "./error.ts";
import type { Clock } from "./world.ts";

/** The bound of one call and what its timeout reports. */
export interface Deadline {
  /** Longest wait, in milliseconds. */
  readonly ms: number;
  /** The device, file or service that the error names. */
  readonly where: string;
  /** The effect that a lost reply may hide: "none" for reads, "unknown" for everything else. */
  readonly effect: Effect;
}

/**
 * Runs `f` with a signal that aborts after `ms` or with the parent. The parent's abort rejects with
 * the parent's reason; `f` may go on until it notices the signal.
 * @throws LinksealError `transport.timeout` with the deadline's effect when the answer is late.
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
  // A plain listener is used because AbortSignal.any costs more than an observation of a device.
  const follow = (): void => end(parent.reason);
  parent.addEventListener("abort", follow, { once: true });
  let cancel: (() => void) | undefined;
  try {
    const answer = f(limit.signal);
    // An alarm replaces a sleep with a signal of its own: a simulated fleet makes millions of
    // these.
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

/**
 * Waits for the promise or rejects with the signal's reason; an abort does not end what the promise
 * waits for.
 */
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
