// A disk that has lost one of its files.

import type { Disk } from "#hal/world.ts";

/** A disk that has lost a file, until the file is written anew. */
export function without(disk: Disk, name: string): Disk {
  let isGone = true;
  return {
    read: async (each) => (isGone && each === name ? undefined : await disk.read(each)),
    list: async (prefix) => (await disk.list(prefix)).filter((each) => !isGone || each !== name),
    append: async (each, bytes) => await disk.append(each, bytes),
    replace: async (each, bytes) => {
      await disk.replace(each, bytes);
      if (each === name) isGone = false;
    },
  };
}
