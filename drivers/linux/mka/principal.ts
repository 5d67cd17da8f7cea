// Chooses the principal CA of a SecY, on which its SAKs come. A change of it does not touch an SA:
// the installed SAK stays until that of the other CA is in use.

import type { Instant } from "#hal/world.ts";
import { type Actor, helloMs, type Peer } from "./actor.ts";

/**
 * The time of a hello that did not come, and some reserve. 9.4.3 lets a station miss two hellos
 * and stay live: silence alone is no reason to leave a CA, but one not to enter it.
 */
const silentMs = helloMs + 500;

/** Prefers the primary CA; undefined = there is no CA at all. */
export function choosePrincipal(
  actors: readonly Actor[],
  current: Actor | undefined,
  now: Instant,
): Actor | undefined {
  const present = (actor: Actor): Peer[] =>
    actor.livePeers.filter((peer) => !hasMoved(peer, actor, actors));
  // A CA whose stations may be gone is not chosen.
  const live = actors.filter((actor) => present(actor).some((peer) => !isSilent(peer, now)));
  const serves = ({ election }: Actor): boolean => election.kind === "self";
  const isThere = current !== undefined && actors.includes(current);
  const heard = isThere
    ? present(current).filter((peer) => !isSilent(peer, now) || !hasLeft(peer, current, live))
    : [];
  if (isThere && heard.length > 0) {
    // As long as a peer makes the SAKs, the principal CA is the one on which they come.
    if (current.election.kind === "peer") return current;
    const reaches = (actor: Actor): boolean => {
      const scis = new Set(present(actor).map(({ sci }) => sci));
      return heard.every(({ sci }) => scis.has(sci));
    };
    const entered = actors.filter((actor) => actor === current || live.includes(actor));
    return entered.filter(serves).find(reaches) ?? current;
  }
  const others = live.filter((actor) => actor !== current);
  const [best] = [...others.filter(serves), ...others];
  return best ?? (isThere ? current : actors[0]);
}

const isSilent = ({ heardAt }: Peer, now: Instant): boolean => now - heardAt > silentMs;

// A station with only one CAK went over to another: it is silent in this CA, and uses no SAK in the
// other. The end of its life time here need not be awaited.
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

// A station that joined a CA of ours, and has been silent in this one since then, waits there for a
// SAK. A SAK that is distributed there at once puts no frame at risk: frames leave under it only
// once the station reports to receive. A station that is in both CAs is heard here within a hello,
// and marks the other one as not its principal CA: there it names no key.
function hasMoved({ sci }: Peer, actor: Actor, actors: readonly Actor[]): boolean {
  const instances = actor.peers.filter((peer) => peer.sci === sci);
  const heardAt = Math.max(...instances.map((peer) => peer.heardAt));
  return actors.some(
    (other) =>
      other !== actor &&
      other.election.kind === "self" &&
      other.livePeers.some((peer) => peer.sci === sci && peer.metAt > heardAt && !isStandby(peer)),
  );
}

const isStandby = ({ sakUse }: Peer): boolean =>
  sakUse?.kind === "used" && sakUse.latest === undefined && sakUse.old === undefined;
