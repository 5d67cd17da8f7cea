// Warnings about the agent's own records and process, which no device shows.

import type { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { isoTime } from "../../model/iso-time.ts";
import type { AuditLog } from "../../store/audit/log.ts";
import { fileBytesMax } from "../../store/journal/chain.ts";
import type { Journal } from "../../store/journal/journal.ts";
import type { LoopLag } from "../polling/loop-lag.ts";

/** What is known of the agent's own state. */
export interface HostState {
  readonly journal: Pick<Journal, "bytes" | "lastSeq" | "missing" | "state">;
  /** Its last compaction; `trouble`: why it failed. */
  readonly compaction: { readonly trouble: LinksealError | undefined };
  readonly audit: Pick<AuditLog, "rollOver">;
  readonly loopLag: Pick<LoopLag, "isOverload" | "ms">;
}

const dayMs = 86_400_000;
/** Evidence that is younger than this is not overwritten without a warning, in milliseconds. */
const evidenceMs = 366 * dayMs;
const noticeMs = 14 * dayMs;

/** Returns what is wrong with the agent's own records and process. */
export function hostWarnings(state: HostState, wall: WallTime): readonly Raised[] {
  return [
    ...missingRecords(state),
    ...growingJournal(state),
    ...rollOver(state, wall),
    ...overload(state),
  ];
}

// A journal without any record is damaged, and has a warning of its own.
function missingRecords({ journal }: HostState): readonly Raised[] {
  if (journal.missing === 0 || journal.state === "corrupt") return [];
  const text =
    `the audit log knows ${journal.missing} records that the journal lacked at the start: a disk ` +
    "lost them, or an old copy was put back";
  return [raise("journal-lossy", "site", text)];
}

function growingJournal({ journal, compaction }: HostState): readonly Raised[] {
  const { trouble } = compaction;
  if (trouble === undefined) return [];
  const share = Math.ceil((100 * journal.bytes) / fileBytesMax);
  const text =
    `the journal cannot be compacted (${trouble.message}) and grows: it has ${share} % of its ` +
    "longest size, after which nothing is changed any more";
  return [{ ...raise("journal-growing", "site", text), next: trouble.next }];
}

function rollOver({ audit }: HostState, wall: WallTime): readonly Raised[] {
  const next = audit.rollOver(wall);
  if (next === undefined) return [];
  if (next.at - wall > noticeMs || next.at - next.from > evidenceMs) return [];
  const [from, until] = [isoTime(next.from), isoTime(next.until)];
  const days = Math.max(0, Math.floor((next.at - wall) / dayMs));
  const text =
    `at its present pace the audit log overwrites the evidence from ${from} to ${until} in about ` +
    `${days} days`;
  const save = `linkseal report --from ${from} --to ${until} --out FILE`;
  return [{ ...raise("evidence-rolls-over", "site", text), next: save }];
}

function overload({ loopLag }: HostState): readonly Raised[] {
  if (!loopLag.isOverload) return [];
  const seconds = ((loopLag.ms ?? 0) / 1_000).toFixed(1);
  const text =
    `this host gives the agent too little processor time: its timers ring ${seconds} s late, so ` +
    "readings get old although the devices answer";
  return [raise("agent-overloaded", "site", text)];
}
