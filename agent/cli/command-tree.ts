// The root of the tree of verbs, and the run of a command line on it.

import { Command, CommanderError } from "commander";
import { reportError, usage } from "./failure.ts";
import { arrangeVerbs } from "./verb-groups.ts";

/** Builds the command `linkseal`, still without verbs. */
export function rootCommand(): Command {
  return new Command("linkseal")
    .description(
      "Protects ExpressRoute Direct links with MACsec and IPsec, rotates their keys without " +
        "losing traffic, and reports what it can prove.",
    )
    .helpOption("-h, --help", "help for this verb, with an example")
    .enablePositionalOptions();
}

/** Adds verbs to a tree. */
export type Register = (program: Command) => void;

/** Builds the tree of these verbs, in their groups; help, reference and completion come from it. */
export function verbTree(verbs: readonly Register[]): Command {
  const program = rootCommand();
  for (const register of verbs) register(program);
  arrangeVerbs(program);
  for (const command of everyCommand(program)) command.helpCommand(false);
  return program;
}

/**
 * Runs one command line; resolves to the exit status.
 * @throws whatever a verb throws; mistakes on the command line are printed here
 */
export async function run(program: Command, argv: readonly string[]): Promise<number> {
  const json = argv.includes("--json");
  for (const command of everyCommand(program)) {
    command.exitOverride();
    // Errors are printed at one place, as text or as JSON.
    command.configureOutput({ outputError: () => undefined });
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "linkseal.exit" || error.exitCode === 0) return error.exitCode;
    if (error.code === "commander.help") return 2;
    return reportError(usage(error.message.replace(/^error: /, ""), helpFor(program, argv)), json);
  }
}

/** Returns a command and all below it. */
export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Returns the help command of the deepest verb that the words name. */
function helpFor(program: Command, argv: readonly string[]): string {
  const names = ["linkseal"];
  let at: Command | undefined = program;
  for (const word of argv) {
    at = at.commands.find((command) => command.name() === word);
    if (at === undefined) break;
    names.push(word);
  }
  return `${names.join(" ")} --help`;
}
