// Stations with a KaY and a SecY each on one wire, under virtual time, and the invariants after
// every event.

import type { KaySettings } from "#drivers/linux/mka/kay-types.ts";
import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import type { TestCa } from "./kay-recorded.ts";
import type { DataFrame } from "./kay-secy.ts";
import { Station, type StationOptions, sciA, sciB, type Wire } from "./kay-station.ts";

const dataMs = 2;
const prngHex = (name: string, octets: number): string => new Prng(name).hex(octets);

/** Returns a CA; two of them share only what their arguments share. */
export function caOf(name: string, cknBytes = 32, cakBytes = 32): TestCa {
  return { ckn: prngHex(`ckn ${name}`, cknBytes) as Ckn, cak: prngHex(`cak ${name}`, cakBytes) };
}

export interface WireFaults {
  readonly loss: number;
  readonly twice: number;
  /** A frame is late by up to so many ms, so that others overtake it. */
  readonly lateMs: number;
}

export class Site implements Wire {
  readonly clock = new SimClock(0);
  readonly prng: Prng;
  readonly stations: Station[] = [];
  faults: WireFaults = { loss: 0, twice: 0, lateMs: 0 };
  /** Broken invariants; a test expects none. */
  readonly broken: string[] = [];
  /** Whether `broken` includes frames that a live peer could not receive. */
  watches: "all" | "keys" = "all";
  readonly #saks = new Map<string, string>();
  /** Each packet number that a frame left under, with its SAK and sender. */
  readonly #numbers = new Set<string>();

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
    const number = `${frame.sak} ${from.sci} ${frame.pn}`;
    if (this.#numbers.has(number)) this.#break(`${from.sci} uses a packet number of a SAK again`);
    this.#numbers.add(number);
    for (const to of this.stations) {
      if (to !== from) this.clock.after(dataMs, () => this.#arrive(from, to, frame));
    }
  }

  #arrive(from: Station, to: Station, frame: DataFrame): void {
    const why = to.secy.decode(frame);
    if (why === undefined) {
      from.data.arrived += 1;
      from.data.last = frame;
    } else from.data.lost.push(`${this.now}: AN ${frame.an} PN ${frame.pn} at ${to.sci}: ${why}`);
  }

  async run(ms: number): Promise<void> {
    await this.clock.runFor(ms);
  }

  /** Runs until the condition is true; throws if that is not so in time. */
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

  // Checks that one SAK has one key identifier, and the other way round.
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

  // Checks that no frame leaves that a live peer could not receive.
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

/** Returns two stations with the same CAs; A has the better priority. */
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
