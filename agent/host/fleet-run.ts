// The engine of one accepted config, and what is published over it.

import type { World } from "#hal/world.ts";
import type { EngineState, Outage } from "../fleet/engine.ts";
import { lackText } from "../fleet/lack-text.ts";
import { NatsEngine } from "../fleet/nats-engine.ts";
import { inboxPrefix } from "../fleet/subjects.ts";
import type { FleetSettings } from "../model/desired.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { PermitCache } from "../runtime/campaigns/permit-cache.ts";
import type { Proposals } from "../runtime/proposals.ts";
import { followPermits } from "../telemetry/fleet/permit-client.ts";
import { followProposal } from "../telemetry/fleet/proposal-feed.ts";
import { publish } from "../telemetry/fleet/publisher.ts";
import { openerOf } from "./engine-stream.ts";

export interface FleetRun {
  readonly agent: AgentView & { readonly proposals: Proposals; readonly permits: PermitCache };
  readonly world: World;
  readonly site: string;
  readonly settings: FleetSettings;
}

/** Runs until the signal aborts. */
export async function runFleet(
  { agent, world, site, settings }: FleetRun,
  end: AbortSignal,
): Promise<void> {
  const listeners = new Set<() => void>();
  const engine = new NatsEngine({
    ...{ world, inbox: inboxPrefix(site), name: `linkseal ${site}` },
    open: openerOf(settings),
    changed: (state) => {
      log(world, state);
      if (state.kind === "connected") for (const listener of listeners) listener();
    },
    lacking: (lack) => failed(world, lackText(lack)),
  });
  const whenUp = (listener: () => void): (() => boolean) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const { headsMs } = settings;
  const runs = [engine.run(end), publish({ agent, world, engine, whenUp, site, headsMs }, end)];
  const { permits, proposals } = agent;
  if (settings.permits !== undefined) {
    runs.push(followPermits({ agent, permits, world, engine, site }, end));
  }
  if (settings.proposals !== undefined) {
    runs.push(followProposal({ world, engine, site, proposals }, end));
  }
  await Promise.all(runs);
}

function log(world: Pick<World, "log">, state: EngineState): void {
  if (state.kind === "connected") {
    world.log.write("info", "fleet-connected", "connected to the engine");
    return;
  }
  const { why, next } = state;
  failed(world, { why: `nothing is published to the engine: ${why}`, next });
}

function failed(world: Pick<World, "log">, { why, next }: Outage): void {
  world.log.write("warn", "fleet-failed", `${why}; the agent goes on without it`, { next });
}
