// The verbs of programs that are not installed on this host: help lists them, and they say which
// package has them.

import type { Command } from "commander";
import type { LinksealError } from "#hal/error.ts";
import { version } from "../model/version.ts";
import programs from "../programs.json" with { type: "json" };
import { usage } from "./failure.ts";

/** Makes the error for a verb whose program is not installed. */
export function absentError(verb: string, from: string): LinksealError {
  const text = `linkseal ${verb} comes with the package ${from}, which is not installed here`;
  return usage(text, `apt install ./${from}_${version}_all.deb (docs/install.md)`);
}

/** Adds every verb of another program that is not in the tree yet. */
export function registerAbsent(program: Command): void {
  for (const { package: from, verbs } of [programs.hub, programs.lab]) {
    for (const [verb, text] of Object.entries(verbs)) {
      const words = verb.split(" ");
      const parent = words.slice(0, -1).reduce(childOf, program);
      const name = words.at(-1) ?? verb;
      if (parent.commands.some((command) => command.name() === name)) continue;
      parent
        .command(`${name} [words...]`)
        .description(`${text} (package ${from})`)
        .allowUnknownOption()
        .action(() => {
          throw absentError(verb, from);
        });
    }
  }
}

function childOf(parent: Command, name: string): Command {
  const found = parent.commands.find((command) => command.name() === name);
  if (found === undefined) throw new RangeError(`${name} has no verbs`);
  return found;
}
