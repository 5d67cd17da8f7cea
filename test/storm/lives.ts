// The processes of one agent, one after the other on one disk: ended in good order, or killed at
// any call they make.

import { LinksealError } from "#hal/error.ts";
import type { Instant, World } from "#hal/world.ts";
import type { DiskFault } from "#sim/base/disk.ts";
import type { Prng } from "#sim/base/prng.ts";
import type { FleetRun } from "./fleet.ts";
import { type Death, MortalWorld } from "./mortal.ts";

export interface LivesParts {
  readonly run: FleetRun;
  readonly prng: Prng;
  /** What the next process pushes if no config is in force. */
  readonly config: () => string;
  /** Stands between a process and its world; lives count from 1. */
  readonly surround?: (world: World, life: number) => World;
}

const restartMs = { low: 1_000, high: 60_000 };
const spoiltMs = { low: 10_000, high: 300_000 };
const deaths: readonly Death[] = ["before", "during", "after"];
const diskFaults: readonly DiskFault[] = ["full", "lies", "slow"];

export class Lives {
  /** Processes so far. */
  count = 0;
  /** By the moment of the call; `outside` = between two calls. */
  readonly deaths: Record<Death | "outside", number> = {
    before: 0,
    during: 0,
    after: 0,
    outside: 0,
  };
  /** What no process may end with; LinksealError at the start is for systemd to try again. */
  readonly broken: unknown[] = [];
  /** When a death last took the end of the journal with it. */
  forgotAt: Instant | undefined;
  readonly #parts: LivesParts;
  #mortal: MortalWorld | undefined;
  /** Mean number of calls until a process dies; undefined = it lives on. */
  #callsMean: number | undefined;

  constructor(parts: LivesParts) {
    this.#parts = parts;
  }

  get deathCount(): number {
    return deaths.reduce((sum, when) => sum + this.deaths[when], this.deaths.outside);
  }

  start(): void {
    const { run, config, surround } = this.#parts;
    this.count += 1;
    const life = this.count;
    let mine: MortalWorld | undefined;
    const ended = run.begin(config(), (world) => {
      const inside = surround?.(world, life) ?? world;
      mine = new MortalWorld(inside, undefined, () => this.#died(mine));
      return mine.world;
    });
    this.#mortal = mine;
    this.#doom();
    ended.catch((error: unknown) => {
      if (mine?.dead === true) return;
      if (!(error instanceof LinksealError)) this.broken.push(error);
      mine?.kill();
    });
  }

  /** Ends the process between two of its steps and begins another. */
  restart(): void {
    this.#parts.run.end();
    this.start();
  }

  /** From now on each process dies after about so many calls to disk and world. */
  dieAfter(callsMean: number): void {
    this.#callsMean = callsMean;
    this.#doom();
  }

  /** Nothing kills it any more. */
  spare(): void {
    this.#callsMean = undefined;
    this.#mortal?.spare();
    for (const fault of diskFaults) this.#parts.run.disk.setFault(fault, false);
  }

  /** As a power cut would: between two calls, or in the middle of one. */
  kill(): void {
    this.#mortal?.kill();
  }

  /** The disk tears nothing, and fills up, lies or is slow for a while. */
  spoilDisk(): void {
    const { run, prng } = this.#parts;
    const fault = prng.pick(diskFaults);
    run.disk.setFault(fault, true);
    const ms = prng.between(spoiltMs.low, spoiltMs.high);
    run.fleet.site.clock.after(ms, () => run.disk.setFault(fault, false));
  }

  #doom(): void {
    const { prng } = this.#parts;
    if (this.#callsMean === undefined) return;
    const call = Math.ceil(-Math.log(1 - prng.real()) * this.#callsMean);
    this.#mortal?.doom({ call: Math.max(1, call), when: prng.pick(deaths) });
  }

  #died(mortal: MortalWorld | undefined): void {
    // What a process of long ago still has under way ends nobody else.
    if (mortal !== this.#mortal) return;
    const { run, prng } = this.#parts;
    this.deaths[mortal?.diedBy ?? "outside"] += 1;
    const { clock } = run.fleet.site;
    if (run.disk.crash()) {
      run.fleet.oracle.forgets();
      this.forgotAt = clock.now();
    }
    run.end();
    clock.after(prng.between(restartMs.low, restartMs.high), () => {
      this.start();
      clock.wake();
    });
  }
}
