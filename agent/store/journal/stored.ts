// Records as the journal stores them. Campaigns, moves and changes of tunnels have their reason as
// data and, for the versions that read no other, its sentence (docs/versioning.md).

import { encodeJson } from "#hal/json.ts";
import type { Cause, Reason } from "../../model/reason.ts";
import {
  isKnownCause,
  isKnownReason,
  reasonText,
  tunnelChangeText,
} from "../../model/reason-text.ts";
import type { AuthInUse, TunnelChange } from "../../model/tunnel-change.ts";
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

/** What the versions that read no reason of a tunnel's change show of it. */
type TunnelSentences = Sentence & Readonly<{ trouble?: string }>;

/** Reasons that say why the gateway did not take a version. */
const troubles: ReadonlySet<string> = new Set(["tunnel.giving.notGiven", "tunnel.giving.either"]);

function withTunnelSentences(inUse: AuthInUse): AuthInUse {
  const { next } = inUse;
  if (next === undefined) return inUse;
  const because = tunnelChangeText(next);
  const { turnedBack, reason } = next;
  const isTrouble = turnedBack !== undefined || troubles.has(reason.code);
  const sentences: TunnelSentences = { because, ...(isTrouble && { trouble: because }) };
  return { ...inUse, next: { ...next, ...sentences } };
}

/** As `withReason`: a change that an earlier version wrote goes on from where it is. */
function withTunnelReason(stored: AuthInUse): AuthInUse {
  if (stored.next === undefined) return stored;
  type Stored = Omit<TunnelChange, "reason"> & TunnelSentences & { readonly reason?: Reason };
  const { because, trouble, reason, turnedBack, ...next } = stored.next as Stored;
  const told: Cause | undefined =
    trouble === undefined ? undefined : { code: "recorded", text: trouble };
  if (reason !== undefined && isKnownReason(reason)) {
    const known = turnedBack === undefined || isKnownCause(turnedBack) ? turnedBack : told;
    const back = known === undefined ? {} : { turnedBack: known };
    return { ...stored, next: { ...next, reason, ...back } };
  }
  const recorded: Reason =
    told !== undefined && next.state === "giving"
      ? { code: "tunnel.giving.either", cause: told }
      : told !== undefined && next.state === "waiting"
        ? { code: "tunnel.giving.notGiven", cause: told }
        : { code: "recorded", text: because };
  return { ...stored, next: { ...next, reason: recorded } };
}

/** Returns a record as it is appended to the journal. */
export function toStored(record: JournalRecord): JsonRecord {
  if (record.kind === "auth" || record.kind === "sharedAuth") {
    return { ...record, inUse: withTunnelSentences(record.inUse) };
  }
  if (record.kind === "campaign") {
    return { ...record, campaign: withSentence(record.campaign) };
  }
  if (record.kind === "snapshot" || record.kind === "snapshotPart") {
    return { ...record, memory: mapped(record.memory, withSentence, withTunnelSentences) };
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
  for (const [section, entries] of Object.entries(
    mapped(memory, withSentence, withTunnelSentences),
  )) {
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
  if (record.kind === "auth" || record.kind === "sharedAuth") {
    return { ...record, inUse: withTunnelReason(record.inUse) };
  }
  if (record.kind === "snapshot" || record.kind === "snapshotPart") {
    // A part has some sections alone. A snapshot that an earlier version wrote lacks what has
    // joined since.
    const memory = { ...emptyMemory, ...record.memory };
    return { ...record, memory: mapped(memory, withReason, withTunnelReason) };
  }
  return record;
}

/** The same memory with other campaigns, moves and changes of tunnels. */
function mapped(
  memory: Memory,
  change: <T extends Reasoned>(value: T) => T,
  changeAuth: (inUse: AuthInUse) => AuthInUse,
): Memory {
  const campaigns = entriesOf(memory.campaigns, change);
  const trails = entriesOf(memory.trails, (moves) => moves.map((move) => change(move)));
  return { ...memory, campaigns, trails, auths: entriesOf(memory.auths, changeAuth) };
}

function entriesOf<T>(
  section: Readonly<Record<string, T>>,
  change: (value: T) => T,
): Readonly<Record<string, T>> {
  const all = Object.entries(section);
  return Object.fromEntries(all.map(([name, value]) => [name, change(value)] as const));
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

export function isKnownKind(kind: string): boolean {
  return Object.hasOwn(kinds, kind);
}

/**
 * The memory of a journal whose MACs were checked. A kind of its own, such as an accepted loss, or
 * of a later version says nothing about the world.
 */
export function recollect(entries: readonly { readonly kind: string }[]): Memory {
  return entries
    .filter((entry) => isKnownKind(entry.kind))
    .reduce((memory, entry) => remember(memory, fromStored(entry)), emptyMemory);
}
