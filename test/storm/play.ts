// Days of a storm: a site is enrolled from clear and watched, and its agent is restarted now and
// then, under a fault schedule if that is asked for.

import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { Storm } from "./fault-storm.ts";
import { ProcessRestarts } from "./process-restarts.ts";
import { type ActiveDefect, hookOf, noDefect, type SeededDefect } from "./seeded-defect.ts";
import { StormRun } from "./storm-run.ts";

export interface PlayOptions {
  readonly seed: string;
  /** The number of routers: even, since every group has two. */
  readonly routers: number;
  readonly days: number;
  /** `off`: no fault ever strikes, and all routers are the best there are. */
  readonly faults: "on" | "off";
  readonly defect: SeededDefect | undefined;
  readonly writeLine: (line: string) => void;
  readonly stop: AbortSignal;
}

export interface Played {
  readonly virtualMs: number;
  readonly observations: number;
  readonly events: number;
  readonly starts: number;
  /** Broken promises, seed and promise first. */
  readonly broken: readonly string[];
  /** The groups and tunnels that did not come to rest, seed first. */
  readonly restless: readonly string[];
}

const dayMs = 86_400_000;
/**
 * Long enough for a first enrolment of every group, in milliseconds; the first restart of the agent
 * follows it.
 */
const enrolMs = 3_600_000;
/** The mean time between two strikes at one router, in milliseconds. */
const strikeMs = 4 * 3_600_000;
/** The part of a run in which faults strike; in the rest everything must come to rest. */
const stormShare = 0.75;

/**
 * Plays a run, which ends early at the first broken promise. Rejects with the error that broke the
 * agent.
 */
export async function playStorm(options: PlayOptions): Promise<Played> {
  const { seed, routers, days, faults, stop, writeLine } = options;
  const models = faults === "on" ? "mixed" : "best";
  const tunnels = routers;
  const active = options.defect?.activate() ?? noDefect;
  const onDecision = hookOf(active);
  const run = new StormRun({
    seed,
    routers,
    tunnels,
    start: "clear",
    models,
    onDecision,
    writeLine,
  });
  const { site, oracle } = run.stormSite;
  const restarts = restartsOf(run, active);
  const end = instantAfter(site.clock.now(), days * dayMs);
  const ended = (): boolean =>
    stop.aborted || oracle.violations.length > 0 || restarts.broken.length > 0;
  const until = async (at: Instant): Promise<void> => {
    await site.clock.run(Math.min(at, end) as Instant, ended);
  };
  restarts.start();
  const storm =
    faults === "on" ? new Storm({ site, everyMs: strikeMs / routers, kindChance: 0.5 }) : undefined;
  const calmAt = instantAfter(site.clock.now(), days * dayMs * stormShare);
  site.clock.after(calmAt - site.clock.now(), () => {
    storm?.calm();
    site.clock.wake();
  });
  await until(instantAfter(site.clock.now(), enrolMs));
  while (!ended() && site.clock.now() < end) {
    // P4: while everything is as wanted, a start of the agent is never the reason for a change.
    const equal = run.rest().every(({ kind }) => kind === "protected");
    if (storm === undefined && equal) oracle.expectNoWrites("every device equals the intent");
    restarts.restart();
    await until(instantAfter(site.clock.now(), dayMs));
  }
  if (restarts.broken.length > 0) throw restarts.broken[0];
  const restless = ended() ? [] : restlessOf(run, faults);
  run.end();
  return {
    virtualMs: site.clock.now(),
    observations: run.observations,
    events: site.clock.events,
    starts: restarts.count,
    broken: oracle.violations.map(formatViolation),
    restless: restless.map((text) => `seed ${seed} never at rest: ${text}`),
  };
}

function restartsOf(run: StormRun, active: ActiveDefect): ProcessRestarts {
  const { site } = run.stormSite;
  const surround = (world: World, processNumber: number): World =>
    active.surround({ world, edges: site.links, processNumber });
  return new ProcessRestarts({
    run,
    prng: site.prng.fork("lives"),
    config: () => run.config(),
    surround,
  });
}

/** Without faults all is protected; after them, an operator may have been called, with a reason. */
function restlessOf(run: StormRun, faults: "on" | "off"): readonly string[] {
  return run
    .rest()
    .filter(({ kind }) => (faults === "on" ? kind === "moving" : kind !== "protected"))
    .map(({ about, why }) => `${about}: ${why}`);
}
