// A station with a KaY and a SecY under virtual time, and the edge between them, which carries out
// operations one by one and reports each.

import { Kay } from "#drivers/linux/mka/kay.ts";
import type { KayCommand, KayEvent, KayOutput, KaySettings } from "#drivers/linux/mka/kay-types.ts";
import type { SecyOperation } from "#drivers/linux/mka/operations.ts";
import type { KaySnapshot } from "#drivers/linux/mka/snapshot.ts";
import type { MkaSession } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { Cancel, SimClock } from "#sim/base/clock.ts";
import type { Prng } from "#sim/base/prng.ts";
import { keysOf, type TestCa } from "./kay-recorded.ts";
import { type DataFrame, TestSecy } from "./kay-secy.ts";

export const settings: KaySettings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
  delayProtection: "off",
};

export interface StationOptions extends Partial<KaySettings> {
  readonly sci: string;
  readonly cas?: readonly TestCa[];
  readonly kay?: Kay;
}

export const sciA = "02000000000a0001";
export const sciB = "02000000000b0001";
export const sciC = "02000000000c0001";

const operationMs = 1;
const dataEveryMs = 50;
const pollMs = 500;

/** The connection between stations. */
export interface Wire {
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly now: Instant;
  /** Delivers a frame to all other stations. */
  carry(from: Station, frame: Uint8Array): void;
  passData(from: Station): void;
}

export class Station {
  readonly site: Wire;
  readonly sci: string;
  readonly prng: Prng;
  secy: TestSecy;
  settings: KaySettings;
  kay: Kay;
  readonly events: KayEvent[] = [];
  /** MKPDUs that it sent. */
  readonly sent: Uint8Array[] = [];
  memory: KaySnapshot | undefined;
  remembered = 0;
  /** Milliseconds that an operation takes. */
  operationMs = operationMs;
  muted = false;
  readonly data = {
    ...{ sent: 0, arrived: 0, lost: [] as string[] },
    /** The newest frame that was accepted. */
    last: undefined as DataFrame | undefined,
  };
  #cancel: Cancel | undefined;
  #startCount = 0;
  #rememberedAt = 0 as Instant;

  constructor(site: Wire, { sci, cas, kay, ...wanted }: StationOptions) {
    this.site = site;
    this.sci = sci;
    this.prng = site.prng.fork(sci);
    this.secy = new TestSecy(sci);
    this.settings = { ...settings, ...wanted };
    this.kay = kay ?? this.#begin({});
    for (const ca of cas ?? []) this.add(ca);
    this.#repeat(dataEveryMs, () => site.passData(this));
    this.#repeat(pollMs, () => this.poll());
  }

  #begin(from: { snapshot?: KaySnapshot; held?: ReturnType<TestSecy["observe"]> }): Kay {
    const { sci, prng: entropy } = this;
    return new Kay({ sci, settings: this.settings, entropy, now: this.site.now, ...from });
  }

  #repeat(ms: number, act: () => void): void {
    this.site.clock.after(ms, () => {
      act();
      this.#repeat(ms, act);
    });
  }

  poll(): void {
    if (this.#startCount < 0) return;
    this.take(this.kay.compare(this.secy.observe(), this.site.now));
  }

  add(ca: TestCa, role: "primary" | "fallback" = "fallback"): void {
    const keys = keysOf(ca);
    this.command({ kind: "addActor", ckn: ca.ckn, keys, role });
  }

  command(command: KayCommand): void {
    this.take(this.kay.command(command, this.site.now));
  }

  hear(frame: Uint8Array): void {
    if (this.#startCount >= 0) this.take(this.kay.receive(frame, this.site.now));
  }

  take(outputs: readonly KayOutput[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case "send":
          this.sent.push(output.frame);
          if (!this.muted) this.site.carry(this, output.frame);
          break;
        case "secy":
          this.#operate(output.id, output.operation);
          break;
        case "remember":
          this.remembered += 1;
          if (this.kay !== undefined) this.memory = this.kay.snapshot(this.site.now);
          this.#rememberedAt = this.site.now;
          break;
        case "event":
          this.events.push(output.event);
          break;
      }
    }
    this.#schedule();
  }

  // Carries out operations in order: each begins when the previous one has ended.
  #operate(id: number, operation: SecyOperation): void {
    const startCount = this.#startCount;
    const { secy } = this;
    this.site.clock.after(this.operationMs, () => {
      if (startCount !== this.#startCount) return;
      const errno = secy.carryOut(operation);
      const { now } = this.site;
      const done = { kind: "done", id } as const;
      this.take(this.kay.report(errno === undefined ? done : { kind: "refused", id, errno }, now));
    });
  }

  #schedule(): void {
    this.#cancel?.();
    const { now } = this.site;
    const at = this.kay.wakeAt(now);
    if (at === undefined) return;
    this.#cancel = this.site.clock.after(at - now, () => this.take(this.kay.tick(this.site.now)));
  }

  /** Kills the process; the SecY keeps its state. */
  kill(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#startCount = -1 - Math.abs(this.#startCount);
  }

  /**
   * Starts another process, with the stored memory of the last one, with the keys that a sealed
   * cache has, or without both.
   */
  begin(with_: "memory" | "keys" | "nothing", secy: "kept" | "new" = "kept"): void {
    this.#startCount = Math.abs(this.#startCount) + 1;
    if (secy === "new") this.secy = new TestSecy(this.sci);
    const held = this.secy.observe();
    const snapshot = with_ === "keys" ? this.#cached() : this.#aged();
    const from = with_ === "nothing" || snapshot === undefined ? {} : { snapshot };
    this.kay = this.#begin({ held, ...from });
    this.take(this.kay.tick(this.site.now));
  }

  // The memory with its times shifted, as the code that reads it does.
  #aged(): KaySnapshot | undefined {
    if (this.memory === undefined) return undefined;
    const { saks, kept } = this.memory;
    const goneMs = this.site.now - this.#rememberedAt;
    return {
      ...this.memory,
      saks: saks.map((sak) => ({ ...sak, ageMs: sak.ageMs + goneMs })),
      kept: kept.map(({ sci, leftMs }) => ({ sci, leftMs: Math.max(0, leftMs - goneMs) })),
    };
  }

  #cached(): KaySnapshot | undefined {
    const actors = this.memory?.actors.map((actor) => {
      return { ...actor, mi: this.prng.hex(12), mnReserved: 0, kn: 0, peers: [] };
    });
    return (
      actors && { actors, principal: undefined, saks: [], kept: [], spent: [], lastAn: undefined }
    );
  }

  get isAlive(): boolean {
    return this.#startCount >= 0;
  }

  get session(): MkaSession {
    return this.kay.observe(this.site.now).session;
  }

  get isSecured(): boolean {
    return this.session.controlledPort === "secured";
  }

  /** Returns the events of one kind. */
  all<K extends KayEvent["kind"]>(kind: K): Extract<KayEvent, { kind: K }>[] {
    return this.events.filter(
      (event): event is Extract<KayEvent, { kind: K }> => event.kind === kind,
    );
  }
}
