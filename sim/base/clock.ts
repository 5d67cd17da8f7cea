// Virtual time: a heap of events; after each event, all settled promises run before the next.

import { type Clock, type Instant, instantAfter, type WallTime } from "#hal/world.ts";

/** Cancels what it was returned for; a second call has no effect. */
export type Cancel = () => void;

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** The clock of a whole simulated site, with one queue; `now` never jumps, `wall` may. */
export class SimClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffset: number;
  #heap: Event[] = [];
  #touched = false;
  /** The number of events run so far, for benchmarks. */
  events = 0;
  /** Called after every event and its promises, when the truth is consistent: the oracle's hook. */
  afterEvent: (() => void) | undefined;

  /** `wallStart` is the Unix time in ms at instant 0. */
  constructor(wallStart: number) {
    this.#wallOffset = wallStart;
  }

  /** Returns the monotonic virtual time. */
  now(): Instant {
    return this.#now as Instant;
  }

  /** Returns this host's wall clock in Unix ms. */
  wall(): WallTime {
    return (this.#wallOffset + this.#now) as WallTime;
  }

  /** Moves this host's wall clock; monotonic time is unaffected. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /**
   * Resolves after `ms` of virtual time; an abort cancels the event and rejects with its reason.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = this.after(ms, () => {
        signal?.removeEventListener("abort", abort);
        this.#touched = true;
        resolve();
      });
      const abort = (): void => {
        cancel();
        this.#touched = true;
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Runs `callback` after `ms` (at least 0); later calls for the same moment run later. A callback
   * that settles a promise or calls an async function must call `wake`, or the next event overtakes
   * it.
   */
  after(ms: number, callback: () => void): Cancel {
    const event: Event = {
      at: this.#now + Math.max(0, ms),
      order: this.#order++,
      run: () => {
        event.run = undefined;
        callback();
      },
    };
    push(this.#heap, event);
    return () => {
      event.run = undefined;
    };
  }

  /** Calls `ring` after `ms` of virtual time, and lets promises run before the next event. */
  alarm(ms: number, ring: () => void): Cancel {
    return this.after(ms, () => {
      this.#touched = true;
      ring();
    });
  }

  /** Lets promises run after this event; plain events (most MKA hellos) skip that cost. */
  wake(): void {
    this.#touched = true;
  }

  /** Returns the time of the next event; undefined if none is waiting. */
  next(): Instant | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) pop(this.#heap);
    return this.#heap[0]?.at as Instant | undefined;
  }

  /**
   * Runs every event up to `until`, then sets the clock there. `stop` ends it early between events.
   */
  async run(until: Instant, stop: () => boolean = () => false): Promise<void> {
    await drain();
    while (!stop()) {
      const at = this.next();
      if (at === undefined || at > until) break;
      this.#now = at;
      const event = pop(this.#heap);
      this.#touched = false;
      event?.run?.();
      this.events += 1;
      if (this.#touched) await drain();
      this.afterEvent?.();
    }
    if (!stop() && this.#now < until) this.#now = until;
  }

  /** Runs for a length of time, as `run` does. */
  async runFor(ms: number, stop?: () => boolean): Promise<void> {
    await this.run(instantAfter(this.now(), ms), stop);
  }
}

/**
 * Wraps a stop condition for `run`: the condition is asked after every event and most events change
 * nothing, so it is evaluated only twice a virtual second.
 */
export function twiceASecond(clock: Clock, reached: () => boolean): () => boolean {
  let askedAt = Number.NEGATIVE_INFINITY;
  let is = false;
  return () => {
    if (clock.now() - askedAt >= 500) {
      askedAt = clock.now();
      is = reached();
    }
    return is;
  };
}

/** The number of events per poll of Node for input: one poll costs more than an event. */
const eventsPerTurn = 32;
const drained: (() => void)[] = [];
let immediates = 0;

// Between two immediates, even of one turn, Node runs every settled promise, however deep the
// chain.
function drain(): Promise<void> {
  return new Promise((resolve) => {
    drained.push(resolve);
    if (immediates === 0) schedule();
  });
}

function schedule(): void {
  for (; immediates < eventsPerTurn; immediates += 1) setImmediate(tick);
}

function tick(): void {
  immediates -= 1;
  drained.shift()?.();
  if (immediates === 0 && drained.length > 0) schedule();
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || before(above, event)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    const right = heap[child + 1];
    const left = heap[child];
    if (left === undefined) break;
    if (right !== undefined && before(right, left)) child += 1;
    const smaller = heap[child];
    if (smaller === undefined || before(last, smaller)) break;
    heap[index] = smaller;
    index = child;
  }
  heap[index] = last;
  return top;
}
