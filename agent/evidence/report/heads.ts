// Holds heads of the audit log, which another log stored, against a report of that log. Pure.

import type { Report } from "./document.ts";
import type { Head } from "./head.ts";
import type { ReportFault } from "./verify.ts";

/** What heads show about a report. */
export interface HeadCheck {
  /** Heads of the report's period that its records contain as they were. */
  readonly found: number;
  /** Heads of another time: the report says nothing about them. */
  readonly outside: number;
  readonly faults: readonly ReportFault[];
}

/**
 * Compares the heads with a report whose seal was verified. A head of the report's period that its
 * records lack, or contain with another MAC, shows that the log was cut, rolled over or replaced;
 * so does an earlier head, if the log begins within the period.
 */
export function checkHeads({ about, chain }: Report, heads: readonly Head[]): HeadCheck {
  const own = heads.filter(({ host }) => host === about.host);
  if (own.length === 0) return fault(`no head is of host ${about.host}`);
  const hashes = new Map((chain.heads ?? []).map(({ seq, hash }) => [seq, hash]));
  // Where the records begin within the period, no earlier head can be in them.
  const isFirst = about.recordedFrom !== null;
  const inside = own.filter(({ at }) => at < about.to && (isFirst || at >= about.from));
  const lacking = inside.filter(({ seq, hash }) => hashes.get(seq) !== hash);
  const faults = lacking.map(({ seq, at }) => ({
    where: `head ${seq} of ${at}`,
    text: whyLacking(seq, hashes.has(seq), chain),
  }));
  if (inside.length === 0) return fault("no head is of the report's period");
  const outside = heads.length - inside.length;
  return { found: inside.length - lacking.length, outside, faults };
}

function fault(text: string): HeadCheck {
  return { found: 0, outside: 0, faults: [{ where: "heads", text }] };
}

function whyLacking(seq: number, isOther: boolean, { first, last }: Report["chain"]): string {
  if (isOther) return "the log has another record of that number: it was replaced";
  if (last === null || first === null) return "the log has no record of the period: it was lost";
  const [begins, ends] = [`begins with record ${first.seq}`, `ends with record ${last.seq}`];
  if (seq > last.seq) return `the log ${ends}: it was cut, or an old copy is back`;
  if (seq < first.seq) return `the log ${begins}: it was rolled over, or cut`;
  return "the log has no such head between its records: it was replaced";
}
