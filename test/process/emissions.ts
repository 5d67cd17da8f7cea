// All outputs of processes, each place under its name, and the search for keys in them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CanarySearch } from "#sim/oracle/canary.ts";

export class Emissions {
  readonly #chunks = new Map<string, Uint8Array>();

  /** Replaces the earlier content of a place, so pass the whole content. */
  take(where: string, bytes: Uint8Array | string): void {
    this.#chunks.set(where, Buffer.from(bytes));
  }

  /** Takes every file below a folder. */
  takeFolder(folder: string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) this.take(path, readFileSync(path));
    }
  }

  /**
   * Takes the arguments and environment of a running process and its children, as the system shows
   * them.
   */
  takeProcess(pid: number): void {
    const read = (name: string): Buffer => readFileSync(`/proc/${pid}/${name}`);
    try {
      this.take(`cmdline of ${pid}`, read("cmdline"));
      this.take(`environment of ${pid}`, read("environ"));
      const children = read(`task/${pid}/children`).toString().trim();
      for (const child of children === "" ? [] : children.split(" ")) {
        this.takeProcess(Number(child));
      }
    } catch {
      // The process has ended; its earlier samples stay.
    }
  }

  get places(): readonly string[] {
    return [...this.#chunks.keys()];
  }

  /** Returns `place: label as form` for each place that contains any of the keys. */
  find(keys: readonly { readonly id: string; readonly bytes: Uint8Array }[]): readonly string[] {
    return [...this.#chunks].flatMap(([where, bytes]) => {
      const search = new CanarySearch();
      for (const { id, bytes: key } of keys) search.add({ label: id, bytes: key });
      const found = search.search(where, bytes);
      return found === undefined ? [] : [`${where}: ${found.label} as ${found.form}`];
    });
  }
}
