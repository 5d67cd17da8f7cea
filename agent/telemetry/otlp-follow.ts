// Runs the export that the accepted config asks for, and restarts it when the config changes.

import type { World } from "#hal/world.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { measured } from "./metric.ts";
import type { PostParts } from "./post.ts";
import type { Deliveries } from "./webhook.ts";

export interface FollowParts extends PostParts {
  readonly agent: AgentView;
  readonly world: World;
  readonly deliveries: () => Deliveries;
}

/** Runs until the signal aborts. */
export async function followOtlp(parts: FollowParts, end: AbortSignal): Promise<void> {
  const { agent, deliveries } = parts;
  while (!end.aborted) {
    const changed = new AbortController();
    const deaf = agent.events.listen(({ code }) => {
      if (code === "intent-accepted") changed.abort();
    });
    const until = AbortSignal.any([changed.signal, end]);
    const settings = agent.intent?.desired.telemetry.otlp;
    if (settings === undefined) await aborted(until);
    else {
      const { exportMetrics } = await import("./otlp.ts");
      const snapshot = () => measured(agent, deliveries());
      await exportMetrics({ ...parts, settings, snapshot }, until);
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
