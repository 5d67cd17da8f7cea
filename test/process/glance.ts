// Reads the status of an agent in another process without starting a command: in a waiting test, a
// command for each query would cost more than everything that is tested.

import { join } from "node:path";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/runtime/health/status.ts";

/** Reads the status of the agent with that LINKSEAL_HOME; undefined = no agent answers. */
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

/** True if everything is protected, no campaign runs, and no warning is open. */
export async function isAtRest(home: string): Promise<boolean> {
  const status = await statusIn(home);
  const isIdle = status?.groups.every(({ rotation }) => rotation === null) === true;
  return isIdle && status.verdict === "protected" && status.warnings.length === 0;
}
