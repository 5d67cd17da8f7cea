// A fibre between two port endpoints: every MKPDU is an event, data are flows charged by rate and
// time.

import type { PortRate } from "#hal/model.ts";
import type { SimClock } from "../base/clock.ts";
import {
  charge,
  type FlowOutcome,
  type Forwarding,
  judge,
  macsecOctets,
  roomFor,
} from "./data-plane.ts";
import type { Mkpdu } from "./mka-pdu.ts";
import type { PortEndpoint, WireCount } from "./port-endpoint.ts";

/** The counters of one direction. */
export interface FlowTruth {
  /** The fate of a data frame that is offered now. */
  readonly outcome: FlowOutcome;
  /** Data frames offered. */
  readonly offered: bigint;
  /** Data frames that arrived. */
  readonly delivered: bigint;
  /** The part of both that was offered at a rate, and not as a burst. */
  readonly streamed: { readonly offered: bigint; readonly delivered: bigint };
  /** Data frames that did not arrive. */
  readonly lost: bigint;
  /** Data frames on the wire in the clear. */
  readonly clearOnWire: bigint;
  /** Data frames on the wire under MACsec that are authenticated and not encrypted. */
  readonly readableOnWire: bigint;
  /** Data frames on the wire under MACsec, encrypted. */
  readonly protectedOnWire: bigint;
}

interface Flow {
  readonly from: PortEndpoint;
  readonly to: PortEndpoint;
  readonly carry: () => void;
  forwarding: Forwarding;
  pps: number;
  frameOctets: number;
  since: number;
  /**
   * The frames of this rate that are charged so far; counting from `since` makes a reading leave no
   * trace.
   */
  charged: number;
  offered: number;
  delivered: number;
  burstOffered: number;
  burstDelivered: number;
  clearOnWire: number;
  readableOnWire: number;
  protectedOnWire: number;
  octetsOnWire: number;
  /** The MKPDUs on their way; those in the fibre when the light goes become `undefined`. */
  inFlight: (Mkpdu | undefined)[];
}

export type FibreEnd = "a" | "b";

/** One fibre with both directions of data. */
export class Fibre {
  readonly #clock: SimClock;
  readonly #a2b: Flow;
  readonly #b2a: Flow;
  readonly #delayMs: number;
  readonly #listeners: (() => void)[] = [];
  #up = true;
  #swallows = false;
  #wasLit = true;
  #carried = false;

  /** Plugs the fibre in: the a end is the edge router, the b end the far end. */
  constructor(options: {
    readonly clock: SimClock;
    readonly a: PortEndpoint;
    readonly b: PortEndpoint;
    readonly delayMs: number;
  }) {
    const { clock, a, b, delayMs } = options;
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#a2b = newFlow(a, b);
    this.#b2a = newFlow(b, a);
    this.#plug(this.#a2b, this.#b2a);
    this.#plug(this.#b2a, this.#a2b);
    this.#wasLit = this.#lit();
    this.changed();
  }

  /** Cuts or repairs the fibre. */
  setUp(up: boolean): void {
    this.#up = up;
    this.changed();
  }

  /** Loses the data frames of the a end behind the far end's port: they never arrive. */
  setSwallows(swallows: boolean): void {
    this.#swallows = swallows;
    this.changed();
  }

  /** True if the fibre is whole. */
  up(): boolean {
    return this.#up;
  }

  /** Sets the data frames that are offered in that direction from now on. */
  offer(from: FibreEnd, pps: number, frameOctets: number): void {
    const flow = this.#flow(from);
    this.#settleFlow(flow);
    flow.pps = pps;
    flow.since = this.#clock.now();
    flow.charged = 0;
    if (flow.frameOctets === frameOctets) return;
    flow.frameOctets = frameOctets;
    this.changed();
  }

  /** Sends a burst at once, such as a probe. */
  inject(from: FibreEnd, frames: number, frameOctets: number): { readonly delivered: number } {
    const flow = this.#flow(from);
    this.#settleFlow(flow);
    const forwarding = this.#judge(flow, frameOctets);
    const before = flow.delivered;
    this.#charge(flow, forwarding, frames, frameOctets);
    const delivered = flow.delivered - before;
    flow.burstOffered += frames;
    flow.burstDelivered += delivered;
    this.changed();
    return { delivered };
  }

  /** True if a data frame offered now would be delivered, in both directions. */
  carries(): boolean {
    return this.#carried;
  }

  /** Returns the counters of both directions up to now. */
  truth(): { readonly a2b: FlowTruth; readonly b2a: FlowTruth } {
    this.settle();
    return { a2b: truthOf(this.#a2b), b2a: truthOf(this.#b2a) };
  }

  /** Calls `listener` whenever the light or the ability to carry has changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Charges both flows up to now. */
  settle(): void {
    const spent = [this.#settleFlow(this.#a2b), this.#settleFlow(this.#b2a)];
    if (spent.includes("spent")) this.changed();
  }

  /** Determines the fate of both flows anew, after any change of the endpoints or of the fibre. */
  changed(): void {
    for (const flow of [this.#a2b, this.#b2a]) {
      this.#settleFlow(flow);
      flow.forwarding = this.#judge(flow, flow.frameOctets);
    }
    const lit = this.#lit();
    const carries = this.#a2b.forwarding.delivered && this.#b2a.forwarding.delivered;
    if (lit === this.#wasLit && carries === this.#carried) return;
    const returned = lit && !this.#wasLit;
    this.#wasLit = lit;
    this.#carried = carries;
    for (const { from, inFlight } of [this.#a2b, this.#b2a]) {
      if (!lit) inFlight.fill(undefined);
      if (returned) from.lightReturned();
    }
    for (const listener of this.#listeners) listener();
  }

  #flow(from: FibreEnd): Flow {
    return from === "a" ? this.#a2b : this.#b2a;
  }

  #lit(): boolean {
    return this.#up && this.#a2b.from.adminUp() && this.#b2a.from.adminUp();
  }

  #judge(flow: Flow, frameOctets: number): Forwarding {
    const whole = judge(this.#lit() ? "up" : "down", flow.from.secy, flow.to.secy, frameOctets);
    if (!this.#swallows || flow !== this.#a2b || !whole.delivered) return whole;
    return { ...whole, outcome: "swallowed", delivered: false };
  }

  #plug(out: Flow, back: Flow): void {
    out.from.plug({
      lit: () => this.#lit(),
      send: (pdu) => {
        out.inFlight.push(pdu);
        this.#clock.after(this.#delayMs, out.carry);
      },
      settle: () => this.settle(),
      changed: () => this.changed(),
      rate: () => ratesOf(out, back),
      counts: () => {
        this.settle();
        return { tx: countOf(out), rx: countOf(back) };
      },
    });
  }

  #settleFlow(flow: Flow): "spent" | "open" {
    const due = Math.floor((flow.pps * (this.#clock.now() - flow.since)) / 1000) - flow.charged;
    if (due <= 0) return "open";
    flow.charged += due;
    return this.#charge(flow, flow.forwarding, due, flow.frameOctets);
  }

  // A frame for which no packet number is left is lost as on a blocked port.
  #charge(flow: Flow, forwarding: Forwarding, frames: number, octets: number): "spent" | "open" {
    const passing = roomFor(forwarding, frames);
    charge(forwarding, passing, octets);
    flow.offered += frames;
    if (forwarding.delivered) flow.delivered += passing;
    if (forwarding.onWire === "clear") flow.clearOnWire += passing;
    if (forwarding.onWire === "readable") flow.readableOnWire += passing;
    if (forwarding.onWire === "protected") flow.protectedOnWire += passing;
    flow.octetsOnWire += passing * wireOctets(flow, forwarding, octets);
    return passing < frames ? "spent" : "open";
  }
}

function newFlow(from: PortEndpoint, to: PortEndpoint): Flow {
  const flow: Flow = {
    from,
    to,
    carry: () => {
      const pdu = flow.inFlight.shift();
      if (pdu !== undefined) to.deliver(pdu);
    },
    forwarding: { outcome: "down", onWire: "nothing", delivered: false },
    pps: 0,
    frameOctets: 64,
    since: 0,
    charged: 0,
    offered: 0,
    delivered: 0,
    burstOffered: 0,
    burstDelivered: 0,
    clearOnWire: 0,
    readableOnWire: 0,
    protectedOnWire: 0,
    octetsOnWire: 0,
    inFlight: [],
  };
  return flow;
}

function truthOf(flow: Flow): FlowTruth {
  return {
    outcome: flow.forwarding.outcome,
    offered: BigInt(flow.offered),
    delivered: BigInt(flow.delivered),
    lost: BigInt(flow.offered - flow.delivered),
    streamed: {
      offered: BigInt(flow.offered - flow.burstOffered),
      delivered: BigInt(flow.delivered - flow.burstDelivered),
    },
    clearOnWire: BigInt(flow.clearOnWire),
    readableOnWire: BigInt(flow.readableOnWire),
    protectedOnWire: BigInt(flow.protectedOnWire),
  };
}

function ratesOf(out: Flow, back: Flow): Omit<PortRate, "lineBps"> {
  const tx = onWire(out);
  const rx = onWire(back);
  return { rxPps: rx.pps, txPps: tx.pps, rxBps: rx.bps, txBps: tx.bps };
}

function countOf(flow: Flow): WireCount {
  const frames = flow.clearOnWire + flow.readableOnWire + flow.protectedOnWire;
  return { frames: BigInt(frames), octets: BigInt(flow.octetsOnWire) };
}

function wireOctets(flow: Flow, { onWire: form }: Forwarding, octets: number): number {
  switch (form) {
    case "nothing":
      return 0;
    case "clear":
      return octets;
    case "readable":
    case "protected":
      return octets + macsecOctets(flow.from.secy.includeSci);
  }
}

function onWire(flow: Flow): { readonly pps: number; readonly bps: number } {
  const pps = flow.forwarding.onWire === "nothing" ? 0 : flow.pps;
  return { pps, bps: pps * wireOctets(flow, flow.forwarding, flow.frameOctets) * 8 };
}
