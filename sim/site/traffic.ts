// The traffic of one link group: shared among the links that BGP offers, away from drained ones.

import type { PortName } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Fibre, FlowTruth } from "../mka/fibre.ts";
import type { Router } from "../router/router.ts";

export interface TrafficLink {
  readonly router: Router;
  readonly port: PortName;
  readonly fibre: Fibre;
}

export interface TrafficOptions {
  readonly links: readonly TrafficLink[];
  /** The packet rate of the whole group, in each direction; 1,000 if absent. */
  readonly pps?: number;
  readonly frameBytes?: number;
  /** The packet rate of the routing at each end, on every link; a fifth if absent. */
  readonly routingPps?: number | undefined;
}

/** The counters of an application that sent through the pair all the time, in one direction. */
export interface PairFlow {
  readonly sent: bigint;
  readonly arrived: bigint;
  /** Frames on a link that could not pass them. */
  readonly lost: bigint;
  /** Frames for which no link had a route. */
  readonly unrouted: bigint;
}

/** The counters from the routers to the far ends, and back. */
export interface PairTraffic {
  readonly out: PairFlow;
  readonly in: PairFlow;
}

interface Streamed {
  readonly out: FlowTruth["streamed"];
  readonly in: FlowTruth["streamed"];
}

/**
 * The packet rate of hellos, keep-alives and attempts to connect at both ends, which never cease.
 */
const routingPpsDefault = 0.2;
/**
 * The time from the loss of a link's light or session until every router avoids it, in
 * milliseconds.
 */
const convergeMs = 200;

export class Traffic {
  readonly links: readonly TrafficLink[];
  readonly #clock: SimClock;
  readonly #pps: number;
  readonly #frameBytes: number;
  readonly #routingPps: number;
  readonly #offered = new Map<TrafficLink, number>();
  /** The rate that the far end sends over a link regardless of routes. */
  readonly #strays = new Map<TrafficLink, number>();
  /** The streamed counters of the links with a share, when they were last counted. */
  readonly #marks = new Map<TrafficLink, Streamed>();
  readonly #passed = { out: zeroFlow(), in: zeroFlow() };
  #unroutedMs = 0;
  #unroutedSince: Instant | undefined;
  #converging: Cancel | undefined;

  /** Sets the paths of the routers' tunnels too: their packets travel with the group's traffic. */
  constructor(options: TrafficOptions) {
    this.links = options.links;
    const [first] = options.links;
    if (first === undefined) throw new RangeError("traffic needs a link");
    this.#clock = first.router.options.clock;
    this.#pps = options.pps ?? 1_000;
    this.#frameBytes = options.frameBytes ?? 512;
    this.#routingPps = options.routingPps ?? routingPpsDefault;
    for (const router of this.#routers()) {
      router.onRouting(() => this.#follow());
      router.setTunnelPath(() => this.#reaches(router));
    }
    this.#share();
  }

  /** Returns the packets per second that the group offers to the link now, in each direction. */
  offered(link: TrafficLink): number {
    return this.#offered.get(link) ?? 0;
  }

  /** Makes the far end send at this rate over the link from now on, drained or not. */
  stray(link: TrafficLink, pps: number): void {
    this.#strays.set(link, pps);
    this.#offer(link, this.offered(link));
  }

  /** True if data is offered to the link now, in either direction. */
  isOffered(link: TrafficLink): boolean {
    return this.offered(link) + this.#straying(link) > 0;
  }

  #straying(link: TrafficLink): number {
    return this.#strays.get(link) ?? 0;
  }

  /** Returns the counters of the group's own frames, without hellos of the routing and probes. */
  pair(): PairTraffic {
    for (const link of this.#marks.keys()) this.#count(link);
    const ms = this.#unroutedMs + (this.#clock.now() - (this.#unroutedSince ?? this.#clock.now()));
    const unrouted = BigInt(Math.floor((ms * this.#pps) / 1000));
    const flow = ({ sent, arrived }: { sent: bigint; arrived: bigint }): PairFlow => ({
      sent: sent + unrouted,
      arrived,
      lost: sent - arrived,
      unrouted,
    });
    return { out: flow(this.#passed.out), in: flow(this.#passed.in) };
  }

  // A drain moves the traffic while its link still carries; traffic of a link that fails is lost
  // until the routers have noticed.
  #follow(): void {
    const failed = this.links.some(
      (link) => this.offered(link) > 0 && !link.router.bgpUp(link.port) && !link.fibre.carries(),
    );
    if (failed) this.#converging ??= this.#clock.after(convergeMs, () => this.#share());
    else this.#share();
  }

  #share(): void {
    this.#converging?.();
    this.#converging = undefined;
    const usable = this.links.filter(({ router, port }) => router.bgpUp(port));
    const open = usable.filter(({ router, port }) => !router.drainSettled(port));
    // A prepended or deprecated route is still a route: it carries when no better one is left.
    const chosen = open.length > 0 ? open : usable;
    for (const link of this.links) {
      const pps = chosen.includes(link) ? this.#pps / chosen.length : 0;
      link.router.setYields(link.port, pps === 0);
      if (this.offered(link) !== pps) this.#offer(link, pps);
    }
    if (chosen.length > 0) this.#routed();
    else this.#unroutedSince ??= this.#clock.now();
    for (const router of this.#routers()) router.pathChanged();
  }

  #offer(link: TrafficLink, pps: number): void {
    if (this.#marks.has(link)) this.#count(link);
    this.#offered.set(link, pps);
    link.fibre.offer("a", Math.max(pps, this.#routingPps), this.#frameBytes);
    const back = Math.max(pps, this.#straying(link), this.#routingPps);
    link.fibre.offer("b", back, this.#frameBytes);
    if (pps > 0) this.#marks.set(link, streamed(link));
    else this.#marks.delete(link);
  }

  #count(link: TrafficLink): void {
    const now = streamed(link);
    const before = this.#marks.get(link) ?? now;
    for (const way of ["out", "in"] as const) {
      this.#passed[way].sent += now[way].offered - before[way].offered;
      this.#passed[way].arrived += now[way].delivered - before[way].delivered;
    }
    this.#marks.set(link, now);
  }

  #routed(): void {
    if (this.#unroutedSince === undefined) return;
    this.#unroutedMs += this.#clock.now() - this.#unroutedSince;
    this.#unroutedSince = undefined;
  }

  // Packets leave by the router's own link while that has a share, and otherwise by the sibling's.
  #reaches(router: Router): boolean {
    const chosen = this.links.filter((link) => this.offered(link) > 0);
    const own = chosen.filter((link) => link.router === router);
    const used = own.length > 0 ? own : chosen;
    return used.length > 0 && used.every(({ fibre }) => fibre.carries());
  }

  #routers(): Set<Router> {
    return new Set(this.links.map(({ router }) => router));
  }
}

function zeroFlow(): { sent: bigint; arrived: bigint } {
  return { sent: 0n, arrived: 0n };
}

function streamed({ fibre }: TrafficLink): Streamed {
  const { a2b, b2a } = fibre.truth();
  return { out: a2b.streamed, in: b2a.streamed };
}
