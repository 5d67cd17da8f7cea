// Names the build that this process is: after an upgrade an older one may run on for weeks.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../model/version.ts";

const hashDigits = 12;

/**
 * Returns version and hash of the sources; call it at the start, because an upgrade replaces the
 * files.
 */
export function buildOf(folder: string = import.meta.dirname): string {
  try {
    const stamp = readFileSync(join(folder, "STAMP"), "latin1");
    return `${version} build ${stamp.slice(0, hashDigits)}`;
  } catch {
    // Only a bundle has a stamp.
    return `${version} from sources`;
  }
}
