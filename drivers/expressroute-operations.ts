// Operations of the management API: asked no more often than Azure wants, and never again once they
// ended.

import { type Clock, type Instant, instantAfter } from "#hal/world.ts";
import type { Accepted, Arm, OperationState } from "./transport/arm.ts";

interface Known {
  readonly state: OperationState;
  readonly askAt: Instant;
  /** undefined = a predecessor of this process was told of it. */
  readonly acceptedAt: Instant | undefined;
}

/** A new operation may not be known everywhere at once. */
const unheardMsMax = 60_000;
const knownMax = 256;
const running = { kind: "running", waitMs: 0 } as const;

export class Operations {
  readonly #arm: Arm;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(arm: Arm, clock: Clock) {
    this.#arm = arm;
    this.#clock = clock;
  }

  accepted({ operation, waitMs }: Accepted): void {
    const acceptedAt = this.#clock.now();
    this.#keep(operation, {
      state: running,
      askAt: instantAfter(acceptedAt, waitMs),
      acceptedAt,
    });
  }

  /** Throws what kept it from being asked. */
  async state(path: string, signal: AbortSignal): Promise<OperationState> {
    const known = this.#known.get(path);
    const before = this.#clock.now();
    if (known !== undefined && (known.state.kind !== "running" || before < known.askAt)) {
      return known.state;
    }
    const told = await this.#arm.operation(path, signal);
    const now = this.#clock.now();
    const { acceptedAt } = known ?? { acceptedAt: undefined };
    const unheard = acceptedAt !== undefined && now - acceptedAt < unheardMsMax;
    const state = told.kind === "over" && unheard ? running : told;
    const waitMs = state.kind === "running" ? state.waitMs : 0;
    this.#keep(path, { state, askAt: instantAfter(now, waitMs), acceptedAt });
    return state;
  }

  #keep(path: string, known: Known): void {
    this.#known.set(path, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= knownMax) break;
      this.#known.delete(oldest);
    }
  }
}
