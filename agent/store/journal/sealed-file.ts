// One file of sealed records on a disk that may cut any write: what memory holds is the truth, and
// a file that may differ from it is written anew before anything is added.

import { createHmac, createSecretKey } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import type { Mac, Sealed } from "./chain.ts";
import { unwritable } from "./unwritable.ts";

export type SealedWorld = Pick<World, "disk" | "clock">;

/** What binds records to this host. */
export interface HostSeal {
  readonly key: Secret;
  readonly host: string;
}

/** The MAC of a chain under the host's key; the key must outlive the call and no longer. */
export function hostMac(secret: Secret): Mac {
  // Made once: a key object for every line cost more than its MAC.
  const key = secret.use((bytes) => createSecretKey(bytes));
  return (previous, body) =>
    createHmac("sha256", key).update(previous).update("\n").update(body).digest("hex");
}

export class SealedFile {
  readonly name: string;
  readonly #disk: SealedWorld["disk"];
  #lines: Sealed[];
  #bytes: number;
  /** After a failed write the file may hold anything. */
  #file: "as in memory" | "suspect";

  constructor(
    disk: SealedWorld["disk"],
    name: string,
    lines: readonly Sealed[],
    file: "as in memory" | "suspect",
  ) {
    this.#disk = disk;
    this.name = name;
    this.#lines = [...lines];
    this.#bytes = bytesOf(lines);
    this.#file = file;
  }

  get lines(): readonly Sealed[] {
    return this.#lines;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves once the line is durable. Throws `journal.full`: the line is not there. */
  async append(sealed: Sealed): Promise<void> {
    await this.repair();
    await this.#write(() => this.#disk.append(this.name, sealed.line));
    this.#lines.push(sealed);
    this.#bytes += sealed.line.length;
  }

  /** A failed append may have left part of a record, or one that no sync has reached. */
  async repair(): Promise<void> {
    if (this.#file === "suspect") await this.rewrite(this.#lines);
  }

  /** Old or new content, never a mix. */
  async rewrite(lines: readonly Sealed[]): Promise<void> {
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

function bytesOf(lines: readonly Sealed[]): number {
  return lines.reduce((sum, { line }) => sum + line.length, 0);
}
