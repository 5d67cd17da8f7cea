// Records as the journal stores them. Campaigns and moves have their reason as data and, for the
// versions that read no other, its sentence (docs/versioning.md).

import { encodeJson } from "#hal/json.ts";
import type { Reason } from "../../model/reason.ts";
import { isKnownReason, reasonText } from "../../model/reason-text.ts";
import type { JsonRecord } from "./chain.ts";
import { emptyMemory, type JournalRecord, type Memory, remember } from "./memory.ts";

interface Reasoned {
  readonly reason: Reason;
}

type Sentence = Readonly<{ because: string }>;

function withSentence<T extends Reasoned>(value: T): T & Sentence {
  return { ...value, because: reasonText(value.reason) };
}

/** A reason that is absent, or that has a code of a later version, is read as its sentence. */
function withReason<T extends Reasoned>(stored: T): T {
  const { because, reason, ...value } = stored as T & Sentence & { readonly reason?: Reason };
  const known = reason !== undefined && isKnownReason(reason) ? reason : undefined;
  const read: Reasoned = { ...value, reason: known ?? { code: "recorded", text: because } };
  return read as T;
}

/** Returns a record as it is appended to the journal. */
export function toStored(record: JournalRecord): JsonRecord {
  if (record.kind === "campaign") {
    return { ...record, campaign: withSentence(record.campaign) };
  }
  if (record.kind === "snapshot" || record.kind === "snapshotPart") {
    return { ...record, memory: mapped(record.memory, withSentence) };
  }
  return { ...record };
}

/** Characters of one record of a snapshot; far below what a line of the journal may have. */
const partLengthMax = 1024 * 1024;

/**
 * Returns the records that stand for the whole memory: one snapshot, and parts of it for what a
 * large site has beyond that, so that no number of groups is too many for a line.
 */
export function snapshotRecords(
  memory: Memory,
  lengthMax = partLengthMax,
): readonly [JsonRecord, ...JsonRecord[]] {
  const first: Part = {};
  const more: Part[] = [];
  let part = first;
  let length = 0;
  for (const [section, entries] of Object.entries(mapped(memory, withSentence))) {
    for (const [name, value] of Object.entries<unknown>(entries)) {
      const added = name.length + encodeJson(value).length;
      if (length > 0 && length + added > lengthMax) {
        part = {};
        more.push(part);
        length = 0;
      }
      length += added;
      const known = part[section] ?? {};
      part[section] = known;
      known[name] = value;
    }
  }
  const snapshot = { kind: "snapshot", memory: { ...emptyMemory, ...first } };
  return [snapshot, ...more.map((each) => ({ kind: "snapshotPart", memory: each }))];
}

/** Entries of the memory as they are stored, by section. */
type Part = Record<string, Record<string, unknown>>;

/** Returns a record of this version from one that any version appended. */
export function fromStored(entry: { readonly kind: string }): JournalRecord {
  const record = entry as JournalRecord;
  if (record.kind === "campaign") return { ...record, campaign: withReason(record.campaign) };
  if (record.kind === "snapshot" || record.kind === "snapshotPart") {
    // A part has some sections alone. A snapshot that an earlier version wrote lacks what has
    // joined since.
    return { ...record, memory: mapped({ ...emptyMemory, ...record.memory }, withReason) };
  }
  return record;
}

/** The same memory with other campaigns and moves. */
function mapped(memory: Memory, change: <T extends Reasoned>(value: T) => T): Memory {
  const campaigns = Object.entries(memory.campaigns).map(
    ([group, campaign]) => [group, change(campaign)] as const,
  );
  const trails = Object.entries(memory.trails).map(
    ([group, moves]) => [group, moves.map((move) => change(move))] as const,
  );
  const [campaignsOf, trailsOf] = [Object.fromEntries(campaigns), Object.fromEntries(trails)];
  return { ...memory, campaigns: campaignsOf, trails: trailsOf };
}

const kinds: Readonly<Record<JournalRecord["kind"], true>> = {
  campaign: true,
  effect: true,
  settled: true,
  operation: true,
  binding: true,
  forget: true,
  forgetTunnel: true,
  handDrain: true,
  measured: true,
  tunnel: true,
  auth: true,
  sharedAuth: true,
  pending: true,
  unsaved: true,
  saved: true,
  proposal: true,
  compromised: true,
  snapshot: true,
  snapshotPart: true,
};

/**
 * The memory of a journal whose MACs were checked. A kind of its own, such as an accepted loss, or
 * of a later version says nothing about the world.
 */
export function recollect(entries: readonly { readonly kind: string }[]): Memory {
  return entries
    .filter((entry) => Object.hasOwn(kinds, entry.kind))
    .reduce((memory, entry) => remember(memory, fromStored(entry)), emptyMemory);
}
