// One IKE SA with its pair of IPsec SAs, between a router and an Azure-like gateway.

import type { RekeyWhat } from "#hal/device.ts";
import { type IpsecSa, type IpsecTunnel, known, type Transforms } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Instant } from "#hal/world.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { sameBytes, sameSas, sameSpec, type TunnelConfig } from "./router-config.ts";

export interface TunnelOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly config: TunnelConfig;
  /** Whether other settings get new SAs beside the present ones, or end the tunnel first. */
  readonly renews: "beside" | "inPlace";
  /** Returns the PSK of the gateway; undefined if it accepts any that the router presents. */
  gatewayPsk(): Uint8Array | undefined;
  /** True if packets from here reach the gateway, and packets from there return. */
  carries(): boolean;
  /** Returns what the router itself lacks of that way; undefined = nothing. */
  outerLoss(spec: TunnelSpec): string | undefined;
}

interface SaPair {
  readonly inward: number;
  readonly outward: number;
  readonly transforms: Transforms;
  phase: IpsecSa["phase"];
  readonly madeAt: Instant;
  /** The time during which this pair carried traffic, in milliseconds. */
  carriedMs: number;
  /** The part of it in which the gateway sent nothing. */
  unheardMs: number;
  /** The gateway lost its policy with an older SA, and sends nothing under this one. */
  isUnheard: boolean;
  /** The gateway lost its inbound SA, and drops all that is sent under this one. */
  isSwallowed: boolean;
}

const exchangeMs = 200;
const dialMs = 2_000;
const refusedMs = 60_000;
/** The timeout of Azure's dead peer detection, in milliseconds. */
const deadPeerMs = 45_000;
/** Azure's quick-mode lifetime, in milliseconds. */
const hardMs = 27_000_000;
/** The time of a rekey, a tenth before the end; jitter keeps the ends from colliding. */
const childMs = { low: 23_600_000, high: 24_300_000 };
const overlapMs = 5_000;
const packetsPerSecond = 100;
/** The hold time of BGP inside of it, in milliseconds. */
const holdMs = 180_000;

const packetsIn = (ms: number): bigint => BigInt(Math.floor((ms * packetsPerSecond) / 1_000));

/** One simulated tunnel. */
export class SimTunnel {
  readonly #options: TunnelOptions;
  #config: TunnelConfig;
  #ike: "established" | "connecting" | "down" = "connecting";
  #pairs: SaPair[] = [];
  #flowing: boolean;
  #settledAt: Instant;
  /** The time during which any of its pairs carried traffic, in milliseconds. */
  #carriedMs = 0;
  /** The part of it during which nothing came back. */
  #unheardMs = 0;
  /** The timers of the present IKE SA; a teardown cancels them all. */
  #timers = new Set<Cancel>();
  #deadPeer: Cancel | undefined;
  #dialling = false;
  #closed = false;
  /** When its packets began to be lost one way; undefined = never. */
  #lostAt: Instant | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#flowing = this.#canCarry();
    this.#settledAt = options.clock.now();
    this.#dial();
  }

  /** The settings of the tunnel. */
  get spec(): TunnelSpec {
    return this.#config.spec;
  }

  /** True if the tunnel is established and packets get through, both ways. */
  up(): boolean {
    const { isUnheard, isSwallowed } = this.#inUse() ?? {};
    const isWhole = isUnheard !== true && isSwallowed !== true;
    return this.#ike === "established" && this.#flowing && isWhole;
  }

  /** True until the hold time of BGP has passed without a whole round trip. */
  bgpUp(): boolean {
    const lostMs = this.up() ? 0 : this.#options.clock.now() - (this.#lostAt ?? 0);
    return this.#ike === "established" && lostMs < holdMs;
  }

  /** True if the IKE SA is established, whether or not packets get through. */
  established(): boolean {
    return this.#ike === "established";
  }

  /** Returns an observation as the device reports it. */
  read(): IpsecTunnel {
    this.#settle();
    const at = this.#options.clock.now();
    const { name } = this.#config.spec;
    const sas = this.#pairs.flatMap((pair): IpsecSa[] => {
      const packets = packetsIn(pair.carriedMs);
      const received = packetsIn(pair.carriedMs - pair.unheardMs);
      const endsInMs = Math.max(0, pair.madeAt + hardMs - at);
      const { phase, transforms } = pair;
      const common = { phase, transforms, packets, sequence: packets, endsInMs };
      return [
        { spi: pair.inward, direction: "in", ...common, packets: received, antiReplay: "on" },
        { spi: pair.outward, direction: "out", ...common },
      ];
    });
    const text = this.#options.outerLoss(this.#config.spec);
    const gaps = text === undefined ? {} : { gaps: [{ kind: "outer", text }] as const };
    return { name, ike: known(this.#ike, at), sas: known(sas, at), ...gaps };
  }

  /** Returns the packets that passed each way, over all pairs. */
  packets(): { readonly sent: bigint; readonly received: bigint } {
    this.#settle();
    const heardMs = this.#carriedMs - this.#unheardMs;
    return { sent: packetsIn(this.#carriedMs), received: packetsIn(heardMs) };
  }

  /** Checks the path again; dead peer detection ends a tunnel whose path stays lost. */
  pathChanged(): void {
    if (this.#closed) return;
    this.#settle();
    this.#flowing = this.#canCarry();
    if (this.#flowing) {
      this.#deadPeer?.();
      this.#deadPeer = undefined;
      if (this.#ike === "connecting") this.#dial();
    } else if (this.#ike === "established") {
      this.#deadPeer ??= this.#options.clock.after(deadPeerMs, () => this.#tearDown());
    }
  }

  /**
   * Applies a configuration: a new PSK takes effect at the next authentication. Other settings
   * restart the tunnel, or get new SAs beside those that carry; if the gateway refuses these, the
   * present ones stay.
   */
  change(config: TunnelConfig): void {
    const { spec } = this.#config;
    this.#config = config;
    const isBeside = this.#options.renews === "beside";
    if (isBeside ? sameSas(spec, config.spec) : sameSpec(spec, config.spec)) {
      if (this.#ike === "down") this.#tearDown();
    } else if (isBeside && this.#ike === "established") this.rekey("reauthenticate");
    else this.#tearDown();
  }

  /** Rekeys or authenticates again; without an established IKE SA it does nothing. */
  rekey(what: RekeyWhat): void {
    if (this.#ike !== "established") return;
    switch (what) {
      case "ike":
        return; // A device does not report the SPIs of an IKE SA.
      case "child":
        this.#rekeyChild();
        return;
      case "reauthenticate":
        // Make before break: a refused authentication leaves the present SAs (RFC 7296 2.8.3).
        if (this.#authenticates()) this.#rekeyChild();
    }
  }

  /** The gateway loses its policy, as in a collision of rekeys: only new SAs carry back. */
  loseReturn(): void {
    this.#lostAt = this.#options.clock.now();
    this.#settle();
    for (const pair of this.#pairs) pair.isUnheard = true;
  }

  /** The gateway loses its inbound SA alone: only new SAs carry what is sent. */
  loseSent(): void {
    this.#lostAt = this.#options.clock.now();
    for (const pair of this.#pairs) pair.isSwallowed = true;
  }

  /** Ends the tunnel for good. */
  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #canCarry(): boolean {
    return this.#options.outerLoss(this.#config.spec) === undefined && this.#options.carries();
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
    const { transforms } = this.#config.spec;
    const fresh = { carriedMs: 0, unheardMs: 0, isUnheard: false, isSwallowed: false };
    return { inward: spi(), outward: spi(), transforms, phase: "installed", madeAt, ...fresh };
  }

  #inUse(): SaPair | undefined {
    return this.#pairs.find(({ phase }) => phase === "installed" || phase === "rekeying");
  }

  #settle(): void {
    const now = this.#options.clock.now();
    const inUse = this.#inUse();
    if (inUse !== undefined && this.#flowing) {
      inUse.carriedMs += now - this.#settledAt;
      if (inUse.isUnheard) {
        inUse.unheardMs += now - this.#settledAt;
        this.#unheardMs += now - this.#settledAt;
      }
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
