// Reads the proposal that a hub has for this site. Nothing in the agent waits for it.

import type { World } from "#hal/world.ts";
import type { FleetEngine } from "../../fleet/engine.ts";
import { proposalKey } from "../../fleet/subjects.ts";
import type { ProposalDesk } from "../../runtime/proposal-desk.ts";

/** The time between two reads, in milliseconds. */
const readMs = 30_000;
/** The first read comes this soon after the start, in milliseconds. */
const firstMs = 1_000;

export interface FollowedProposal {
  readonly world: Pick<World, "clock">;
  readonly engine: FleetEngine;
  readonly site: string;
  readonly desk: ProposalDesk;
}

/** Runs until the signal aborts. */
export async function followProposal(
  { world, engine, site, desk }: FollowedProposal,
  end: AbortSignal,
): Promise<void> {
  let waitMs = firstMs;
  while (!end.aborted) {
    await world.clock.sleep(waitMs, end).catch(() => undefined);
    if (end.aborted) return;
    const found = await engine.get("linkseal-proposals", proposalKey(site), end);
    if (found.kind === "value") desk.take(found.octets);
    if (found.kind === "absent") desk.take(undefined);
    await desk.turn(end);
    waitMs = engine.state.kind === "connected" ? readMs : firstMs;
  }
}
