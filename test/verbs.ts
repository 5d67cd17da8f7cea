// Is a command line of the documents one that the program takes? Asked of the program itself.

import { linksealProgram } from "#agent/bin/launch.ts";
import { exampleOf } from "#agent/cli/shape.ts";

const program = linksealProgram();

/**
 * Follows the words of the line down the tree; what has no example is a group of verbs and no verb.
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
