// The controlled port of the SecY: which SAKs it holds, and how they proceed from receive to
// transmit to retirement. IEEE Std 802.1X-2020 clause 12, figure 12-2.

import type { Secret } from "#hal/secret.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import {
  adoptedSak,
  type HeldSak,
  isReceiving,
  type NewSak,
  type Receiving,
  sameKey,
} from "./held-sak.ts";
import { type KeyIdentifier, keyIdOf, saltOf } from "./keys.ts";
import type { KeyUse } from "./mkpdu.ts";
import type { ExtendedNumbering, HeldSecy, SecyOperation } from "./operations.ts";
import { type Difference, differences } from "./secy-differences.ts";
import type { SakSnapshot } from "./snapshot.ts";

/** IEEE Std 802.1X-2020 table 9-3: frames under the old SAK are still on their way. */
const retireMs = 3000;
/**
 * The old SAK is deleted after this time even if a peer never reports to transmit under the new
 * one.
 */
const retireMsMax = 20_000;
const samplesMax = 16;

/** A station that frames come from. */
export interface Member {
  readonly sci: string;
  /** Its MIs, one in each CA that it is live in. */
  readonly mis: readonly string[];
  /** Returns the lowest packet number that it reports to use under this SAK. */
  lowestPn(key: KeyIdentifier): bigint;
}

/** The reports of the peers, which decide how far a SAK may proceed. */
export interface Peers {
  /** Returns true if we may transmit under a SAK that we receive under. */
  mayTransmit(key: KeyIdentifier): boolean;
  allTransmitting(key: KeyIdentifier): boolean;
  /** True if a live peer will never receive under the SAK in use, so that another is due. */
  readonly isInVain: boolean;
}

type Step =
  | { readonly kind: "channel"; readonly sci: string }
  | { readonly kind: "prepare" | "receive"; readonly held: HeldSak; readonly sci: string }
  | { readonly kind: "transmit" | "enable"; readonly held: HeldSak };

export class Cp {
  readonly #operate: (operation: SecyOperation) => number;
  readonly #steps = new Map<number, Step>();
  readonly #channels = new Set<string>();
  /** Channels that the SecY refused to create; the next SAK asks for them again. */
  readonly #refused = new Set<string>();
  #device: "there" | "gone" = "there";
  #latest: HeldSak | undefined;
  #old: HeldSak | undefined;
  #pending: NewSak | undefined;
  #members: readonly Member[] = [];

  /** `operate` hands an operation to the SecY's edge, which carries them out in order. */
  constructor(operate: (operation: SecyOperation) => number) {
    this.#operate = operate;
  }

  get latest(): HeldSak | undefined {
    return this.#latest;
  }

  get old(): HeldSak | undefined {
    return this.#old;
  }

  get newest(): HeldSak | undefined {
    return this.#latest ?? this.#old;
  }

  /** The SAK that frames leave under. */
  get inUse(): HeldSak | undefined {
    return this.held.find(({ transmit }) => transmit === "enabled");
  }

  get held(): readonly HeldSak[] {
    return [this.#latest, this.#old].filter((one) => one !== undefined);
  }

  get channels(): readonly string[] {
    return [...this.#channels];
  }

  get device(): "there" | "gone" {
    return this.#device;
  }

  holds(key: KeyIdentifier): boolean {
    return [this.#latest, this.#old, this.#pending].some(
      (one) => one !== undefined && sameKey(one.keyIdentifier, key),
    );
  }

  /** True if a SAK that is taken now would be installed at once. */
  get isFree(): boolean {
    if (this.#device === "gone" || this.#pending !== undefined) return false;
    const latest = this.#latest;
    return latest === undefined || !this.#isCommitted(latest);
  }

  #isCommitted({ transmit }: HeldSak): boolean {
    return transmit === "enabling" || transmit === "enabled";
  }

  /** Takes a new SAK; a newer one replaces one that has not been installed yet. */
  take(sak: NewSak): void {
    this.#pending?.sak[Symbol.dispose]();
    this.#pending = sak;
  }

  /**
   * Creates and deletes channels with the stations behind them. Returns true if a SAK is given up
   * because no member is left that has it.
   */
  setMembers(members: readonly Member[], kept: (sci: string) => boolean, now: Instant): boolean {
    if (this.#device === "gone") return false;
    for (const sci of this.#channels) {
      if (members.some((member) => member.sci === sci) || kept(sci)) continue;
      this.#operate({ kind: "deleteReceiveSc", sci });
      this.#channels.delete(sci);
      this.#refused.delete(sci);
      for (const { receive } of this.held) receive.delete(sci);
    }
    const isGivenUp = this.#giveUp();
    for (const member of members) {
      if (!this.#channels.has(member.sci)) this.#create(member.sci);
    }
    this.#members = members;
    for (const held of this.held) this.#installMissing(held, now);
    return isGivenUp;
  }

  #create(sci: string): void {
    this.#channels.add(sci);
    this.#refused.delete(sci);
    this.#ask({ kind: "channel", sci }, { kind: "createReceiveSc", sci });
  }

  // Nothing is sent without a transmit SA, and nothing is accepted without a channel.
  #giveUp(): boolean {
    const alone = this.held.filter(({ receive }) => receive.size === 0);
    for (const held of alone) this.#drop(held);
    if (this.#latest !== undefined && alone.includes(this.#latest)) this.#latest = undefined;
    if (this.#old !== undefined && alone.includes(this.#old)) this.#old = undefined;
    if (alone.length === 0 || this.held.length > 0) return false;
    this.#pending?.sak[Symbol.dispose]();
    this.#pending = undefined;
    return true;
  }

  /** Proceeds as far as the peers allow. */
  advance(peers: Peers, now: Instant): void {
    while (this.#step(peers, now));
  }

  #step(peers: Peers, now: Instant): boolean {
    const latest = this.#latest;
    if (latest?.transmit === "installed" && isReceiving(latest)) {
      if (peers.mayTransmit(latest.keyIdentifier)) {
        latest.transmit = "enabling";
        this.#ask({ kind: "enable", held: latest }, { kind: "enableTransmit", an: latest.an });
        return true;
      }
    }
    if (latest?.transmit === "enabled" && this.#mayRetire(latest, peers, now)) {
      this.#retire(latest);
      return true;
    }
    const pending = this.#pending;
    if (pending === undefined || (latest !== undefined && this.#isCommitted(latest))) return false;
    // ABANDON: no station transmits under it, or the key server would not have made another.
    this.#drop(latest);
    this.#latest = undefined;
    this.#pending = undefined;
    this.#receive(pending, now);
    return true;
  }

  // RETIRE: the SAK in use is called old until there is a newer one.
  #retire(latest: HeldSak): void {
    this.#drop(this.#old);
    this.#old = latest;
    this.#latest = undefined;
  }

  #mayRetire(latest: HeldSak, peers: Peers, now: Instant): boolean {
    if (this.#old === undefined) return true;
    const age = now - (latest.enabledAt ?? now);
    if (age < retireMs) return false;
    // Figure 12-2 retires now. We are patient only as long as no other SAK is due.
    const wanted = this.#pending !== undefined || peers.isInVain;
    return wanted || peers.allTransmitting(latest.keyIdentifier) || age >= retireMsMax;
  }

  /** When the next step may be due without a further event. */
  get wakeAt(): Instant | undefined {
    const latest = this.#latest;
    if (latest?.enabledAt === undefined || this.#old === undefined) return undefined;
    return instantAfter(latest.enabledAt, retireMs);
  }

  #receive({ sak, extended, ...named }: NewSak, now: Instant): void {
    // The key server may use an AN again once no other station uses it.
    if (this.#old?.an === named.an) {
      this.#drop(this.#old);
      this.#old = undefined;
    }
    const held: HeldSak = {
      ...named,
      sak,
      extended,
      ssci: extended?.own,
      createdAt: now,
      receive: new Map(),
      reached: new Map(),
      transmit: "installing",
      enabledAt: undefined,
      samples: [{ at: now, nextPn: 1n }],
    };
    this.#latest = held;
    for (const sci of this.#refused) this.#create(sci);
    for (const member of this.#members) this.#installReceive(held, member, now);
    const operation = { kind: "installTransmitSa", nextPn: 1n } as const;
    this.#ask({ kind: "transmit", held }, { ...operation, ...this.#sa(held, sak, held.ssci) });
  }

  #sa({ an, keyIdentifier }: HeldSak, sak: Secret, ssci: number | undefined) {
    const sa = { an, keyId: keyIdOf(keyIdentifier), sak: sak.copy() };
    if (ssci === undefined) return sa;
    const extended: ExtendedNumbering = { ssci, salt: saltOf(keyIdentifier) };
    return { ...sa, extended };
  }

  // In a group, some members are heard only after the SAK was taken.
  #installMissing(held: HeldSak, now: Instant): void {
    for (const member of this.#members) {
      if (held.receive.has(member.sci)) continue;
      if (member.mis.some((mi) => held.members.includes(mi))) {
        this.#installReceive(held, member, now);
      }
    }
  }

  #installReceive(held: HeldSak, member: Member, now: Instant): void {
    const { sci, mis } = member;
    const { extended } = held;
    const known = mis.map((mi) => extended?.of.get(mi)).find((one) => one !== undefined);
    const ssci = known ?? extended?.of.get(sci);
    if (held.sak === undefined || (extended !== undefined && ssci === undefined)) return;
    // A channel that comes back continues at its sender's packet number.
    const lowestPn = held.createdAt === now ? 1n : member.lowestPn(held.keyIdentifier);
    const receiving: Receiving = { state: "installing", ssci, lowestPn };
    held.receive.set(sci, receiving);
    this.#askReceive(held, held.sak, sci, receiving);
  }

  // No number that was accepted under the SAK before is accepted again.
  #askReceive(held: HeldSak, sak: Secret, sci: string, { ssci, lowestPn: least }: Receiving): void {
    const { an, reached } = held;
    const was = reached.get(sci) ?? 1n;
    const lowestPn = was > least ? was : least;
    const sa = this.#sa(held, sak, ssci);
    this.#ask({ kind: "prepare", held, sci }, { kind: "installReceiveSa", sci, lowestPn, ...sa });
    this.#ask({ kind: "receive", held, sci }, { kind: "enableReceive", sci, an });
  }

  #ask(step: Step, operation: SecyOperation): void {
    this.#steps.set(this.#operate(operation), step);
  }

  #drop(held: HeldSak | undefined): void {
    if (held === undefined) return;
    const { an, receive, sak } = held;
    for (const sci of receive.keys()) this.#operate({ kind: "deleteReceiveSa", sci, an });
    this.#operate({ kind: "deleteTransmitSa", an });
    sak?.[Symbol.dispose]();
  }

  done(id: number, now: Instant): void {
    const step = this.#steps.get(id);
    this.#steps.delete(id);
    if (step === undefined || step.kind === "channel" || !this.held.includes(step.held)) return;
    const { held } = step;
    switch (step.kind) {
      case "prepare":
        return;
      case "receive": {
        const receiving = held.receive.get(step.sci);
        if (receiving?.state === "installing") receiving.state = "enabled";
        return;
      }
      case "transmit":
        held.transmit = "installed";
        return;
      case "enable":
        for (const other of this.held) {
          if (other.transmit === "enabled") other.transmit = "installed";
        }
        held.transmit = "enabled";
        held.enabledAt = now;
        return;
    }
  }

  /**
   * Processes a refusal. `givenUp`: the SAK could not be installed. `late`: the operation belonged
   * to a SAK that was given up before. `other`: nothing depends on it.
   */
  refused(id: number): "givenUp" | "late" | "other" {
    const step = this.#steps.get(id);
    this.#steps.delete(id);
    if (step === undefined) return "other";
    if (step.kind === "channel") {
      if (this.#channels.has(step.sci)) this.#refused.add(step.sci);
      return "other";
    }
    if (!this.held.includes(step.held)) return "late";
    if (step.held !== this.#latest) {
      const receiving = step.kind === "prepare" ? step.held.receive.get(step.sci) : undefined;
      if (receiving !== undefined) receiving.state = "gone";
      return "other";
    }
    this.#drop(step.held);
    this.#latest = undefined;
    return "givenUp";
  }

  /** Returns how the SecY differs from what was put into it, and notes its packet numbers. */
  compare(secy: HeldSecy, now: Instant): readonly Difference[] {
    const channels = this.channels.filter((sci) => !this.#refused.has(sci));
    const nextPn = (held: HeldSak): bigint => this.nextPn(held);
    const found = differences({ channels, saks: this.held, nextPn }, secy);
    for (const held of this.held) notePacketNumbers(held, secy, now);
    return found;
  }

  /**
   * Puts back what another program took. A transmit SA is never installed again under its SAK, nor
   * is one whose SAK a predecessor had: they are replaced by the next SAK.
   */
  mend(difference: Difference): "putBack" | "removed" | "nextSak" {
    switch (difference.kind) {
      case "receiveSc": {
        const { sci } = difference;
        // It may be there, and shut.
        this.#operate({ kind: "deleteReceiveSc", sci });
        this.#create(sci);
        const restored = this.held.map((held) => this.#restore(held, sci));
        return restored.includes("nextSak") ? "nextSak" : "putBack";
      }
      case "receiveSa": {
        const { sci, an } = difference;
        this.#operate({ kind: "deleteReceiveSa", sci, an });
        const held = this.#under(an);
        return held === undefined ? "removed" : this.#restore(held, sci);
      }
      case "transmitSa":
        this.#operate({ kind: "deleteTransmitSa", an: difference.an });
        this.#loseTransmit(this.#under(difference.an));
        return "nextSak";
      case "encodingAn":
        this.#operate({ kind: "enableTransmit", an: difference.an });
        return "putBack";
      case "strayReceiveSc":
        this.#operate({ kind: "deleteReceiveSc", sci: difference.sci });
        return "removed";
      case "strayReceiveSa":
        this.#operate({ kind: "deleteReceiveSa", sci: difference.sci, an: difference.an });
        return "removed";
      case "strayTransmitSa":
        this.#operate({ kind: "deleteTransmitSa", an: difference.an });
        return "removed";
    }
  }

  #under(an: number): HeldSak | undefined {
    return this.held.find((held) => held.an === an);
  }

  #restore(held: HeldSak, sci: string): "putBack" | "nextSak" {
    const receiving = held.receive.get(sci);
    if (receiving === undefined) return "putBack";
    if (held.sak === undefined) {
      receiving.state = "gone";
      return "nextSak";
    }
    this.#askReceive(held, held.sak, sci, receiving);
    const { lowestPn } = receiving;
    if (lowestPn > 1n) this.#operate({ kind: "raiseLowestPn", sci, an: held.an, lowestPn });
    return "putBack";
  }

  // The peers still send under the SAK in use, so its receive SAs stay until there is another.
  #loseTransmit(held: HeldSak | undefined): void {
    if (held === undefined) return;
    const wasInUse = held.transmit === "enabled";
    held.transmit = "gone";
    if (wasInUse && held === this.#latest) this.#retire(held);
  }

  /**
   * Returns the lowest packet number used in the last `periodMs`: the next one as it was before
   * that, or the first of all before anything was sent.
   */
  lowestPn({ samples }: HeldSak, periodMs: number, now: Instant): bigint {
    const before = samples.filter(({ at }) => at <= instantAfter(now, -periodMs));
    return before.at(-1)?.nextPn ?? samples[0]?.nextPn ?? 1n;
  }

  nextPn({ samples }: HeldSak): bigint {
    return samples.at(-1)?.nextPn ?? 1n;
  }

  /**
   * 9.10: frames below the sender's lowest packet number are too late; the bound never goes down
   * again.
   */
  raiseLowestPn(sci: string, key: KeyIdentifier, lowestPn: bigint): void {
    for (const held of this.held) {
      const receiving = held.receive.get(sci);
      if (receiving === undefined || !sameKey(held.keyIdentifier, key)) continue;
      if (receiving.state !== "enabled" || lowestPn <= receiving.lowestPn) continue;
      receiving.lowestPn = lowestPn;
      this.#operate({ kind: "raiseLowestPn", sci, an: held.an, lowestPn });
    }
  }

  keyUse(held: HeldSak | undefined, periodMs: number, now: Instant): KeyUse | undefined {
    if (held === undefined) return undefined;
    return {
      keyIdentifier: held.keyIdentifier,
      an: held.an,
      transmit: held.transmit === "enabled",
      receive: isReceiving(held),
      lowestPn: Number(this.lowestPn(held, periodMs, now) & 0xffffffffn),
    };
  }

  /** Forgets all SAKs, because the device went away with all that it held. */
  lost(): void {
    for (const held of this.held) held.sak?.[Symbol.dispose]();
    this.#pending?.sak[Symbol.dispose]();
    this.#latest = undefined;
    this.#old = undefined;
    this.#pending = undefined;
    this.#channels.clear();
    this.#refused.clear();
    this.#steps.clear();
    this.#device = "gone";
  }

  ready(): void {
    this.#device = "there";
  }

  /**
   * Takes over the SAs that a predecessor left in the SecY; SAs that its snapshot does not name are
   * deleted.
   */
  adopt(secy: HeldSecy, wanted: readonly SakSnapshot[], now: Instant): void {
    for (const sci of secy.receiveScis) this.#channels.add(sci);
    for (const sak of wanted) {
      const held = adoptedSak(secy, sak, now);
      if (sak.slot === "latest") this.#latest = held;
      else this.#old = held;
    }
    const isKept = (an: number): boolean => this.held.some((held) => held.an === an);
    for (const { sci, an } of secy.receiveSas) {
      if (!isKept(an)) this.#operate({ kind: "deleteReceiveSa", sci, an });
    }
    for (const { an } of secy.transmitSas) {
      if (!isKept(an)) this.#operate({ kind: "deleteTransmitSa", an });
    }
  }
}

function notePacketNumbers(held: HeldSak, secy: HeldSecy, now: Instant): void {
  const keyId = keyIdOf(held.keyIdentifier);
  const isIt = (sa: { an: number; keyId: string }): boolean =>
    sa.an === held.an && sa.keyId === keyId;
  const sending = secy.transmitSas.find(isIt);
  if (sending !== undefined && sending.nextPn >= (held.samples.at(-1)?.nextPn ?? 0n)) {
    const sample = { at: now, nextPn: sending.nextPn };
    held.samples = [...held.samples.slice(-samplesMax), sample];
  }
  for (const { sci, nextPn } of secy.receiveSas.filter(isIt)) {
    if (nextPn > (held.reached.get(sci) ?? 0n)) held.reached.set(sci, nextPn);
  }
}
