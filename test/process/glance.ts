// How an agent in a process of its own stands, without a process to ask it: where a test waits, a
// command for each look would cost more than all that is tested.

import { join } from "node:path";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/health/status.ts";

/** Of the agent with that LINKSEAL_HOME; undefined = none answers. */
export async function verdictIn(home: string): Promise<Status["verdict"] | undefined> {
  const socket = join(home, "run/view.sock");
  try {
    const status = await ask({ role: "view", method: "GET", path: "/v1/status", socket });
    return (status as Status).verdict;
  } catch {
    return undefined;
  }
}
