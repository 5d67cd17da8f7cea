// The counters of rotation runs, seed by seed and in total.

/** Counters by name. */
export type Counts = Record<string, number>;

export interface RunCounters {
  readonly seeds: number;
  readonly rotations: number;
  /** The outcomes of campaigns, and the states in which they waited for an operator. */
  readonly ended: Counts;
  /** The crashes of the agent, by the moment of the call. */
  readonly deaths: Counts;
  /** The number of processes of the agent. */
  readonly processes: number;
  /** The strikes, by kind of fault. */
  readonly faults: Counts;
  /** The rows of the campaign's tables that were taken. */
  readonly marks: Counts;
  /** The reasons to wait that make no claim which the site's state could confirm. */
  readonly unchecked: Counts;
  readonly events: number;
  readonly virtualMs: number;
  readonly observations: number;
  /** Violations, seed and promise first. */
  readonly violations: readonly string[];
  /** The digest of the event log: equal for equal seeds. */
  readonly digest: number;
}

export const noCounters: RunCounters = {
  seeds: 0,
  rotations: 0,
  ended: {},
  deaths: {},
  processes: 0,
  faults: {},
  marks: {},
  unchecked: {},
  events: 0,
  virtualMs: 0,
  observations: 0,
  violations: [],
  digest: 0,
};

export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

function addCounts(a: Counts, b: Counts): Counts {
  const sum = { ...a };
  for (const [name, value] of Object.entries(b)) count(sum, name, value);
  return sum;
}

export function addRunCounters(a: RunCounters, b: RunCounters): RunCounters {
  return {
    seeds: a.seeds + b.seeds,
    rotations: a.rotations + b.rotations,
    ended: addCounts(a.ended, b.ended),
    deaths: addCounts(a.deaths, b.deaths),
    processes: a.processes + b.processes,
    faults: addCounts(a.faults, b.faults),
    marks: addCounts(a.marks, b.marks),
    unchecked: addCounts(a.unchecked, b.unchecked),
    events: a.events + b.events,
    virtualMs: a.virtualMs + b.virtualMs,
    observations: a.observations + b.observations,
    violations: [...a.violations, ...b.violations],
    digest: (a.digest + b.digest) >>> 0,
  };
}
