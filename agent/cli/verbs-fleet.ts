// The verbs of many sites, which ask the engine and no agent.

import type { Command } from "commander";
import { registerPropose } from "./verbs-fleet-propose.ts";

export function registerFleet(program: Command): void {
  const fleet = program.command("fleet").description("many sites, through the engine they share");
  registerPropose(fleet);
}
