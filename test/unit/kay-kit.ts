// Stations with a KaY and a SecY each on one wire, under virtual time, and what must hold after
// every event.

import { Kay } from "#drivers/linux/mka/kay.ts";
import type { KayCommand, KayEvent, KayOutput, KaySettings } from "#drivers/linux/mka/kay-types.ts";
import type { SecyOperation } from "#drivers/linux/mka/operations.ts";
import type { KaySnapshot } from "#drivers/linux/mka/snapshot.ts";
import type { Ckn, MkaSession } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type Cancel, SimClock } from "#sim/clock.ts";
import { Prng } from "#sim/prng.ts";
import { secretOf, type TestCa } from "./kay-recorded.ts";
import { type DataFrame, TestSecy } from "./kay-secy.ts";

const prngHex = (name: string, octets: number): string => new Prng(name).hex(octets);

/** CAs that only share what their arguments share. */
export function caOf(name: string, cknBytes = 32, cakBytes = 32): TestCa {
  return { ckn: prngHex(`ckn ${name}`, cknBytes) as Ckn, cak: prngHex(`cak ${name}`, cakBytes) };
}

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

const operationMs = 1;
const dataEveryMs = 50;
const dataMs = 2;
const pollMs = 500;

export class Station {
  readonly site: Site;
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
  /** Ms that an operation takes. */
  operationMs = operationMs;
  muted = false;
  readonly data = { sent: 0, arrived: 0, lost: [] as string[] };
  #cancel: Cancel | undefined;
  #life = 0;

  constructor(site: Site, { sci, cas, kay, ...wanted }: StationOptions) {
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

  #begin(from: { snapshot?: KaySnapshot; held?: ReturnType<TestSecy["look"]> }): Kay {
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
    const { encodingAn: an, encoding } = this.secy;
    if (an === undefined || encoding === undefined || this.#life < 0) return;
    this.take(
      this.kay.report({ kind: "packetNumber", an, nextPn: encoding.nextPn }, this.site.now),
    );
  }

  add(ca: TestCa, role: "primary" | "fallback" = "fallback"): void {
    using cak = secretOf(ca.cak);
    this.command({ kind: "addActor", ckn: ca.ckn, cak, role });
  }

  command(command: KayCommand): void {
    this.take(this.kay.command(command, this.site.now));
  }

  hear(frame: Uint8Array): void {
    if (this.#life >= 0) this.take(this.kay.receive(frame, this.site.now));
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
          break;
        case "event":
          this.events.push(output.event);
          break;
      }
    }
    this.#schedule();
  }

  // In order: each begins when the one before has ended.
  #operate(id: number, operation: SecyOperation): void {
    const life = this.#life;
    const { secy } = this;
    this.site.clock.after(this.operationMs, () => {
      if (life !== this.#life) return;
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

  /** The process is killed; the SecY keeps what it has. */
  kill(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#life = -1 - Math.abs(this.#life);
  }

  /** Another process begins, with what the last one told or without. */
  begin(with_: "memory" | "nothing", secy: "kept" | "new" = "kept"): void {
    this.#life = Math.abs(this.#life) + 1;
    if (secy === "new") this.secy = new TestSecy(this.sci);
    const held = this.secy.look();
    const snapshot = with_ === "memory" ? this.memory : undefined;
    this.kay = this.#begin({ held, ...(snapshot === undefined ? {} : { snapshot }) });
    this.take(this.kay.tick(this.site.now));
  }

  get isAlive(): boolean {
    return this.#life >= 0;
  }

  get session(): MkaSession {
    return this.kay.observe(this.site.now).session;
  }

  get isSecured(): boolean {
    return this.session.controlledPort === "secured";
  }

  /** Events of one kind. */
  all<K extends KayEvent["kind"]>(kind: K): Extract<KayEvent, { kind: K }>[] {
    return this.events.filter(
      (event): event is Extract<KayEvent, { kind: K }> => event.kind === kind,
    );
  }
}

export interface WireFaults {
  readonly loss: number;
  readonly twice: number;
  /** Late by up to so many ms, and so overtaken. */
  readonly lateMs: number;
}

export class Site {
  readonly clock = new SimClock(0);
  readonly prng: Prng;
  readonly stations: Station[] = [];
  faults: WireFaults = { loss: 0, twice: 0, lateMs: 0 };
  /** Broken invariants; a test expects none. */
  readonly broken: string[] = [];
  /** Whether `broken` takes frames that a live peer could not receive. */
  watches: "all" | "keys" = "all";
  readonly #saks = new Map<string, string>();

  constructor(seed: string) {
    this.prng = new Prng(seed);
    this.clock.afterEvent = () => this.#check();
  }

  get now(): Instant {
    return this.clock.now();
  }

  add(options: StationOptions): Station {
    const station = new Station(this, options);
    this.stations.push(station);
    return station;
  }

  /** To everybody else. */
  carry(from: Station, frame: Uint8Array): void {
    for (const to of this.stations) {
      if (to === from) continue;
      const copies = this.prng.chance(this.faults.twice) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        if (this.prng.chance(this.faults.loss)) continue;
        const late = this.prng.real() * this.faults.lateMs;
        this.clock.after(1 + late, () => to.hear(frame));
      }
    }
  }

  passData(from: Station): void {
    const frame = from.secy.encode();
    if (frame === undefined) return;
    from.data.sent += 1;
    for (const to of this.stations) {
      if (to !== from) this.clock.after(dataMs, () => this.#arrive(from, to, frame));
    }
  }

  #arrive(from: Station, to: Station, frame: DataFrame): void {
    const why = to.secy.decode(frame);
    if (why === undefined) from.data.arrived += 1;
    else from.data.lost.push(`${this.now}: AN ${frame.an} PN ${frame.pn} at ${to.sci}: ${why}`);
  }

  async run(ms: number): Promise<void> {
    await this.clock.runFor(ms);
  }

  /** Runs until it holds; throws where it does not in time. */
  async until(what: string, holds: () => boolean, ms = 30_000): Promise<number> {
    const start = this.now;
    await this.clock.runFor(ms, holds);
    if (!holds()) throw new Error(`not within ${ms} ms: ${what}\n${this.describe()}`);
    return this.now - start;
  }

  async secured(ms?: number): Promise<number> {
    return this.until("all secured", () => this.stations.every(({ isSecured }) => isSecured), ms);
  }

  describe(): string {
    return this.stations
      .map(({ sci, events, kay, secy }) => {
        const seen = JSON.stringify(kay.observe(this.now), (_, value: unknown) =>
          typeof value === "bigint" ? Number(value) : value,
        );
        return `${sci}\n  ${seen}\n  ${events
          .slice(-12)
          .map((one) => JSON.stringify(one))
          .join("\n  ")}\n  ${secy.log.slice(-20).join(" ")}`;
      })
      .join("\n");
  }

  #check(): void {
    for (const { sci, secy } of this.stations) {
      const [again] = secy.used.filter((sak, index) => secy.used.indexOf(sak) !== index);
      if (again !== undefined) this.#break(`${sci} transmits under a SAK from its first PN again`);
    }
    const encoding = this.stations.flatMap(({ secy }) => {
      const { encoding: sa, encodingAn: an } = secy;
      return sa === undefined || an === undefined ? [] : [{ an, sa, secy }];
    });
    for (const one of encoding) {
      for (const other of encoding) {
        if (one === other) continue;
        if (one.an === other.an && one.sa.sak !== other.sa.sak && this.watches === "all") {
          this.#break(`two keys transmit under AN ${one.an}`);
        }
        const sameSsci = one.sa.ssci !== undefined && one.sa.ssci === other.sa.ssci;
        if (one.sa.sak === other.sa.sak && sameSsci) this.#break("two stations have one SSCI");
      }
    }
    this.#checkKeyNames();
    if (this.watches === "all") this.#checkReceivers();
  }

  #break(text: string): void {
    if (!this.broken.some((line) => line.endsWith(text))) this.broken.push(`${this.now}: ${text}`);
  }

  // One SAK, one key identifier, and the other way round.
  #checkKeyNames(): void {
    for (const { secy } of this.stations) {
      for (const { sak, keyId } of secy.transmit.values()) {
        for (const [key, value] of [
          [sak, keyId],
          [keyId, sak],
        ] as const) {
          const known = this.#saks.get(key);
          if (known === undefined) this.#saks.set(key, value);
          else if (known !== value) this.#break(`a SAK has two names, or a name two SAKs`);
        }
      }
    }
  }

  // Nothing leaves that a live peer could not receive.
  #checkReceivers(): void {
    for (const from of this.stations) {
      if (from.secy.encoding === undefined) continue;
      for (const to of this.stations) {
        if (to === from || to.secy.hears(from.secy)) continue;
        if (!from.isAlive || from.session.livePeers === 0) continue;
        this.#break(
          `${from.sci} transmits under AN ${from.secy.encodingAn}, ${to.sci} has not got it`,
        );
      }
    }
  }
}

export const sciA = "02000000000a0001";
export const sciB = "02000000000b0001";
export const sciC = "02000000000c0001";

/** Two stations with the same CAs; A has the better priority. */
export function pair(
  seed: string,
  cas: readonly TestCa[],
  both: Partial<KaySettings> = {},
): { site: Site; a: Station; b: Station } {
  const site = new Site(seed);
  const a = site.add({ sci: sciA, cas, ...both });
  const b = site.add({ sci: sciB, cas, keyServerPriority: 32, ...both });
  return { site, a, b };
}
