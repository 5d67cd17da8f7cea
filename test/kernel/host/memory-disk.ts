// A disk that outlives the processes of one test.

import type { Disk } from "#hal/world.ts";

export class MemoryDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  read = async (name: string): Promise<Uint8Array | undefined> => this.files.get(name);
  list = async (): Promise<readonly string[]> => [...this.files.keys()];
  append = async (): Promise<void> => undefined;
  replace = async (name: string, bytes: Uint8Array): Promise<void> => {
    this.files.set(name, bytes);
  };
}
