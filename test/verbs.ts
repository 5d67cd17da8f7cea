// Checks, with the program itself, that it accepts a command line of the documents.

import { exampleOf } from "#agent/cli/shape.ts";
import { wholeProgram } from "#sim/lab/main.ts";

const program = wholeProgram();

/**
 * Follows the words of the line down the tree; a path without an example is a group of verbs, not a
 * verb.
 */
export function isVerb(line: string): boolean {
  let at: typeof program = program;
  for (const word of line.split(/\s+/).slice(1)) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) break;
    at = next;
  }
  return exampleOf(at) !== undefined;
}
