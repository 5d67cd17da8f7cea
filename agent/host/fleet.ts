// Keeps the connection to the engine that the accepted config names, and publishes over it; a
// config without `fleet` loads nothing of it.

import type { World } from "#hal/world.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { PermitCache } from "../runtime/campaigns/permit-cache.ts";

export interface FleetParts {
  readonly agent: AgentView;
  readonly permits: PermitCache;
  readonly world: World;
}

/** Runs until the signal aborts. */
export async function followFleet(
  { agent, permits, world }: FleetParts,
  end: AbortSignal,
): Promise<void> {
  while (!end.aborted) {
    const changed = new AbortController();
    const deaf = agent.events.listen(({ code }) => {
      if (code === "intent-accepted") changed.abort();
    });
    const until = AbortSignal.any([changed.signal, end]);
    const { site = "", fleet } = agent.intent?.desired ?? {};
    if (fleet === undefined) await aborted(until);
    else {
      const { runFleet } = await import("./fleet-run.ts");
      await runFleet({ agent, permits, world, site, settings: fleet }, until);
    }
    deaf();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
