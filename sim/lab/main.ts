// The program of the laboratory: simulator, rehearsal, and trials of drivers. It has the verbs of
// agent and hub too: reference and completion show one tree.

import type { Command } from "commander";
import { serviceLaunch } from "#agent/bin/services.ts";
import { agentVerbs } from "#agent/bin/verbs.ts";
import { type Register, run, verbTree } from "#agent/cli/command-tree.ts";
import { attempt } from "#agent/cli/failure.ts";
import type { Launch } from "#agent/cli/launch.ts";
import { hubVerbs } from "#agent/hub/cli/main.ts";
import { demoFaults } from "../faults/faults.ts";
import { registerLabDrivers } from "./verbs-driver.ts";
import { registerSim, rehearseBriefly } from "./verbs-sim.ts";

const ownVerbs: readonly Register[] = [registerSim, registerLabDrivers];

/** Builds the tree of all verbs. */
export function wholeProgram(): Command {
  const launch: Launch = {
    ...serviceLaunch,
    rehearse: rehearseBriefly,
    faults: demoFaults.map(({ name }) => name),
  };
  return verbTree([...agentVerbs(launch), ...hubVerbs, ...ownVerbs]);
}

/** Runs one command line; resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  return await attempt(argv, () => run(wholeProgram(), argv));
}
