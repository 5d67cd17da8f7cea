// Helpers for commander: common options, an example for help and reference, and the exit status.

import { type Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { logLevels } from "./mka-options.ts";

const examples = new WeakMap<Command, string>();

/** Completes the description of a verb with its example and the options that every verb takes. */
export function verb(command: Command, example: string): Command {
  return withExample(command, example)
    .option("--json", "one JSON document on standard output")
    .option("--socket <path>", "socket of the agent to ask");
}

/** Adds an example to a verb that does not ask the agent. */
export function withExample(command: Command, example: string): Command {
  examples.set(command, example);
  return command.addHelpText("after", `\nExample:\n  $ ${example}`);
}

export function exampleOf(command: Command): string | undefined {
  return examples.get(command);
}

/** Returns the option of a service's log. */
export const logLevel = (): Option =>
  new Option("--log-level <level>", "least level that is logged")
    .choices(logLevels)
    .default("info");

/** Ends a verb with this exit status: commander carries it out of the action. */
export function exit(status: number): void {
  if (status !== 0) throw new CommanderError(status, "linkseal.exit", "");
}

/** Parses a `<number>` argument. */
export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}

/** Parses an option that may be given several times. */
export function collected(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(",")];
}
