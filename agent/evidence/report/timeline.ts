// Turns audit records into a timeline: the provable verdict of each link and tunnel at each time of
// a period, and the times that are unknown. Pure: the same records and the same period give the
// same answer.

import { type Verdict, worstOf } from "../../model/health.ts";
import type { AuditTrail, Loss } from "../../store/audit/log.ts";
import type { AuditEntry, Change, Found } from "../../store/audit/record.ts";

/** A period in Unix milliseconds, the end not included. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

export interface Interval extends Period {
  readonly verdict: Verdict;
  readonly codes: readonly string[];
  readonly suite: string | null;
  readonly ckn: string | null;
}

export interface Line {
  readonly about: string;
  readonly kind: Found["kind"];
  /** Contiguous over the whole period, each different from the one before it. */
  readonly intervals: readonly Interval[];
}

/** An event of the record itself: the agent began, ended, made no observations, or lost records. */
interface Break {
  readonly at: number;
  readonly what: "start" | "stop" | "gap" | "loss";
  readonly text: string;
}

interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

export interface Timeline {
  readonly lines: readonly Line[];
  readonly changes: readonly (Change & { readonly seq: number })[];
  readonly breaks: readonly Break[];
  /** The heads of the period: records whose number and MAC were sent to another log. */
  readonly heads: readonly (ChainEnd & { readonly at: number })[];
  /** The records behind this timeline, and the record before them; null = there is none. */
  readonly chain: {
    readonly before: ChainEnd | null;
    readonly first: ChainEnd | null;
    readonly last: ChainEnd | null;
  };
}

/**
 * The time until which everything in the log is confirmed, in Unix milliseconds; undefined = the
 * log is empty.
 */
export function confirmedUntil({ entries, confirmed }: AuditTrail): number | undefined {
  const last = entries.at(-1);
  if (last === undefined) return undefined;
  return Math.max(last.held, confirmed?.until ?? 0);
}

/** The time of the first record, in Unix milliseconds; undefined = there are none. */
export function recordedSince({ entries }: AuditTrail): number | undefined {
  return entries[0]?.at;
}

export function timelineOf(trail: AuditTrail, period: Period): Timeline {
  const { spans, breaks, lives } = walk(trail);
  // A subject that is unknown for the whole period is listed too; one that came later, or was gone
  // before, is not.
  const lines = [...lives]
    .filter(([, { born, gone }]) => born < period.to && (gone === undefined || gone > period.from))
    .map(([about, { kind }]): Line => {
      return { about, kind, intervals: laid(spans.get(about) ?? [], period) };
    });
  const inside = ({ at }: { readonly at: number }): boolean => at >= period.from && at < period.to;
  const changes = trail.entries.flatMap((entry) => {
    if (entry.kind !== "change" || !inside({ at: entry.when })) return [];
    const { seq, what, about, when, who, client, text } = entry;
    return [{ seq, what, about, when, who, text, ...(client === undefined ? {} : { client }) }];
  });
  return {
    lines: lines.sort(byKindAndName),
    changes,
    breaks: breaks.filter(inside),
    heads: trail.entries.flatMap((entry) =>
      entry.kind === "head" && inside(entry)
        ? [{ seq: entry.seq, at: entry.at, hash: entry.mac }]
        : [],
    ),
    chain: chainOf(trail.entries, period),
  };
}

function byKindAndName(a: Line, b: Line): number {
  if (a.kind !== b.kind) return a.kind === "link" ? -1 : 1;
  return a.about < b.about ? -1 : 1;
}

/** When a subject was first and last mentioned; `gone` undefined = it still exists. */
interface Life {
  readonly kind: Found["kind"];
  readonly born: number;
  readonly gone: number | undefined;
}

/** Reads all records in their order, and closes the intervals that no later record confirms. */
class Walk {
  /** By subject, each in the order of its records. */
  readonly spans = new Map<string, Interval[]>();
  readonly breaks: Break[] = [];
  readonly lives = new Map<string, Life>();
  readonly #open = new Map<string, Found>();
  #held = 0;
  #follows = false;

  take(entry: AuditEntry): void {
    switch (entry.kind) {
      case "segment":
        if (!this.#follows) this.#resume(entry.carry, entry.at);
        break;
      case "start":
        this.#closeAll(entry.held);
        this.#break(entry.at, "start", startText(entry));
        break;
      case "stop":
        this.#closeAll(entry.held);
        this.#break(entry.at, "stop", "the agent ended in good order");
        break;
      case "gap":
        this.#closeAll(entry.held);
        this.#break(entry.at, "gap", gapText(entry));
        break;
      case "found":
        for (const one of entry.found) {
          this.#close(one.about, one.since);
          if (one.verdict === null) this.#bury(one.about, one.since);
          else this.#begin(one);
        }
        break;
      case "change":
      case "head":
        break;
    }
    this.#held = entry.held;
    this.#follows = true;
  }

  /** The state before a loss is not carried on until a segment repeats the current one. */
  lose(at: number, { after, why }: Loss): void {
    this.#closeAll(this.#held);
    this.#break(at, "loss", `records after ${after} are lost: ${why}`);
    this.#follows = false;
  }

  end(until: number): void {
    this.#closeAll(until);
  }

  #resume(carry: readonly Found[], at: number): void {
    for (const found of carry) {
      const since = Math.max(found.since, at);
      this.#begin({ ...found, since });
    }
  }

  #begin(found: Found): void {
    const { about, kind, since } = found;
    this.#open.set(about, found);
    const born = Math.min(since, this.lives.get(about)?.born ?? since);
    this.lives.set(about, { kind, born, gone: undefined });
  }

  #bury(about: string, at: number): void {
    const life = this.lives.get(about);
    if (life !== undefined) this.lives.set(about, { ...life, gone: at });
  }

  #closeAll(until: number): void {
    for (const about of [...this.#open.keys()]) this.#close(about, until);
  }

  #close(about: string, to: number): void {
    const found = this.#open.get(about);
    this.#open.delete(about);
    if (found === undefined || to <= found.since) return;
    const { verdict, codes, suite, ckn, since: from } = found;
    const own = this.spans.get(about) ?? [];
    this.spans.set(about, own);
    own.push({ verdict, codes, suite, ckn, from, to });
  }

  #break(at: number, what: Break["what"], text: string): void {
    this.breaks.push({ at, what, text });
  }
}

function walk(trail: AuditTrail): Walk {
  const { entries, losses } = trail;
  const walked = new Walk();
  const lose = (seq: number, at: number): void => {
    for (const loss of losses) if (loss.after === seq) walked.lose(at, loss);
  };
  lose(0, entries[0]?.at ?? 0);
  for (const entry of entries) {
    walked.take(entry);
    lose(entry.seq, entry.at);
  }
  walked.end(confirmedUntil(trail) ?? 0);
  return walked;
}

const tails = {
  none: "there were no records before",
  whole: "the records of the process before are whole, as far as they were confirmed",
  unconfirmed: "nothing confirms that the records of the process before are all there",
  torn: "the last record of the process before was cut short",
  corrupt: "records of the process before are damaged",
  lost: "records of the process before are lost",
} as const;

function startText({ tail, key }: Extract<AuditEntry, { kind: "start" }>): string {
  return `the agent began: ${tails[tail]}; reports are signed with ${key}`;
}

function gapText({ why, stepMs }: Extract<AuditEntry, { kind: "gap" }>): string {
  switch (why) {
    case "clock":
      return `this host's clock was set by ${stepMs} ms`;
    case "stalled":
      return "the agent observed nothing for longer than a reading stays fresh";
    case "dropped":
      return "the disk took no records for so long that some were dropped";
  }
}

const unknownState = { verdict: "unknown", codes: [], suite: null, ckn: null } as const;

/** Merges the spans of one subject into intervals that fill the period. */
function laid(spans: readonly Interval[], { from, to }: Period): readonly Interval[] {
  const edges = new Set([from, to]);
  for (const span of spans) {
    for (const edge of [span.from, span.to]) if (edge > from && edge < to) edges.add(edge);
  }
  const sorted = [...edges].sort((a, b) => a - b);
  const byStart = [...spans].sort((a, b) => a.from - b.from);
  const intervals: Interval[] = [];
  const live: Interval[] = [];
  let next = 0;
  for (const [index, start] of sorted.slice(0, -1).entries()) {
    const end = sorted[index + 1] ?? to;
    for (let span = byStart[next]; span !== undefined && span.from <= start; ) {
      live.push(span);
      next += 1;
      span = byStart[next];
    }
    for (let at = live.length - 1; at >= 0; at -= 1) {
      if ((live[at]?.to ?? 0) <= start) live.splice(at, 1);
    }
    add(intervals, { from: start, to: end, ...stateOf(live) });
  }
  return intervals;
}

type State = Omit<Interval, "from" | "to">;

// If a clock that was set back gives two states for one moment, a bad verdict stays and a good one
// becomes unknown.
function stateOf(spans: readonly Interval[]): State {
  const [only] = spans;
  if (only === undefined) return unknownState;
  if (spans.length > 1) {
    const worst = worstOf(spans.map(({ verdict }) => verdict));
    if (worst === "protected" || worst === "degraded") return unknownState;
    const { verdict, codes, suite, ckn } = spans.find((span) => span.verdict === worst) ?? only;
    return { verdict, codes, suite, ckn };
  }
  const { verdict, codes, suite, ckn } = only;
  return { verdict, codes, suite, ckn };
}

function add(intervals: Interval[], interval: Interval): void {
  const last = intervals.at(-1);
  if (last !== undefined && sameState(last, interval)) {
    intervals[intervals.length - 1] = { ...last, to: interval.to };
  } else intervals.push(interval);
}

function sameState(a: State, b: State): boolean {
  const isSame = a.verdict === b.verdict && a.suite === b.suite && a.ckn === b.ckn;
  return isSame && a.codes.join() === b.codes.join();
}

/** The time from which a record matters: its content may begin before it was written. */
function reach(entry: AuditEntry): number {
  if (entry.kind === "change") return Math.min(entry.at, entry.when);
  if (entry.kind !== "found") return entry.at;
  return Math.min(entry.at, ...entry.found.map(({ since }) => since));
}

function chainOf(entries: readonly AuditEntry[], period: Period): Timeline["chain"] {
  const used = entries.filter((entry) => entry.at >= period.from && reach(entry) < period.to);
  const [first] = used;
  const index = first === undefined ? -1 : entries.indexOf(first);
  return {
    before: endOfChain(index > 0 ? entries[index - 1] : undefined),
    first: endOfChain(first),
    last: endOfChain(used.at(-1)),
  };
}

function endOfChain(entry: AuditEntry | undefined): ChainEnd | null {
  return entry === undefined ? null : { seq: entry.seq, hash: entry.mac };
}
