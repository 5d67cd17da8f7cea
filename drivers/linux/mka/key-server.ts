// When a key server makes a SAK, and how long it distributes it: IEEE Std 802.1X-2020 9.8.

import type { Ckn } from "#hal/model.ts";
import { type Entropy, type Instant, instantAfter } from "#hal/world.ts";
import { type Actor, helloMs, lifeMs, type Peer } from "./actor.ts";
import type { Cp } from "./cp.ts";
import { type HeldSak, isLacking, isReceiving, sameKey } from "./held-sak.ts";
import type { KaySettings } from "./kay-types.ts";
import { type KeyIdentifier, makeSak, wrapSak } from "./keys.ts";
import type { DistributedSak } from "./mkpdu.ts";
import { keyReports, livePeers, missing, reportsOn } from "./reports.ts";
import { nextAn, type SakReason, ssciMap } from "./sak.ts";
import { suites } from "./suite.ts";

/** Two hellos and some reserve: a peer that has the SAK would have reported it by then. */
const unreportedMsMax = 2 * helloMs + 500;

interface Made {
  readonly ckn: Ckn;
  readonly keyIdentifier: KeyIdentifier;
  readonly sak: DistributedSak;
  /** When an MKPDU with it was sent last. */
  distributedAt: Instant | undefined;
}

export interface Served {
  readonly actor: Actor;
  readonly actors: readonly Actor[];
  readonly cp: Cp;
  readonly settings: KaySettings;
}

export class KeyServer {
  readonly #entropy: Entropy;
  #made: Made | undefined;
  #madeAt: Instant | undefined;
  #commanded = false;
  #unreportedSince: Instant | undefined;
  #heldOffUntil: Instant | undefined;
  lastAn: number | undefined;

  constructor(entropy: Entropy, lastAn: number | undefined) {
    this.#entropy = entropy;
    this.lastAn = lastAn;
  }

  command(): void {
    this.#commanded = true;
  }

  /** Delays the next SAK by a life time, because the SecY refused the last one. */
  holdOff(now: Instant): void {
    this.#commanded = true;
    this.#heldOffUntil = instantAfter(now, lifeMs);
  }

  /** Makes a SAK if one is due, and returns the reason. */
  serve(served: Served, now: Instant): SakReason | undefined {
    const { actor, actors, cp } = served;
    this.#watch(served, now);
    const why = this.#reason(served, now);
    if (why === undefined || !cp.isFree || this.#isOnItsWay(served, now)) return undefined;
    if (this.#heldOffUntil !== undefined && now < this.#heldOffUntil) return undefined;
    // A rekeying that is under way satisfies requests that only need a fresh SAK.
    const canWait = why === "timer" || why === "packetNumber" || why === "command";
    if (canWait && cp.latest !== undefined) return undefined;
    if (!livePeers([actor]).some(({ macsecDesired }) => macsecDesired)) return undefined;
    this.#commanded = false;
    this.#make(served, now);
    for (const one of actors) one.hurry();
    return why;
  }

  #reason(served: Served, now: Instant): SakReason | undefined {
    const { actor, cp, settings } = served;
    const newest = cp.newest;
    if (newest === undefined) return "first";
    // Figure 12-2 closes the port first; but stations with the former key server's SAK have it
    // still, and no frame is lost under it until ours has arrived.
    if (newest.keyIdentifier.mi !== actor.mi) return "keyServer";
    if (actor.livePeers.some(({ mi }) => !newest.members.includes(mi))) {
      // 9.8: others that are about to be live get the same SAK.
      if (!this.#isYoung(now) || actor.potentialPeers.length === 0) return "newPeer";
    }
    if (this.#isUnreported(now)) return "peerLostIt";
    // A program that takes SAs again and again gets a SAK per life time.
    if (isLacking(newest) && !this.#isYoung(now)) return "saLost";
    if (isExhausted(served, newest)) return "packetNumber";
    const { sakRekeyMs } = settings;
    if (sakRekeyMs !== undefined && now >= instantAfter(newest.createdAt, sakRekeyMs))
      return "timer";
    return this.#commanded ? "command" : undefined;
  }

  #isYoung(now: Instant): boolean {
    return this.#madeAt !== undefined && now < instantAfter(this.#madeAt, lifeMs);
  }

  // 9.4.2: MNs order the MKPDUs of one CA, and not those of two. A station that gets the SAKs of
  // two CAs in the wrong order gives up the later one, and may have reported to receive under it.
  // No frame is lost by waiting, unless a station has no SAK at all.
  #isOnItsWay({ actor, cp }: Served, now: Instant): boolean {
    const until = cp.latest && this.#freshUntil(cp.latest, actor);
    return until !== undefined && now < until;
  }

  #freshUntil(held: HeldSak, actor: Actor): Instant | undefined {
    const made = this.#madeFor(held);
    if (made?.distributedAt === undefined || made.ckn === actor.ckn) return undefined;
    if (actor.livePeers.some(({ sakUse }) => sakUse === undefined)) return undefined;
    return instantAfter(made.distributedAt, lifeMs);
  }

  /**
   * Returns true if a live peer will never receive under the SAK in use: the former one is not
   * kept for it.
   */
  isInVain(actor: Actor, cp: Cp, now: Instant): boolean {
    const { newest } = cp;
    if (actor.election.kind !== "self" || newest === undefined) return false;
    const isOurs = newest.keyIdentifier.mi === actor.mi;
    const isNew = ({ mi }: Peer): boolean => !newest.members.includes(mi);
    return this.#isUnreported(now) || (isOurs && actor.livePeers.some(isNew));
  }

  // A SAK that a live peer lacks and that cannot be distributed again is of no use to that peer.
  #watch({ actor, actors, cp }: Served, now: Instant): void {
    const newest = cp.newest;
    const isHandedOut =
      newest !== undefined && newest.transmit !== "enabled" && this.#madeFor(newest) !== undefined;
    const isMissing =
      newest !== undefined &&
      actor.livePeers.length > 0 &&
      missing(actors, newest.keyIdentifier, "receive").length > 0;
    if (isHandedOut || !isMissing) this.#unreportedSince = undefined;
    else this.#unreportedSince ??= now;
  }

  #isUnreported(now: Instant): boolean {
    const since = this.#unreportedSince;
    return since !== undefined && now >= instantAfter(since, unreportedMsMax);
  }

  #madeFor(held: HeldSak): Made | undefined {
    const made = this.#made;
    return made !== undefined && sameKey(made.keyIdentifier, held.keyIdentifier) ? made : undefined;
  }

  #make({ actor, actors, cp, settings }: Served, now: Instant): void {
    const row = suites[settings.suite];
    const taken = new Set(cp.held.map(({ an }) => an));
    for (const report of livePeers(actors).flatMap(keyReports)) taken.add(report.an);
    const an = nextAn(this.lastAn, taken);
    actor.kn += 1;
    const keyIdentifier = { mi: actor.mi, kn: actor.kn };
    const sak = makeSak(this.#entropy, row.sakBytes);
    const wrapped = wrapSak(actor.keys.kek, sak);
    const suiteId = settings.suite === "gcm-aes-128" ? undefined : row.id;
    const distributed = { an, confidentialityOffset: 1, kn: actor.kn, suiteId, wrapped };
    const { ckn } = actor;
    const wrappedSak = { kind: "wrapped", ...distributed } as const;
    this.#made = { ckn, keyIdentifier, sak: wrappedSak, distributedAt: undefined };
    this.#madeAt = now;
    this.lastAn = an;
    const stations = [actor, ...actor.livePeers];
    const members = stations.map(({ mi }) => mi);
    const named = { keyIdentifier, an, sak, members };
    const of = ssciMap(stations);
    const own = of.get(actor.mi);
    const isExtended = row.packetNumber === "64 bit" && own !== undefined;
    cp.take(isExtended ? { ...named, extended: { own, of } } : named);
  }

  /**
   * Returns the SAK while it is to be distributed: until every peer receives under it, and never
   * after a station could have transmitted, because a restarted one would begin its packet numbers
   * anew. We receive first: some stations transmit as soon as they have their first SAK. The caller
   * sends it now.
   */
  distributed(
    { actor, actors, cp }: Omit<Served, "settings">,
    now: Instant,
  ): DistributedSak | undefined {
    const { latest } = cp;
    if (actor.election.kind !== "self" || latest === undefined) return undefined;
    if (latest.transmit !== "installed" || !isReceiving(latest)) return undefined;
    if (latest.keyIdentifier.mi !== actor.mi) return undefined;
    if (actor.livePeers.some(({ mi }) => !latest.members.includes(mi))) return undefined;
    if (missing(actors, latest.keyIdentifier, "receive").length === 0) return undefined;
    const made = this.#madeFor(latest);
    if (made !== undefined) made.distributedAt = now;
    return made?.sak;
  }

  /** Returns the moments at which a next step may be due. */
  wakesAt(cp: Cp, principal: Actor | undefined, { sakRekeyMs }: KaySettings): Instant[] {
    const { newest } = cp;
    const moments = [this.#heldOffUntil];
    if (cp.latest !== undefined && principal !== undefined) {
      moments.push(this.#freshUntil(cp.latest, principal));
    }
    if (newest !== undefined && sakRekeyMs !== undefined) {
      moments.push(instantAfter(newest.createdAt, sakRekeyMs));
    }
    if (this.#unreportedSince !== undefined) {
      moments.push(instantAfter(this.#unreportedSince, unreportedMsMax));
    }
    if (this.#madeAt !== undefined) moments.push(instantAfter(this.#madeAt, lifeMs));
    return moments.filter((moment) => moment !== undefined);
  }
}

// 9.8: our own packet numbers count, and those that peers report.
function isExhausted({ actors, cp, settings }: Served, held: HeldSak): boolean {
  const { exhaustedFrom } = suites[settings.suite];
  if (cp.nextPn(held) >= exhaustedFrom) return true;
  return reportsOn(actors, held.keyIdentifier).some(({ pn }) => pn >= exhaustedFrom);
}
