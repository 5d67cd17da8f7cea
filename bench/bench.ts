// A benchmark and its samples: ours and a peer's are taken in turns and compared as ratios.

/** Does one run; resolves to the figure itself (time per event, megabytes, seconds per second). */
export type Sample = () => number | Promise<number>;

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: Sample;
  /** Number of runs, if this figure takes too long for the bench's usual number. */
  readonly runs?: number;
  /** The program to compare with; absent if none exists. */
  readonly peer?: { readonly name: string; readonly sample: Sample };
  /**
   * The promised limit: of the median ratio if there is a peer, otherwise of the largest figure.
   */
  readonly most?: number;
}

export interface Bench {
  readonly title: string;
  /** Samples of each side, after the first one, which is discarded. */
  readonly runs: number;
  readonly figures: readonly Figure[];
  /** True if the bench runs in the machine of the kernel tier. */
  readonly inMachine?: true;
  /** Returns what this computer lacks for the bench, in one line; undefined = nothing. */
  readonly whyNot?: () => string | undefined;
  /** Ends everything that the samples left running. */
  readonly close?: () => Promise<void>;
}

/** True = each sample is taken once, of the smallest size: that shows only that a bench runs. */
export const isShortest = process.argv.includes("--shortest");

/** Returns a size or a duration, or the one of the shortest form. */
export function sized<T>(usual: T, shortest: T): T {
  return isShortest ? shortest : usual;
}

export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Measured {
  readonly ours: Summary;
  readonly peer: Summary | undefined;
}

export function summarise(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    min: at(0),
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    max: at(sorted.length - 1),
  };
}

/** Takes samples in the order A B A B ..., so that a passing load affects both sides alike. */
export async function measure(figure: Figure, runs: number): Promise<Measured> {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let run = 0; run <= sized(runs, 0); run += 1) {
    const mine = await figure.ours();
    const theirs = await figure.peer?.sample();
    if (!Number.isFinite(mine) || !Number.isFinite(theirs ?? 0))
      throw new Error(`${figure.name}: ${mine} and ${theirs} are no figures`);
    // The first sample only warms up.
    if (run === 0 && !isShortest) continue;
    ours.push(mine);
    if (theirs !== undefined) peer.push(theirs);
  }
  return { ours: summarise(ours), peer: peer.length > 0 ? summarise(peer) : undefined };
}

function digits(value: number): string {
  const size = Math.abs(value);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

function row(name: string, unit: string, { min, median, max }: Summary): string {
  const cells = [min, median, max].map((value) => digits(value).padStart(12)).join("");
  return `  ${name.padEnd(28)}${cells}  ${unit}`;
}

/** Returns undefined if nothing is promised. */
export function isKept(figure: Figure, { ours, peer }: Measured): boolean | undefined {
  const value = peer === undefined ? ours.max : ours.median / peer.median;
  return figure.most === undefined ? undefined : value <= figure.most;
}

function promise(figure: Figure, measured: Measured): string[] {
  // One small sample says nothing about what is promised.
  const kept = isShortest ? undefined : isKept(figure, measured);
  if (kept === undefined) return [];
  return [`  promised: at most ${figure.most}, ${kept ? "kept" : "broken"}`];
}

export function formatFigure(figure: Figure, measured: Measured): string {
  const { ours, peer } = measured;
  const lines = [figure.name, row("ours", figure.unit, ours)];
  if (peer === undefined || figure.peer === undefined) {
    return [...lines, ...promise(figure, measured)].join("\n");
  }
  const ratio: Summary = {
    min: ours.min / peer.min,
    median: ours.median / peer.median,
    max: ours.max / peer.max,
  };
  lines.push(row(figure.peer.name, figure.unit, peer), row("ours / peer", "x", ratio));
  return [...lines, ...promise(figure, measured)].join("\n");
}
