// What rotation runs have counted, seed by seed and in all.

/** By name. */
export type Counts = Record<string, number>;

export interface Tally {
  readonly seeds: number;
  readonly rotations: number;
  /** How campaigns ended, and in which states they waited for a person. */
  readonly ended: Counts;
  /** By the moment of the call at which the agent died. */
  readonly deaths: Counts;
  /** Processes of the agent. */
  readonly lives: number;
  /** Strikes, by kind of fault. */
  readonly faults: Counts;
  /** Rows of the campaign's tables that were taken. */
  readonly marks: Counts;
  /** Reasons to stand still that claim nothing the site could tell about. */
  readonly unchecked: Counts;
  readonly events: number;
  readonly virtualMs: number;
  readonly looks: number;
  /** Seed and promise first. */
  readonly violations: readonly string[];
  /** Of the event log: equal for equal seeds. */
  readonly digest: number;
}

export const noTally: Tally = {
  seeds: 0,
  rotations: 0,
  ended: {},
  deaths: {},
  lives: 0,
  faults: {},
  marks: {},
  unchecked: {},
  events: 0,
  virtualMs: 0,
  looks: 0,
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

export function addTally(a: Tally, b: Tally): Tally {
  return {
    seeds: a.seeds + b.seeds,
    rotations: a.rotations + b.rotations,
    ended: addCounts(a.ended, b.ended),
    deaths: addCounts(a.deaths, b.deaths),
    lives: a.lives + b.lives,
    faults: addCounts(a.faults, b.faults),
    marks: addCounts(a.marks, b.marks),
    unchecked: addCounts(a.unchecked, b.unchecked),
    events: a.events + b.events,
    virtualMs: a.virtualMs + b.virtualMs,
    looks: a.looks + b.looks,
    violations: [...a.violations, ...b.violations],
    digest: (a.digest + b.digest) >>> 0,
  };
}
