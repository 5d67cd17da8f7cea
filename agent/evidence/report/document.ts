// The report as data: what was provable in a period, with totals that add up. Pure: the same
// records, period and limits give the same document, whenever it is requested.

import { judge, sightOf } from "../../model/claims.ts";
import type { Client } from "../../model/client.ts";
import type { Verdict } from "../../model/health.ts";
import type { AuditTrail } from "../../store/audit/log.ts";
import { momentText } from "./time.ts";
import {
  confirmedUntil,
  type Interval,
  type Line,
  type Period,
  recordedSince,
  type Timeline,
  timelineOf,
} from "./timeline.ts";

/** The three possible answers, as a reader of the report sees them. */
export type Answer = "protected" | "notProtected" | "unknown";

const answerOf: Readonly<Record<Verdict, Answer>> = {
  protected: "protected",
  degraded: "notProtected",
  down: "notProtected",
  unprotected: "notProtected",
  unknown: "unknown",
};

interface ShownInterval {
  readonly from: string;
  readonly to: string;
  readonly answer: Answer;
  readonly verdict: Verdict;
  readonly suite: string | null;
  readonly ckn: string | null;
  readonly reasons: readonly string[];
}

/** Durations in whole milliseconds, and in percent with three digits; both add up to the whole. */
type Totals = Readonly<Record<Answer, { readonly ms: number; readonly percent: string }>>;

export interface Subject {
  readonly name: string;
  readonly kind: "link" | "tunnel";
  readonly totals: Totals;
  /** How long, in milliseconds, it was protected with which suite and which key. */
  readonly keys: readonly {
    readonly suite: string | null;
    readonly ckn: string | null;
    readonly ms: number;
  }[];
  readonly intervals: readonly ShownInterval[];
}

/** A record that was sent to another log. */
interface ReportHead {
  readonly seq: number;
  readonly at: string;
  /** The record's MAC, in hexadecimal. */
  readonly hash: string;
}

export interface Report {
  readonly schema: "linkseal.report/1";
  readonly about: {
    readonly site: string;
    readonly host: string;
    readonly from: string;
    readonly to: string;
    /** The time of the first record; everything before it is unknown. */
    readonly recordedFrom: string | null;
    /** `open`: the end of the period was not confirmed yet, so a later report may know more. */
    readonly end: "final" | "open";
    /**
     * The age in milliseconds at which keys have to be replaced, by group, as the config says that
     * was in force when the report was made; absent = it says nothing about that.
     */
    readonly keyAgeLimitsMs?: Readonly<Record<string, number>>;
  };
  readonly chain: Timeline["chain"] & {
    /** The records of the period that were sent to another log as heads; absent = none. */
    readonly heads?: readonly ReportHead[];
  };
  readonly subjects: readonly Subject[];
  readonly changes: readonly {
    readonly record: number;
    readonly at: string;
    readonly what: string;
    readonly about: string;
    readonly who: string | null;
    /** The process that asked over a socket; absent = it was not asked for over one. */
    readonly client?: Client;
    readonly text: string;
  }[];
  readonly breaks: readonly { readonly at: string; readonly what: string; readonly text: string }[];
}

export interface ReportInput {
  readonly site: string;
  readonly host: string;
  readonly trail: AuditTrail;
  readonly period: Period;
  /** Limits of the config in force, by group; absent = none. */
  readonly keyAgeLimitsMs?: Readonly<Record<string, number>>;
}

export function reportOf({ site, host, trail, period, keyAgeLimitsMs }: ReportInput): Report {
  const { lines, changes, breaks, heads, chain } = timelineOf(trail, period);
  const since = recordedSince(trail);
  const until = confirmedUntil(trail);
  const isConfirmed = until !== undefined && until >= period.to;
  const isFinal = judge("report-final", { confirmed: () => sightOf(isConfirmed || undefined) });
  const recordedFrom = since === undefined || since < period.from ? undefined : since;
  return {
    schema: "linkseal.report/1",
    about: {
      site,
      host,
      from: momentText(period.from),
      to: momentText(period.to),
      recordedFrom: recordedFrom === undefined ? null : momentText(recordedFrom),
      end: isFinal.kind === "holds" ? "final" : "open",
      ...(keyAgeLimitsMs === undefined ? {} : { keyAgeLimitsMs }),
    },
    // Records without clients and heads give the octets that earlier versions made of them.
    chain: heads.length === 0 ? chain : { ...chain, heads: heads.map(headOf) },
    subjects: lines.map((line) => subjectOf(line, period)),
    changes: changes.map(({ seq, when, ...rest }) => ({
      ...{ record: seq, at: momentText(when), ...rest },
    })),
    breaks: breaks.map(({ at, what, text }) => ({ at: momentText(at), what, text })),
  };
}

function headOf({ seq, at, hash }: Timeline["heads"][number]): ReportHead {
  return { seq, at: momentText(at), hash };
}

function subjectOf({ about, kind, intervals }: Line, period: Period): Subject {
  return {
    name: about,
    kind,
    totals: totalsOf(intervals, period),
    keys: keysOf(intervals),
    intervals: intervals.map(({ from, to, verdict, suite, ckn, codes }) => ({
      from: momentText(from),
      to: momentText(to),
      answer: answerOf[verdict],
      verdict,
      suite,
      ckn,
      reasons: codes,
    })),
  };
}

const answers: readonly Answer[] = ["protected", "notProtected", "unknown"];

function totalsOf(intervals: readonly Interval[], { from, to }: Period): Totals {
  const ms = answers.map((answer) =>
    intervals
      .filter(({ verdict }) => answerOf[verdict] === answer)
      .reduce((sum, each) => sum + each.to - each.from, 0),
  );
  const percents = thousandths(ms, to - from);
  const entries = answers.map((answer, index) => {
    const digits = String(percents[index] ?? 0).padStart(4, "0");
    const percent = `${digits.slice(0, -3)}.${digits.slice(-3)}`;
    return [answer, { ms: ms[index] ?? 0, percent }] as const;
  });
  return Object.fromEntries(entries) as Totals;
}

/**
 * Splits 100,000 in proportion to `parts`, without remainder. The first share, the protected time,
 * is never rounded up.
 */
export function thousandths(parts: readonly number[], whole: number): readonly number[] {
  const exact = parts.map((part) => (part * 100_000) / whole);
  const shares = exact.map(Math.floor);
  const left = 100_000 - shares.reduce((sum, share) => sum + share, 0);
  const order = parts.map((_, index) => index).filter((at) => at > 0 && (parts[at] ?? 0) > 0);
  order.sort((a, b) => rest(exact, b) - rest(exact, a) || a - b);
  for (let given = 0; given < left; given += 1) {
    const index = order[given % Math.max(1, order.length)];
    if (index !== undefined) shares[index] = (shares[index] ?? 0) + 1;
  }
  return shares;
}

function rest(exact: readonly number[], index: number): number {
  const value = exact[index] ?? 0;
  return value - Math.floor(value);
}

function keysOf(intervals: readonly Interval[]): Subject["keys"] {
  const keys = new Map<string, { suite: string | null; ckn: string | null; ms: number }>();
  for (const { verdict, suite, ckn, from, to } of intervals) {
    if (verdict !== "protected") continue;
    const name = JSON.stringify([suite, ckn]);
    const key = keys.get(name) ?? { suite, ckn, ms: 0 };
    keys.set(name, { ...key, ms: key.ms + to - from });
  }
  return [...keys.values()];
}
