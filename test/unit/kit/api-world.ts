// What the requests to one agent share in a test, as the sockets of a process share it.

import type { ApiWorld } from "#agent/api/api.ts";
import { SharedReports } from "#agent/api/shared-reports.ts";
import { WaitLimit } from "#agent/api/wait-limit.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Clock } from "#hal/world.ts";

const shared = new WeakMap<Agent, Pick<ApiWorld, "reports" | "waits">>();

/** Returns the world of one request. */
export function apiWorld(agent: Agent, clock: Clock): ApiWorld {
  const known = shared.get(agent);
  const own = known ?? { reports: new SharedReports(agent, clock), waits: new WaitLimit() };
  shared.set(agent, own);
  return { now: clock.wall(), sleep: clock.sleep.bind(clock), ...own };
}
