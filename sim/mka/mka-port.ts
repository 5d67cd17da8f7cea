// Drives the CP machine of one controlled port: its actions on the SecY, its keys, its timers.

import type { Sak } from "#hal/model.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import { type CpInputs, type CpState, cpNext } from "./mka-cp.ts";
import type { MkaPeer } from "./mka-participant.ts";
import { noSakUse, type SakSlot, type SakToken, type SakUse, slotOf } from "./mka-pdu.ts";
import type { SecY } from "./secy.ts";

/**
 * `transmitWhen` in milliseconds: how long a key server waits for its peers before it transmits
 * regardless.
 */
const transmitWhenMs = 6000;
const retireWhenMs = 3000;

interface InstalledSak {
  readonly sak: SakToken;
  transmit: boolean;
  receive: boolean;
}

/** The KaY's state at the moment the machine runs. */
export interface CpOrders {
  readonly connect: CpInputs["connect"];
  readonly electedSelf: boolean;
  readonly peer: MkaPeer | undefined;
}

export class ControlledPort {
  state: CpState = "CHANGE";
  chgdServer = false;
  newSak: SakToken | undefined;
  /** The slots as the next MKPDU reports them; a new object with every change. */
  use: SakUse = noSakUse;
  #latest: InstalledSak | undefined;
  #old: InstalledSak | undefined;
  #enabled = false;
  #timerOver = false;
  #cancelTimer: Cancel | undefined;
  #owesInfo = false;
  readonly #clock: SimClock;
  readonly #secy: SecY;
  readonly #wake: () => void;

  /** `wake` is called when a timer of the machine has expired. */
  constructor(clock: SimClock, secy: SecY, wake: () => void) {
    this.#clock = clock;
    this.#secy = secy;
    this.#wake = wake;
  }

  /** Runs the machine until it settles; true if an MKPDU must inform the peers. */
  run(orders: CpOrders): boolean {
    this.#owesInfo = false;
    let next = cpNext(this.state, this.#inputs(orders));
    if (next === this.state) return false;
    // Under a new key server the machine may return to the state it was in, with another SAK.
    for (; next !== this.state; next = cpNext(this.state, this.#inputs(orders))) {
      this.state = next;
      this.#enter(next, orders.peer);
    }
    this.use = { latest: slotFor(this.#latest), old: slotFor(this.#old) };
    return this.#owesInfo;
  }

  /** Removes all SAs and starts the machine again. */
  reset(): void {
    this.newSak = undefined;
    this.chgdServer = false;
    this.state = "CHANGE";
    this.#enter("CHANGE", undefined);
    this.use = noSakUse;
  }

  /** True if a SAK may be made now; while one replaces another, the next has to wait. */
  takesSak(): boolean {
    return this.state !== "TRANSMIT" && this.state !== "TRANSMITTING";
  }

  knows(sak: SakToken): boolean {
    return sak === this.#latest?.sak || sak === this.#old?.sak || sak === this.newSak;
  }

  /** Returns the newest installed SAK, in whichever slot it is. */
  current(): SakToken | undefined {
    return (this.#latest ?? this.#old)?.sak;
  }

  /** Returns the SAK in use; undefined while another one is being installed. */
  settledSak(): SakToken | undefined {
    return this.#latest === undefined ? this.#old?.sak : undefined;
  }

  /** True if the peer reports that it receives with a SAK that is installed here. */
  sharedWith(peer: MkaPeer): boolean {
    return [this.#latest, this.#old].some(
      (own) => own !== undefined && slotOf(peer.use, own.sak.keyId)?.receive === true,
    );
  }

  /**
   * Returns the SAKs as operators see them: the latest stays the latest after the old one retired.
   */
  saks(): { readonly latest: Sak | undefined; readonly old: Sak | undefined } {
    const [first, second] = [this.#latest, this.#old];
    return first === undefined
      ? { latest: slotFor(second), old: undefined }
      : { latest: slotFor(first), old: slotFor(second) };
  }

  #inputs(orders: CpOrders): CpInputs {
    const latest = this.#latest?.sak;
    const { peer } = orders;
    const theirs = latest && peer && slotOf(peer.use, latest.keyId);
    return {
      connect: orders.connect,
      chgdServer: this.chgdServer,
      newSak: this.newSak !== undefined,
      electedSelf: orders.electedSelf,
      allReceiving: theirs?.receive === true,
      serverTransmitting: theirs?.transmit === true,
      controlledPortEnabled: this.#enabled,
      timerOver: this.#timerOver,
    };
  }

  #enter(state: CpState, peer: MkaPeer | undefined): void {
    switch (state) {
      case "CHANGE":
        this.#close();
        return;
      case "ALLOWED":
        this.#secy.setMode("clear");
        return;
      case "SECURED":
        this.chgdServer = false;
        return;
      case "RECEIVE":
        this.#install(peer);
        return;
      case "RECEIVING":
        if (this.#latest !== undefined) this.#latest.receive = true;
        this.#arm(transmitWhenMs);
        this.#owesInfo = true;
        return;
      case "READY":
        this.#owesInfo = true;
        return;
      case "TRANSMIT":
        this.#transmit();
        return;
      case "TRANSMITTING":
        if (this.#old !== undefined) this.#old.transmit = false;
        this.#arm(this.#old?.receive === true ? retireWhenMs : 0);
        this.#owesInfo = true;
        return;
      case "RETIRE":
        if (this.#old !== undefined) this.#secy.remove(this.#old.sak.an);
        this.#old = this.#latest;
        this.#latest = undefined;
        return;
      case "ABANDON":
        if (this.#latest !== undefined) this.#secy.remove(this.#latest.sak.an);
        this.#latest = undefined;
        return;
    }
  }

  #close(): void {
    this.#enabled = false;
    this.#cancelTimer?.();
    this.#latest = undefined;
    this.#old = undefined;
    this.#secy.clear();
    this.#secy.setMode("blocked");
  }

  #install(peer: MkaPeer | undefined): void {
    const sak = this.newSak;
    this.newSak = undefined;
    if (sak === undefined || peer === undefined) return;
    // Creating an SA at an AN deletes the one that was there.
    if (this.#old?.sak.an === sak.an) this.#old = undefined;
    this.#latest = { sak, transmit: false, receive: false };
    this.#secy.install(sak, peer.sci);
  }

  #transmit(): void {
    this.#enabled = true;
    if (this.#latest !== undefined) {
      this.#latest.transmit = true;
      this.#secy.encode(this.#latest.sak.an);
    }
    this.#secy.setMode("secured");
  }

  #arm(ms: number): void {
    this.#cancelTimer?.();
    this.#timerOver = ms === 0;
    if (ms === 0) return;
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#timerOver = true;
      this.#wake();
    });
  }
}

function slotFor(own: InstalledSak | undefined): SakSlot | undefined {
  if (own === undefined) return undefined;
  const { sak, transmit, receive } = own;
  return { keyId: sak.keyId, an: sak.an, transmit, receive };
}
