// Which of several CAs on one SecY its SAKs come on. A change of it touches no SA: the SAK that is
// installed stays until that of the other CA has gone its way.

import type { Instant } from "#hal/world.ts";
import { type Actor, helloMs, type Peer } from "./actor.ts";

/** A hello that did not come, and some patience. */
const silentMs = helloMs + 500;

/** Primary first; undefined = there is none at all. */
export function choosePrincipal(
  actors: readonly Actor[],
  current: Actor | undefined,
  now: Instant,
): Actor | undefined {
  const live = actors.filter(({ livePeers }) => livePeers.length > 0);
  const serving = live.filter(({ election }) => election.kind === "self");
  const isThere = current !== undefined && actors.includes(current);
  if (isThere) {
    const heard = current.livePeers.filter((peer) => !hasLeft(peer, current, live, now));
    // As long as somebody else makes them, they come where they come.
    if (heard.length > 0 && current.election.kind === "peer") return current;
    const reaches = ({ livePeers }: Actor): boolean =>
      heard.every(({ sci }) => livePeers.some((peer) => peer.sci === sci));
    if (heard.length > 0) return serving.find(reaches) ?? current;
  }
  const others = (candidates: readonly Actor[]): Actor | undefined =>
    candidates.find((actor) => actor !== current) ?? candidates[0];
  return others(serving) ?? others(live) ?? (isThere ? current : actors[0]);
}

// A station that has only one CAK went over to another: it is silent in this CA, and in the other it
// uses no SAK. Its life time here need not be waited for.
function hasLeft(peer: Peer, actor: Actor, actors: readonly Actor[], now: Instant): boolean {
  if (now - peer.heardAt <= silentMs) return false;
  return actors.some(
    (other) =>
      other !== actor &&
      other.livePeers.some(
        ({ sci, sakUse, heardAt }) =>
          sci === peer.sci && sakUse === undefined && heardAt > peer.heardAt,
      ),
  );
}
