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
   * Resolves when the operating system has taken the whole text in UTF-8, which viewers share;
   * rejects when the viewer is gone.
   */
  readonly send: (text: Uint8Array) => Promise<void>;
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
/** Texts that viewers have not taken have so many octets together, beside the newest one. */
export const untakenBytesMax = 16 * 1024 * 1024;

interface ViewerState {
  /** undefined = nothing is under way. */
  busySince: Instant | undefined;
  /** What is under way. */
  text: Uint8Array | undefined;
}

/** Sends snapshots to all viewers. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #viewers = new Map<Viewer, ViewerState>();
  /** What all viewers get first that come before the next round. */
  #opening: Uint8Array | undefined;
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
    const state: ViewerState = { busySince: undefined, text: undefined };
    this.#viewers.set(viewer, state);
    // A viewer that comes again and again costs one opening a round.
    this.#opening ??= encoded(this.#parts.opening());
    this.#send(viewer, state, this.#opening);
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
    this.#opening = undefined;
    const now = this.#parts.clock.now();
    let text: Uint8Array | undefined;
    for (const [viewer, state] of [...this.#viewers]) {
      const late =
        state.busySince !== undefined && now >= instantAfter(state.busySince, takenMsMax);
      if (!viewer.holds()) this.end(viewer, "loggedOut");
      else if (late) this.end(viewer, "tooSlow");
      else if (state.busySince === undefined) {
        // Serialised once per round, and only if a viewer needs it.
        text ??= encoded(this.#parts.snapshot());
        this.#send(viewer, state, text);
      }
    }
  }

  #send(viewer: Viewer, state: ViewerState, text: Uint8Array): void {
    state.busySince = this.#parts.clock.now();
    state.text = text;
    this.#limitUntaken(text);
    const taken = (): void => {
      state.busySince = undefined;
      state.text = undefined;
    };
    viewer.send(text).then(taken, () => this.leave(viewer));
  }

  /** Disconnects the viewers of the oldest texts, where those that are kept are too long. */
  #limitUntaken(newest: Uint8Array): void {
    const waiting = [...this.#viewers].filter(([, { text }]) => text !== undefined);
    const since = ([, { busySince }]: (typeof waiting)[number]): number => busySince ?? 0;
    waiting.sort((a, b) => since(b) - since(a));
    const kept = new Set([newest]);
    let octets = 0;
    for (const [viewer, { text = newest }] of waiting) {
      if (!kept.has(text)) octets += text.length;
      kept.add(text);
      if (octets > untakenBytesMax) this.end(viewer, "tooSlow");
    }
  }

  #end(viewer: Viewer, why: FeedEnd): void {
    viewer.end(why);
    this.#parts.dropped(why);
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
