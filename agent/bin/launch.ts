// The only module that knows everything which a command line may start.

import type { Command } from "commander";
import type { Launch } from "../cli/launch.ts";
import { buildProgram } from "../cli/program.ts";
import { registerSim } from "../simulation/sim-verbs.ts";
import { serviceLaunch } from "./services.ts";

const launch: Launch = {
  ...serviceLaunch,
  rehearse: async (options) => await (await import("../simulation/rehearsal.ts")).rehearse(options),
  edits: async (platform) =>
    await (await import("../simulation/driver-edits.ts")).driverEdits(platform),
  registerSim,
};

export { run } from "../cli/command-tree.ts";

/** Builds the tree of all verbs. */
export function linksealProgram(): Command {
  return buildProgram(launch);
}
