// One port endpoint: configuration, KaY and SecY of a MACsec port of a simulated router or of the
// far end.

import type {
  CipherSuite,
  Ckn,
  KeySlot,
  MacsecFrames,
  MacsecSettings,
  MkaSession,
  MkpduCounters,
  PortRate,
} from "#hal/model.ts";
import type { SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { Kay } from "./mka.ts";
import type { ParticipantKey } from "./mka-participant.ts";
import type { Mkpdu } from "./mka-pdu.ts";
import { type ReceiveSc, SecY } from "./secy.ts";

export interface EndpointOptions {
  readonly name: string;
  readonly clock: SimClock;
  readonly prng: Prng;
  /** The MAC address as twelve hex digits. */
  readonly mac: string;
  readonly lineBps: number;
  /** The largest frame on the wire in octets, MACsec included. */
  readonly l2Mtu?: number;
  readonly quirks?: EndpointQuirks;
}

/** The differences of a platform in MKA and counters. */
export interface EndpointQuirks {
  /** The counters of clear frames include MKPDUs; a reader of clear data subtracts `mkpdus()`. */
  readonly eapolCountedAsClear?: boolean;
  /** The hello interval in milliseconds; 2000 if absent. */
  readonly helloMs?: number;
  /** Hellos after 0.1, 0.2, 0.4, 0.8 s and immediate replies, instead of the hello timer alone. */
  readonly startRamp?: boolean;
  /** The hardware counts per port, and not per SA. */
  readonly perPortCounters?: boolean;
}

/**
 * A key of the port; a `scheduled` one sends MKPDUs, and becomes the primary one, when its wall
 * time has come.
 */
export type EndpointKey = ParticipantKey;

/**
 * `silent`: the KaY sends nothing. `staleSak`: the data plane keeps the SAK before the one that MKA
 * reports. `frozenCounters`: readings do not change. `noSak`: no SAK is made or installed.
 * `staleAn`: after a change of the key, the AN that was in use keeps the SAK of the key before.
 * `oldSakAfterRollover`: frames are sent under the old SAK still when the ANs begin again.
 * `integrityOnly`: frames are sent authenticated and not encrypted (E = 0).
 */
export type EndpointFault =
  | "silent"
  | "staleSak"
  | "frozenCounters"
  | "noSak"
  | "staleAn"
  | "oldSakAfterRollover"
  | "integrityOnly";

/** The end of a fibre, as the port endpoint plugged into it sees it. */
export interface Wire {
  lit(): boolean;
  send(pdu: Mkpdu): void;
  /** Charges the flows up to now. */
  settle(): void;
  /** Reports that the fate of frames may have changed, so that it is determined anew. */
  changed(): void;
  rate(): Omit<PortRate, "lineBps">;
  counts(): { readonly tx: WireCount; readonly rx: WireCount };
}

/** The data that went over the fibre, whether or not its receiver accepted it. */
export interface WireCount {
  readonly frames: bigint;
  readonly octets: bigint;
}

const l2MtuDefault = 9216;
const helloMsDefault = 2000;

/** One MACsec port with everything below its configuration. */
export class PortEndpoint {
  readonly name: string;
  /** The SCI, from the MAC and port number 1: sixteen hex digits. */
  readonly sci: string;
  readonly secy: SecY;
  readonly #options: EndpointOptions;
  readonly #kay: Kay;
  readonly #faults = new Set<EndpointFault>();
  #wire: Wire | undefined;
  #admin = true;
  #seenVersion = 0;
  #frozen: { readonly frames: MacsecFrames; readonly mkpdus: MkpduCounters } | undefined;

  constructor(options: EndpointOptions) {
    this.name = options.name;
    this.sci = `${options.mac.toLowerCase()}0001`;
    this.#options = options;
    this.secy = new SecY(this.sci, options.l2Mtu ?? l2MtuDefault);
    this.#kay = new Kay({
      clock: options.clock,
      prng: options.prng,
      secy: this.secy,
      helloMs: options.quirks?.helloMs ?? helloMsDefault,
      start: options.quirks?.startRamp === true ? "ramp" : "plain",
      port: {
        canSend: () => !this.#faults.has("silent") && this.linkUp(),
        send: (pdu) => this.#wire?.send(pdu),
        settle: () => this.#wire?.settle(),
        done: () => this.#propagate(),
      },
    });
  }

  /**
   * Applies settings; `undefined` removes MACsec: the port is open and everything passes in the
   * clear.
   */
  configure(settings: MacsecSettings | undefined): void {
    this.#kay.configure(settings);
  }

  /** Returns the settings; undefined without MACsec. */
  settings(): MacsecSettings | undefined {
    return this.#kay.settings();
  }

  /** Adds a key; a primary key makes the one that was primary a fallback. */
  putKey(key: EndpointKey): void {
    this.#kay.putKey(key);
  }

  /** Removes a key; an unknown CKN is ignored. */
  removeKey(ckn: Ckn): void {
    this.#kay.removeKey(ckn);
  }

  /** Makes a key the primary one. */
  promoteKey(ckn: Ckn): void {
    this.#kay.promoteKey(ckn);
  }

  /** Asks for a new SAK. */
  rekeySak(): void {
    this.#kay.rekeySak();
  }

  /** Returns the keys without their CAKs, the primary one first. */
  keys(): readonly KeySlot[] {
    return this.#kay.keys();
  }

  /** True if the port has this CKN with these CAK octets. */
  holdsCak(ckn: Ckn, cak: Uint8Array): boolean {
    return this.#kay.holdsCak(ckn, cak);
  }

  /**
   * Opens or shuts the port. A shut port loses its MKA sessions; both ends of the fibre lose light.
   */
  setAdmin(up: boolean): void {
    if (up === this.#admin) return;
    this.#admin = up;
    this.#wire?.changed();
    this.#kay.restart();
  }

  /** True if the port is open. */
  adminUp(): boolean {
    return this.#admin;
  }

  /** True if light passes end to end: neither port is shut and the fibre is whole. */
  linkUp(): boolean {
    return this.#wire?.lit() ?? false;
  }

  /** Restarts the KaY, which loses its peers and SAs. */
  restartKay(): void {
    this.#kay.restart();
  }

  /**
   * Restarts the KaY with counters at zero; without `keepsConfig` the keys and settings are lost.
   */
  reboot(keepsConfig: boolean): void {
    if (!keepsConfig) {
      for (const { ckn } of this.keys()) this.removeKey(ckn);
      this.configure(undefined);
    }
    this.#kay.restart();
    this.resetCounters();
  }

  /** Sets every counter to zero. */
  resetCounters(): void {
    this.#wire?.settle();
    this.secy.resetCounters();
    Object.assign(this.#kay.counters, {
      sent: 0,
      received: 0,
      icvFailed: 0,
      unknownCkn: 0,
      replayed: 0,
    });
  }

  /** Sets or clears a fault. */
  setFault(fault: EndpointFault, on: boolean): void {
    if (on === this.#faults.has(fault)) return;
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
    switch (fault) {
      case "silent":
        if (!on) this.#kay.hurry();
        return;
      case "staleSak":
        this.secy.staleKeys = on;
        return;
      case "frozenCounters":
        this.#frozen = undefined;
        if (on) this.#frozen = { frames: this.frames(), mkpdus: this.mkpdus() };
        return;
      case "noSak":
        this.#kay.noSak = on;
        return;
      case "staleAn":
        this.secy.staleAn = on;
        return;
      case "oldSakAfterRollover":
        this.secy.staysAtRollover = on;
        return;
      case "integrityOnly":
        this.secy.integrityOnly = on;
        this.secy.version += 1;
        this.#propagate();
        return;
    }
  }

  /** Sets the largest frame on the wire in octets, MACsec included. */
  setL2Mtu(octets: number): void {
    this.secy.setL2Mtu(octets);
    this.#propagate();
  }

  /** Returns the MKA session. */
  session(): MkaSession {
    return this.#kay.session();
  }

  /**
   * Returns the MKPDU counters; `received` counts every MKPDU that arrived, including refused ones.
   */
  mkpdus(): MkpduCounters {
    if (this.#frozen !== undefined) return this.#frozen.mkpdus;
    const { sent, received, icvFailed, unknownCkn, replayed } = this.#kay.counters;
    return {
      sent: BigInt(sent),
      received: BigInt(received),
      icvFailed: BigInt(icvFailed),
      unknownCkn: BigInt(unknownCkn),
      replayed: BigInt(replayed),
    };
  }

  /** Returns the frame counters as the platform counts. */
  frames(): MacsecFrames {
    if (this.#frozen !== undefined) return this.#frozen.frames;
    this.#wire?.settle();
    const { quirks } = this.#options;
    const frames = this.secy.frames(quirks?.perPortCounters === true ? "perPort" : "perSa");
    if (quirks?.eapolCountedAsClear !== true) return frames;
    const { sent, received } = this.mkpdus();
    return {
      ...frames,
      txClear: (frames.txClear ?? 0n) + sent,
      rxClear: (frames.rxClear ?? 0n) + received,
    };
  }

  /**
   * Returns the receive channels with the counters of their SAs, as a command line would list them.
   */
  receiveScs(): readonly ReceiveSc[] {
    this.#wire?.settle();
    return [...this.secy.receiveScs.values()];
  }

  /**
   * Returns the suite of the SA that transmits; `undefined` without one, even if the session
   * reports one.
   */
  liveSuite(): CipherSuite | undefined {
    return this.secy.liveSuite();
  }

  /** Returns the present rates and the line rate. */
  rate(): PortRate {
    const { lineBps } = this.#options;
    const idle = { rxPps: 0, txPps: 0, rxBps: 0, txBps: 0 };
    return { ...(this.#wire?.rate() ?? idle), lineBps };
  }

  /** Returns the counters of the port itself, below the SecY. */
  counts(): ReturnType<Wire["counts"]> {
    const none: WireCount = { frames: 0n, octets: 0n };
    return this.#wire?.counts() ?? { tx: none, rx: none };
  }

  /** Connects the port to its fibre; called once by the fibre. */
  plug(wire: Wire): void {
    this.#wire = wire;
  }

  /** Receives an MKPDU from the fibre. */
  deliver(pdu: Mkpdu): void {
    this.#kay.receive(pdu);
  }

  /** Called by the fibre when light returns. */
  lightReturned(): void {
    this.#kay.hurry();
  }

  #propagate(): void {
    if (this.#seenVersion === this.secy.version) return;
    this.#seenVersion = this.secy.version;
    this.#wire?.changed();
  }
}
