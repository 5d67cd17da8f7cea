// What a benchmark is, and what its samples say: ours and a peer's, in turns, as ratios.

/** One run; resolves to the figure itself (time per event, megabytes, seconds per second). */
export type Sample = () => number | Promise<number>;

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: Sample;
  /** Fewer than the bench's, where one takes long. */
  readonly runs?: number;
  /** Absent where there is nobody to compare with. */
  readonly peer?: { readonly name: string; readonly sample: Sample };
  /** What is promised: of the median ratio where there is a peer, else of the largest figure. */
  readonly most?: number;
}

export interface Bench {
  readonly title: string;
  /** Samples of each side, after one that is thrown away. */
  readonly runs: number;
  readonly figures: readonly Figure[];
  /** Runs in the machine of the kernel tier. */
  readonly inMachine?: true;
  /** What this computer lacks for it, in one line; undefined = nothing. */
  readonly whyNot?: () => string | undefined;
  /** Ends what the samples left running. */
  readonly close?: () => Promise<void>;
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

/** A B A B ..., so that a load that comes and goes meets both sides alike. */
export async function measure(figure: Figure, runs: number): Promise<Measured> {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const mine = await figure.ours();
    const theirs = await figure.peer?.sample();
    // The first one warms up.
    if (run === 0) continue;
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

/** Undefined where nothing is promised. */
export function isKept(figure: Figure, { ours, peer }: Measured): boolean | undefined {
  const value = peer === undefined ? ours.max : ours.median / peer.median;
  return figure.most === undefined ? undefined : value <= figure.most;
}

function promise(figure: Figure, measured: Measured): string[] {
  const kept = isKept(figure, measured);
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
