// The audit log on disk: segments in a ring of files, each a chain of MACs that names the record
// before it, and one small file that says until when the newest record is confirmed. A tail that is
// lost takes its confirmation with it, so that a loss can only hide what was protected.

import { LinksealError } from "#hal/error.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import type { WallTime } from "#hal/world.ts";
import {
  type Ending,
  type Entry,
  lineBytesMax,
  type Mac,
  type Sealed,
  scanJournal,
  sealRecord,
} from "../journal/chain.ts";
import { type HostSeal, hostMac, SealedFile, type SealedWorld } from "../journal/sealed-file.ts";
import type { AuditEntry, AuditRecord, Found, Tail } from "./record.ts";

export const segmentsMax = 16;
const segmentBytesMax = 4 * 1024 * 1024;
const folder = "audit/";
const confirmedFile = "audit-confirmed";

/** Until when the record of that number, and all before it, is confirmed. */
export interface Confirmed {
  readonly seq: number;
  readonly until: number;
}

/** Records that are missing or damaged: what they said is unknown. */
export interface Loss {
  /** Number of the last sound record before; 0 = there is none. */
  readonly after: number;
  readonly why: string;
}

/** All that still stands, from the oldest record on. */
export interface AuditTrail {
  readonly entries: readonly AuditEntry[];
  readonly losses: readonly Loss[];
  readonly confirmed: Confirmed | undefined;
}

interface Segment {
  readonly name: string;
  readonly good: readonly Sealed[];
  readonly ending: Ending;
}

/** What a new segment begins with, so that it can be read without those before it. */
export interface Carry {
  readonly carry: readonly Found[];
  readonly journalSeq: number;
  readonly held: number;
}

interface Options extends HostSeal {
  /** For tests: how much one segment takes before the next begins. */
  readonly segmentBytes?: number;
}

export class AuditLog {
  readonly #world: SealedWorld;
  readonly #host: string;
  readonly #mac: Mac;
  readonly #segmentBytes: number;
  #file: SealedFile | undefined;
  /** The newest sound record. */
  #last: Entry | undefined;
  readonly #tail: Tail;
  readonly #confirmed: Confirmed | undefined;
  readonly #recent: readonly AuditEntry[];
  #nextSlot: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(world: SealedWorld, options: Options, found: Opened) {
    this.#world = world;
    this.#host = options.host;
    this.#mac = found.mac;
    this.#segmentBytes = options.segmentBytes ?? segmentBytesMax;
    this.#last = found.newest?.good.at(-1)?.entry;
    this.#recent = (found.newest?.good ?? []).map(({ entry }) => entry as unknown as AuditEntry);
    this.#tail = found.tail;
    this.#confirmed = found.confirmed;
    this.#nextSlot = found.newest === undefined ? 0 : slotAfter(found.newest.name);
    // A damaged segment is kept as it is for a person to read; the next one goes on.
    const isSound = found.newest !== undefined && found.newest.ending.kind !== "corrupt";
    if (!isSound || found.newest === undefined) return;
    const { name, good, ending } = found.newest;
    const state = ending.kind === "torn" ? "suspect" : "as in memory";
    this.#file = new SealedFile(world.disk, name, good, state);
  }

  /** Reads what is there; never throws for damage, which `tail` tells and `read` places. */
  static async open(world: SealedWorld, options: Options): Promise<AuditLog> {
    const mac = auditMac(options);
    const segments = await readSegments(world, options.host, mac);
    const newest = segments.at(-1);
    const stated = await readConfirmed(world, mac);
    const confirmed = fitting(stated, newest);
    return new AuditLog(world, options, {
      mac,
      newest,
      confirmed,
      tail: tailOf(newest, stated, confirmed),
    });
  }

  /** How the last process left it. */
  get tail(): Tail {
    return this.#tail;
  }

  /** Until when the records of the last process count; undefined = only as far as they say. */
  get confirmedBefore(): Confirmed | undefined {
    return this.#confirmed;
  }

  /** What stood in the newest segment when it was opened. */
  get recent(): readonly AuditEntry[] {
    return this.#recent;
  }

  /**
   * Resolves once the record is durable. `carry` is asked for where a new segment begins. Throws
   * `journal.full`: the record is not there.
   */
  append(record: AuditRecord, carry: () => Carry): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#file === undefined || this.#file.bytes >= this.#segmentBytes) {
        await this.#begin(carry());
      }
      await this.#add(record);
    });
  }

  /** Says until when all records so far are confirmed. Throws `journal.full`. */
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

  /** Everything that stands on the disk, read and checked anew. */
  read(): Promise<AuditTrail> {
    return this.#inTurn(async () => {
      const segments = await readSegments(this.#world, this.#host, this.#mac);
      const stated = await readConfirmed(this.#world, this.#mac);
      return { ...joined(segments), confirmed: fitting(stated, segments.at(-1)) };
    });
  }

  async #begin(carried: Carry): Promise<void> {
    const last = this.#last;
    const after = last === undefined ? null : { seq: last.seq, mac: last.mac };
    const name = `${folder}${String(this.#nextSlot).padStart(2, "0")}`;
    const fresh = new SealedFile(this.#world.disk, name, [], "as in memory");
    const sealed = this.#seal({ kind: "segment", after, ...carried }, undefined);
    await fresh.rewrite([sealed]);
    this.#file = fresh;
    this.#last = sealed.entry;
    this.#nextSlot = slotAfter(name);
  }

  async #add(record: AuditRecord): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error("a record without a segment");
    const sealed = this.#seal(record, file.lines.at(-1)?.entry);
    await file.append(sealed);
    this.#last = sealed.entry;
  }

  #seal(record: AuditRecord, previous: Entry | undefined): Sealed {
    const head = {
      seq: (this.#last?.seq ?? 0) + 1,
      at: Math.floor(this.#world.clock.wall()) as WallTime,
      host: this.#host,
    };
    const sealed = sealRecord(head, { ...record }, previous, this.#mac);
    if (sealed.line.length <= lineBytesMax / 4) return sealed;
    const text = `a record ${record.kind} of ${sealed.line.length} bytes is too long for the audit`;
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

interface Opened {
  readonly mac: Mac;
  readonly newest: Segment | undefined;
  readonly confirmed: Confirmed | undefined;
  readonly tail: Tail;
}

/** Under the host's key too, and never a record of the journal. */
function auditMac({ key }: HostSeal): Mac {
  const mac = hostMac(key);
  return (previous, body) => mac(`audit ${previous}`, body);
}

function slotAfter(name: string): number {
  return (Number(name.slice(folder.length)) + 1) % segmentsMax;
}

/** In the order of their records. */
async function readSegments(
  { disk }: Pick<SealedWorld, "disk">,
  host: string,
  mac: Mac,
): Promise<readonly Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(folder)) {
    if (!/^audit\/\d\d$/.test(name)) continue;
    const bytes = (await disk.read(name)) ?? new Uint8Array();
    segments.push({ name, ...scanJournal(bytes, host, mac) });
  }
  // One that cannot be read at all says nothing of its place: the ring tells it.
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
  { disk }: Pick<SealedWorld, "disk">,
  mac: Mac,
): Promise<Stated | "damaged" | undefined> {
  const bytes = await disk.read(confirmedFile);
  if (bytes === undefined) return undefined;
  try {
    const value = decodeJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const { mac: told, ...stated } = value as Stated & { readonly mac: string };
    const body = new TextEncoder().encode(encodeJson(stated));
    return mac("confirmed", body) === told ? stated : "damaged";
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    return "damaged";
  }
}

/** It counts only beside the very record that it was written about. */
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
  // What it names lies in the newest segment, or in one before that has been closed since.
  const first = newest?.good[0]?.entry.seq ?? 0;
  if (stated !== undefined && confirmed === undefined && stated.seq >= first) return "lost";
  return newest === undefined ? "none" : "whole";
}

/** All records in order, and where some are missing. */
function joined(segments: readonly Segment[]): Omit<AuditTrail, "confirmed"> {
  const entries: AuditEntry[] = [];
  const losses: Loss[] = [];
  let last: AuditEntry | undefined;
  for (const [index, { name, good, ending }] of segments.entries()) {
    const [head] = good;
    const opens = head?.entry as unknown as AuditEntry | undefined;
    const after = opens?.kind === "segment" ? opens.after : undefined;
    const follows = after === null || (after?.seq === last?.seq && after?.mac === last?.mac);
    // What the ring has let go is no loss: the records begin where they begin.
    if (opens !== undefined && index > 0 && !follows) {
      const why = `records before ${opens.seq} are missing`;
      losses.push({ after: last?.seq ?? 0, why });
    }
    for (const { entry } of good) entries.push(entry as unknown as AuditEntry);
    last = entries.at(-1);
    if (ending.kind !== "corrupt") continue;
    losses.push({ after: last?.seq ?? 0, why: `line ${ending.line} of ${name}: ${ending.why}` });
  }
  return { entries, losses };
}
