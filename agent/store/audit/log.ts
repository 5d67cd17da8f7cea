// The audit log on disk: segments in a ring of files, each a chain of MACs that names the record
// before it, and one small file with the time up to which the newest record is confirmed. A lost
// tail loses its confirmation too, so that a loss can only hide what was protected.

import { createHash } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import {
  type ChainedRecord,
  chainRecord,
  type Ending,
  type Entry,
  lineBytesMax,
  type Mac,
  rereadJournal,
  scanJournal,
} from "../journal/chain.ts";
import { ChainFile, type ChainWorld, type HostKey, hostMac } from "../journal/chain-file.ts";
import type { AuditEntry, AuditRecord, Found, Tail } from "./record.ts";

export const segmentsMax = 16;
const segmentBytesMax = 4 * 1024 * 1024;
const folder = "audit/";
const confirmedFile = "audit-confirmed";
/** Records that a reader of the newest ones finds without the disk. */
const freshMax = 256;

/**
 * The record of that number, and all before it, are confirmed up to the time `until` (Unix
 * milliseconds).
 */
export interface Confirmed {
  readonly seq: number;
  readonly until: number;
}

/** Records that are missing or damaged: their content is unknown. */
export interface Loss {
  /** Number of the last sound record before; 0 = there is none. */
  readonly after: number;
  /** What is wrong, as one sentence. */
  readonly why: string;
}

/** Everything that is on the disk, from the oldest record on. */
export interface AuditTrail {
  /** All sound records, in order. */
  readonly entries: readonly AuditEntry[];
  /** Places at which records are missing. */
  readonly losses: readonly Loss[];
  /** How far records are confirmed; undefined = not at all. */
  readonly confirmed: Confirmed | undefined;
}

interface Segment {
  readonly name: string;
  readonly good: readonly ChainedRecord[];
  readonly ending: Ending;
}

/** The first data of a new segment, so that it can be read without those before it. */
export interface Carry {
  /** The last finding for each link and tunnel. */
  readonly carry: readonly Found[];
  /** Number of the newest journal record. */
  readonly journalSeq: number;
  /** The time up to which the findings are confirmed, Unix milliseconds. */
  readonly held: number;
}

/** What the audit log knows of journal and accepted configs, which were durable before it. */
export interface Known {
  /** Number of the newest journal record; 0 = it knows of none. */
  readonly journalSeq: number;
  /** Number of the newest accepted config; 1 = at least one was accepted; 0 = it knows of none. */
  readonly intent: number;
}

/** The records that the ring overwrites next. */
export interface RollOver {
  /** When the oldest of them was written. */
  readonly from: WallTime;
  /** When the oldest record was written that stays. */
  readonly until: WallTime;
  /** When they are overwritten. */
  readonly at: WallTime;
}

interface Options extends HostKey {
  /** Size at which a segment ends, in bytes; tests set it. */
  readonly segmentBytes?: number;
}

/** The audit log of this process; one write at a time. */
export class AuditLog {
  readonly #world: ChainWorld;
  readonly #host: string;
  readonly #mac: Mac;
  readonly #segmentBytes: number;
  #file: ChainFile | undefined;
  /** The newest sound record. */
  #last: Entry | undefined;
  readonly #tail: Tail;
  readonly #confirmed: Confirmed | undefined;
  readonly #recent: readonly AuditEntry[];
  readonly #verified: Verified;
  /** The newest records that this process wrote. */
  readonly #fresh: AuditEntry[] = [];
  /** The segments on the disk, the oldest first. */
  #begun: readonly Begun[];
  #nextSlot: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(world: ChainWorld, options: Options, found: Opened) {
    this.#world = world;
    this.#host = options.host;
    this.#mac = found.mac;
    this.#segmentBytes = options.segmentBytes ?? segmentBytesMax;
    this.#last = found.newest?.good.at(-1)?.entry;
    this.#recent = (found.newest?.good ?? []).map(entryIn);
    this.#begun = found.begun;
    this.#tail = found.tail;
    this.#verified = found.verified;
    this.#confirmed = found.confirmed;
    this.#nextSlot = found.newest === undefined ? 0 : slotAfter(found.newest.name);
    // A damaged segment is kept as it is for an operator; the next one continues.
    const isSound = found.newest !== undefined && found.newest.ending.kind !== "corrupt";
    if (!isSound || found.newest === undefined) return;
    const { name, good, ending } = found.newest;
    const state = ending.kind === "torn" ? "suspect" : "as in memory";
    this.#file = new ChainFile(world.disk, name, good, state);
  }

  /**
   * Opens and reads the log. Damage is not an error: `tail` reports it, and `read` says where it
   * is.
   */
  static async open(world: ChainWorld, options: Options): Promise<AuditLog> {
    const mac = auditMac(options);
    const verified: Verified = new Map();
    const segments = await readSegments(world, { host: options.host, mac, verified });
    const newest = segments.at(-1);
    const stated = await readConfirmed(world, mac);
    const confirmed = fitting(stated, newest);
    return new AuditLog(world, options, {
      ...{ mac, verified, newest },
      begun: segments.flatMap(({ name, good: [first] }) =>
        first === undefined ? [] : [{ name, at: first.entry.at, seq: first.entry.seq }],
      ),
      confirmed,
      tail: tailOf(newest, stated, confirmed),
    });
  }

  /** Number of the newest record; 0 = there is none. */
  get newestSeq(): number {
    return this.#last?.seq ?? 0;
  }

  /**
   * Returns records after number `seq`, in order and at most `max`: from memory if all are there,
   * else those of one file. The first may have a later number than the next: records before it were
   * overwritten or are damaged.
   */
  after(seq: number, max: number): Promise<readonly AuditEntry[]> {
    const [oldest] = this.#fresh;
    if (oldest !== undefined && oldest.seq <= seq + 1) {
      return Promise.resolve(this.#fresh.filter((each) => each.seq > seq).slice(0, max));
    }
    return this.#inTurn(async () => {
      const from = this.#begun.findLastIndex((each) => each.seq <= seq + 1);
      for (const { name } of this.#begun.slice(Math.max(0, from))) {
        const bytes = (await this.#world.disk.read(name)) ?? new Uint8Array();
        const checks = { host: this.#host, mac: this.#mac, verified: this.#verified };
        const entries = scanned(name, bytes, checks).good.map(entryIn);
        const later = entries.filter((each) => each.seq > seq);
        if (later.length > 0) return later.slice(0, max);
      }
      return [];
    });
  }

  /** How the last process left the log. */
  get tail(): Tail {
    return this.#tail;
  }

  /**
   * How far the records of the last process are confirmed; undefined = only as far as they say
   * themselves.
   */
  get confirmedBefore(): Confirmed | undefined {
    return this.#confirmed;
  }

  /** What the records of the newest segment, when it was opened, know of other files. */
  get known(): Known {
    const findings = this.#recent.some(knowsFinding);
    const numbers = this.#recent.flatMap(intentOf);
    const seqs = this.#recent.flatMap((entry) =>
      "journalSeq" in entry ? (entry.journalSeq ?? []) : [],
    );
    return { journalSeq: Math.max(0, ...seqs), intent: numbers.at(-1) ?? (findings ? 1 : 0) };
  }

  /** The records of the newest segment when it was opened. */
  get recent(): readonly AuditEntry[] {
    return this.#recent;
  }

  /**
   * Appends a record; resolves to it once it is durable. `carry` is called if a new segment begins.
   * @throws LinksealError with `journal.full`: the record is not in the log
   */
  append(record: AuditRecord, carry: () => Carry): Promise<Entry> {
    return this.#inTurn(async () => {
      if (this.#file === undefined || this.#file.bytes >= this.#segmentBytes) {
        await this.#begin(carry());
      }
      return await this.#add(record);
    });
  }

  /**
   * Confirms all records so far up to the time `until`.
   * @throws LinksealError with `journal.full`
   */
  confirm(until: number): Promise<void> {
    return this.#inTurn(async () => {
      const seq = this.#last?.seq;
      if (seq === undefined || this.#last === undefined) return;
      const stated: Stated = { seq, until, last: this.#last.mac };
      const body = encodeJson(stated);
      const mac = this.#mac("confirmed", new TextEncoder().encode(body));
      const text = `${encodeJson({ ...stated, mac })}\n`;
      await this.#world.disk.replace(confirmedFile, new TextEncoder().encode(text));
    });
  }

  /** Reads everything on the disk anew; of a file with the octets that were checked, no MAC. */
  read(): Promise<AuditTrail> {
    return this.#inTurn(async () => {
      const [host, mac, verified] = [this.#host, this.#mac, this.#verified];
      const segments = await readSegments(this.#world, { host, mac, verified });
      const stated = await readConfirmed(this.#world, this.#mac);
      return { ...joined(segments), confirmed: fitting(stated, segments.at(-1)) };
    });
  }

  /**
   * Returns what is overwritten next and when, at the pace of the newest records; undefined = one
   * segment is all there is, or the host's clock was set back.
   */
  rollOver(now: WallTime): RollOver | undefined {
    const [oldest, second] = this.#begun;
    const [before] = this.#begun.slice(-2);
    if (oldest === undefined || second === undefined || before === undefined) return undefined;
    const passedMs = now - before.at;
    if (passedMs <= 0) return undefined;
    const bytes = this.#file?.bytes ?? 0;
    const free = segmentsMax - this.#begun.length;
    const left = free * this.#segmentBytes + Math.max(0, this.#segmentBytes - bytes);
    const restMs = (left * passedMs) / (this.#segmentBytes + bytes);
    return { from: oldest.at, until: second.at, at: wallAfter(now, restMs) };
  }

  async #begin(carried: Carry): Promise<void> {
    const last = this.#last;
    const after = last === undefined ? null : { seq: last.seq, mac: last.mac };
    const name = `${folder}${String(this.#nextSlot).padStart(2, "0")}`;
    const fresh = new ChainFile(this.#world.disk, name, [], "as in memory");
    const chained = this.#chain({ kind: "segment", after, ...carried }, undefined);
    await fresh.rewrite([chained]);
    this.#file = fresh;
    this.#last = chained.entry;
    this.#begun = [
      ...this.#begun.filter((each) => each.name !== name),
      { name, at: chained.entry.at, seq: chained.entry.seq },
    ];
    this.#keep(chained);
    this.#nextSlot = slotAfter(name);
  }

  async #add(record: AuditRecord): Promise<Entry> {
    const file = this.#file;
    if (file === undefined) throw new Error("a record without a segment");
    const chained = this.#chain(record, file.lines.at(-1)?.entry);
    await file.append(chained);
    this.#last = chained.entry;
    this.#keep(chained);
    return chained.entry;
  }

  #keep(chained: ChainedRecord): void {
    this.#fresh.push(entryIn(chained));
    if (this.#fresh.length > freshMax) this.#fresh.shift();
  }

  #chain(record: AuditRecord, previous: Entry | undefined): ChainedRecord {
    const head = {
      seq: (this.#last?.seq ?? 0) + 1,
      at: Math.floor(this.#world.clock.wall()) as WallTime,
      host: this.#host,
    };
    const chained = chainRecord(head, { ...record }, previous, this.#mac);
    if (chained.line.length <= lineBytesMax / 4) return chained;
    const size = chained.line.length;
    const text = `a record ${record.kind} of ${size} bytes is too long for the audit`;
    throw new LinksealError("agent.internal", text, {
      effect: "none",
      where: folder,
      next: "linkseal doctor --bundle",
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(run);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

/** A link or tunnel is judged under an accepted config alone. */
function knowsFinding(entry: AuditEntry): boolean {
  return entry.kind === "found" || (entry.kind === "segment" && entry.carry.length > 0);
}

function intentOf(entry: AuditEntry): readonly number[] {
  if (entry.kind !== "change" || entry.what !== "intent") return [];
  const number = Number(/^intent (\d{1,9})$/.exec(entry.about)?.[1]);
  return Number.isSafeInteger(number) ? [number] : [];
}

/** A segment on the disk, and time and number of its first record. */
interface Begun {
  readonly name: string;
  readonly at: WallTime;
  readonly seq: number;
}

const entryIn = ({ entry }: ChainedRecord): AuditEntry => entry as unknown as AuditEntry;

/**
 * SHA-256 of each file that was found whole, by name: a year's report checks the MACs of no file
 * twice.
 */
type Verified = Map<string, string>;

interface Opened {
  readonly mac: Mac;
  readonly verified: Verified;
  readonly newest: Segment | undefined;
  readonly begun: readonly Begun[];
  readonly confirmed: Confirmed | undefined;
  readonly tail: Tail;
}

/**
 * Makes the MAC of the audit chain: under the host's key too, but never that of a journal record.
 */
function auditMac({ key }: HostKey): Mac {
  const mac = hostMac(key);
  return (previous, body) => mac(`audit ${previous}`, body);
}

function slotAfter(name: string): number {
  return (Number(name.slice(folder.length)) + 1) % segmentsMax;
}

interface Checks {
  readonly host: string;
  readonly mac: Mac;
  readonly verified: Verified;
}

function scanned(name: string, bytes: Uint8Array, { host, mac, verified }: Checks): Segment {
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (verified.get(name) === digest) return { name, ...rereadJournal(bytes) };
  const scan = scanJournal(bytes, host, mac);
  if (scan.ending.kind === "whole") verified.set(name, digest);
  return { name, ...scan };
}

/** Returns the segments in the order of their records. */
async function readSegments(
  { disk }: Pick<ChainWorld, "disk">,
  checks: Checks,
): Promise<readonly Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(folder)) {
    if (!/^audit\/\d\d$/.test(name)) continue;
    const bytes = (await disk.read(name)) ?? new Uint8Array();
    segments.push(scanned(name, bytes, checks));
  }
  // An unreadable segment does not say where it belongs: its place in the ring does.
  const first = ({ good }: Segment): number | undefined => good[0]?.entry.seq;
  const readable = segments.filter((each) => first(each) !== undefined);
  const broken = segments.filter((each) => first(each) === undefined);
  readable.sort((a, b) => (first(a) ?? 0) - (first(b) ?? 0));
  for (const each of broken) {
    const before = readable.findIndex(
      ({ name }) => slotAfter(name) === Number(each.name.slice(-2)),
    );
    readable.splice(before + 1, 0, each);
  }
  return readable;
}

interface Stated extends Confirmed {
  /** MAC of the record of that number. */
  readonly last: string;
}

async function readConfirmed(
  { disk }: Pick<ChainWorld, "disk">,
  mac: Mac,
): Promise<Stated | "damaged" | undefined> {
  const bytes = await disk.read(confirmedFile);
  if (bytes === undefined) return undefined;
  try {
    const value = decodeJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const { mac: storedMac, ...stated } = value as Stated & { readonly mac: string };
    const body = new TextEncoder().encode(encodeJson(stated));
    return mac("confirmed", body) === storedMac ? stated : "damaged";
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    return "damaged";
  }
}

/** Returns the confirmation if the record for which it was written is still there. */
function fitting(
  stated: Stated | "damaged" | undefined,
  newest: Segment | undefined,
): Confirmed | undefined {
  if (stated === undefined || stated === "damaged") return undefined;
  const entry = newest?.good.find(({ entry: { seq } }) => seq === stated.seq)?.entry;
  return entry?.mac === stated.last ? { seq: stated.seq, until: stated.until } : undefined;
}

function tailOf(
  newest: Segment | undefined,
  stated: Stated | "damaged" | undefined,
  confirmed: Confirmed | undefined,
): Tail {
  if (newest !== undefined && newest.ending.kind !== "whole") return newest.ending.kind;
  if (stated === "damaged") return "corrupt";
  // The record that it names is in the newest segment, or in an earlier one that was closed since.
  const first = newest?.good[0]?.entry.seq ?? 0;
  if (stated !== undefined && confirmed === undefined && stated.seq >= first) return "lost";
  if (newest === undefined) return "none";
  return confirmed === undefined ? "unconfirmed" : "whole";
}

/** Returns all records in order, and where some are missing. */
function joined(segments: readonly Segment[]): Omit<AuditTrail, "confirmed"> {
  const entries: AuditEntry[] = [];
  const losses: Loss[] = [];
  let last: AuditEntry | undefined;
  for (const [index, { name, good, ending }] of segments.entries()) {
    const [head] = good;
    const opens = head?.entry as unknown as AuditEntry | undefined;
    const after = opens?.kind === "segment" ? opens.after : undefined;
    const follows = after === null || (after?.seq === last?.seq && after?.mac === last?.mac);
    // Records that the ring has overwritten are not a loss.
    if (opens !== undefined && index > 0 && !follows) {
      const why = `records before ${opens.seq} are missing`;
      losses.push({ after: last?.seq ?? 0, why });
    }
    for (const each of good) entries.push(entryIn(each));
    last = entries.at(-1);
    if (ending.kind !== "corrupt") continue;
    losses.push({ after: last?.seq ?? 0, why: `line ${ending.line} of ${name}: ${ending.why}` });
  }
  return { entries, losses };
}
