// The key agreement entity (KaY) of one port: IEEE 802.1X-2020 clause 9, several CAKs, one SecY.

import type { Ckn, KeySlot, MacsecSettings, MkaParticipant, MkaSession } from "#hal/model.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { type MkaPeer, Participant, type ParticipantKey } from "./mka-participant.ts";
import { type Mkpdu, noSakUse, type SakToken, slotOf } from "./mka-pdu.ts";
import { ControlledPort } from "./mka-port.ts";
import { isXpn, type SecY } from "./secy.ts";

const lifeTimeMs = 6000;
// A CA that becomes principal beside a live one gets its own SAK after this number of hellos.
const settleHellos = 3;
const packetNumberThreshold = 0xc0000000;
const rampMs = [100, 200, 400, 800, 800];
// The largest delay of a first hello, in milliseconds, since two port endpoints never start in the
// same instant.
const firstHelloMsMax = 50;

export interface KayOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly secy: SecY;
  readonly helloMs: number;
  /**
   * `ramp` means hurried first hellos and immediate replies; `plain` means the hello timer alone.
   */
  readonly start: "ramp" | "plain";
  readonly port: UncontrolledPort;
}

/** The port under the KaY. */
interface UncontrolledPort {
  /** False while nothing can leave: there is no light, or the KaY has fallen silent. */
  canSend(): boolean;
  send(pdu: Mkpdu): void;
  /** Brings packet numbers up to date. */
  settle(): void;
  /** Called at the end of everything the KaY does. */
  done(): void;
}

export class Kay {
  /** The fault in which it makes no SAK and installs none. */
  noSak = false;
  readonly counters = { sent: 0, received: 0, icvFailed: 0, unknownCkn: 0, replayed: 0 };
  readonly #options: KayOptions;
  readonly #lifeMs: number;
  readonly #cp: ControlledPort;
  // The actors, primary first.
  readonly #participants: Participant[] = [];
  #settings: MacsecSettings | undefined;
  #principal: Participant | undefined;
  #serverSci: string | undefined;
  // True if a SAK was made or received, whether or not it could be installed.
  #secured = false;
  #distributed: SakToken | undefined;
  #sakWanted = false;
  #lastAn: number | undefined;
  #cancelRekey: Cancel | undefined;
  #cancelMove: Cancel | undefined;
  #cancelExpiry: Cancel | undefined;

  constructor(options: KayOptions) {
    this.#options = options;
    this.#lifeMs = Math.max(lifeTimeMs, 3 * options.helloMs);
    this.#cp = new ControlledPort(options.clock, options.secy, () => this.#evaluate());
  }

  settings(): MacsecSettings | undefined {
    return this.#settings;
  }

  /**
   * Applies settings. A change of suite, SCI or offset restarts the KaY, because the SecY must be
   * rebuilt.
   */
  configure(settings: MacsecSettings | undefined): void {
    const before = this.#settings;
    this.#settings = settings;
    if (settings !== undefined) {
      const { policy, includeSci } = settings;
      this.#options.secy.configure({ mustSecure: policy === "mustSecure", includeSci });
    }
    const rebuilt =
      before?.suite !== settings?.suite ||
      before?.includeSci !== settings?.includeSci ||
      before?.confidentialityOffset !== settings?.confidentialityOffset;
    if (rebuilt) {
      this.restart();
      return;
    }
    if (before?.sakRekeyMs !== settings?.sakRekeyMs) this.#armRekey();
    this.#evaluate();
  }

  /**
   * Adds a key. A known CKN with the same CAK only changes its role; with another CAK it is another
   * actor.
   */
  putKey(key: ParticipantKey): void {
    const present = this.#participants.find((p) => p.ckn === key.ckn);
    if (present?.holds(key.cak) && key.role !== "scheduled") this.#assign(present, key.role);
    else this.#replace(present, key);
    this.#evaluate();
  }

  removeKey(ckn: Ckn): void {
    const participant = this.#participants.find((p) => p.ckn === ckn);
    if (participant === undefined) return;
    this.#remove(participant);
    this.#evaluate();
  }

  promoteKey(ckn: Ckn): void {
    const participant = this.#participants.find((p) => p.ckn === ckn);
    if (participant === undefined) return;
    if (participant.started) this.#assign(participant, "primary");
    else this.#start(participant, "primary");
    this.#evaluate();
  }

  keys(): readonly KeySlot[] {
    return this.#participants.map(({ ckn, role, startsAt }) =>
      startsAt === undefined ? { ckn, role } : { ckn, role, startsAt },
    );
  }

  holdsCak(ckn: Ckn, cak: Uint8Array): boolean {
    return this.#participants.some((p) => p.ckn === ckn && p.holds(cak));
  }

  /** Starts over as after a restart of the process: new MIs, no peers, no SAs. */
  restart(): void {
    for (const participant of this.#participants) participant.forget();
    this.#principal = undefined;
    this.#serverSci = undefined;
    this.#lastAn = undefined;
    this.#loseSession();
    this.#cancelRekey?.();
    this.#cp.reset();
    if (this.#settings === undefined) {
      this.#options.secy.setMode("open");
      this.#options.port.done();
      return;
    }
    this.#evaluate();
    for (const participant of this.#participants) {
      if (participant.started) this.#startHellos(participant);
    }
  }

  /**
   * Sends a first hello at once when light or the ability to send returns, if the start is `ramp`.
   */
  hurry(): void {
    if (this.#options.start === "plain") return;
    for (const participant of this.#participants) {
      if (participant.started) this.#startHellos(participant);
    }
  }

  /**
   * Asks for a new SAK: a key server makes it; the other end takes a new MI, which requires one.
   */
  rekeySak(): void {
    const principal = this.#principal;
    if (principal?.elected === "self") {
      this.#sakWanted = true;
    } else if (principal !== undefined) {
      principal.renew();
      principal.owesInfo = true;
    }
    this.#evaluate();
  }

  receive(pdu: Mkpdu): void {
    this.counters.received += 1;
    // Our own frame looped back is neither a peer nor a collision (802.1X 9.4.2).
    if (this.#settings === undefined || pdu.sci === this.#options.secy.sci) return;
    const participant = this.#startedParticipant(pdu.ckn);
    if (participant === undefined) {
      this.counters.unknownCkn += 1;
      return;
    }
    const heard = participant.hear(pdu, this.#options.clock.now(), this.#lifeMs);
    if (heard === "icvFailed" || heard === "replayed") {
      this.counters[heard] += 1;
      return;
    }
    if (heard === "steady" && pdu.distributed === undefined) return;
    if (heard === "found") {
      this.#armExpiry();
      if (this.#options.start === "ramp") participant.owesInfo = true;
    }
    this.#evaluate(pdu, participant);
  }

  session(): MkaSession {
    const principal = this.#settings === undefined ? undefined : this.#principal;
    const peer = principal?.livePeer();
    const elected = principal?.elected ?? "none";
    const ownPriority = elected === "self" ? this.#settings?.keyServerPriority : undefined;
    const saks = this.#cp.saks();
    return {
      controlledPort: this.#controlledPort(),
      principalCkn: principal?.ckn,
      participants: this.#participants.map((p) => this.#describe(p)),
      livePeers: peer === undefined ? 0 : 1,
      respondedPeers: peer !== undefined && this.#cp.sharedWith(peer) ? 1 : 0,
      keyServer: elected,
      keyServerPriority: elected === "peer" ? peer?.priority : ownPriority,
      latestSak: saks.latest,
      oldSak: saks.old,
    };
  }

  #describe(participant: Participant): MkaParticipant {
    const live = participant.livePeer() === undefined ? 0 : 1;
    const talks = participant.started && this.#settings !== undefined;
    return {
      ckn: participant.ckn,
      state: live === 1 ? "live" : talks ? "active" : "none",
      livePeers: live,
      potentialPeers: participant.peers.length - live,
    };
  }

  // A refused SAK leaves the port "secured", as in wpa_supplicant: only the SAs show the truth.
  #controlledPort(): MkaSession["controlledPort"] {
    if (this.#settings === undefined || this.#cp.state === "ALLOWED") return "unprotected";
    return this.#cp.state === "CHANGE" ? "blocked" : "secured";
  }

  #startedParticipant(ckn: Ckn): Participant | undefined {
    for (const participant of this.#participants) {
      if (participant.ckn === ckn) return participant.started ? participant : undefined;
    }
    return undefined;
  }

  #replace(present: Participant | undefined, key: ParticipantKey): void {
    if (present !== undefined) this.#remove(present);
    const participant = new Participant(key, this.#options.prng, (p) => this.#hello(p));
    this.#participants.push(participant);
    if (key.role === "scheduled") this.#awaitStart(participant);
    else this.#start(participant, key.role);
  }

  #startHellos(participant: Participant): void {
    const { clock, prng } = this.#options;
    participant.rampStep = 0;
    participant.cancelTimer?.();
    participant.cancelTimer = clock.after(prng.between(0, firstHelloMsMax), participant.hello);
  }

  #hello(participant: Participant): void {
    if (this.#settings === undefined) return;
    const { clock, helloMs, start, port } = this.#options;
    const hurried = start === "ramp" ? rampMs[participant.rampStep] : undefined;
    participant.rampStep += 1;
    participant.cancelTimer = clock.after(hurried ?? helloMs, participant.hello);
    const serves = participant === this.#principal && participant.elected === "self";
    if (serves && this.#packetNumberHigh()) this.#sakWanted = true;
    if (serves && this.#sakWanted) {
      participant.owesInfo = true;
      this.#evaluate();
    } else {
      this.#transmit(participant);
      port.done();
    }
  }

  #transmit(participant: Participant): void {
    const { port, secy, clock } = this.#options;
    participant.owesInfo = false;
    if (this.#settings === undefined || !port.canSend()) return;
    const principal = participant === this.#principal;
    const serves = principal && participant.elected === "self";
    const pdu = participant.compose(
      secy.sci,
      this.#settings.keyServerPriority,
      principal ? this.#cp.use : noSakUse,
      principal ? (secy.encodingSa()?.nextPn ?? 1) : 1,
      serves ? this.#distributed : undefined,
      clock.now(),
    );
    this.counters.sent += 1;
    port.send(pdu);
  }

  // One timer serves all peers; it is set again for the earliest life time that may still end.
  #armExpiry(): void {
    if (this.#cancelExpiry !== undefined) return;
    const { clock } = this.#options;
    let first = Infinity;
    for (const { peers } of this.#participants) {
      for (const peer of peers) first = Math.min(first, peer.heardAt);
    }
    if (first === Infinity) return;
    this.#cancelExpiry = clock.after(first + this.#lifeMs - clock.now(), () => {
      this.#cancelExpiry = undefined;
      let lost = false;
      for (const p of this.#participants) lost = p.expire(clock.now(), this.#lifeMs) || lost;
      this.#armExpiry();
      if (lost) this.#evaluate();
    });
  }

  #armRekey(): void {
    this.#cancelRekey?.();
    const ms = this.#settings?.sakRekeyMs;
    if (ms === undefined || this.#principal?.elected !== "self") return;
    this.#cancelRekey = this.#options.clock.after(ms, () => {
      this.#sakWanted = true;
      this.#evaluate();
    });
  }

  #awaitStart(participant: Participant): void {
    const { clock } = this.#options;
    participant.cancelTimer = clock.after((participant.startsAt ?? 0) - clock.wall(), () => {
      this.#start(participant, "primary");
      this.#evaluate();
    });
  }

  #start(participant: Participant, role: "primary" | "fallback"): void {
    participant.started = true;
    this.#assign(participant, role);
    this.#startHellos(participant);
  }

  // One key is primary; the one before it keeps the session while the new one has no peer.
  #assign(participant: Participant, role: "primary" | "fallback"): void {
    if (role === "primary") {
      for (const other of this.#participants) if (other.role === "primary") other.role = "fallback";
    }
    participant.role = role;
    const rank = (p: Participant): number => (p.role === "primary" ? 0 : 1);
    this.#participants.sort((a, b) => rank(a) - rank(b));
  }

  #remove(participant: Participant): void {
    participant.cancelTimer?.();
    this.#participants.splice(this.#participants.indexOf(participant), 1);
    if (this.#principal === participant) this.#principal = undefined;
  }

  // Evaluates everything that depends on peers, keys and settings (level-triggered), in the
  // standard's order.
  #evaluate(pdu?: Mkpdu, by?: Participant): void {
    const { port, secy } = this.#options;
    const settings = this.#settings;
    if (settings === undefined) return;
    for (const p of this.#participants) p.elect(secy.sci, settings.keyServerPriority);
    this.#choosePrincipal();
    this.#watchServer();
    if (by !== undefined && pdu?.distributed !== undefined) {
      this.#takeDistributed(by, pdu.mi, pdu.distributed);
    }
    const principal = this.#principal;
    const peer = principal?.livePeer();
    if (principal?.elected === "self" && peer !== undefined) this.#serve(principal, peer);
    const clearAllowed = settings.policy === "shouldSecure";
    const owesInfo = this.#cp.run({
      connect: this.#secured ? "secure" : clearAllowed ? "unauthenticated" : "pending",
      electedSelf: principal?.elected === "self",
      peer,
    });
    if (owesInfo && principal !== undefined) principal.owesInfo = true;
    for (const p of this.#participants) if (p.owesInfo) this.#transmit(p);
    port.done();
  }

  // A key server takes the primary key first; any other end keeps the CA that SAKs come on while it
  // lives.
  #choosePrincipal(): void {
    const live = this.#participants.filter((p) => p.livePeer() !== undefined);
    const present = this.#principal;
    const next =
      live.find((p) => p.elected === "self") ??
      (present !== undefined && live.includes(present) ? present : live[0]) ??
      present ??
      this.#participants.find((p) => p.started);
    if (next !== present) this.#move(next);
  }

  // No SA is touched; the CA's own SAK follows, at once if no peer shares the installed one.
  #move(next: Participant | undefined): void {
    const before = this.#principal;
    this.#principal = next;
    this.#cancelMove?.();
    if (next?.elected !== "self" || this.#cp.current() === undefined) return;
    next.gainedMember = false;
    if (before?.livePeer() === undefined) {
      this.#sakWanted = true;
      return;
    }
    const { clock, helloMs } = this.#options;
    this.#cancelMove = clock.after(settleHellos * helloMs, () => {
      this.#sakWanted = true;
      this.#evaluate();
    });
  }

  #watchServer(): void {
    const principal = this.#principal;
    const peer = principal?.livePeer();
    if (peer === undefined) this.#loseSession();
    if (principal === undefined || peer === undefined || principal.elected === "none") {
      this.#serverSci = undefined;
      return;
    }
    const server = principal.elected === "self" ? this.#options.secy.sci : peer.sci;
    if (this.#serverSci !== undefined && this.#serverSci !== server) {
      this.#cp.chgdServer = true;
      this.#cp.newSak = undefined;
      this.#distributed = undefined;
      this.#sakWanted = true;
    }
    this.#serverSci = server;
  }

  #loseSession(): void {
    this.#secured = false;
    this.#cp.newSak = undefined;
    this.#distributed = undefined;
    this.#sakWanted = false;
  }

  #serve(principal: Participant, peer: MkaPeer): void {
    if (principal.gainedMember) this.#sakWanted = true;
    principal.gainedMember = false;
    const offered = this.#distributed;
    if (offered !== undefined && slotOf(peer.use, offered.keyId)?.receive === true) {
      this.#distributed = undefined;
    }
    const settings = this.#settings;
    if (!this.#sakWanted || this.noSak || !this.#cp.takesSak() || settings === undefined) return;
    principal.keyNumber += 1;
    // The AN is never one that is installed at either end; a restarted server learns it from the
    // peer's report.
    const used = this.#lastAn ?? peer.use.latest?.an ?? peer.use.old?.an ?? 3;
    const an = (used + 1) % 4;
    const keyId = `${principal.mi}/${principal.keyNumber}`;
    const sak = { keyId, an, suite: settings.suite };
    this.#lastAn = an;
    this.#cp.newSak = sak;
    this.#distributed = sak;
    this.#secured = true;
    this.#sakWanted = false;
    principal.owesInfo = true;
    this.#armRekey();
  }

  #takeDistributed(by: Participant, senderMi: string, sak: SakToken): void {
    if (by.livePeer()?.mi !== senderMi || by.elected !== "peer") return;
    if (by !== this.#principal) {
      if (this.#principal?.elected === "self") return;
      this.#move(by);
    }
    if (this.#cp.knows(sak)) return;
    this.#secured = true;
    if (sak.suite !== this.#settings?.suite || this.noSak) return;
    this.#lastAn = sak.an;
    this.#cp.newSak = sak;
  }

  #packetNumberHigh(): boolean {
    const sak = this.#cp.settledSak();
    if (sak === undefined || isXpn(sak.suite)) return false;
    this.#options.port.settle();
    if ((this.#options.secy.encodingSa()?.nextPn ?? 0) >= packetNumberThreshold) return true;
    const peer = this.#principal?.livePeer();
    if (peer === undefined || slotOf(peer.use, sak.keyId)?.transmit !== true) return false;
    return peer.lpn >= packetNumberThreshold;
  }
}
