// The tree of verbs. Help, reference and completion are all made from it.

import type { Command } from "commander";
import { everyCommand, rootCommand } from "./command-tree.ts";
import { registerInit } from "./init.ts";
import type { Launch } from "./launch.ts";
import { arrangeVerbs } from "./verb-groups.ts";
import { registerAzure } from "./verbs-azure.ts";
import { registerConfig } from "./verbs-config.ts";
import { registerDeviceVerbs, registerDrivers } from "./verbs-device.ts";
import { registerEvidence } from "./verbs-evidence.ts";
import { registerExplain } from "./verbs-explain.ts";
import { registerFleet } from "../hub/cli/verbs-fleet.ts";
import { registerHub } from "../hub/cli/verbs-hub.ts";
import { registerKeys } from "./verbs-keys.ts";
import { registerLinks } from "./verbs-links.ts";
import { registerPage } from "./verbs-page.ts";
import { registerProposal } from "./verbs-proposal.ts";
import { registerPsk } from "./verbs-psk.ts";
import { registerRotate } from "./verbs-rotate.ts";
import { registerScorecard } from "./verbs-scorecard.ts";
import { registerSelf } from "./verbs-self.ts";
import { registerServices } from "./verbs-services.ts";
import { registerSize } from "./verbs-size.ts";
import { registerWork } from "./verbs-work.ts";

/** Builds the tree of all verbs, in their groups; `launch` starts services and the simulator. */
export function buildProgram(launch: Launch): Command {
  const program = rootCommand();
  registerInit(program);
  registerAzure(program);
  registerConfig(program);
  registerProposal(program);
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
  registerHub(program);
  registerFleet(program);
  launch.registerSim(program);
  registerDrivers(program, launch);
  registerServices(program, launch);
  registerSelf(program, launch);
  arrangeVerbs(program);
  for (const command of everyCommand(program)) command.helpCommand(false);
  return program;
}
