// The BGP session over one port: it takes time to establish, falls with the link, and stays up for
// its hold time over a link that delivers nothing. BFD is a setting that the router reports; the
// model does not run it.

import type { Cancel, SimClock } from "../base/clock.ts";
import type { Fibre } from "../mka/fibre.ts";
import type { PortEndpoint } from "../mka/port-endpoint.ts";

const connectMs = 5_000;
/** The hold time in milliseconds: this timer notices a link that is up and delivers nothing. */
export const holdMs = 180_000;

export interface BgpOptions {
  readonly clock: SimClock;
  readonly endpoint: PortEndpoint;
  readonly fibre: Fibre;
  readonly changed: () => void;
}

export class BgpPeering {
  readonly #options: BgpOptions;
  /** BFD of the session, as the router is configured. */
  bfd: "up" | "off" = "up";
  #up = false;
  #shutDown = false;
  #connecting: Cancel | undefined;
  #holding: Cancel | undefined;

  constructor(options: BgpOptions) {
    this.#options = options;
    this.check();
  }

  up(): boolean {
    return this.#up;
  }

  /**
   * Shuts or opens the peering; a shut peering notifies the far end at once, so no frame follows.
   */
  setShutDown(shutDown: boolean): void {
    this.#shutDown = shutDown;
    this.check();
  }

  /**
   * Checks the link again; the owner calls it whenever the link or its ability to carry changed.
   */
  check(): void {
    const { endpoint, fibre } = this.#options;
    if (this.#shutDown || !endpoint.linkUp()) {
      this.#stopTimers();
      this.#set(false);
      return;
    }
    if (fibre.carries()) {
      this.#holding?.();
      this.#holding = undefined;
      if (!this.#up) this.#connecting ??= this.#options.clock.after(connectMs, () => this.#open());
      return;
    }
    this.#connecting?.();
    this.#connecting = undefined;
    if (this.#up) this.#holding ??= this.#options.clock.after(holdMs, () => this.#expire());
  }

  #open(): void {
    this.#connecting = undefined;
    this.#set(true);
  }

  #expire(): void {
    this.#holding = undefined;
    this.#set(false);
  }

  #stopTimers(): void {
    this.#connecting?.();
    this.#holding?.();
    this.#connecting = undefined;
    this.#holding = undefined;
  }

  #set(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    this.#options.changed();
  }
}
