// Mutants that no test can notice, each with the reason: test/mutate/known.txt. Each is known by a
// hash: a line that moves stays known, and a line that was changed does not.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Known {
  readonly file: string;
  readonly hash: string;
  readonly why: string;
}

export interface Mutant {
  readonly file: string;
  /** The source line in which the mutant begins, without its indent. */
  readonly line: string;
  /** The text that Stryker writes instead. */
  readonly becomes: string;
}

/** Returns the name of a mutant in the list. */
export function hashOf({ file, line, becomes }: Mutant): string {
  return createHash("sha256").update(`${file}\0${line}\0${becomes}`).digest("hex").slice(0, 8);
}

/** Reads the list: a file on a line, below it lines of hashes with their reason. */
export function knownIn(text: string): readonly Known[] {
  let file = "";
  return text.split("\n").flatMap((line): readonly Known[] => {
    if (!line.startsWith("  ")) file = line;
    const [, hashes = "", why = ""] = /^ {2}([0-9a-f ]+): (.+)$/.exec(line) ?? [];
    return hashes === "" ? [] : hashes.split(" ").map((hash) => ({ file, hash, why }));
  });
}

export const known = knownIn(readFileSync(join(import.meta.dirname, "known.txt"), "utf8"));
