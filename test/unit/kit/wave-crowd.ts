// Many sites in virtual time, each with one campaign, and hubs that run waves over them and can die
// between any two requests. What is true of the sites is kept apart from what the engine has.

import type { HubEngine } from "#agent/fleet/engine.ts";
import { type Ask, askOctets, isFor, type Permit, parsePermit } from "#agent/fleet/records.ts";
import { parseWave } from "#agent/fleet/wave.ts";
import { runWaves } from "#agent/hub/wave-run.ts";
import { SimClock } from "#sim/base/clock.ts";
import { MemoryEngine } from "./engine-kit.ts";
import { never, wallStart } from "./site-bench.ts";
import { askOf, statusOf } from "./wave-kit.ts";

/** As the agent reads the permit of a waiting group. */
export const permitReadMs = 5_000;
/** How long a link of a site is out of service. */
export const campaignMs = 10_000;
const statusMs = 30_000;
const tickMs = 1_000;

interface Site {
  readonly name: string;
  ask: Ask;
  /** When its campaign began. */
  begunAt: number | undefined;
  /** The engine has what it said last. */
  isTold: boolean;
}

interface DyingHub {
  /** Requests that it still makes. */
  left: number;
}

/** Only a site that has something to do costs time. */
function isDue({ isTold, ask: { state } }: Site, turn: number): boolean {
  const reads = state.kind === "asking" && turn % (permitReadMs / tickMs) === 0;
  return !isTold || state.kind === "begun" || reads || turn % (statusMs / tickMs) === 0;
}

/** Sites that ask from the beginning on; hubs are started. */
export class Crowd {
  readonly clock = new SimClock(wallStart);
  readonly engine = new MemoryEngine();
  readonly sites: readonly string[];
  /** Campaigns that began, in their order. */
  readonly begun: string[] = [];
  /** The nonces of each site's permits. */
  readonly permitted = new Map<string, Set<string>>();
  /** What must not be. */
  readonly faults: string[] = [];
  /** Sites that were open, or could have begun, at most at once. */
  liveMost = 0;
  hubCalls = 0;
  /** Until the wave was done. */
  spentMs = 0;
  readonly #sites: readonly Site[];
  readonly #hubs = new Map<string, DyingHub>();
  readonly #live = new Set<string>();
  #seen = 0;

  constructor(count: number) {
    this.#sites = Array.from({ length: count }, (_, n) => {
      const name = `s${String(n).padStart(5, "0")}`;
      return { name, ask: askOf(name, n + 1), begunAt: undefined, isTold: false };
    });
    this.sites = this.#sites.map(({ name }) => name);
    void this.#run();
  }

  /** Permits of the share under way that are in the engine, and by which nothing has begun. */
  get givenOfShare(): number {
    return this.#sites.filter(({ name, begunAt }) => begunAt === undefined && this.#live.has(name))
      .length;
  }

  /** Starts a hub, as `linkseal hub run` does. */
  startHub(name: string): void {
    const hub = { left: Number.POSITIVE_INFINITY };
    this.#hubs.set(name, hub);
    const entropy = { bytes: (count: number) => Buffer.alloc(count, name) };
    const world = { clock: this.clock, entropy };
    const engine = this.#dying(hub);
    const told = { tell: () => undefined, turned: () => undefined };
    void runWaves({ world, engine, name, ...told }, never);
  }

  /** Ends a hub after some more requests: it gets no answer any more. */
  killHub(name: string, after: number): void {
    const hub = this.#hubs.get(name);
    if (hub !== undefined) hub.left = after;
  }

  #dying(hub: DyingHub): HubEngine {
    const { engine } = this;
    const call = <T>(f: () => Promise<T>): Promise<T> => {
      hub.left -= 1;
      if (hub.left < 0) return new Promise<T>(() => undefined);
      this.hubCalls += 1;
      return f();
    };
    return {
      get state() {
        return engine.state;
      },
      put: (bucket, key, octets) => call(() => engine.put(bucket, key, octets)),
      update: (bucket, key, octets, at) => call(() => engine.update(bucket, key, octets, at)),
      get: (bucket, key) => call(() => engine.get(bucket, key)),
      next: (bucket, pattern, from) => call(() => engine.next(bucket, pattern, from)),
    };
  }

  /** Runs virtual time. */
  async until(seen: () => boolean): Promise<void> {
    while (!seen()) await this.clock.runFor(tickMs / 4);
  }

  /** Runs until the record of the wave says that it is over; throws if it stops. */
  async untilDone(): Promise<void> {
    const read = async (): Promise<boolean> => {
      const found = await this.engine.get("linkseal-waves", "w");
      const wave = found.kind === "value" ? parseWave(found.octets) : undefined;
      if (wave?.state.kind === "stopped") throw new Error(wave.state.why);
      return wave?.state.kind === "done";
    };
    while (!(await read())) await this.clock.runFor(tickMs);
    this.spentMs = this.clock.now();
  }

  async #run(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      this.#look();
      for (const [index, site] of this.#sites.entries()) {
        if (isDue(site, turn + index)) await this.#turn(site, turn + index);
      }
      await this.clock.sleep(tickMs);
    }
  }

  async #turn(site: Site, turn: number): Promise<void> {
    const { engine, clock } = this;
    const { begunAt, ask } = site;
    if (turn % (statusMs / tickMs) === 0) await this.#tellStatus(site);
    const key = `${site.name}.g`;
    if (!site.isTold) {
      site.isTold = (await engine.put("linkseal-asks", key, askOctets(site.ask))).kind === "ok";
    }
    if (
      ask.state.kind === "begun" &&
      begunAt !== undefined &&
      clock.now() >= begunAt + campaignMs
    ) {
      site.ask = { ...ask, state: { kind: "ended", at: clock.wall(), end: "reached" } };
      site.isTold = false;
      this.#live.delete(site.name);
      await this.#tellStatus(site);
    } else if (ask.state.kind === "asking" && turn % (permitReadMs / tickMs) === 0) {
      const read = await engine.get("linkseal-permits", key);
      const permit = read.kind === "value" ? parsePermit(read.octets) : undefined;
      if (permit !== undefined && this.#counts(permit, site)) this.#begin(site);
    }
  }

  async #tellStatus({ name }: Site): Promise<void> {
    const octets = statusOf(name, "protected", this.clock.wall());
    await this.engine.put("linkseal-status", name, octets);
  }

  #begin(site: Site): void {
    const { clock } = this;
    site.begunAt = clock.now();
    site.ask = { ...site.ask, state: { kind: "begun", at: clock.wall() } };
    site.isTold = false;
    this.begun.push(site.name);
  }

  #counts = (permit: Permit, { ask }: Site): boolean =>
    isFor(permit, ask) && this.clock.wall() < permit.notAfter;

  /** Takes what was written since, and counts the sites that are open or may begin. */
  #look(): void {
    const { messages } = this.engine;
    const byName = new Map(this.#sites.map((site) => [site.name, site]));
    for (const { subject, octets } of messages.slice(this.#seen)) {
      if (!subject.startsWith("$KV.linkseal-permits.")) continue;
      const permit = parsePermit(octets);
      const site = permit && byName.get(permit.site);
      if (permit === undefined || site === undefined || permit.nonce !== site.ask.nonce) {
        this.faults.push(`a permit for no ask: ${subject}`);
        continue;
      }
      const nonces = this.permitted.get(site.name) ?? new Set();
      this.permitted.set(site.name, nonces.add(permit.nonce));
      if (site.ask.state.kind !== "ended") this.#live.add(site.name);
    }
    this.#seen = messages.length;
    this.liveMost = Math.max(this.liveMost, this.#live.size);
  }
}
