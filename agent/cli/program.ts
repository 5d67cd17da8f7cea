// The tree of verbs. Help, reference and completion are all made from it.

import { Command, CommanderError } from "commander";
import { reportError, usage } from "./failure.ts";
import { registerInit } from "./init.ts";
import type { Launch } from "./launch.ts";
import { arrangeVerbs } from "./verb-groups.ts";
import { registerAzure } from "./verbs-azure.ts";
import { registerConfig } from "./verbs-config.ts";
import { registerDeviceVerbs, registerServices } from "./verbs-device.ts";
import { registerEvidence } from "./verbs-evidence.ts";
import { registerExplain } from "./verbs-explain.ts";
import { registerKeys } from "./verbs-keys.ts";
import { registerLinks } from "./verbs-links.ts";
import { registerPage } from "./verbs-page.ts";
import { registerPsk } from "./verbs-psk.ts";
import { registerRotate } from "./verbs-rotate.ts";
import { registerScorecard } from "./verbs-scorecard.ts";
import { registerSelf } from "./verbs-self.ts";
import { registerSize } from "./verbs-size.ts";
import { registerWork } from "./verbs-work.ts";

/** Builds the tree of all verbs, in their groups; `launch` starts daemons and the simulator. */
export function buildProgram(launch: Launch): Command {
  const program = new Command("linkseal")
    .description(
      "Protects ExpressRoute Direct links with MACsec and IPsec, rotates their keys without " +
        "losing traffic, and reports what it can prove.",
    )
    .helpOption("-h, --help", "help for this verb, with an example")
    .enablePositionalOptions();
  registerInit(program);
  registerAzure(program);
  registerConfig(program);
  registerLinks(program);
  registerKeys(program);
  registerWork(program);
  registerRotate(program, launch);
  registerPsk(program);
  registerSize(program);
  registerExplain(program);
  registerDeviceVerbs(program);
  registerPage(program);
  registerEvidence(program);
  registerScorecard(program);
  launch.registerSim(program);
  registerServices(program, launch);
  registerSelf(program, launch);
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
