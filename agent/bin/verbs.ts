// The verbs of the agent's program, and what they may start.

import type { Command } from "commander";
import { type Register, verbTree } from "../cli/command-tree.ts";
import { registerInit } from "../cli/init.ts";
import type { Launch } from "../cli/launch.ts";
import { registerAbsent } from "../cli/verbs-absent.ts";
import { registerAzure } from "../cli/verbs-azure.ts";
import { registerConfig } from "../cli/verbs-config.ts";
import { registerDeviceVerbs, registerDrivers } from "../cli/verbs-device.ts";
import { registerEvidence } from "../cli/verbs-evidence.ts";
import { registerExplain } from "../cli/verbs-explain.ts";
import { registerKeys } from "../cli/verbs-keys.ts";
import { registerLinks } from "../cli/verbs-links.ts";
import { registerPage } from "../cli/verbs-page.ts";
import { registerProposal } from "../cli/verbs-proposal.ts";
import { registerPsk } from "../cli/verbs-psk.ts";
import { registerRotate } from "../cli/verbs-rotate.ts";
import { registerScorecard } from "../cli/verbs-scorecard.ts";
import { registerSelf } from "../cli/verbs-self.ts";
import { registerServices } from "../cli/verbs-services.ts";
import { registerWork } from "../cli/verbs-work.ts";
import { serviceLaunch } from "./services.ts";

/** Returns the verbs that a host of an agent has; `launch` starts what they do not import. */
export function agentVerbs(launch: Launch): readonly Register[] {
  return [
    registerInit,
    registerAzure,
    registerConfig,
    registerProposal,
    registerLinks,
    registerKeys,
    registerWork,
    (program) => registerRotate(program, launch),
    registerPsk,
    registerExplain,
    registerDeviceVerbs,
    registerPage,
    registerEvidence,
    registerScorecard,
    registerDrivers,
    (program) => registerServices(program, launch),
    (program) => registerSelf(program, launch),
  ];
}

const launch: Launch = {
  ...serviceLaunch,
  rehearse: async (request) => await (await import("../host/rehearsal.ts")).rehearse(request),
  faults: [],
};

export { run } from "../cli/command-tree.ts";

/** Builds the tree of the agent's verbs, and of those that another package has. */
export function linksealProgram(): Command {
  return verbTree([...agentVerbs(launch), registerAbsent]);
}
