// Sends the newest snapshot to each viewer: one is under way at a time, and none waits in a queue.

import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { User } from "../model/client.ts";

/** Why a viewer is disconnected, as a close code of its WebSocket (RFC 6455, 7.4.2) and as text. */
export const feedEnds = {
  tooMany: { code: 4000, text: "the largest number of viewers is reached" },
  tooSlow: { code: 4001, text: "a snapshot was not taken in time" },
  loggedOut: { code: 4002, text: "the session has ended" },
  spoke: { code: 4003, text: "the page sends no messages" },
  closing: { code: 4004, text: "the page is no longer served" },
} as const;
/** A reason for disconnecting a viewer. */
export type FeedEnd = keyof typeof feedEnds;

/** One browser that shows the page. */
export interface Viewer {
  /**
   * Resolves when the operating system has taken the whole text; rejects when the viewer is gone.
   */
  readonly send: (text: string) => Promise<void>;
  /** True as long as the viewer's session is open. */
  readonly holds: () => boolean;
  /** Disconnects the viewer. */
  readonly end: (why: FeedEnd) => void;
  /** The user who asked for the code of its session. */
  readonly user: User;
}

/** What a feed sends, and when. */
export interface FeedParts {
  /** The clock of this host: a viewer of a simulated site uses real time. */
  readonly clock: World["clock"];
  /** Called at least once a second, with and without viewers. */
  readonly turn: () => void;
  /** Makes the first text of a viewer. */
  readonly opening: () => string;
  /** Makes each later text of all viewers. */
  readonly snapshot: () => string;
  /** Called when a viewer is disconnected. */
  readonly dropped: (why: FeedEnd) => void;
}

/** Browsers at once. */
export const viewersMax = 16;
/** Those of one user of the host leave room for others. */
export const userViewersMax = 12;
/**
 * Time between snapshots without news, in milliseconds, so that ages on the page stay the agent's.
 */
const everyMs = 1_000;
/** Delay after an event, in milliseconds; later events up to then are in the same snapshot. */
const apartMs = 200;
const takenMsMax = 30_000;

interface ViewerState {
  /** undefined = nothing is under way. */
  busySince: Instant | undefined;
}

/** Sends snapshots to all viewers. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #viewers = new Map<Viewer, ViewerState>();
  #wake = new AbortController();

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** Number of viewers. */
  get size(): number {
    return this.#viewers.size;
  }

  /** Sends the opening at once, or disconnects a viewer beyond the limit. */
  join(viewer: Viewer): void {
    const { user } = viewer;
    const own = [...this.#viewers.keys()].filter((each) => each.user === user);
    const isUserFull = user !== undefined && own.length >= userViewersMax;
    if (isUserFull || this.#viewers.size >= viewersMax) {
      this.#end(viewer, "tooMany");
      return;
    }
    const state: ViewerState = { busySince: undefined };
    this.#viewers.set(viewer, state);
    this.#send(viewer, state, this.#parts.opening());
  }

  /** Removes a viewer that is gone. */
  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /** Disconnects a viewer. */
  end(viewer: Viewer, why: FeedEnd): void {
    if (this.#viewers.delete(viewer)) this.#end(viewer, why);
  }

  /** Reports that something has happened which viewers should see now. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal aborts; then every viewer is disconnected. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const either = AbortSignal.any([this.#wake.signal, signal]);
      // The sleep may end early; both ends lead on, and the signal is checked below.
      await clock.sleep(everyMs - apartMs, either).catch(() => undefined);
      await clock.sleep(apartMs, signal).catch(() => undefined);
      if (!signal.aborted) this.#round();
    }
    for (const viewer of [...this.#viewers.keys()]) this.end(viewer, "closing");
  }

  #round(): void {
    this.#parts.turn();
    const now = this.#parts.clock.now();
    let text: string | undefined;
    for (const [viewer, state] of [...this.#viewers]) {
      const late =
        state.busySince !== undefined && now >= instantAfter(state.busySince, takenMsMax);
      if (!viewer.holds()) this.end(viewer, "loggedOut");
      else if (late) this.end(viewer, "tooSlow");
      else if (state.busySince === undefined) {
        // Serialised once per round, and only if a viewer needs it.
        text ??= this.#parts.snapshot();
        this.#send(viewer, state, text);
      }
    }
  }

  #send(viewer: Viewer, state: ViewerState, text: string): void {
    state.busySince = this.#parts.clock.now();
    viewer.send(text).then(
      () => {
        state.busySince = undefined;
      },
      () => this.leave(viewer),
    );
  }

  #end(viewer: Viewer, why: FeedEnd): void {
    viewer.end(why);
    this.#parts.dropped(why);
  }
}
