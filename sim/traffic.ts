// The traffic of one link group: shared among the links that BGP offers, away from drained ones.

import type { PortName } from "#hal/model.ts";
import type { Fibre } from "./fibre.ts";
import type { Router } from "./router.ts";

export interface TrafficLink {
  readonly router: Router;
  readonly port: PortName;
  readonly fibre: Fibre;
}

export interface TrafficOptions {
  readonly links: readonly TrafficLink[];
  /** Of the whole group, in each direction; 1,000 if not said. */
  readonly pps?: number;
  readonly frameBytes?: number;
}

/** Hellos, keep-alives and attempts to open of the routing at both ends: never quite silent. */
const routingPps = 0.2;

export class Traffic {
  readonly links: readonly TrafficLink[];
  readonly #pps: number;
  readonly #frameBytes: number;
  readonly #offered = new Map<TrafficLink, number>();

  /** Takes over the paths of the routers' tunnels: they travel with the group's traffic. */
  constructor(options: TrafficOptions) {
    this.links = options.links;
    this.#pps = options.pps ?? 1_000;
    this.#frameBytes = options.frameBytes ?? 512;
    for (const router of this.#routers()) {
      router.onRouting(() => this.#share());
      router.setTunnelPath(() => this.#reaches(router));
    }
    this.#share();
  }

  /** Packets a second that the group offers to the link now, in each direction. */
  offered(link: TrafficLink): number {
    return this.#offered.get(link) ?? 0;
  }

  #share(): void {
    const usable = this.links.filter(({ router, port }) => router.bgpUp(port));
    const open = usable.filter(({ router, port }) => !router.drainSettled(port));
    // A prepended or deprecated route is still a route: it carries when no better one is left.
    const chosen = open.length > 0 ? open : usable;
    for (const link of this.links) {
      const pps = chosen.includes(link) ? this.#pps / chosen.length : 0;
      link.router.setYields(link.port, pps === 0);
      if (this.offered(link) === pps) continue;
      this.#offered.set(link, pps);
      link.fibre.offer("a", Math.max(pps, routingPps), this.#frameBytes);
      link.fibre.offer("b", Math.max(pps, routingPps), this.#frameBytes);
    }
    for (const router of this.#routers()) router.pathChanged();
  }

  // Packets leave by the router's own link while that has a share, else by the sibling's.
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
