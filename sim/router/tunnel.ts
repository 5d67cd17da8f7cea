// One IKE SA with its pair of IPsec SAs, between a router and an Azure-like gateway.

import type { RekeyWhat } from "#hal/device.ts";
import { type IpsecSa, type IpsecTunnel, known, type TunnelSpec } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { sameBytes, sameSpec, type TunnelConfig } from "./router-config.ts";

export interface TunnelOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly config: TunnelConfig;
  /** The PSK that the gateway holds; undefined = it takes whatever the router shows it. */
  gatewayPsk(): Uint8Array | undefined;
  /** Packets from here reach the gateway, and back. */
  carries(): boolean;
}

interface SaPair {
  readonly inward: number;
  readonly outward: number;
  phase: IpsecSa["phase"];
  readonly madeAt: Instant;
  /** How long this pair carried traffic. */
  carriedMs: number;
}

const exchangeMs = 200;
const dialMs = 2_000;
const refusedMs = 60_000;
/** Azure's dead peer detection. */
const deadPeerMs = 45_000;
/** Azure's quick-mode lifetime. */
const hardMs = 27_000_000;
/** A tenth early; jitter keeps the ends from colliding. */
const childMs = { low: 23_600_000, high: 24_300_000 };
const overlapMs = 5_000;
const packetsPerSecond = 100;

const packetsIn = (ms: number): bigint => BigInt(Math.floor((ms * packetsPerSecond) / 1_000));

export class SimTunnel {
  readonly #options: TunnelOptions;
  #config: TunnelConfig;
  #ike: "established" | "connecting" | "down" = "connecting";
  #pairs: SaPair[] = [];
  #flowing: boolean;
  #settledAt: Instant;
  /** How long all of its pairs together carried traffic. */
  #carriedMs = 0;
  /** Timers of the present IKE SA; a teardown ends them all. */
  #timers = new Set<Cancel>();
  #deadPeer: Cancel | undefined;
  #dialling = false;
  #closed = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#flowing = options.carries();
    this.#settledAt = options.clock.now();
    this.#dial();
  }

  get spec(): TunnelSpec {
    return this.#config.spec;
  }

  /** Established, and packets get through. */
  up(): boolean {
    return this.#ike === "established" && this.#flowing;
  }

  established(): boolean {
    return this.#ike === "established";
  }

  read(): IpsecTunnel {
    this.#settle();
    const at = this.#options.clock.now();
    const { transforms, name } = this.#config.spec;
    const sas = this.#pairs.flatMap((pair): IpsecSa[] => {
      const packets = packetsIn(pair.carriedMs);
      const endsInMs = Math.max(0, pair.madeAt + hardMs - at);
      const common = { phase: pair.phase, transforms, packets, sequence: packets, endsInMs };
      return [
        { spi: pair.inward, direction: "in", ...common, antiReplay: "on" },
        { spi: pair.outward, direction: "out", ...common },
      ];
    });
    return { name, ike: known(this.#ike, at), sas: known(sas, at) };
  }

  /** That passed each way, by whatever pair. */
  packets(): bigint {
    this.#settle();
    return packetsIn(this.#carriedMs);
  }

  pathChanged(): void {
    if (this.#closed) return;
    this.#settle();
    this.#flowing = this.#options.carries();
    if (this.#flowing) {
      this.#deadPeer?.();
      this.#deadPeer = undefined;
      if (this.#ike === "connecting") this.#dial();
    } else if (this.#ike === "established") {
      this.#deadPeer ??= this.#options.clock.after(deadPeerMs, () => this.#tearDown());
    }
  }

  /** A new PSK counts from the next authentication; any other difference starts afresh. */
  change(config: TunnelConfig): void {
    const restart = !sameSpec(this.#config.spec, config.spec);
    this.#config = config;
    if (restart || this.#ike === "down") this.#tearDown();
  }

  rekey(what: RekeyWhat): void {
    if (this.#ike !== "established") return;
    switch (what) {
      case "ike":
        return; // The SPIs of an IKE SA are not part of what a device tells.
      case "child":
        this.#rekeyChild();
        return;
      case "reauthenticate":
        // Make before break: a refused authentication leaves the SAs that stand (RFC 7296 2.8.3).
        if (this.#authenticates()) this.#rekeyChild();
    }
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #dial(): void {
    if (this.#dialling || !this.#flowing) return;
    this.#dialling = true;
    this.#after(dialMs, () => {
      this.#dialling = false;
      if (!this.#flowing) return;
      if (this.#authenticates()) this.#establish();
      else this.#refused();
    });
  }

  #establish(): void {
    this.#settle();
    this.#ike = "established";
    this.#pairs = [this.#newPair()];
    this.#rekeyLater();
  }

  #refused(): void {
    this.#ike = "down";
    this.#after(refusedMs, () => {
      this.#ike = "connecting";
      this.#dial();
    });
  }

  #rekeyLater(): void {
    const { prng } = this.#options;
    this.#after(prng.between(childMs.low, childMs.high), () => {
      this.#rekeyChild();
      this.#rekeyLater();
    });
  }

  #rekeyChild(): void {
    const old = this.#pairs.find((pair) => pair.phase === "installed");
    if (old === undefined) return;
    old.phase = "rekeying";
    this.#after(exchangeMs, () => {
      this.#settle();
      if (!this.#flowing) {
        old.phase = "installed";
        return;
      }
      old.phase = "rekeyed";
      this.#pairs.push(this.#newPair());
      this.#after(overlapMs, () => {
        old.phase = "deleting";
        this.#after(exchangeMs, () => {
          this.#pairs = this.#pairs.filter((pair) => pair !== old);
        });
      });
    });
  }

  #tearDown(): void {
    this.#stop();
    this.#pairs = [];
    this.#ike = "connecting";
    this.#dial();
  }

  #stop(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#deadPeer?.();
    this.#deadPeer = undefined;
    this.#dialling = false;
  }

  #authenticates(): boolean {
    const theirs = this.#options.gatewayPsk();
    return theirs === undefined || sameBytes(theirs, this.#config.psk);
  }

  #newPair(): SaPair {
    const { prng } = this.#options;
    // SPIs 0 to 255 are reserved (RFC 4303 2.1).
    const spi = (): number => prng.between(256, 2 ** 32 - 1);
    const madeAt = this.#options.clock.now();
    return { inward: spi(), outward: spi(), phase: "installed", madeAt, carriedMs: 0 };
  }

  #settle(): void {
    const now = this.#options.clock.now();
    const inUse = this.#pairs.find(({ phase }) => phase === "installed" || phase === "rekeying");
    if (inUse !== undefined && this.#flowing) {
      inUse.carriedMs += now - this.#settledAt;
      this.#carriedMs += now - this.#settledAt;
    }
    this.#settledAt = now;
  }

  #after(ms: number, act: () => void): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      act();
    });
    this.#timers.add(cancel);
  }
}
