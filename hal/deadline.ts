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

// Without a reason of its own every abort would build an exception with a stack, a million times.
const over = "the wait is over";

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
  const alarm = new AbortController();
  // Plain listeners: AbortSignal.any costs more than a look at a device.
  const follow = (): void => {
    limit.abort(parent.reason);
    alarm.abort(parent.reason);
  };
  const expire = async (): Promise<never> => {
    await clock.sleep(deadline.ms, alarm.signal);
    const error = new LinksealError("transport.timeout", `no answer within ${deadline.ms} ms`, {
      effect: deadline.effect,
      where: deadline.where,
      next: "linkseal status",
    });
    limit.abort(error);
    throw error;
  };
  parent.addEventListener("abort", follow, { once: true });
  try {
    return await Promise.race([f(limit.signal), expire()]);
  } finally {
    parent.removeEventListener("abort", follow);
    alarm.abort(over);
  }
}
