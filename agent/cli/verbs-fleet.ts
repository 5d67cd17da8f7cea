// The verb fleet: what all sites of an engine do, and what a hub gives or withholds.

import type { Command } from "commander";
import { registerFleetStatus } from "./verbs-fleet-status.ts";

export function registerFleet(program: Command): void {
  const fleet = program.command("fleet").description("all sites of an engine");
  registerFleetStatus(fleet);
}
