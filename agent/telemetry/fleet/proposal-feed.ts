// Reads the proposal that a hub has for this site. Nothing in the agent waits for it.

import type { World } from "#hal/world.ts";
import type { FleetEngine } from "../../fleet/engine.ts";
import { proposalKey } from "../../fleet/subjects.ts";
import type { Proposals } from "../../runtime/proposals.ts";

/** The time between two reads, in milliseconds. */
const readMs = 30_000;
/** The first read comes this soon after the start, in milliseconds. */
const firstMs = 1_000;

export interface FollowedProposal {
  readonly world: Pick<World, "clock">;
  readonly engine: FleetEngine;
  readonly site: string;
  readonly proposals: Proposals;
}

/** Runs until the signal aborts. */
export async function followProposal(
  { world, engine, site, proposals }: FollowedProposal,
  end: AbortSignal,
): Promise<void> {
  let waitMs = firstMs;
  while (!end.aborted) {
    await world.clock.sleep(waitMs, end).catch(() => undefined);
    if (end.aborted) return;
    const found = await engine.get("linkseal-proposals", proposalKey(site), end);
    if (found.kind === "value") proposals.take(found.octets);
    if (found.kind === "absent") proposals.take(undefined);
    await proposals.turn(end);
    waitMs = engine.state.kind === "connected" ? readMs : firstMs;
  }
}
