// One MKA actor: a CKN with its MI and MN, its peer lists, and its view of the election.

import type { Ckn, KeySlot } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Cancel } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { type Mkpdu, noSakUse, type PeerEcho, type SakToken, type SakUse } from "./mka-pdu.ts";

export interface MkaPeer {
  readonly mi: string;
  readonly sci: string;
  mn: number;
  live: boolean;
  /** The time of the last proof of liveness; for a potential peer, of its first MKPDU. */
  heardAt: number;
  priority: number;
  keyServer: boolean;
  use: SakUse;
  lpn: number;
}

/**
 * `found` means that a peer was met or proved liveness; `steady`, that nothing changed on which
 * decisions depend.
 */
export type Heard = "icvFailed" | "replayed" | "steady" | "changed" | "found";

export interface ParticipantKey {
  readonly ckn: Ckn;
  readonly cak: Uint8Array;
  readonly role: KeySlot["role"];
  readonly startsAt?: WallTime;
}

// The ring covers one life time at the highest rate of hellos, about ten a second.
const ringSize = 64;

export class Participant {
  readonly ckn: Ckn;
  readonly cak: Uint8Array;
  role: KeySlot["role"];
  readonly startsAt: WallTime | undefined;
  /** True if it sends MKPDUs; a scheduled key does not until its time has come. */
  started = false;
  mi: string;
  /** The key number, which grows with every SAK made under this MI. */
  keyNumber = 0;
  elected: "self" | "peer" | "none" = "none";
  /** True if a member joined the live list and no SAK has been made for it yet. */
  gainedMember = false;
  /** True if it must send an MKPDU before the next hello. */
  owesInfo = false;
  /** The next step of the start-up ramp. */
  rampStep = 0;
  /** Cancels the next hello, or the start of a scheduled key. */
  cancelTimer: Cancel | undefined;
  /** Bound once, so that a hello allocates no closure. */
  readonly hello: () => void;
  readonly peers: MkaPeer[] = [];
  readonly #prng: Prng;
  #mn = 0;
  #lastGoodCak: Uint8Array | undefined;
  readonly #sentAt = new Float64Array(ringSize).fill(-Infinity);

  constructor(key: ParticipantKey, prng: Prng, onHello: (participant: Participant) => void) {
    this.ckn = key.ckn;
    this.cak = Uint8Array.from(key.cak);
    this.role = key.role;
    this.startsAt = key.startsAt;
    this.#prng = prng;
    this.mi = prng.hex(12);
    this.hello = () => onHello(this);
  }

  /** Returns the one live peer of a point-to-point link; undefined if there is none. */
  livePeer(): MkaPeer | undefined {
    for (const peer of this.peers) if (peer.live) return peer;
    return undefined;
  }

  /** Takes a new member identifier: MN and KN start over (802.1X 9.4.2). */
  renew(): void {
    this.mi = this.#prng.hex(12);
    this.#mn = 0;
    this.keyNumber = 0;
    this.#sentAt.fill(-Infinity);
  }

  /** Starts over as after a restart of the process, with a new MI and without peers. */
  forget(): void {
    this.renew();
    this.peers.length = 0;
    this.elected = "none";
    this.gainedMember = false;
    this.owesInfo = false;
  }

  holds(cak: Uint8Array): boolean {
    if (cak.length !== this.cak.length) return false;
    for (let i = 0; i < cak.length; i += 1) if (cak[i] !== this.cak[i]) return false;
    return true;
  }

  /** Processes one MKPDU of this CA at `now`; nothing changes before the ICV has been checked. */
  hear(pdu: Mkpdu, now: number, lifeMs: number): Heard {
    if (pdu.cak !== this.#lastGoodCak) {
      if (!this.holds(pdu.cak)) return "icvFailed";
      this.#lastGoodCak = pdu.cak;
    }
    let heard: Heard = "steady";
    let peer = this.#peer(pdu.mi);
    if (peer === undefined) {
      peer = potentialPeer(pdu, now);
      this.peers.push(peer);
      heard = "found";
    } else if (pdu.mn <= peer.mn) {
      return "replayed";
    }
    peer.mn = pdu.mn;
    peer.lpn = pdu.lpn;
    if (
      pdu.use !== peer.use ||
      pdu.keyServer !== peer.keyServer ||
      pdu.priority !== peer.priority
    ) {
      peer.use = pdu.use;
      peer.keyServer = pdu.keyServer;
      peer.priority = pdu.priority;
      if (heard === "steady") heard = "changed";
    }
    if (!this.#isListed(pdu.peers, now, lifeMs)) return heard;
    peer.heardAt = now;
    if (peer.live) return heard;
    this.#admit(peer);
    return "found";
  }

  /** Drops peers without proof of life for a life time; true if any were dropped. */
  expire(now: number, lifeMs: number): boolean {
    const before = this.peers.length;
    const wasLive = this.livePeer() !== undefined;
    for (let i = before - 1; i >= 0; i -= 1) {
      const peer = this.peers[i];
      if (peer !== undefined && peer.heardAt + lifeMs <= now) this.peers.splice(i, 1);
    }
    // Without a new MI, a server that never lost us would see no new member and make no new SAK.
    if (wasLive && this.livePeer() === undefined) this.renew();
    return this.peers.length !== before;
  }

  /**
   * Elects the key server: lowest priority, then lowest SCI; an unwilling actor sends the key
   * server bit as 0.
   */
  elect(ownSci: string, ownPriority: number): void {
    const peer = this.livePeer();
    const willing = ownPriority < 255;
    if (peer === undefined) {
      this.elected = "none";
    } else if (!peer.keyServer) {
      this.elected = willing ? "self" : "none";
    } else if (!willing || peer.priority < ownPriority) {
      this.elected = "peer";
    } else if (peer.priority > ownPriority) {
      this.elected = "self";
    } else {
      this.elected = peer.sci < ownSci ? "peer" : "self";
    }
  }

  /** Returns the next MKPDU; its MN counts as sent at `now`. */
  compose(
    sci: string,
    priority: number,
    use: SakUse,
    lpn: number,
    distributed: SakToken | undefined,
    now: number,
  ): Mkpdu {
    this.#mn += 1;
    this.#sentAt[this.#mn % ringSize] = now;
    return {
      sci,
      ckn: this.ckn,
      cak: this.cak,
      mi: this.mi,
      mn: this.#mn,
      priority,
      keyServer: priority < 255 && this.elected !== "peer",
      peers: this.peers.map(echoOf),
      use,
      lpn,
      distributed,
    };
  }

  #peer(mi: string): MkaPeer | undefined {
    for (const peer of this.peers) if (peer.mi === mi) return peer;
    return undefined;
  }

  // An echo of an MN older than a life time may be a replay, so it proves nothing.
  #isListed(echoes: readonly PeerEcho[], now: number, lifeMs: number): boolean {
    for (const echo of echoes) {
      if (echo.mi !== this.mi) continue;
      const known = echo.mn <= this.#mn && echo.mn > this.#mn - ringSize;
      return known && (this.#sentAt[echo.mn % ringSize] ?? -Infinity) > now - lifeMs;
    }
    return false;
  }

  // The same SCI under a new MI is the peer after a restart: once live, it replaces the old entry.
  #admit(peer: MkaPeer): void {
    peer.live = true;
    this.gainedMember = true;
    for (let i = this.peers.length - 1; i >= 0; i -= 1) {
      const other = this.peers[i];
      if (other !== undefined && other !== peer && other.sci === peer.sci) this.peers.splice(i, 1);
    }
  }
}

function potentialPeer(pdu: Mkpdu, now: number): MkaPeer {
  return {
    mi: pdu.mi,
    sci: pdu.sci,
    mn: pdu.mn,
    live: false,
    heardAt: now,
    priority: pdu.priority,
    keyServer: pdu.keyServer,
    use: noSakUse,
    lpn: 1,
  };
}

function echoOf(peer: MkaPeer): PeerEcho {
  return { mi: peer.mi, mn: peer.mn };
}
