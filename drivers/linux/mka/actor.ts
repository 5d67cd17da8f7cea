// One participant in one CA: which peers it has, which of them is the key server, and when to send
// the next MKPDU. IEEE Std 802.1X-2020 9.4 and 9.5.

import type { Ckn } from "#hal/model.ts";
import { type Entropy, type Instant, instantAfter } from "#hal/world.ts";
import type { CaKeys } from "./keys.ts";
import type { AnnouncedSuite, Basic, Mkpdu, PeerEntry, SakUse, XpnSet } from "./mkpdu.ts";
import type { ActorSnapshot, PeerSnapshot } from "./snapshot.ts";

/** IEEE Std 802.1X-2020 table 9-3. */
export const lifeMs = 6000;
export const helloMs = 2000;
export const boundedHelloMs = 500;

/** The intervals of the first hellos: two stations that start together are done in a second. */
const rampMs = [100, 200, 400, 800, 800];
const sendsPerSecondMax = 10;
/** A successor starts behind the block, so that the MN need not be stored with every MKPDU. */
const mnBlock = 1000;
const mnLeast = 100;
const mnMax = 0xffffffff;
const miBytes = 12;
/** A limit against memory exhaustion, by replayed old hellos of many instances. */
const peersMax = 16;
/** 802.1X-2020 9.5: a station with this priority is never key server. */
const neverServer = 255;

export interface Peer {
  readonly mi: string;
  readonly sci: string;
  /** The highest one received. */
  mn: number;
  state: "potential" | "live";
  expiresAt: Instant;
  /** When its first MKPDU under this MI came. */
  readonly metAt: Instant;
  heardAt: Instant;
  version: number;
  priority: number;
  keyServer: boolean;
  macsecDesired: boolean;
  sakUse: SakUse | undefined;
  xpn: XpnSet | undefined;
  announced: readonly AnnouncedSuite[] | undefined;
  /** The highest key number taken from this peer: an older SAK is never accepted again. */
  kn: number;
  /** True while the peer was taken over from a predecessor and has not been heard since. */
  inherited: boolean;
}

export type Election =
  | { readonly kind: "none" }
  | { readonly kind: "self" }
  | { readonly kind: "peer"; readonly mi: string };

export type Acceptance =
  | "counted"
  | "replayed"
  /** The peer's MI is known under another SCI. */
  | "sciChanged"
  | "ownFrame"
  /** Another station uses our MI, so we have taken a new one. */
  | "miTaken"
  | "crowded";

interface Sent {
  readonly mn: number;
  readonly at: Instant;
}

export class Actor {
  readonly ckn: Ckn;
  readonly keys: CaKeys;
  readonly sci: string;
  readonly #entropy: Entropy;
  readonly #peers = new Map<string, Peer>();
  #mi: string;
  /** The last MN that was sent. */
  #mn = 0;
  #mnReserved = mnBlock;
  /** The last KN given to a SAK under this MI. */
  kn = 0;
  #sent: Sent[] = [];
  /**
   * MIs whose station has begun anew. Earlier frames of it may still count as fresh for a life
   * time, among them a SAK that we have transmitted under already.
   */
  readonly #replaced = new Map<string, Instant>();
  /** The time until which channels stay, by the SCIs of stations that must prove liveness again. */
  readonly #lately = new Map<string, Instant>();
  #helloAt: Instant;
  #ramp = 0;
  #hurried = true;
  /** When the last live peer was lost. */
  #leftAt: Instant | undefined;
  election: Election = { kind: "none" };
  /** Since when the election has had this result. */
  electedAt: Instant;

  constructor(ckn: Ckn, keys: CaKeys, sci: string, entropy: Entropy, now: Instant) {
    this.ckn = ckn;
    this.keys = keys;
    this.sci = sci;
    this.#entropy = entropy;
    this.#mi = this.#newMi();
    this.#helloAt = now;
    this.electedAt = now;
  }

  /** Continues as the same member: with the same MI, and MNs behind the reserved block. */
  static adopt(from: ActorSnapshot, sci: string, entropy: Entropy, now: Instant): Actor {
    const keys = { ick: from.ick.copy(), kek: from.kek.copy() };
    const actor = new Actor(from.ckn, keys, sci, entropy, now);
    actor.#mi = from.mi;
    actor.#mn = from.mnReserved;
    actor.#mnReserved = from.mnReserved + mnBlock;
    actor.kn = from.kn;
    actor.#ramp = rampMs.length;
    for (const peer of from.peers) {
      const expiresAt = instantAfter(now, lifeMs);
      const heardAt = now;
      const unknown = { sakUse: undefined, xpn: undefined, announced: undefined };
      const lived = {
        state: "live",
        expiresAt,
        metAt: now,
        heardAt,
        inherited: true,
        macsecDesired: true,
      } as const;
      actor.#peers.set(peer.mi, { ...peer, ...lived, ...unknown });
    }
    return actor;
  }

  get mi(): string {
    return this.#mi;
  }

  /**
   * Returns true if a station may still count us as a member: one is live, or was so within a life
   * time.
   */
  mayBeMember(now: Instant): boolean {
    if (this.livePeers.length > 0) return true;
    return this.#leftAt !== undefined && now < instantAfter(this.#leftAt, lifeMs);
  }

  get mnReserved(): number {
    return this.#mnReserved;
  }

  get peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  get livePeers(): readonly Peer[] {
    return this.peers.filter(({ state }) => state === "live");
  }

  get potentialPeers(): readonly Peer[] {
    return this.peers.filter(({ state }) => state === "potential");
  }

  peer(mi: string): Peer | undefined {
    return this.#peers.get(mi);
  }

  /** The elected key server, if it is a peer. */
  get server(): Peer | undefined {
    return this.election.kind === "peer" ? this.#peers.get(this.election.mi) : undefined;
  }

  /** Processes an MKPDU whose ICV was right (9.4.2 and 9.4.3). */
  accept(mkpdu: Mkpdu, now: Instant): Acceptance {
    const { mi, sci, mn } = mkpdu.basic;
    if (sci === this.sci) return "ownFrame";
    if (mi === this.#mi) {
      this.renewMi(now);
      return "miTaken";
    }
    const known = this.#peers.get(mi);
    if (known !== undefined && sci !== known.sci) return "sciChanged";
    if (known !== undefined && mn <= known.mn) return "replayed";
    if (this.#replaced.has(mi)) return "replayed";
    const listed = [...mkpdu.livePeers, ...mkpdu.potentialPeers].find(
      (entry) => entry.mi === this.#mi,
    );
    // Another station counts under our MI, and is ahead.
    if (listed !== undefined && listed.mn > this.#mn) {
      this.renewMi(now);
      return "miTaken";
    }
    const peer = known ?? this.#meet(mkpdu, now);
    if (peer === undefined) return "crowded";
    peer.mn = mn;
    peer.heardAt = now;
    peer.version = mkpdu.basic.version;
    peer.priority = mkpdu.basic.keyServerPriority;
    peer.keyServer = mkpdu.basic.keyServer;
    peer.macsecDesired = mkpdu.basic.macsecDesired;
    peer.announced = mkpdu.announced;
    // This applies only to peers of a predecessor: they list an MN that this instance never sent.
    const isFresh = listed !== undefined && (peer.inherited || this.#isRecent(listed.mn, now));
    if (isFresh) this.#prove(peer, mkpdu, now);
    // Some stations accept only MKPDUs that list their latest MN.
    if (peer.inherited) this.hurry();
    peer.inherited = false;
    return "counted";
  }

  #prove(peer: Peer, mkpdu: Mkpdu, now: Instant): void {
    peer.expiresAt = instantAfter(now, lifeMs);
    peer.sakUse = mkpdu.sakUse;
    peer.xpn = mkpdu.xpn;
    if (peer.state === "live") return;
    peer.state = "live";
    this.hurry();
    // The station has restarted: only its new instance exists, and has proved its liveness.
    for (const other of this.peers) {
      if (other.sci !== peer.sci || other === peer) continue;
      this.#peers.delete(other.mi);
      this.#replaced.set(other.mi, peer.expiresAt);
    }
  }

  #meet({ basic }: Mkpdu, now: Instant): Peer | undefined {
    if (this.#peers.size >= peersMax) {
      const oldest = this.potentialPeers[0];
      if (oldest === undefined) return undefined;
      this.#peers.delete(oldest.mi);
    }
    const peer: Peer = {
      mi: basic.mi,
      sci: basic.sci,
      mn: basic.mn,
      state: "potential",
      expiresAt: instantAfter(now, lifeMs),
      metAt: now,
      heardAt: now,
      version: basic.version,
      priority: basic.keyServerPriority,
      keyServer: basic.keyServer,
      macsecDesired: basic.macsecDesired,
      sakUse: undefined,
      xpn: undefined,
      announced: undefined,
      kn: 0,
      inherited: false,
    };
    this.#peers.set(peer.mi, peer);
    this.hurry();
    return peer;
  }

  /** Removes the peers that were not heard for a life time. */
  expire(now: Instant): void {
    const had = this.livePeers.length;
    for (const peer of this.peers) {
      if (peer.expiresAt <= now) this.#peers.delete(peer.mi);
    }
    if (had > 0 && this.livePeers.length === 0) this.#leftAt = now;
    for (const past of [this.#lately, this.#replaced]) {
      for (const [name, until] of past) {
        if (until <= now) past.delete(name);
      }
    }
  }

  // 9.4.2: "acceptably recent" is what was sent in the last life time, so that our own bursts do
  // not make a peer stale.
  #isRecent(mn: number, now: Instant): boolean {
    const since = instantAfter(now, -lifeMs);
    return this.#sent.some((sent) => sent.mn === mn && sent.at > since);
  }

  /** 9.4.2: with a new MI every peer must prove liveness again. */
  renewMi(now: Instant): void {
    this.#mi = this.#newMi();
    this.#mn = 0;
    this.#mnReserved = mnBlock;
    this.kn = 0;
    this.#leftAt = undefined;
    this.#sent = [];
    this.#ramp = 0;
    this.hurry();
    const until = instantAfter(now, lifeMs);
    for (const { sci } of this.livePeers) this.#lately.set(sci, until);
    for (const peer of this.peers) {
      peer.state = "potential";
      peer.sakUse = undefined;
      peer.expiresAt = until;
    }
  }

  /** Stations that were live under our former MI, with the time until which they count. */
  get lately(): ReadonlyMap<string, Instant> {
    return this.#lately;
  }

  #newMi(): string {
    return Buffer.from(this.#entropy.bytes(miBytes)).toString("hex");
  }

  /**
   * Elects the key server (9.5): among live and willing participants the one with the lowest
   * priority, then the lowest SCI.
   */
  elect(priority: number, now: Instant): void {
    const was = this.election;
    const is = this.#elected(priority);
    this.election = is;
    if (isSameServer(was, is)) return;
    this.electedAt = now;
    this.hurry();
  }

  #elected(priority: number): Election {
    const live = this.livePeers;
    if (live.length === 0) return { kind: "none" };
    type Candidate = { readonly priority: number; readonly sci: string; readonly mi?: string };
    const candidates: Candidate[] = live.filter(({ keyServer }) => keyServer);
    if (priority < neverServer) candidates.push({ priority, sci: this.sci });
    const [best] = candidates.toSorted((a, b) =>
      a.priority === b.priority ? (a.sci < b.sci ? -1 : 1) : a.priority - b.priority,
    );
    if (best === undefined) return { kind: "none" };
    return best.mi === undefined ? { kind: "self" } : { kind: "peer", mi: best.mi };
  }

  /** Brings the next MKPDU forward, because there is something that peers should know at once. */
  hurry(): void {
    this.#hurried = true;
  }

  /** Returns when the next MKPDU is sent. */
  sendAt(): Instant {
    if (!this.#hurried) return this.#helloAt;
    const tenth = this.#sent.at(-sendsPerSecondMax);
    const hurriedAt = tenth === undefined ? (0 as Instant) : instantAfter(tenth.at, 1000);
    return Math.min(hurriedAt, this.#helloAt) as Instant;
  }

  /** Returns the basic parameter set of the next MKPDU; uses up an MN. */
  basic(priority: number, periodMs: number, now: Instant): Basic {
    // 9.4.2: an MN is never used twice under one MI.
    if (this.#mn === mnMax) this.renewMi(now);
    this.#mn += 1;
    if (this.#mnReserved - this.#mn < mnLeast) {
      this.#mnReserved = Math.min(mnMax, this.#mn + mnBlock);
    }
    const since = instantAfter(now, -lifeMs);
    this.#sent = [...this.#sent.filter(({ at }) => at > since), { mn: this.#mn, at: now }];
    this.#hurried = false;
    this.#helloAt = instantAfter(now, Math.min(periodMs, rampMs[this.#ramp] ?? periodMs));
    this.#ramp += 1;
    return {
      version: 3,
      keyServerPriority: priority,
      keyServer: priority < neverServer && this.election.kind !== "peer",
      macsecDesired: true,
      macsecCapability: 2,
      sci: this.sci,
      mi: this.#mi,
      mn: this.#mn,
      ckn: this.ckn,
    };
  }

  snapshot(): ActorSnapshot {
    const peers = this.livePeers.map(
      ({ mi, sci, mn, version, priority, keyServer, kn }): PeerSnapshot => ({
        mi,
        sci,
        mn,
        version,
        priority,
        keyServer,
        kn,
      }),
    );
    const { ckn, keys, mnReserved, kn } = this;
    return { ckn, ick: keys.ick.copy(), kek: keys.kek.copy(), mi: this.#mi, mnReserved, kn, peers };
  }

  wipe(): void {
    this.keys.ick[Symbol.dispose]();
    this.keys.kek[Symbol.dispose]();
  }
}

function isSameServer(a: Election, b: Election): boolean {
  if (a.kind !== "peer" || b.kind !== "peer") return a.kind === b.kind;
  return a.mi === b.mi;
}

export function entriesOf(peers: readonly Peer[]): PeerEntry[] {
  return peers.map(({ mi, mn }) => ({ mi, mn }));
}
