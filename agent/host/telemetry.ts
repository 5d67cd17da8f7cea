// Runs everything that the agent sends or serves in addition to its sockets, as the accepted config
// wants it.

import type { World } from "#hal/world.ts";
import type { Agent } from "../runtime/agent.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { sendHeads } from "../telemetry/heads.ts";
import { followOtlp } from "../telemetry/otlp-follow.ts";
import { Webhook } from "../telemetry/webhook.ts";
import type { findAddon } from "./addon.ts";
import { followFleet } from "./fleet.ts";
import { headerSecret } from "./header.ts";
import { logLineOf } from "./log-line.ts";
import { type MetricsParts, serveMetrics } from "./metrics-server.ts";
import { servePage } from "./page-server.ts";

interface TelemetryParts extends Pick<MetricsParts, "kind" | "broken"> {
  /** undefined = there is no addon. */
  readonly native: ReturnType<typeof findAddon>;
}

/**
 * Runs until the signal aborts, and resolves when all parts have ended; a defect goes to `broken`.
 */
export async function runTelemetry(
  agent: AgentView & Pick<Agent, "pageLogin" | "proposals" | "permits">,
  world: World,
  { kind, native, broken }: TelemetryParts,
  end: AbortSignal,
): Promise<void> {
  const webhook = new Webhook({ agent, world, headerSecret });
  const deliveries = () => webhook.deliveries;
  const running = [
    serveMetrics(agent, world, { kind, deliveries, broken }, end),
    servePage({ agent, world, native, broken }, end),
    webhook.run(end),
    followOtlp({ agent, world, headerSecret, deliveries }, end),
    followFleet({ agent, world }, end),
    sendHeads({ agent, world, logLine: logLineOf(native, world.clock) }, end),
  ];
  await Promise.all(running.map((one) => one.catch(broken)));
}
