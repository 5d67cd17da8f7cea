// The only module that knows everything which a command line may start.

import type { Command } from "commander";
import type { Launch } from "../cli/launch.ts";
import { buildProgram } from "../cli/program.ts";
import { registerSim } from "#sim/lab/verbs-sim.ts";
import { serviceLaunch } from "./services.ts";

const launch: Launch = {
  ...serviceLaunch,
  rehearse: async (options) => await (await import("#sim/lab/rehearsal.ts")).rehearse(options),
  edits: async (platform) =>
    await (await import("#sim/lab/driver-edits.ts")).driverEdits(platform),
  faults: async () =>
    (await import("#sim/lab/simulate.ts")).faultList().map(({ name }) => name),
  registerSim,
};

export { run } from "../cli/command-tree.ts";

/** Builds the tree of all verbs. */
export function linksealProgram(): Command {
  return buildProgram(launch);
}
