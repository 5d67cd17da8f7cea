// Operations of the management API: they are polled no more often than Azure wants, and never again
// once they ended. An operation that Azure does not show is decided by the document of its
// resource.

import { type Clock, type Instant, instantAfter } from "#hal/world.ts";
import type { Accepted, Arm, OperationState } from "../transport/arm.ts";

interface Known {
  readonly state: OperationState;
  readonly askAt: Instant;
  /** When Azure accepted it; undefined = a predecessor of this process started it. */
  readonly acceptedAt: Instant | undefined;
  /** What the document showed when it was first read without a change in progress, and when. */
  readonly rest?: { readonly picture: string; readonly since: Instant };
  /** The document has decided how the operation ended. */
  readonly isSettled?: true;
}

/** The result of one read of a document. */
export interface DocumentRead {
  /** undefined = something in it is being changed. */
  readonly picture: string | undefined;
  readonly at: Instant;
}

/** A refusal ends when the right or a fresh token arrives, and a new operation may appear late. */
const lostAgainMs = 5_000;
/** Time between the two reads of a document that must agree, in milliseconds. */
const restMs = 30_000;
const knownMax = 256;
const running = { kind: "running", waitMs: 0 } as const;

export class Operations {
  readonly #arm: Arm;
  readonly #clock: Clock;
  readonly #startedAt: Instant;
  readonly #known = new Map<string, Known>();

  constructor(arm: Arm, clock: Clock) {
    this.#arm = arm;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  accepted({ operation, waitMs }: Accepted): void {
    const acceptedAt = this.#clock.now();
    this.#keep(operation, {
      state: running,
      askAt: instantAfter(acceptedAt, waitMs),
      acceptedAt,
    });
  }

  /**
   * Returns the operation's state, from memory while Azure's delay has not passed.
   * @throws LinksealError if the request fails for a reason that says nothing about the operation.
   */
  async state(path: string, signal: AbortSignal): Promise<OperationState> {
    const known = this.#known.get(path);
    const before = this.#clock.now();
    if (known !== undefined && (isOver(known) || before < known.askAt)) return known.state;
    const state = await this.#arm.operation(path, signal);
    this.#keep(path, {
      ...(this.#known.get(path) ?? { acceptedAt: undefined }),
      state,
      askAt: instantAfter(this.#clock.now(), againMs(state)),
    });
    return state;
  }

  /** Returns when it was accepted; for a predecessor's operation, the start of this process. */
  since(path: string): Instant {
    return this.#known.get(path)?.acceptedAt ?? this.#startedAt;
  }

  /**
   * Returns whether a lost operation counts as ended: `graceMs` after it was accepted, once two
   * reads of the document, half a minute apart, showed the same without a change in progress. The
   * decision is final.
   */
  isSettled(path: string, { picture, at }: DocumentRead, graceMs: number): boolean {
    const known = this.#known.get(path);
    if (known === undefined || known.isSettled === true) return known?.isSettled === true;
    if (picture === undefined) {
      const { rest: _, ...restless } = known;
      this.#keep(path, restless);
      return false;
    }
    const rest = known.rest?.picture === picture ? known.rest : { picture, since: at };
    const isSettled = at - rest.since >= restMs && at >= instantAfter(this.since(path), graceMs);
    this.#keep(path, { ...known, rest, ...(isSettled ? { isSettled } : {}) });
    return isSettled;
  }

  #keep(path: string, known: Known): void {
    this.#known.set(path, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= knownMax) break;
      this.#known.delete(oldest);
    }
  }
}

/** A refused operation is polled further, so that the operator sees the right take effect. */
function isOver({ state, isSettled }: Known): boolean {
  switch (state.kind) {
    case "running":
      return false;
    case "succeeded":
    case "failed":
      return true;
    case "lost":
      return isSettled === true && state.refusal === undefined;
  }
}

function againMs(state: OperationState): number {
  switch (state.kind) {
    case "running":
      return state.waitMs;
    case "lost":
      return lostAgainMs;
    case "succeeded":
    case "failed":
      return 0;
  }
}
