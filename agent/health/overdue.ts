// Campaigns that stay in a state for longer than they should.

import { type WallTime, wallAfter } from "#hal/world.ts";
import type { Campaign } from "../model/campaign.ts";
import { deadlineMs } from "../model/deadline.ts";
import type { RotationSettings } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import { reasonText } from "../model/reason-text.ts";
import { type Raised, raise } from "./warnings.ts";

export interface Waiting {
  readonly campaign: Campaign | undefined;
  readonly rotation: RotationSettings;
  /** Deadlines begin no earlier: a restarted agent may first settle what its predecessor left. */
  readonly graceEnd: WallTime;
  readonly wall: WallTime;
  /** True while the journal cannot take the record of the next state. */
  readonly isUnwritten: boolean;
}

/**
 * Warns of a campaign that waits too long. A wait that an operator or a check ends has only the
 * deadline `rotation.overdue`. Every other state ends by itself, unless the journal takes no record
 * of that.
 */
export function overdueWarnings(waiting: Waiting): readonly Raised[] {
  const { campaign, rotation, wall, isUnwritten } = waiting;
  if (campaign === undefined || campaign.state === "held") return [];
  const { group, state, since, reason } = campaign;
  const aboutWait = `${state} since ${isoTime(since)}`;
  if (state === "queued" || state === "gated" || state === "awaitingPeer") {
    if (wall < wallAfter(since, rotation.overdueMs)) return [];
    return [raise("rotation-overdue", group, `${aboutWait}: ${reasonText(reason)}`)];
  }
  const from = Math.max(since, waiting.graceEnd) as WallTime;
  const end = wallAfter(from, deadlineMs(state, rotation));
  if (!isUnwritten || wall < end) return [];
  const text = `its deadline passed at ${isoTime(end)}, and the journal cannot be written`;
  return [raise("rotation-overdue", group, `${aboutWait}: ${text}`)];
}
