// The way back for a link with an accepted key that its router lacks.

import type { PeerState } from "#hal/device.ts";
import { type DesiredLink, linkId } from "./desired.ts";

/**
 * Returns the command that leads to the act that gives the router the accepted key again. If the
 * far end has MACsec off as well, there is no key to go back to, and the link begins afresh.
 */
export function lostKeyNext(link: DesiredLink, peer: PeerState | undefined): string {
  const id = linkId(link);
  const isOff = peer !== undefined && peer.pointsAt === undefined;
  return isOff
    ? `linkseal retire link ${id}, then linkseal enrol ${link.group}`
    : `linkseal explain key-gone ${id}`;
}
