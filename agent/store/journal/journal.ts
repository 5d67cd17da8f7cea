// The append-only record that every effect waits for: what is in it survives any crash. If a faulty
// disk lost the tail, or an old copy was put back, the file still verifies. So no caller concludes
// anything from the absence of a record; callers observe the devices.

import { LinksealError } from "#hal/error.ts";
import {
  type ChainedRecord,
  chainRecord,
  type Ending,
  type Entry,
  fileBytesMax,
  type JsonRecord,
  lineBytesMax,
  lossKind,
  type Mac,
  recordBytesMax,
  scanJournal,
} from "./chain.ts";
import { ChainFile, type ChainWorld, type HostKey, hostMac } from "./chain-file.ts";
import { unwritable } from "./unwritable.ts";

export type { Entry, JsonRecord } from "./chain.ts";

const file = "journal";
/** File that keeps a broken journal for an operator, after its loss was accepted. */
const brokenFile = "journal-broken";

const lostWhy = "it is missing, and the audit log knows of it";

/** How the file was found; a torn tail is cut off already. */
export type Recovered = Ending;

interface JournalOptions extends HostKey {
  /** The highest record number that the audit log knows; absent = none. */
  readonly knownSeq?: number;
}

/** The journal of this process; one write at a time. */
export class Journal {
  readonly #world: ChainWorld;
  readonly #host: string;
  readonly #mac: Mac;
  readonly #file: ChainFile;
  readonly #knownSeq: number;
  #ending: Ending;
  #missing: number;
  /** A corrupt file as it was found, until its loss is accepted. */
  #found: Uint8Array | undefined;
  #trouble: LinksealError | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    world: ChainWorld,
    { key, host, knownSeq = 0 }: JournalOptions,
    bytes: Uint8Array,
  ) {
    this.#world = world;
    this.#host = host;
    this.#mac = hostMac(key);
    const { good, ending } = scanJournal(bytes, host, this.#mac);
    const state = ending.kind === "torn" ? "suspect" : "as in memory";
    this.#file = new ChainFile(world.disk, file, good, state);
    this.#knownSeq = knownSeq;
    this.#missing = Math.max(0, knownSeq - this.lastSeq);
    // Without any record the agent would take each link for one that it has never touched.
    const isLost = good.length === 0 && ending.kind !== "corrupt" && this.#missing > 0;
    this.#ending = isLost ? { kind: "corrupt", line: 1, why: lostWhy } : ending;
    this.#found = this.#ending.kind === "corrupt" ? bytes : undefined;
  }

  /**
   * Reads and verifies the whole file and cuts off a torn tail. A broken journal is not an error:
   * it is readable up to the break and refuses every write. The key must outlive the journal.
   */
  static async open(
    world: ChainWorld,
    options: JournalOptions,
  ): Promise<{ journal: Journal; recovered: Recovered }> {
    const bytes = (await world.disk.read(file)) ?? new Uint8Array();
    const journal = new Journal(world, options, bytes);
    const recovered = journal.#ending;
    // A full disk must not keep the agent from observing: the next append tries the cut again.
    await journal.#written(() => journal.#file.repair()).catch(() => undefined);
    return { journal, recovered };
  }

  /** `torn` = a tail was cut off at open; `corrupt` = read-only until `acceptLoss`. */
  get state(): Ending["kind"] {
    return this.#ending.kind;
  }

  /**
   * How many records the audit log knew after the end of the file when it was opened, until their
   * loss is accepted: a disk lost them, or an old copy was put back.
   */
  get missing(): number {
    return this.#missing;
  }

  /** Why the last write failed; undefined = it succeeded, or there was none. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  /**
   * Returns everything since the last compaction; for a corrupt journal everything before the
   * break.
   */
  records(): readonly Entry[] {
    return this.#file.lines.map((line) => line.entry);
  }

  /** Number of the newest record; 0 = there is none. */
  get lastSeq(): number {
    return this.#file.lines.at(-1)?.entry.seq ?? 0;
  }

  /** Number of records in the file. */
  get length(): number {
    return this.#file.lines.length;
  }

  /** Octets of the file, of which it may have `fileBytesMax`. */
  get bytes(): number {
    return this.#file.bytes;
  }

  /**
   * Appends a record; resolves when it is durable, and only then may its effect run. Calls are
   * carried out one after the other.
   * @throws LinksealError with `journal.corrupt` or `journal.full` and effect "none": the record is
   * not in the journal
   */
  append(record: JsonRecord): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseCorrupt();
      const chained = this.#chain(record, this.#file.lines, recordBytesMax);
      this.#refuseLonger(this.#file.bytes + chained.line.length);
      await this.#file.append(chained);
    });
  }

  /**
   * Writes the present content again: if that succeeds, the disk accepts records again.
   * @throws LinksealError as `append`
   */
  rewrite(): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseCorrupt();
      this.#refuseLonger(this.#file.bytes + recordBytesMax);
      await this.#file.rewrite(this.#file.lines);
    });
  }

  /**
   * Replaces all records by these in one step; sequence numbers continue.
   * @throws LinksealError as `append`
   */
  compact(first: JsonRecord, ...more: readonly JsonRecord[]): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseCorrupt();
      const lines = this.#chainAll([first, ...more]);
      this.#refuseLonger(lines.reduce((sum, { line }) => sum + line.length, 0));
      await this.#file.rewrite(lines);
    });
  }

  /**
   * Keeps everything before the break, records what was dropped, and allows writing again.
   * @throws LinksealError with `usage` if nothing is lost, or `journal.full`
   */
  acceptLoss(who: string): Promise<void> {
    return this.#inTurn(async () => {
      const { line, why } = this.#loss();
      const found = this.#found;
      if (found !== undefined && found.length > 0) await this.#keep(found);
      const loss: JsonRecord = {
        kind: lossKind,
        ...{ who, line, why },
        droppedBytes: found === undefined ? 0 : found.length - this.#file.bytes,
        keptAs: found === undefined || found.length === 0 ? null : brokenFile,
      };
      const { lines } = this.#file;
      const chained = this.#chain(loss, lines, recordBytesMax, this.#knownSeq);
      await this.#file.rewrite([...lines, chained]);
      this.#ending = { kind: "whole" };
      this.#found = undefined;
      this.#missing = 0;
    });
  }

  #loss(): { readonly line: number; readonly why: string } {
    if (this.#ending.kind === "corrupt") return this.#ending;
    if (this.#missing > 0) return { line: this.length + 1, why: lostWhy };
    throw new LinksealError("usage", "the journal is not broken: there is no loss to accept", {
      effect: "none",
      where: file,
      next: "linkseal journal",
    });
  }

  #refuseCorrupt(): void {
    if (this.#ending.kind !== "corrupt") return;
    const { line, why } = this.#ending;
    throw new LinksealError(
      "journal.corrupt",
      `record ${line} of the journal is broken: ${why}; nothing was changed`,
      { effect: "none", where: `${file}:${line}`, next: "linkseal journal accept-loss" },
    );
  }

  #refuseLonger(bytes: number): void {
    if (bytes <= fileBytesMax) return;
    const text = `the journal has reached its ${fileBytesMax} bytes; nothing was changed`;
    const next = "linkseal doctor --bundle";
    throw new LinksealError("journal.full", text, { effect: "none", where: file, next });
  }

  #chain(
    record: JsonRecord,
    after: readonly ChainedRecord[],
    bytesMax: number,
    seqBefore = 0,
  ): ChainedRecord {
    const previous = after.at(-1)?.entry;
    const seq = Math.max(previous?.seq ?? 0, seqBefore) + 1;
    const head = { seq, at: this.#world.clock.wall(), host: this.#host };
    const chained = chainRecord(head, record, previous, this.#mac);
    if (chained.line.length > bytesMax) {
      throw new LinksealError(
        "agent.internal",
        `a record ${record.kind} of ${chained.line.length} bytes is too long for the journal`,
        { effect: "none", where: file, next: "linkseal doctor --bundle" },
      );
    }
    return chained;
  }

  #chainAll(records: readonly JsonRecord[]): readonly ChainedRecord[] {
    const seqBefore = this.lastSeq;
    const lines: ChainedRecord[] = [];
    for (const record of records) lines.push(this.#chain(record, lines, lineBytesMax, seqBefore));
    return lines;
  }

  async #keep(bytes: Uint8Array): Promise<void> {
    try {
      await this.#world.disk.replace(brokenFile, bytes);
    } catch (error) {
      throw error instanceof LinksealError ? error : unwritable(file, "the journal", error);
    }
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(() => this.#written(run));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #written(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.#trouble = undefined;
    } catch (error) {
      const isFull = error instanceof LinksealError && error.code === "journal.full";
      if (isFull) this.#trouble = error;
      throw error;
    }
  }
}
