// The BGP session over one port: slow to come, gone with the link, deceived by a dark one.

import type { Cancel, SimClock } from "../base/clock.ts";
import type { Fibre } from "../mka/fibre.ts";
import type { Station } from "../mka/station.ts";

const connectMs = 5_000;
/** Without BFD only the hold timer notices a link that is up and delivers nothing. */
const holdMs = 180_000;

export interface BgpOptions {
  readonly clock: SimClock;
  readonly station: Station;
  readonly fibre: Fibre;
  readonly changed: () => void;
}

export class BgpPeering {
  readonly #options: BgpOptions;
  #up = false;
  #shutDown = false;
  #connecting: Cancel | undefined;
  #holding: Cancel | undefined;

  constructor(options: BgpOptions) {
    this.#options = options;
    this.look();
  }

  up(): boolean {
    return this.#up;
  }

  /** A shut peering tells the far end at once, so no frame is sent after it. */
  setShutDown(shutDown: boolean): void {
    this.#shutDown = shutDown;
    this.look();
  }

  /** To be called whenever the link or its carrying changed. */
  look(): void {
    const { station, fibre } = this.#options;
    if (this.#shutDown || !station.linkUp()) {
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
