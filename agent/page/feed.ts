// The newest snapshot to whoever watches: one on its way to each, and never a queue behind it.

import { type Instant, instantAfter, type World } from "#hal/world.ts";

/** Why a viewer is cut off, as a close code of its WebSocket (RFC 6455, 7.4.2) and in words. */
export const feedEnds = {
  tooMany: { code: 4000, text: "as many viewers look already as are served at once" },
  tooSlow: { code: 4001, text: "a snapshot was not taken in time" },
  loggedOut: { code: 4002, text: "the session has ended" },
  spoke: { code: 4003, text: "the page only listens" },
  closing: { code: 4004, text: "the page is served no longer" },
} as const;
export type FeedEnd = keyof typeof feedEnds;

export interface Viewer {
  /** Resolves once the system has taken all of it; rejects once the viewer is gone. */
  readonly send: (text: string) => Promise<void>;
  readonly holds: () => boolean;
  readonly end: (why: FeedEnd) => void;
}

export interface FeedParts {
  /** Of this host: who watches a simulated site lives outside of its time. */
  readonly clock: World["clock"];
  /** What a viewer gets first, and then again and again. */
  readonly opening: () => string;
  readonly snapshot: () => string;
  readonly dropped: (why: FeedEnd) => void;
}

export const viewersMax = 16;
/** With nothing new, so that ages are those of the agent. */
const everyMs = 1_000;
/** After something has happened; what happens meanwhile goes along. */
const apartMs = 200;
const takenMsMax = 30_000;

interface Seat {
  /** undefined = nothing is on its way. */
  busySince: Instant | undefined;
}

export class Feed {
  readonly #parts: FeedParts;
  readonly #seats = new Map<Viewer, Seat>();
  #wake = new AbortController();

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** Sends the opening at once, or ends a viewer who is one too many. */
  join(viewer: Viewer): void {
    if (this.#seats.size >= viewersMax) {
      this.#end(viewer, "tooMany");
      return;
    }
    const seat: Seat = { busySince: undefined };
    this.#seats.set(viewer, seat);
    this.#send(viewer, seat, this.#parts.opening());
  }

  leave(viewer: Viewer): void {
    this.#seats.delete(viewer);
  }

  end(viewer: Viewer, why: FeedEnd): void {
    if (this.#seats.delete(viewer)) this.#end(viewer, why);
  }

  /** Something has happened that a viewer wants to see now. */
  wake(): void {
    this.#wake.abort();
  }

  /** Until the signal aborts; every viewer is told of the end. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const either = AbortSignal.any([this.#wake.signal, signal]);
      // Woken or not, it is time; and the end is looked at.
      await clock.sleep(everyMs - apartMs, either).catch(() => undefined);
      await clock.sleep(apartMs, signal).catch(() => undefined);
      if (!signal.aborted) this.#round();
    }
    for (const viewer of [...this.#seats.keys()]) this.end(viewer, "closing");
  }

  #round(): void {
    const now = this.#parts.clock.now();
    let text: string | undefined;
    for (const [viewer, seat] of [...this.#seats]) {
      const late = seat.busySince !== undefined && now >= instantAfter(seat.busySince, takenMsMax);
      if (!viewer.holds()) this.end(viewer, "loggedOut");
      else if (late) this.end(viewer, "tooSlow");
      else if (seat.busySince === undefined) {
        // Made once for all, and for nobody not at all.
        text ??= this.#parts.snapshot();
        this.#send(viewer, seat, text);
      }
    }
  }

  #send(viewer: Viewer, seat: Seat, text: string): void {
    seat.busySince = this.#parts.clock.now();
    viewer.send(text).then(
      () => {
        seat.busySince = undefined;
      },
      () => this.leave(viewer),
    );
  }

  #end(viewer: Viewer, why: FeedEnd): void {
    viewer.end(why);
    this.#parts.dropped(why);
  }
}
