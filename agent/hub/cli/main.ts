// The program of the hub: what runs the engine of many sites, or asks it.

import { type Register, run, verbTree } from "../../cli/command-tree.ts";
import { attempt } from "../../cli/failure.ts";
import { registerSelf } from "../../cli/verbs-self.ts";
import { registerFleet } from "./verbs-fleet.ts";
import { registerHub } from "./verbs-hub.ts";

export const hubVerbs: readonly Register[] = [registerHub, registerFleet];

/** Runs one command line; resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const self: Register = (program) => registerSelf(program, { faults: [] });
  return await attempt(argv, () => run(verbTree([...hubVerbs, self]), argv));
}
