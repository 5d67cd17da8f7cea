// What virtual time costs: an event with its promises, against the bare event loop under it.

import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/clock.ts";
import type { Bench } from "./bench.ts";

const actors = 200;
const events = 100_000;

async function microsecondsPerEvent(start: (clock: SimClock) => void): Promise<number> {
  const clock = new SimClock(0);
  start(clock);
  const begun = performance.now();
  await clock.run(Number.MAX_SAFE_INTEGER as Instant, () => clock.events >= events);
  return ((performance.now() - begun) * 1000) / events;
}

// Every actor sleeps and wakes: each event settles promises and is drained.
function asyncActors(clock: SimClock): void {
  const actor = async (period: number): Promise<void> => {
    for (;;) await clock.sleep(period);
  };
  for (let index = 0; index < actors; index += 1) void actor(100 + index);
}

// As MKA hellos are: a callback that asks for the next one.
function plainActors(clock: SimClock): void {
  for (let index = 0; index < actors; index += 1) {
    const tick = (): void => {
      clock.after(100 + index, tick);
    };
    tick();
  }
}

async function bareTurns(): Promise<number> {
  const begun = performance.now();
  for (let turn = 0; turn < events; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return ((performance.now() - begun) * 1000) / events;
}

const peer = { name: "bare setImmediate loop", sample: bareTurns };

export const bench: Bench = {
  title: `${events.toLocaleString("en")} events of ${actors} actors under virtual time`,
  runs: 7,
  figures: [
    {
      name: "an event that wakes a promise",
      unit: "µs",
      ours: () => microsecondsPerEvent(asyncActors),
      peer,
    },
    { name: "a plain event", unit: "µs", ours: () => microsecondsPerEvent(plainActors), peer },
  ],
};
