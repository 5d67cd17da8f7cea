// Warnings about a far end that cannot be read, cannot be followed, or refuses a change.

import type { WallTime } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import { type Memory, openCampaign } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import type { SiteView } from "./site-view.ts";

/**
 * Warns of an unreadable far end, unless an operator maintains it and has accepted the risk
 * `farEndUnseen`.
 */
export function farEndUnread(supervisor: SiteView, link: DesiredLink, wall: WallTime): Raised[] {
  const failure = supervisor.deviceCache.peerFailure(link);
  const unfollowed = supervisor.deviceCache.peer(link)?.state.details?.unfollowed;
  const within = [link.group];
  if (failure === undefined && unfollowed !== undefined) {
    const { text, next } = unfollowed;
    return [{ ...raise("far-end-unfollowed", linkId(link), text), next, within }];
  }
  const { desired } = supervisor.intent;
  const isMeant = desired.azure.farEnd === "manual" && riskAccepted(desired, "farEndUnseen", wall);
  if (failure === undefined || isMeant) return [];
  const { text, next } = failure;
  return [{ ...raise("far-end-unreadable", linkId(link), text), next, within }];
}

/** The far end's refusal of a change, while a campaign wants that change. */
export function farEndRefused(supervisor: SiteView, memory: Memory, group: DesiredGroup): Raised[] {
  if (openCampaign(memory, group.name) === undefined) return [];
  return supervisor.troubles(group).flatMap(({ code, message, next }): Raised[] => {
    if (!code.startsWith("peer.")) return [];
    return [{ ...raise("far-end-refused", group.name, message), next }];
  });
}
