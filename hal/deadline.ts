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
  const finished = new AbortController();
  const expire = async (): Promise<never> => {
    await clock.sleep(deadline.ms, AbortSignal.any([parent, finished.signal]));
    const error = new LinksealError("transport.timeout", `no answer within ${deadline.ms} ms`, {
      effect: deadline.effect,
      where: deadline.where,
      next: "linkseal status",
    });
    limit.abort(error);
    throw error;
  };
  try {
    return await Promise.race([f(AbortSignal.any([parent, limit.signal])), expire()]);
  } finally {
    finished.abort();
  }
}
