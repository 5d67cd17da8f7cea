// The key agreement entity (KaY) of one SecY: IEEE Std 802.1X-2020 clause 9. Pure: frames, ticks,
// commands and reports of the SecY go in; frames, operations and events come out.

import type { Ckn } from "#hal/model.ts";
import { type Entropy, type Instant, instantAfter } from "#hal/world.ts";
import { Actor, boundedHelloMs, helloMs, lifeMs } from "./actor.ts";
import { AnDispute } from "./an-dispute.ts";
import { Changes, nameOf } from "./changes.ts";
import { compose } from "./compose.ts";
import { Cp, type Member } from "./cp.ts";
import { isLacking } from "./held-sak.ts";
import type {
  CommandRefusal,
  KayCommand,
  KayEvent,
  KayObservation,
  KayOptions,
  KayOutput,
  KaySettings,
  KayTrouble,
} from "./kay-types.ts";
import { KeptChannels } from "./kept-channels.ts";
import { KeyServer } from "./key-server.ts";
import { type CaKeys, hasIcv, icvBytes, type KeyIdentifier, macOf } from "./keys.ts";
import { locate, type Mkpdu, parse } from "./mkpdu.ts";
import { frameOf } from "./mkpdu-octets.ts";
import { Counts, observe } from "./observation.ts";
import { type HeldSecy, isDoneAlready, type SecyOperation, type SecyReport } from "./operations.ts";
import { choosePrincipal } from "./principal.ts";
import { keyReports, livePeers, missing, reportsOn } from "./reports.ts";
import { type SakRefusal, takeSak } from "./sak.ts";
import type { KaySnapshot, SakSnapshot } from "./snapshot.ts";
import { SpentSaks } from "./spent-saks.ts";
import { suites } from "./suite.ts";
import { takeOver } from "./take-over.ts";

/** Enough for the old and the new CA, and for both of a change that is changed. */
const actorsMax = 4;

export class Kay {
  readonly #sci: string;
  readonly #entropy: Entropy;
  readonly #cp: Cp;
  readonly #server: KeyServer;
  readonly #counts = new Counts();
  readonly #changes = new Changes();
  #settings: KaySettings;
  /** The primary one first. */
  #actors: Actor[] = [];
  #principal: Actor | undefined;
  #out: KayOutput[] = [];
  /** Events of this step that follow those of peers and CAs. */
  #events: KayEvent[] = [];
  #operations = 0;
  readonly #asked = new Map<number, SecyOperation["kind"]>();
  readonly #kept = new KeptChannels();
  #refusal: KayTrouble | undefined;
  #secyChanges: KayObservation["secyChanges"];
  readonly #spent = new SpentSaks();
  readonly #anDispute = new AnDispute();
  /** A member that took a SAK and could not install it asks for another by a new MI. */
  #retryAt: Instant | undefined;

  /** With a snapshot, the KaY continues as its predecessor; `tick` brings the first outputs. */
  constructor(options: KayOptions) {
    const { sci, settings, entropy, now, snapshot } = options;
    this.#sci = sci;
    this.#settings = settings;
    this.#entropy = entropy;
    this.#server = new KeyServer(entropy, snapshot?.lastAn);
    this.#cp = new Cp((operation) => this.#operate(operation));
    const taken = takeOver(options, this.#cp);
    if (taken.kind === "contradiction") this.#emit({ kind: "secyContradicts" });
    this.#actors = [...taken.actors];
    this.#principal = this.#actors.find(({ ckn }) => ckn === snapshot?.principal);
    this.#server.lastAn ??= this.#cp.newest?.an;
    for (const channel of taken.kept) this.#kept.keep(channel, now);
    for (const key of taken.spent) this.#spent.record(key);
    for (const key of this.#cp.held) this.#spent.record(key.keyIdentifier);
    this.#principal?.elect(settings.keyServerPriority, now);
    const server = this.#principal?.server;
    // The predecessor took the key server's last SAK, and the SecY lacks it. 9.8: a key server
    // makes no other until this one is a life time old.
    const isTaken = server !== undefined && server.kn > 0;
    if (isTaken && !this.#cp.holds(server)) this.#retryAt = instantAfter(now, lifeMs);
  }

  #operate(operation: SecyOperation): number {
    this.#operations += 1;
    const id = this.#operations;
    this.#asked.set(id, operation.kind);
    this.#out.push({ kind: "secy", id, operation });
    return id;
  }

  #emit(event: KayEvent): void {
    this.#events.push(event);
  }

  /** Processes a frame to the group address of port access entities, from its destination on. */
  receive(frame: Uint8Array, now: Instant): readonly KayOutput[] {
    const located = locate(frame);
    if (located.kind === "foreign") {
      this.#counts.foreign += 1n;
      return [];
    }
    this.#counts.received += 1n;
    if (located.kind === "malformed") return this.#counts.malformed(located.why);
    const actor = this.#actors.find(({ ckn }) => ckn === located.ckn);
    if (actor === undefined) {
      this.#counts.unknownCkn += 1n;
      return [];
    }
    if (!hasIcv(actor.keys.ick, located.octets, located.icv)) {
      this.#counts.icvFailed += 1n;
      return [];
    }
    const mkpdu = parse(located);
    if ("kind" in mkpdu) return this.#counts.malformed(mkpdu.why);
    return this.#hear(actor, mkpdu, now);
  }

  #hear(actor: Actor, mkpdu: Mkpdu, now: Instant): readonly KayOutput[] {
    actor.expire(now);
    const acceptance = actor.accept(mkpdu, now);
    switch (acceptance) {
      case "counted":
        this.#notice(actor, mkpdu, now);
        break;
      case "miTaken":
        break;
      case "ownFrame":
        this.#counts.ownFrames += 1n;
        return [];
      case "replayed":
        this.#counts.replayed += 1n;
        return [];
      case "sciChanged":
      case "crowded":
        this.#counts.strange += 1n;
        return [];
    }
    return this.#turn(now);
  }

  #notice(actor: Actor, mkpdu: Mkpdu, now: Instant): void {
    const peer = actor.peer(mkpdu.basic.mi);
    if (peer?.state !== "live") return;
    const extended = suites[this.#settings.suite].packetNumber === "64 bit";
    // A 64-bit packet number without its high half is of no use.
    if (peer.sakUse?.kind === "used" && peer.sakUse.delayProtect && (!extended || peer.xpn)) {
      for (const { keyIdentifier, pn } of keyReports(peer)) {
        this.#cp.raiseLowestPn(peer.sci, keyIdentifier, pn);
      }
    }
    actor.elect(this.#settings.keyServerPriority, now);
    if (mkpdu.distributedSak === undefined || actor.server !== peer) return;
    this.#takeSak(actor, mkpdu, now);
  }

  #takeSak(actor: Actor, mkpdu: Mkpdu, now: Instant): void {
    const { distributedSak } = mkpdu;
    const { server } = actor;
    if (distributedSak === undefined || server === undefined || this.#cp.device === "gone") return;
    if (distributedSak.kind === "wrapped") {
      const key = { mi: server.mi, kn: distributedSak.kn };
      if (this.#cp.holds(key) || (this.#retryAt !== undefined && this.#spent.has(key))) return;
      // The key server waits for us to install a SAK that we took before.
      if (this.#spent.isLast(key)) this.#retryAt = instantAfter(now, lifeMs);
    }
    const { suite } = this.#settings;
    const isAnInUse = (an: number): boolean =>
      this.#isAnInUse(an, server.sci) && !this.#anDispute.isWon(server.mi, an, now);
    const isSpent = (key: KeyIdentifier): boolean => this.#spent.has(key);
    const taken = takeSak(mkpdu, distributedSak, { actor, server, suite, isAnInUse, isSpent });
    if (taken.kind === "refused") {
      const { why } = taken;
      if (why.kind === "anInUse") this.#anDispute.refused(server.mi, why.an, now);
      this.#refuse(actor, why);
      return;
    }
    this.#anDispute.settle();
    const { sak } = taken;
    server.kn = sak.keyIdentifier.kn;
    this.#spent.record(sak.keyIdentifier);
    this.#retryAt = undefined;
    this.#server.lastAn = sak.an;
    this.#refusal = undefined;
    this.#cp.take(sak);
    // The principal CA is the one that SAKs arrive on.
    this.#principal = actor;
    this.#emit({ kind: "sakTaken", ckn: actor.ckn, keyId: nameOf(sak.keyIdentifier), an: sak.an });
  }

  #refuse(actor: Actor, why: SakRefusal): void {
    const was = this.#refusal;
    this.#refusal = { kind: "sakRefused", why };
    // The key server distributes it again and again.
    if (was?.kind === "sakRefused" && JSON.stringify(was.why) === JSON.stringify(why)) return;
    this.#emit({ kind: "sakRefused", ckn: actor.ckn, why });
  }

  // The key server itself has at most one SAK under an AN: the one that it distributes.
  #isAnInUse(an: number, server: string): boolean {
    return this.#cp.held.some((held) => {
      if (held.an !== an || (held === this.#cp.latest && held.transmit !== "enabled")) return false;
      const using = reportsOn(this.#actors, held.keyIdentifier);
      return using.some(({ sci, receive, transmit }) => sci !== server && (receive || transmit));
    });
  }

  tick(now: Instant): readonly KayOutput[] {
    return this.#turn(now);
  }

  /** Returns when `tick` is due, if nothing else happens before. */
  wakeAt(now: Instant): Instant | undefined {
    const moments = [
      ...this.#actors.flatMap((actor) => [
        actor.sendAt(),
        ...actor.peers.map(({ expiresAt }) => expiresAt),
        ...actor.lately.values(),
      ]),
      ...this.#server.wakesAt(this.#cp, this.#principal, this.#settings),
      ...this.#kept.ends,
      ...[this.#cp.wakeAt, this.#retryAt].filter((moment) => moment !== undefined),
    ].filter((moment) => moment > now);
    return moments.length === 0 ? undefined : (Math.min(...moments) as Instant);
  }

  command(command: KayCommand, now: Instant): readonly KayOutput[] {
    const why = this.#obey(command, now);
    if (why !== undefined) this.#emit({ kind: "commandRefused", why });
    return this.#turn(now);
  }

  #obey(command: KayCommand, now: Instant): CommandRefusal | undefined {
    switch (command.kind) {
      case "addActor":
        return this.#addActor(command.ckn, command.keys, command.role, now);
      case "removeActor":
        return this.#removeActor(command.ckn, now);
      case "promoteActor": {
        const actor = this.#actors.find(({ ckn }) => ckn === command.ckn);
        if (actor === undefined) return "unknownCkn";
        this.#actors = [actor, ...this.#actors.filter((other) => other !== actor)];
        return undefined;
      }
      case "rekeySak":
        if (this.#principal?.election.kind !== "self") return "notKeyServer";
        this.#server.command();
        return undefined;
      case "hello":
        for (const actor of this.#actors) actor.hurry();
        return undefined;
      case "configure": {
        const remade = command.settings.suite !== this.#settings.suite;
        this.#settings = command.settings;
        this.#refusal = undefined;
        if (remade) this.#lose();
        for (const actor of this.#actors) actor.hurry();
        return undefined;
      }
    }
  }

  #addActor(
    ckn: Ckn,
    { ick, kek }: CaKeys,
    role: "primary" | "fallback",
    now: Instant,
  ): CommandRefusal | undefined {
    if (this.#actors.some((actor) => actor.ckn === ckn)) return "cknInUse";
    if (this.#actors.length >= actorsMax) return "tooManyActors";
    const keys = { ick: ick.copy(), kek: kek.copy() };
    const actor = new Actor(ckn, keys, this.#sci, this.#entropy, now);
    this.#actors = role === "primary" ? [actor, ...this.#actors] : [...this.#actors, actor];
    return undefined;
  }

  #removeActor(ckn: Ckn, now: Instant): CommandRefusal | undefined {
    const actor = this.#actors.find((one) => one.ckn === ckn);
    if (actor === undefined) return "unknownCkn";
    this.#actors = this.#actors.filter((one) => one !== actor);
    // The other CA may be about to hear the same stations.
    const kept = this.#actors.length > 0 ? actor.livePeers : [];
    for (const { sci } of kept) this.#kept.keep({ sci, leftMs: lifeMs }, now);
    actor.wipe();
    return undefined;
  }

  /** Compares the SecY with what was put into it, and mends what another program changed. */
  compare(secy: HeldSecy, now: Instant): readonly KayOutput[] {
    // While an operation is under way, what the SecY should hold is not known.
    if (this.#asked.size > 0 || this.#cp.device === "gone") return this.#turn(now);
    for (const difference of this.#cp.compare(secy, now)) {
      const outcome = this.#cp.mend(difference);
      const { kind: what, ...where } = difference;
      const last = { ...where, what, outcome };
      this.#secyChanges = { count: (this.#secyChanges?.count ?? 0n) + 1n, last };
      this.#emit({ kind: "secyChanged", ...last });
      if (outcome === "nextSak") this.#retryAt ??= now;
    }
    return this.#turn(now);
  }

  report(report: SecyReport, now: Instant): readonly KayOutput[] {
    switch (report.kind) {
      case "done":
        this.#asked.delete(report.id);
        this.#cp.done(report.id, now);
        break;
      case "refused":
        this.#onRefused(report.id, report.errno, now);
        break;
      case "lost":
        this.#lose();
        break;
      case "ready":
        this.#cp.ready();
        // The key server takes us for a new station, and makes a SAK.
        for (const actor of this.#actors) actor.renewMi(now);
        break;
    }
    return this.#turn(now);
  }

  // Operations on the device that is gone get no report.
  #lose(): void {
    this.#cp.lost();
    this.#asked.clear();
  }

  #onRefused(id: number, errno: string, now: Instant): void {
    const operation = this.#asked.get(id);
    this.#asked.delete(id);
    if (operation !== undefined && isDoneAlready(operation, errno)) {
      this.#cp.done(id, now);
      return;
    }
    const then = this.#cp.refused(id);
    if (operation === undefined || then === "late") return;
    this.#refusal = { kind: "secyRefused", operation, errno };
    this.#emit({ kind: "secyRefused", operation, errno });
    if (then === "other") return;
    this.#server.holdOff(now);
    this.#retryAt = instantAfter(now, lifeMs);
  }

  #turn(now: Instant): readonly KayOutput[] {
    this.#retry(now);
    for (const actor of this.#actors) {
      actor.expire(now);
      actor.elect(this.#settings.keyServerPriority, now);
    }
    this.#principal = choosePrincipal(this.#actors, this.#principal, now);
    this.#join(now);
    this.#serve(now);
    const principal = this.#principal;
    this.#cp.advance(
      {
        mayTransmit: (key) => this.#mayTransmit(key),
        allTransmitting: (key) => missing(this.#actors, key, "transmit").length === 0,
        isInVain: principal !== undefined && this.#server.isInVain(principal, this.#cp, now),
      },
      now,
    );
    const { events, isNews } = this.#changes.since(this.#actors, this.#principal, this.#cp);
    for (const event of [...events, ...this.#events]) this.#out.push({ kind: "event", event });
    this.#events = [];
    if (isNews) this.#principal?.hurry();
    this.#send(now);
    if (this.#changes.isMemorable(this.#actors, this.#principal, this.#cp, this.#server.lastAn)) {
      this.#out.push({ kind: "remember" });
    }
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #retry(now: Instant): void {
    if (this.#retryAt === undefined || now < this.#retryAt) return;
    this.#retryAt = undefined;
    const principal = this.#principal;
    if (principal?.election.kind === "peer") principal.renewMi(now);
    const { newest } = this.#cp;
    if (newest !== undefined && isLacking(newest)) this.#retryAt = instantAfter(now, lifeMs);
  }

  #join(now: Instant): void {
    const stations = Map.groupBy(livePeers(this.#actors), ({ sci }) => sci);
    const members = [...stations].map(([sci, peers]): Member => {
      const lowestPn = (key: KeyIdentifier): bigint =>
        reportsOn(this.#actors, key).find((report) => report.sci === sci)?.pn ?? 1n;
      return { sci, mis: peers.map(({ mi }) => mi), lowestPn };
    });
    this.#kept.settle(stations, now);
    const isKept = (sci: string): boolean => this.#kept.leftMs(sci, this.#actors, now) > 0;
    if (!this.#cp.setMembers(members, isKept, now)) return;
    // An MI means one unbroken membership. After giving up its SAKs a member is a new instance,
    // with a new MI. A CA without live peers is exempt: a station that joins it just now would take
    // another MI at this SCI for an attack.
    for (const actor of this.#actors) {
      if (actor.mayBeMember(now)) actor.renewMi(now);
    }
  }

  #serve(now: Instant): void {
    const actor = this.#principal;
    if (actor?.election.kind !== "self") return;
    const served = { actor, actors: this.#actors, cp: this.#cp, settings: this.#settings };
    const why = this.#server.serve(served, now);
    if (why === undefined) return;
    this.#refusal = undefined;
    const keyId = nameOf({ mi: actor.mi, kn: actor.kn });
    this.#emit({ kind: "sakMade", ckn: actor.ckn, keyId, an: this.#server.lastAn ?? 0, why });
  }

  // 12.4 without its `transmitWhen`: frames under a SAK that a live peer does not have are lost,
  // those under the old one are not. This includes the first SAK: no peer could receive.
  #mayTransmit(key: KeyIdentifier): boolean {
    const principal = this.#principal;
    switch (principal?.election.kind) {
      case undefined:
      case "none":
        return false;
      case "self":
        return missing(this.#actors, key, "receive").length === 0;
      case "peer": {
        const sci = principal.server?.sci;
        const reports = reportsOn(this.#actors, key).filter((report) => report.sci === sci);
        return reports.some(({ transmit }) => transmit);
      }
    }
  }

  // 9.10: late frames can be refused only if lowest packet numbers are reported often.
  get #periodMs(): number {
    const asked = this.#principal?.server?.sakUse;
    const isAsked = asked?.kind === "used" && asked.delayProtect;
    return isAsked || this.#settings.delayProtection === "on" ? boundedHelloMs : helloMs;
  }

  #send(now: Instant): void {
    for (const actor of this.#actors) {
      if (actor.sendAt() > now) continue;
      const frame = frameOf(this.#compose(actor, now));
      const end = frame.length - icvBytes;
      frame.set(macOf(actor.keys.ick, frame.subarray(0, end)), end);
      this.#counts.sent += 1n;
      this.#out.push({ kind: "send", frame });
    }
  }

  #compose(actor: Actor, now: Instant): Mkpdu {
    const cp = this.#cp;
    const isPrincipal = actor === this.#principal;
    const spoken = { actor, cp, settings: this.#settings, periodMs: this.#periodMs, now };
    if (!isPrincipal) return compose({ ...spoken, standing: { kind: "standby" } });
    const distributedSak = this.#server.distributed({ actor, actors: this.#actors, cp }, now);
    return compose({ ...spoken, standing: { kind: "principal", distributedSak } });
  }

  observe(now: Instant): KayObservation {
    const principal = this.#principal;
    return observe({
      settings: this.#settings,
      actors: this.#actors,
      principal,
      cp: this.#cp,
      counters: this.#counts.read(),
      refusal: this.#refusal,
      secyChanges: this.#secyChanges,
      now,
    });
  }

  /** Returns a snapshot whose keys belong to the caller. */
  snapshot(now: Instant): KaySnapshot {
    const sak = (slot: SakSnapshot["slot"]): SakSnapshot[] => {
      const held = this.#cp[slot];
      if (held === undefined) return [];
      const { keyIdentifier, an, members, ssci, createdAt } = held;
      return [{ slot, keyIdentifier, an, members, ssci, ageMs: now - createdAt }];
    };
    return {
      actors: this.#actors.map((actor) => actor.snapshot()),
      principal: this.#principal?.ckn,
      saks: [...sak("latest"), ...sak("old")],
      kept: this.#cp.channels
        .map((sci) => ({ sci, leftMs: this.#kept.leftMs(sci, this.#actors, now) }))
        .filter(({ leftMs }) => leftMs > 0),
      spent: this.#spent.last,
      lastAn: this.#server.lastAn,
    };
  }

  /** Wipes all keys; the SecY keeps its SAs. */
  wipe(): void {
    for (const actor of this.#actors) actor.wipe();
    this.#actors = [];
    this.#cp.lost();
  }
}
