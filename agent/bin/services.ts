// The services, each of which is loaded on demand.

import type { Command } from "commander";
import { everyCommand, rootCommand } from "../cli/command-tree.ts";
import type { ServiceLaunch } from "../cli/launch.ts";
import { registerServices } from "../cli/verbs-services.ts";

export const serviceLaunch: ServiceLaunch = {
  agent: async (options) => await (await import("./agent.ts")).runService(options),
  net: async (options) => await (await import("./net.ts")).runNet(options),
  held: async (level) => await (await import("./guard.ts")).listHeld(level),
  guard: async (options) => await (await import("./guard.ts")).runGuard(options),
  mka: async (options) => await (await import("./mka.ts")).runMka(options),
  peer: async (options) => await (await import("./peer.ts")).runPeer(options),
  join: async (socket) => await (await import("./peer.ts")).joinPeer(socket),
};

export { run } from "../cli/command-tree.ts";

/** Builds the tree of the verbs that start a service. */
export function serviceProgram(): Command {
  const program = rootCommand();
  registerServices(program, serviceLaunch);
  for (const command of everyCommand(program)) command.helpCommand(false);
  return program;
}
