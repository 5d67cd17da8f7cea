// Which build this process is: after an upgrade an older one may go on for weeks.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../model/version.ts";

const hashDigits = 12;

/** Version and hash of the sources; read at the start, since an upgrade replaces the files. */
export function buildOf(folder: string = import.meta.dirname): string {
  try {
    const stamp = readFileSync(join(folder, "STAMP"), "latin1");
    return `${version} build ${stamp.slice(0, hashDigits)}`;
  } catch {
    // Only a bundle has one.
    return `${version} from sources`;
  }
}
