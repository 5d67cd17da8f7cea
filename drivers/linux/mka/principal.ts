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
  // None is gone over to whose stations may be gone.
  const live = actors.filter(({ livePeers }) => livePeers.some((peer) => !isSilent(peer, now)));
  const serving = live.filter(({ election }) => election.kind === "self");
  const isThere = current !== undefined && actors.includes(current);
  const heard = isThere
    ? current.livePeers.filter((peer) => !isSilent(peer, now) || !hasLeft(peer, current, live))
    : [];
  if (isThere && heard.length > 0) {
    // As long as somebody else makes them, SAKs come where they come.
    if (current.election.kind === "peer") return current;
    const reaches = ({ livePeers }: Actor): boolean =>
      heard.every(({ sci }) => livePeers.some((peer) => peer.sci === sci));
    return serving.find(reaches) ?? current;
  }
  const others = live.filter((actor) => actor !== current);
  const [best] = [...others.filter((actor) => serving.includes(actor)), ...others];
  return best ?? (isThere ? current : actors[0]);
}

const isSilent = ({ heardAt }: Peer, now: Instant): boolean => now - heardAt > silentMs;

// A station that has only one CAK went over to another: it is silent in this CA, and in the other
// it uses no SAK. Its life time here need not be waited for.
function hasLeft(peer: Peer, actor: Actor, actors: readonly Actor[]): boolean {
  return actors.some(
    (other) =>
      other !== actor &&
      other.livePeers.some(
        ({ sci, sakUse, heardAt }) =>
          sci === peer.sci && sakUse === undefined && heardAt > peer.heardAt,
      ),
  );
}
