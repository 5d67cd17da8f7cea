// How an agent in a process of its own stands, without a process to ask it: where a test waits, a
// command for each look would cost more than all that is tested.

import { join } from "node:path";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/runtime/health/status.ts";

/** Of the agent with that LINKSEAL_HOME; undefined = none answers. */
async function statusIn(home: string): Promise<Status | undefined> {
  const socket = join(home, "run/view.sock");
  try {
    return (await ask({ role: "view", method: "GET", path: "/v1/status", socket })) as Status;
  } catch {
    return undefined;
  }
}

export async function verdictIn(home: string): Promise<Status["verdict"] | undefined> {
  return (await statusIn(home))?.verdict;
}

/** All is protected, no campaign runs, and nothing is warned of. */
export async function isAtRest(home: string): Promise<boolean> {
  const status = await statusIn(home);
  const isIdle = status?.groups.every(({ rotation }) => rotation === null) === true;
  return isIdle && status.verdict === "protected" && status.warnings.length === 0;
}
