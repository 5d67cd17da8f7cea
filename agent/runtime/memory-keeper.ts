// Keeps the memory of the journal: each record is durable before the memory has it, and a long
// journal is replaced by a snapshot.

import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";
import type { Journal } from "../store/journal/journal.ts";
import { type JournalRecord, type Memory, remember } from "../store/journal/memory.ts";
import { recollect, snapshotRecords, toStored } from "../store/journal/stored.ts";

/** A start reads all journal records; a compaction keeps older ones in the audit log alone. */
const recordsMax = 250;
/** Records until a compaction that failed is tried again. */
const againAfter = 25;

export interface MemoryKeeperParts {
  readonly journal: Journal;
  readonly log: Log;
  /** Called with each record that is durable, its number, and the memory before it. */
  readonly written: (record: JournalRecord, seq: number, before: Memory) => void;
}

/** The memory, and the only way to change it. */
export class MemoryKeeper {
  readonly #parts: MemoryKeeperParts;
  #memory: Memory;
  #writing: Promise<void> = Promise.resolve();
  /** Length of the journal beyond which it is compacted. */
  #lengthMax = recordsMax;
  #trouble: LinksealError | undefined;

  constructor(parts: MemoryKeeperParts) {
    this.#parts = parts;
    this.#memory = recollect(parts.journal.records());
  }

  /** The state that the journal's records add up to. */
  get memory(): Memory {
    return this.#memory;
  }

  /** Why the last compaction failed, so that the journal grows; undefined = it succeeded. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  /** Appends to the journal, then updates the memory; one record at a time. */
  readonly write = async (record: JournalRecord): Promise<void> => {
    const turn = this.#writing.then(async () => {
      const { journal, written } = this.#parts;
      await journal.append(toStored(record));
      const before = this.#memory;
      this.#memory = remember(before, record);
      written(record, journal.lastSeq, before);
      if (journal.length > this.#lengthMax) await this.#compact();
    });
    this.#writing = turn.catch(() => undefined);
    await turn;
  };

  /** Updates what the memory has of a campaign, without a record. */
  readonly note = (record: JournalRecord): void => {
    this.#memory = remember(this.#memory, record);
  };

  // The record is durable already: a snapshot that finds no room is tried again later.
  async #compact(): Promise<void> {
    const { journal, log } = this.#parts;
    try {
      const [first, ...more] = snapshotRecords(this.#memory);
      await journal.compact(first, ...more);
      this.#lengthMax = recordsMax + more.length;
      this.#trouble = undefined;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#lengthMax = journal.length + againAfter;
      this.#trouble = error;
      log.write("warn", error.code, error.message);
    }
  }
}
