// Earlier observations as lines of a plot: rates between two observations, and gaps where there was
// no observation or no value.

import type { LinkSample, PageSnapshot, TunnelSample } from "../page/shape.ts";

/** An hour at the default poll interval. */
const samplesMax = 720;

/** X in seconds, and one line per name; null = a gap. */
export interface Lines {
  readonly at: readonly number[];
  readonly lines: readonly (readonly (number | null)[])[];
}

interface Sample {
  readonly at: number;
}

/** Observations by link and by tunnel, the oldest first. */
export class History {
  readonly links = new Map<string, LinkSample[]>();
  readonly tunnels = new Map<string, TunnelSample[]>();

  take({ history, links, tunnels }: PageSnapshot): void {
    for (const [id, samples] of Object.entries(history?.links ?? {})) {
      for (const sample of samples) append(this.links, id, sample);
    }
    for (const [name, samples] of Object.entries(history?.tunnels ?? {})) {
      for (const sample of samples) append(this.tunnels, name, sample);
    }
    for (const { id, newest } of links) if (newest !== null) follow(this.links, id, newest);
    for (const { name, newest } of tunnels) if (newest !== null) follow(this.tunnels, name, newest);
    forget(this.links, new Set(links.map(({ id }) => id)));
    forget(this.tunnels, new Set(tunnels.map(({ name }) => name)));
  }
}

/**
 * Rounding moves an observation by a little when its age is put on the wall clock, in milliseconds.
 */
const sameMs = 50;

// An opening repeats samples that are known already.
function append<T extends Sample>(all: Map<string, T[]>, id: string, sample: T): void {
  const own = all.get(id) ?? [];
  all.set(id, own);
  const last = own.at(-1);
  if (last !== undefined && sample.at <= last.at + sameMs) return;
  own.push(sample);
  if (own.length > samplesMax) own.shift();
}

// If the agent's wall clock was set back, the line begins anew.
function follow<T extends Sample>(all: Map<string, T[]>, id: string, newest: T): void {
  if (newest.at < (all.get(id)?.at(-1)?.at ?? 0) - sameMs) all.delete(id);
  append(all, id, newest);
}

function forget(all: Map<string, unknown>, wanted: ReadonlySet<string>): void {
  for (const id of all.keys()) if (!wanted.has(id)) all.delete(id);
}

/** Shortest gap in milliseconds: a little more than an agent keeps of a link anyway. */
const leastGapMs = 120_000;

/** Returns the time between two observations, in milliseconds, beyond which the plot has a gap. */
function gapMs(samples: readonly Sample[]): number {
  const spans = samples.slice(1).map(({ at }, index) => at - (samples[index]?.at ?? at));
  const middle = spans.sort((a, b) => a - b)[Math.floor((spans.length - 1) / 2)] ?? 0;
  return Math.max(leastGapMs, middle * 4);
}

/** Returns counters as rates per second; a counter that fell was restarted. */
export function rates<T extends Sample>(
  samples: readonly T[],
  counters: readonly ((sample: T) => string | null)[],
): Lines {
  const longest = gapMs(samples);
  const at = samples.slice(1).map((sample) => sample.at / 1_000);
  const lines = counters.map((read) =>
    samples.slice(1).map((sample, index) => {
      const before = samples[index];
      return before === undefined ? null : rate(before, sample, read, longest);
    }),
  );
  return { at, lines };
}

function rate<T extends Sample>(
  before: T,
  after: T,
  read: (sample: T) => string | null,
  longestMs: number,
): number | null {
  const [from, to, ms] = [read(before), read(after), after.at - before.at];
  if (from === null || to === null || ms <= 0 || ms > longestMs) return null;
  const rose = Number(BigInt(to) - BigInt(from));
  return rose < 0 ? null : (rose * 1_000) / ms;
}

/** Returns the frame rates of a link: under MACsec, in the clear, and failed. */
export function frameRates(samples: readonly LinkSample[]): Lines {
  const counted = rates(samples, [(s) => s.protected, (s) => s.clear, (s) => s.failed]);
  const [whole = [], clear = [], failed = []] = counted.lines;
  const open = samples.slice(1).map((sample, index) => sample.openPps ?? clear[index] ?? null);
  return { at: counted.at, lines: [whole, open, failed] };
}

/** Returns values as they are, with a gap after each long silence. */
export function values<T extends Sample>(
  samples: readonly T[],
  read: (sample: T) => number | null,
): Lines {
  const longest = gapMs(samples);
  const points = samples.flatMap((sample, index): (readonly [number, number | null])[] => {
    const before = samples[index - 1];
    const point = [sample.at / 1_000, read(sample)] as const;
    const isGap = before !== undefined && sample.at - before.at > longest;
    return isGap ? [[before.at / 1_000 + 0.001, null], point] : [point];
  });
  return { at: points.map(([x]) => x), lines: [points.map(([, y]) => y)] };
}

/** Returns the newest value of a line; null = not known. */
export function last({ lines }: Lines, line: number): number | null {
  return lines[line]?.at(-1) ?? null;
}
