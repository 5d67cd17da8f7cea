// The config that waits until the campaigns which it would affect have ended; it survives a
// restart.

import { parseJson } from "#hal/json.ts";
import type { Disk } from "#hal/world.ts";

export interface QueuedConfig {
  readonly text: string;
  readonly who: string;
}

const file = "queued.yaml";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Stores at most one config. A damaged file counts as empty.
 * @throws LinksealError (from all methods) of the disk
 */
export class Queued {
  readonly #disk: Disk;
  #config: QueuedConfig | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** The waiting config; undefined = none. */
  get config(): QueuedConfig | undefined {
    return this.#config;
  }

  /** Reads the file; `damaged` = it cannot be read as a config. */
  async load(): Promise<"read" | "damaged"> {
    const bytes = await this.#disk.read(file);
    if (bytes === undefined || bytes.length === 0) return "read";
    this.#config = configOf(decoder.decode(bytes));
    return this.#config === undefined ? "damaged" : "read";
  }

  /** Stores a config in place of one that waits already. */
  async put(config: QueuedConfig): Promise<void> {
    await this.#disk.replace(file, encoder.encode(JSON.stringify(config)));
    this.#config = config;
  }

  /** Removes the waiting config. */
  async drop(): Promise<void> {
    if (this.#config === undefined) return;
    await this.#disk.replace(file, new Uint8Array());
    this.#config = undefined;
  }
}

function configOf(text: string): QueuedConfig | undefined {
  try {
    const value: unknown = parseJson(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { text: config, who } = value as { text?: unknown; who?: unknown };
    return typeof config === "string" && typeof who === "string"
      ? { text: config, who }
      : undefined;
  } catch {
    return undefined;
  }
}
