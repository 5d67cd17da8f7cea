// Carries out the requests of one session of a simulated router in virtual time, one after the
// other, independent of the protocol.

import type { Router } from "../router/router.ts";

const slowFactor = 20;
const lateReplyMs = { low: 5_000, high: 40_000 };

/** The end of a request without a reply; `never` means that no answer will come. */
export interface Unanswered {
  readonly kind: "close" | "never";
}

/** One session; it ends when its router loses its network. */
export class Exchange {
  readonly #router: Router;
  readonly #close: () => void;
  readonly #closed: () => void;
  isBusy = false;
  isOver = false;

  /** `close` ends the channel, and `closed` ends the session's state on the router. */
  constructor(router: Router, close: () => void, closed: () => void) {
    this.#router = router;
    this.#close = close;
    this.#closed = closed;
  }

  /** Reports that the client has left. */
  gone(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#closed();
  }

  end(): void {
    this.gone();
    this.#close();
  }

  /** Runs a request; half of its time passes before its effect, and half after it. */
  take<T extends string | { readonly kind: string }>(
    ms: number,
    run: () => T,
    answer: (outcome: T) => void,
  ): void {
    const { clock, prng } = this.#router.options;
    const halfMs = (ms * (this.#router.hasFault("slow") ? slowFactor : 1)) / 2;
    const wait = (waitMs: number, next: () => void): void => {
      clock.after(waitMs, () => {
        clock.wake();
        if (!this.isOver) next();
      });
    };
    const half = (next: () => void): void => {
      wait(halfMs, () => {
        if (this.#router.reachable()) next();
        else this.end();
      });
    };
    this.isBusy = true;
    half(() => {
      const outcome = run();
      half(() => {
        if (typeof outcome === "object" && outcome.kind === "close") this.end();
        else if (!this.#router.hasFault("replyLate")) answer(outcome);
        else {
          const { low, high } = lateReplyMs;
          wait(prng.fork("late").between(low, high), () => answer(outcome));
        }
      });
    });
  }
}

/** Returns the end of a request that has its effect but whose reply is lost. */
export function lost({ options: { prng } }: Router, name: string | number): Unanswered {
  return { kind: prng.fork(`lost-${name}`).chance(0.5) ? "close" : "never" };
}
