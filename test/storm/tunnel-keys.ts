// Some rounds of newer pre-shared keys at two tunnels: faults at the gateway, the vault and the
// router, and deaths of the agent. After each round the faults are healed, and an operator who does
// what is asked for must have the newest key in use at both ends.

import type { OnDecision } from "#agent/model/decision.ts";
import { tunnelChangeText } from "#agent/model/reason-text.ts";
import { decideTunnel } from "#agent/rotation/tunnel-change.ts";
import { Prng } from "#sim/base/prng.ts";
import { stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { type Counts, count } from "./counters.ts";
import type { CrashingWorld } from "./crashing-world.ts";
import { GatewayStage, pairPlan } from "./gateway-stage.ts";
import type { TunnelDefect } from "./tunnel-defects.ts";

export interface TunnelKeysOptions {
  readonly seed: string;
  /** The number of newer keys. */
  readonly rounds: number;
  /** The seeded defect of the agent; undefined for the agent as it is. */
  readonly defect?: TunnelDefect;
}

export interface TunnelKeysPlayed {
  /** The rows of the tunnels' table that were taken. */
  readonly marks: Counts;
  readonly faults: Counts;
  /** Violations, seed and kind first; the run ends at the first round that has some. */
  readonly violations: readonly string[];
}

const names = ["hub-1", "hub-2"] as const;
type Name = (typeof names)[number];

const cloudFaults = [
  ...["slow", "fails", "failsGiven", "lies", "lost", "busy", "throttled", "denied", "deaf"],
] as const;
/** Faults between the agent and its router or vault. */
const nearFaults = stormFaults.filter(({ name }) =>
  ["reply-lost", "reply-late", "locked", "commit-lost", "slow", "unreachable"].includes(name),
);
/** The longest time until the newest key is in use once the faults have ended, in milliseconds. */
const mendMs = 3_600_000;
const lookMs = 60_000;

/** Plays a run; equal options give an equal run. */
export async function playTunnelKeys(options: TunnelKeysOptions): Promise<TunnelKeysPlayed> {
  return await new TunnelKeys(options).play();
}

class TunnelKeys {
  readonly #options: TunnelKeysOptions;
  readonly #prng: Prng;
  readonly #isPair: boolean;
  readonly #stage: GatewayStage;
  readonly #marks: Counts = {};
  readonly #faults: Counts = {};
  readonly #violations: string[] = [];
  readonly #keys: string[] = [];
  readonly #never = new AbortController().signal;

  constructor(options: TunnelKeysOptions) {
    const { seed } = options;
    this.#options = options;
    this.#prng = new Prng(`${seed}/tunnel keys`);
    this.#isPair = this.#prng.chance(0.4);
    const decide = options.defect?.decide ?? decideTunnel;
    const onDecision: OnDecision = (decision) => {
      if (decision.kind !== "tunnelStep") return;
      decision.step = decide(decision.change, decision.facts);
      count(this.#marks, decision.step.row);
    };
    const plan = this.#isPair ? pairPlan("connections/pair") : 2;
    this.#stage = new GatewayStage(seed, plan, onDecision);
  }

  async play(): Promise<TunnelKeysPlayed> {
    let crashing = await this.#stage.begin();
    for (let round = 1; round <= this.#options.rounds; round += 1) {
      crashing = await this.#round(round, crashing);
      if (this.#violations.length > 0) break;
    }
    const { wrong } = this.#stage;
    if (wrong.length > 0) this.#fail("P2", wrong.slice(0, 3).join("; "));
    if (this.#stage.leaks(...this.#keys).length > 0) this.#fail("P4", "a key was written");
    return { marks: this.#marks, faults: this.#faults, violations: this.#violations };
  }

  async #round(round: number, before: CrashingWorld): Promise<CrashingWorld> {
    const prng = this.#prng;
    let crashing = before;
    const heals = [this.#cloudFault(), this.#nearFault()];
    const tunnel: Name = this.#isPair ? "hub-1" : prng.pick(names);
    const value = `A_PSK_of_${this.#options.seed.replaceAll("-", "_")}_${round}`;
    this.#keys.push(value);
    let id = this.#stage.newKey(tunnel, value);
    await this.#pass(prng.between(5_000, 400_000));
    if (prng.chance(0.2)) await this.#proceed(tunnel);
    const isWithdrawn = prng.chance(0.2);
    if (isWithdrawn) {
      count(this.#faults, "withdrawn");
      this.#stage.site.vault.setEnabled(id, false);
    }
    if (prng.chance(0.5)) {
      count(this.#faults, "death");
      crashing.kill();
      await this.#pass(prng.between(1_000, 60_000));
      crashing = await this.#stage.live();
    }
    await this.#pass(prng.between(5_000, 200_000));
    for (const heal of heals) heal();
    // A key that was withdrawn is followed by another one.
    if (isWithdrawn) {
      await this.#pass(prng.between(5_000, 400_000));
      this.#keys.push(`${value}_again`);
      id = this.#stage.newKey(tunnel, `${value}_again`);
    }
    await this.#mend(tunnel, id);
    return crashing;
  }

  /** An operator looks every minute, and does what the report asks for. */
  async #mend(tunnel: Name, id: string): Promise<void> {
    const { clock } = this.#stage.site;
    const end = clock.now() + mendMs;
    const isDone = (): boolean => this.#ends(tunnel).every((name) => this.#uses(name, id));
    while (!(await this.#stage.until(isDone, lookMs))) {
      if (clock.now() > end) {
        const { next } = this.#stage.inUse(tunnel) ?? {};
        this.#fail("liveness", `${tunnel} never got its newest key: ${JSON.stringify(next)}`);
        return;
      }
      const next = this.#stage.inUse(tunnel)?.next;
      if (next?.state === "held") await this.#agreed(tunnel, "went back");
      if (next?.state === "waiting") await this.#agreed(tunnel, "waits");
      // The key in use was withdrawn from the vault: nothing would lead back to it.
      const because = next === undefined ? "" : tunnelChangeText(next);
      const isAsked = because.includes(`linkseal psk proceed ${tunnel}`);
      if (next?.state === "held" || isAsked) await this.#proceed(tunnel);
    }
    await this.#agreed(tunnel, "has its newest key");
  }

  #ends(tunnel: Name): readonly Name[] {
    return this.#isPair ? names : [tunnel];
  }

  #uses(name: Name, id: string): boolean {
    const inUse = this.#stage.inUse(name);
    return inUse?.auth.secretId === id && inUse.next === undefined;
  }

  /** What the journal says of a change at rest must be so at both ends. */
  async #agreed(tunnel: Name, what: string): Promise<void> {
    const stateNow = () => this.#stage.inUse(tunnel)?.next?.state;
    const state = stateNow();
    for (const name of names) {
      const isWhole = await this.#stage.agree(name);
      // It may have left its rest meanwhile.
      if (stateNow() !== state) return;
      if (!isWhole) this.#fail("P7", `${tunnel} ${what}: the ends of ${name} differ`);
    }
  }

  /** A request that is refused is tried again at the operator's next look. */
  async #proceed(tunnel: Name): Promise<void> {
    const { commands } = this.#stage.agent;
    let isOver = false;
    void commands
      .proceedPsk(tunnel, "ann", this.#never)
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    await this.#stage.until(() => isOver, lookMs);
  }

  async #pass(ms: number): Promise<void> {
    await this.#stage.until(() => false, ms);
  }

  #fail(kind: TunnelDefect["breaks"] | "P4", text: string): void {
    this.#violations.push(`seed ${this.#options.seed} ${kind}: ${text}`);
  }

  #nearFault(): () => void {
    if (this.#prng.chance(0.6)) return () => undefined;
    const kind = this.#prng.pick(nearFaults);
    const [link] = this.#stage.site.links;
    if (link === undefined) throw new RangeError("no link");
    count(this.#faults, kind.name);
    return strikeFault(this.#stage.site, kind, link);
  }

  /** Breaks the path to the gateway until it is repaired. */
  #cloudFault(): () => void {
    if (this.#prng.chance(0.1)) return () => undefined;
    const fault = this.#prng.pick(cloudFaults);
    const stage = this.#stage;
    const { faults, arm } = stage.cloud;
    const keys = arm.sharedKeys;
    count(this.#faults, fault);
    switch (fault) {
      case "slow":
        keys.lastsMs = 200_000;
        return () => {
          keys.lastsMs = 4_000;
        };
      case "fails":
      case "failsGiven":
      case "lies":
        keys.fate = fault;
        return () => {
          keys.fate = "succeeds";
        };
      case "deaf":
        keys.deaf.add(this.#prng.pick(names));
        return () => keys.deaf.clear();
      case "lost":
        // The request is carried out, and its answer is lost.
        stage.alter = (reply, { method }) => (method === "PUT" ? { ...reply, status: 504 } : reply);
        return () => {
          stage.alter = (reply) => reply;
        };
      case "busy":
        this.#otherOperator();
        return () => undefined;
      case "throttled":
        faults.arm.strike("throttledSeconds");
        return () => faults.arm.heal();
      case "denied":
        faults.arm.strike("authorizationFailed");
        return () => faults.arm.heal();
    }
  }

  /** Another operator's change of the gateway runs, and fails. */
  #otherOperator(): void {
    const { sharedKeys } = this.#stage.cloud.arm;
    const [tunnel] = this.#stage.site.plan.tunnels;
    if (tunnel === undefined) throw new RangeError("no tunnel");
    const { lastsMs, fate } = sharedKeys;
    Object.assign(sharedKeys, { lastsMs: 90_000, fate: "fails" });
    sharedKeys.put(tunnel, `{"value":"of_somebody_else"}`);
    Object.assign(sharedKeys, { lastsMs, fate });
  }
}
