// The cost of virtual time: an event compared with a bare turn of the event loop, and whole sites.

import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";
import { buildStormSite, Poller } from "../test/storm/storm-site.ts";
import { type Bench, sized } from "./bench.ts";

const actors = 200;
const events = sized(100_000, 1_000);

async function microsecondsPerEvent(start: (clock: SimClock) => void): Promise<number> {
  const clock = new SimClock(0);
  start(clock);
  const begun = performance.now();
  await clock.run(Number.MAX_SAFE_INTEGER as Instant, () => clock.events >= events);
  return ((performance.now() - begun) * 1000) / events;
}

// Every actor sleeps and wakes: each event settles promises and drains them.
function asyncActors(clock: SimClock): void {
  const actor = async (period: number): Promise<void> => {
    for (;;) await clock.sleep(period);
  };
  for (let index = 0; index < actors; index += 1) void actor(100 + index);
}

// Actors like MKA hellos: a callback that schedules the next one.
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

const pairSeconds = sized(100_000, 1_000);

/**
 * Measures virtual seconds per real second of one pair: every MKA hello, BGP, traffic and tunnels.
 */
async function pairSpeed(judge: "alone" | "watched"): Promise<number> {
  const site = buildSite({ seed: "pair", name: "demo", groups: 1, tunnels: 2, start: "protected" });
  if (judge === "watched") watchSite(site);
  const begun = performance.now();
  await site.clock.runFor(pairSeconds * 1000);
  return (pairSeconds * 1000) / (performance.now() - begun);
}

const stormDays = sized(7, 0.01);
const pollMs = 10_000;
const lastStorm = { eventsPerSecond: 0 };

/**
 * Measures the seconds for a week of twenty routers, each observed every ten seconds, under the
 * oracle.
 */
async function stormWeek(): Promise<number> {
  const { site, oracle } = buildStormSite({
    seed: "fleet",
    routers: 20,
    tunnels: 20,
    start: "protected",
    models: "best",
    writeLine: () => {},
  });
  const stop = new AbortController();
  const poller = new Poller(site, pollMs, stop.signal);
  const begun = performance.now();
  await site.clock.runFor(stormDays * 86_400_000);
  const seconds = (performance.now() - begun) / 1000;
  stop.abort();
  if (poller.observations === 0 || oracle.violations.length > 0)
    throw new Error("the week went wrong");
  lastStorm.eventsPerSecond = site.clock.events / seconds;
  return seconds;
}

const peer = { name: "bare setImmediate loop", sample: bareTurns };

export const bench: Bench = {
  title: `${events.toLocaleString("en")} events of ${actors} actors, then simulated sites`,
  runs: 7,
  figures: [
    {
      name: "an event that wakes a promise",
      unit: "µs",
      ours: () => microsecondsPerEvent(asyncActors),
      peer,
    },
    { name: "a plain event", unit: "µs", ours: () => microsecondsPerEvent(plainActors), peer },
    { name: "a protected pair", unit: "virtual s/s", runs: 3, ours: () => pairSpeed("alone") },
    { name: "and the oracle", unit: "virtual s/s", runs: 3, ours: () => pairSpeed("watched") },
    { name: `20 routers, ${stormDays} days, 10 s polls`, unit: "s", runs: 1, ours: stormWeek },
    { name: "events", unit: "events/s", runs: 1, ours: () => lastStorm.eventsPerSecond },
  ],
};
