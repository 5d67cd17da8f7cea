// Two hubs on one engine, each call of which waits until it is drawn; sites that ask, begin and
// end; people who stop, resume and withdraw; and deaths of hubs between any two calls. What must
// hold is looked at after each act, on the truth of the sites and not on what hubs believe.

import type { Found, HubEngine, Read, Written } from "#agent/fleet/engine.ts";
import {
  type Ask,
  askOctets,
  freezeOctets,
  isFor,
  type Permit,
  parsePermit,
  withdrawnOctets,
} from "#agent/fleet/records.ts";
import type { Bucket } from "#agent/fleet/subjects.ts";
import { isOpen, parseWave, type Wave, waveOctets } from "#agent/fleet/wave.ts";
import { stepWave } from "#agent/hub/wave-run.ts";
import { resume, stop, withdrawMember } from "#agent/hub/wave-step.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { MemoryEngine } from "./engine-kit.ts";
import { never, wallStart } from "./site-bench.ts";
import { askOf, statusOf, waveOf } from "./wave-kit.ts";

interface Pending {
  readonly actor: string;
  readonly isWrite: boolean;
  readonly run: () => Promise<void>;
}

/** What a site really does, whatever the engine has of it. */
interface Truth {
  readonly site: string;
  ask: Ask | undefined;
  phase: "idle" | "asking" | "begun";
  /** The campaign that runs began by a permit of the wave. */
  isPermitted: boolean;
}

const sites = ["a", "b", "c", "d", "e"] as const;

/** One storm; `run` throws at the first act after which something does not hold. */
export class WaveStorm {
  readonly engine = new MemoryEngine();
  readonly clock = new SimClock(wallStart);
  readonly #prng: Prng;
  /** Sites and people do nothing odd, so that the wave goes on to its end. */
  readonly #isCalm: boolean;
  readonly #blind: readonly Bucket[];
  readonly #truths: readonly Truth[] = sites.map((site) => ({
    ...{ site, ask: undefined, phase: "idle", isPermitted: false },
  }));
  readonly #pending: Pending[] = [];
  readonly #asks: Ask[] = [];
  readonly #seen = { record: undefined as Wave | undefined, permits: 0 };
  #nonces = 0;
  /** Figures, so that a storm in which nothing happened is seen. */
  readonly counts = { permits: 0, begun: 0, deaths: 0, stops: 0, resumes: 0, done: 0 };

  /** `blind`: buckets in which a write wins whatever its revision, as no engine must do it. */
  constructor(seed: string, blind: readonly Bucket[] = []) {
    this.#prng = new Prng(seed);
    this.#isCalm = this.#prng.chance(0.3);
    this.#blind = blind;
  }

  async run(acts: number): Promise<void> {
    await this.engine.put("linkseal-waves", "w", waveOctets(this.#firstWave()));
    for (const actor of ["hub1", "hub2"]) this.#hub(actor);
    for (let act = 0; act < acts; act += 1) {
      await this.#act();
      this.#check();
    }
  }

  #firstWave(): Wave {
    const shareMax = this.#prng.between(1, 3);
    const times = { bakeMs: 5_000, lateMs: 60_000, permitMs: 20_000 };
    return waveOf([["a"], ["b", "c", "d"], ["e"]], { shareMax, ...times });
  }

  /** Runs steps until the hub dies: then its calls are drawn no more, and a new one begins. */
  #hub(actor: string): void {
    const engine = this.#gated(actor);
    const loop = async (): Promise<void> => {
      for (;;) await stepWave({ engine, world: this, tell: () => undefined }, "w", never);
    };
    void loop();
  }

  #gated(actor: string): HubEngine {
    const { engine } = this;
    const gate = <T>(f: () => Promise<T>, isWrite = false): Promise<T> =>
      new Promise((resolve) => {
        this.#pending.push({ actor, isWrite, run: async () => resolve(await f()) });
      });
    return {
      state: engine.state,
      put: (bucket, key, octets) => gate<Written>(() => engine.put(bucket, key, octets), true),
      update: (bucket, key, octets, at) =>
        gate<Written>(
          () =>
            this.#blind.includes(bucket)
              ? engine.put(bucket, key, octets)
              : engine.update(bucket, key, octets, at),
          true,
        ),
      get: (bucket, key) => gate<Read>(() => engine.get(bucket, key)),
      next: (bucket, pattern, from) => gate<Found>(() => engine.next(bucket, pattern, from)),
    };
  }

  async #act(): Promise<void> {
    const draw = this.#prng.real();
    if (draw < 0.7) await this.#call();
    else if (draw < 0.9) await this.#site(this.#prng.pick(this.#truths));
    else if (draw < 0.93) await this.#death();
    else if (draw < 0.96) await this.clock.runFor(this.#prng.between(1, 10_000));
    else await this.#person();
  }

  /**
   * One call of a hub; an engine loses one answer of fifty after it has done the act. A write takes
   * longer than a read: much can happen before it arrives.
   */
  async #call(): Promise<void> {
    const index = this.#prng.between(0, this.#pending.length - 1);
    if (this.#pending[index]?.isWrite === true && this.#prng.chance(0.7)) return;
    const [call] = this.#pending.splice(index, 1);
    this.engine.isMute = this.#prng.chance(0.02);
    await call?.run();
    this.engine.isMute = false;
    await settle();
  }

  async #death(): Promise<void> {
    const actor = this.#prng.pick(["hub1", "hub2"]);
    // A call that it made before may still arrive.
    const own = this.#pending.filter((each) => each.actor === actor);
    for (const each of own) this.#pending.splice(this.#pending.indexOf(each), 1);
    const last = own.at(-1);
    if (last !== undefined && this.#prng.chance(0.5)) {
      this.#pending.push({ ...last, actor: "dead" });
    }
    this.counts.deaths += 1;
    this.#hub(actor);
    await settle();
  }

  /** A site acts by what it has read; each write of its ask may be lost. */
  async #site(truth: Truth): Promise<void> {
    switch (truth.phase) {
      case "idle":
        return await this.#ask(truth);
      case "asking":
        // It may also give up, and ask for another campaign.
        if (!this.#isCalm && this.#prng.chance(0.03)) return await this.#ask(truth);
        return await this.#begin(truth);
      case "begun": {
        if (this.#prng.chance(0.5)) return await this.#status(truth);
        const end = this.#isCalm || this.#prng.chance(0.97) ? "reached" : "notReached";
        truth.phase = "idle";
        truth.isPermitted = false;
        return await this.#write(truth, { kind: "ended", at: this.clock.wall(), end });
      }
    }
  }

  async #status({ site }: Truth): Promise<void> {
    const verdict = this.#prng.chance(0.005) ? "down" : "protected";
    await this.engine.put("linkseal-status", site, statusOf(site, verdict, this.clock.wall()));
  }

  async #ask(truth: Truth): Promise<void> {
    await this.#status(truth);
    this.#nonces += 1;
    truth.ask = { ...askOf(truth.site, this.#nonces), at: this.clock.wall() };
    this.#asks.push(truth.ask);
    truth.phase = "asking";
    await this.#write(truth, { kind: "asking" }, 1);
  }

  async #begin(truth: Truth): Promise<void> {
    const permit = this.#permitOf(truth);
    // One campaign of a hundred begins because an operator of the site accepts the risk.
    const isByHand = !this.#isCalm && this.#prng.chance(0.01);
    if (permit === undefined && !isByHand) return;
    truth.phase = "begun";
    truth.isPermitted = permit !== undefined;
    this.counts.begun += 1;
    await this.#write(truth, { kind: "begun", at: this.clock.wall() });
  }

  async #write(truth: Truth, state: Ask["state"], chance = this.#isCalm ? 1 : 0.9): Promise<void> {
    if (truth.ask === undefined || !this.#prng.chance(chance)) return;
    truth.ask = { ...truth.ask, state };
    await this.engine.put("linkseal-asks", `${truth.site}.g`, askOctets(truth.ask));
  }

  /** The permit by which the campaign of a site may begin now. */
  #permitOf({ site, ask }: Truth): Permit | undefined {
    const subject = `$KV.linkseal-permits.${site}.g`;
    const octets = this.engine.messages.findLast((each) => each.subject === subject)?.octets;
    const permit = octets && parsePermit(octets);
    const isGood = ask !== undefined && permit !== undefined && isFor(permit, ask);
    return isGood && this.clock.wall() < permit.notAfter ? permit : undefined;
  }

  /** A person writes the record as a command does, at once. */
  async #person(): Promise<void> {
    const { record, revision } = this.#newest();
    const act = { at: this.clock.wall(), by: "ann" };
    const key = `${this.#prng.pick(sites)}.g`;
    const draw = this.#isCalm ? 1 : this.#prng.real();
    if (draw < 0.1) return await this.#freeze();
    if (draw < 0.15) {
      this.counts.stops += 1;
      return await this.#store(stop(record, act, "why"), revision);
    }
    if (draw < 0.25) {
      await this.engine.put("linkseal-permits", key, withdrawnOctets);
      await this.#store(withdrawMember(record, key, act), revision);
      return void (await this.engine.put("linkseal-permits", key, withdrawnOctets));
    }
    if (record.state.kind !== "stopped") return;
    this.counts.resumes += 1;
    const without = new Set(!this.#isCalm && this.#prng.chance(0.1) ? [key] : []);
    await this.#store(resume(record, act, without), revision);
  }

  async #freeze(): Promise<void> {
    const key = this.#prng.pick(["fleet", ...sites.map((site) => `site.${site}`)]);
    const state = this.#prng.chance(0.3) ? "frozen" : "thawed";
    const octets = freezeOctets({ state, at: this.clock.wall(), by: "ann", why: "storm" });
    await this.engine.put("linkseal-freeze", key, octets);
  }

  async #store(wave: Wave, revision: number): Promise<void> {
    await this.engine.update("linkseal-waves", "w", waveOctets(wave), revision);
  }

  #newest(): { readonly record: Wave; readonly revision: number } {
    const found = this.engine.messages.findLast(
      ({ subject }) => subject === "$KV.linkseal-waves.w",
    );
    const record = found && parseWave(found.octets);
    if (record === undefined) throw new Error("the record of the wave cannot be read");
    return { record, revision: found?.revision ?? 0 };
  }

  #check(): void {
    const { record } = this.#newest();
    const before = this.#seen.record;
    const open = record.stages.flat().filter(isOpen);
    if (open.length > record.shareMax) throw new Error(`${open.length} are open in the record`);
    // Those that have begun, and those that could begin now.
    const really = this.#truths.filter(
      (truth) =>
        (truth.phase === "begun" && truth.isPermitted) ||
        (truth.phase === "asking" && this.#permitOf(truth) !== undefined),
    );
    if (really.length > record.shareMax) throw new Error(`${really.length} are really open`);
    this.#checkPermits();
    if (before?.state.kind === "stopped" && record.state.kind === "stopped") {
      const was = permittedOf(before);
      const isNew = [...permittedOf(record)].find((nonce) => !was.has(nonce));
      if (isNew !== undefined) throw new Error(`${isNew} got a permit of a stopped wave`);
    }
    this.#checkWithdrawn(record);
    if (record.state.kind === "done") this.counts.done = 1;
    this.#seen.record = record;
  }

  /** What was taken back stays so: a hub that was overtaken does not bring it again. */
  #checkWithdrawn({ stages }: Wave): void {
    for (const { site, state } of stages.flat()) {
      const isTaken =
        (state.kind === "permitted" && state.isWithdrawn) ||
        (state.kind === "failed" && state.why === "withdrawn");
      const truth = this.#truths.find((each) => each.site === site);
      if (!isTaken || truth === undefined || truth.ask?.nonce !== state.nonce) continue;
      if (this.#permitOf(truth) !== undefined) throw new Error(`${site} has a withdrawn permit`);
    }
  }

  /** Each permit is for an ask that a site wrote. */
  #checkPermits(): void {
    for (const { subject, octets } of this.engine.messages.slice(this.#seen.permits)) {
      const permit = subject.startsWith("$KV.linkseal-permits.") ? parsePermit(octets) : undefined;
      if (permit === undefined) continue;
      this.counts.permits += 1;
      if (!this.#asks.some((ask) => isFor(permit, ask))) throw new Error("a permit for no ask");
    }
    this.#seen.permits = this.engine.messages.length;
  }
}

const permittedOf = ({ stages }: Wave): ReadonlySet<string> =>
  new Set(stages.flat().flatMap(({ state }) => (state.kind === "permitted" ? [state.nonce] : [])));

/** All promises that can go on have done so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}
