// The only module that knows everything which a command line may start.

import type { Command } from "commander";
import type { Launch } from "../cli/launch.ts";
import { buildProgram } from "../cli/program.ts";
import { registerSim } from "../simulation/sim-verbs.ts";

const launch: Launch = {
  agent: async (options) => await (await import("./agent.ts")).runService(options),
  net: async (options) => await (await import("./net.ts")).runNet(options),
  held: async (level) => await (await import("./net.ts")).listHeld(level),
  guard: async (options) => await (await import("./net.ts")).runGuard(options),
  mka: async (options) => await (await import("./mka.ts")).runMka(options),
  peer: async (options) => await (await import("./peer.ts")).runPeer(options),
  join: async (socket) => await (await import("./peer.ts")).joinPeer(socket),
  rehearse: async (options) => await (await import("../simulation/rehearsal.ts")).rehearse(options),
  edits: async (platform) =>
    await (await import("../simulation/driver-edits.ts")).driverEdits(platform),
  registerSim,
};

export { run } from "../cli/program.ts";

/** Builds the tree of all verbs. */
export function linksealProgram(): Command {
  return buildProgram(launch);
}
