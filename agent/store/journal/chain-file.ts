// One file of chained records on a disk that may cut any write short: memory has the correct
// content, and a file that may differ is written anew before anything is added.

import { createHmac, createSecretKey } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import type { ChainedRecord, Mac } from "./chain.ts";
import { unwritable } from "./unwritable.ts";

/** The parts of the World that sealed files need. */
export type ChainWorld = Pick<World, "disk" | "clock">;

/** Key and name that bind records to this host. */
export interface HostKey {
  /** Key of the MACs. */
  readonly key: Secret;
  /** Id of the host. */
  readonly host: string;
}

/**
 * Returns the MAC function of a chain under the host's key; the key must outlive the call and no
 * longer.
 */
export function hostMac(secret: Secret): Mac {
  // Made once: a key object for every line cost more than its MAC.
  const key = secret.use((bytes) => createSecretKey(bytes));
  return (previous, body) =>
    createHmac("sha256", key).update(previous).update("\n").update(body).digest("hex");
}

/** A file of sealed records, whose lines are also in memory. */
export class ChainFile {
  readonly name: string;
  readonly #disk: ChainWorld["disk"];
  #lines: ChainedRecord[];
  #bytes: number;
  /** `suspect` = a write failed, so the file may contain anything. */
  #file: "as in memory" | "suspect";

  constructor(
    disk: ChainWorld["disk"],
    name: string,
    lines: readonly ChainedRecord[],
    file: "as in memory" | "suspect",
  ) {
    this.#disk = disk;
    this.name = name;
    this.#lines = [...lines];
    this.#bytes = bytesOf(lines);
    this.#file = file;
  }

  /** The lines in memory. */
  get lines(): readonly ChainedRecord[] {
    return this.#lines;
  }

  /** Their length in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends a line; resolves when it is durable.
   * @throws LinksealError with `journal.full`: the line is not in the file
   */
  async append(chained: ChainedRecord): Promise<void> {
    await this.repair();
    await this.#write(() => this.#disk.append(this.name, chained.line));
    this.#lines.push(chained);
    this.#bytes += chained.line.length;
  }

  /**
   * Rewrites a file that a failed append may have left with a part of a record, or with an unsynced
   * one.
   * @throws LinksealError with `journal.full`
   */
  async repair(): Promise<void> {
    if (this.#file === "suspect") await this.rewrite(this.#lines);
  }

  /**
   * Replaces the content; after a crash it is the old or the new one, never a mix.
   * @throws LinksealError with `journal.full`
   */
  async rewrite(lines: readonly ChainedRecord[]): Promise<void> {
    const bytes = new Uint8Array(bytesOf(lines));
    let offset = 0;
    for (const { line } of lines) {
      bytes.set(line, offset);
      offset += line.length;
    }
    await this.#write(() => this.#disk.replace(this.name, bytes));
    this.#lines = [...lines];
    this.#bytes = bytes.length;
  }

  async #write(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.#file = "as in memory";
    } catch (error) {
      this.#file = "suspect";
      throw error instanceof LinksealError
        ? error
        : unwritable(this.name, `the ${this.name}`, error);
    }
  }
}

function bytesOf(lines: readonly ChainedRecord[]): number {
  return lines.reduce((sum, { line }) => sum + line.length, 0);
}
