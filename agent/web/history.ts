// Earlier observations as lines of a plot: rates between two observations, and gaps where there was
// no observation or no value.

import type { LinkSample, PageDay, PageSnapshot, TunnelSample } from "../page/shape.ts";

/** As many as an agent keeps of a part for its verdicts; a row needs two. */
const samplesMax = 24;
/** A day as the agent keeps it, and an hour at the default poll interval. */
const longMax = 1_440;

/** X in seconds, and one line per name; null = a gap. */
export interface Lines {
  readonly at: readonly number[];
  readonly lines: readonly (readonly (number | null)[])[];
}

interface Sample {
  readonly at: number;
}

/** The day of a part, as the agent kept it. */
export type KeptDay =
  | { readonly kind: "link"; readonly id: string; readonly day: PageDay<LinkSample> }
  | { readonly kind: "tunnel"; readonly id: string; readonly day: PageDay<TunnelSample> };

/** Observations by link and by tunnel, the oldest first. */
export class History {
  readonly links = new Map<string, LinkSample[]>();
  readonly tunnels = new Map<string, TunnelSample[]>();
  /** The part that is shown in detail, with its day. */
  readonly #longLinks = new Map<string, LinkSample[]>();
  readonly #longTunnels = new Map<string, TunnelSample[]>();
  #kept: KeptDay | undefined;

  /** Takes the day of the part in detail; what was observed since then goes on after it. */
  keep(kept: KeptDay): void {
    const isSame = this.#kept?.kind === kept.kind && this.#kept.id === kept.id;
    if (!isSame) {
      this.#longLinks.clear();
      this.#longTunnels.clear();
    }
    this.#kept = kept;
    if (kept.kind === "link") lengthen(this.#longLinks, this.links, kept.id, kept.day.samples);
    else lengthen(this.#longTunnels, this.tunnels, kept.id, kept.day.samples);
  }

  /** Returns the day of a part; undefined = it has not come yet. */
  day(kind: KeptDay["kind"], id: string): KeptDay["day"] | undefined {
    return this.#kept?.kind === kind && this.#kept.id === id ? this.#kept.day : undefined;
  }

  /** Returns all that is known of a link; a day of the one in detail. */
  ofLink(id: string): readonly LinkSample[] {
    return this.#longLinks.get(id) ?? this.links.get(id) ?? [];
  }

  /** Returns all that is known of a tunnel; a day of the one in detail. */
  ofTunnel(id: string): readonly TunnelSample[] {
    return this.#longTunnels.get(id) ?? this.tunnels.get(id) ?? [];
  }

  take({ history, status: { groups, tunnels } }: PageSnapshot): void {
    const links = groups.flatMap((group) =>
      group.links.map(({ name, newest }) => ({ id: `${group.name}/${name}`, newest })),
    );
    for (const [id, samples] of Object.entries(history?.links ?? {})) {
      for (const sample of samples) append(this.links, id, sample);
    }
    for (const [name, samples] of Object.entries(history?.tunnels ?? {})) {
      for (const sample of samples) append(this.tunnels, name, sample);
    }
    for (const { id, newest } of links) {
      if (newest === null) continue;
      follow(this.links, id, newest);
      if (this.#longLinks.has(id)) follow(this.#longLinks, id, newest, longMax);
    }
    for (const { name, newest } of tunnels) {
      if (newest === null) continue;
      follow(this.tunnels, name, newest);
      if (this.#longTunnels.has(name)) follow(this.#longTunnels, name, newest, longMax);
    }
    forget(this.links, new Set(links.map(({ id }) => id)));
    forget(this.tunnels, new Set(tunnels.map(({ name }) => name)));
  }
}

/**
 * Rounding moves an observation by a little when its age is put on the wall clock, in milliseconds.
 */
const sameMs = 50;

// An opening repeats samples that are known already.
function append<T extends Sample>(
  all: Map<string, T[]>,
  id: string,
  sample: T,
  most = samplesMax,
): void {
  const own = all.get(id) ?? [];
  all.set(id, own);
  const last = own.at(-1);
  if (last !== undefined && sample.at <= last.at + sameMs) return;
  own.push(sample);
  if (own.length > most) own.shift();
}

// If the agent's wall clock was set back, the line begins anew.
function follow<T extends Sample>(
  all: Map<string, T[]>,
  id: string,
  newest: T,
  most = samplesMax,
): void {
  if (newest.at < (all.get(id)?.at(-1)?.at ?? 0) - sameMs) all.delete(id);
  append(all, id, newest, most);
}

/** Puts a day before what was observed since the page was opened. */
function lengthen<T extends Sample>(
  long: Map<string, T[]>,
  short: ReadonlyMap<string, readonly T[]>,
  id: string,
  day: readonly T[],
): void {
  const own = long.get(id) ?? short.get(id) ?? [];
  const first = own[0]?.at ?? Number.POSITIVE_INFINITY;
  long.set(id, [...day.filter(({ at }) => at < first - sameMs), ...own].slice(-longMax));
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
