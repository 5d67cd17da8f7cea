// The processes of one agent, one after the other on one disk: each is ended in good order, or
// killed at any of its calls.

import { LinksealError } from "#hal/error.ts";
import type { Instant, World } from "#hal/world.ts";
import type { DiskFault } from "#sim/base/disk.ts";
import type { Prng } from "#sim/base/prng.ts";
import { CrashingWorld, type Death } from "./crashing-world.ts";
import type { StormRun } from "./storm-run.ts";

export interface ProcessRestartsParts {
  readonly run: StormRun;
  readonly prng: Prng;
  /** Returns the config that the next process pushes if none is in force. */
  readonly config: () => string;
  /** Wraps the World of a process; processes count from 1. */
  readonly surround?: (world: World, processNumber: number) => World;
}

const restartMs = { low: 1_000, high: 60_000 };
const spoiltMs = { low: 10_000, high: 300_000 };
const deaths: readonly Death[] = ["before", "during", "after"];
const diskFaults: readonly DiskFault[] = ["full", "lies", "slow"];

export class ProcessRestarts {
  /** The number of processes so far. */
  count = 0;
  /** The crashes by the moment of the call; `outside` means between two calls. */
  readonly deaths: Record<Death | "outside", number> = {
    before: 0,
    during: 0,
    after: 0,
    outside: 0,
  };
  /**
   * The errors that no process may end with; after a LinksealError at the start, systemd tries
   * again.
   */
  readonly broken: unknown[] = [];
  /** The last time at which a crash lost the end of the journal. */
  forgotAt: Instant | undefined;
  readonly #parts: ProcessRestartsParts;
  #crashing: CrashingWorld | undefined;
  /** The mean number of calls until a process crashes; undefined if it does not. */
  #callsMean: number | undefined;

  constructor(parts: ProcessRestartsParts) {
    this.#parts = parts;
  }

  get deathCount(): number {
    return deaths.reduce((sum, when) => sum + this.deaths[when], this.deaths.outside);
  }

  start(): void {
    const { run, config, surround } = this.#parts;
    this.count += 1;
    const processNumber = this.count;
    let mine: CrashingWorld | undefined;
    const ended = run.begin(config(), (world) => {
      const inside = surround?.(world, processNumber) ?? world;
      mine = new CrashingWorld(inside, undefined, () => this.#died(mine));
      return mine.world;
    });
    this.#crashing = mine;
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

  /** Makes each process crash after about this many calls to disk and World, from now on. */
  dieAfter(callsMean: number): void {
    this.#callsMean = callsMean;
    this.#doom();
  }

  /** Ends all crashes and faults of the disk. */
  spare(): void {
    this.#callsMean = undefined;
    this.#crashing?.spare();
    for (const fault of diskFaults) this.#parts.run.disk.setFault(fault, false);
  }

  /** Kills the process as a power cut would: between two calls, or in the middle of one. */
  kill(): void {
    this.#crashing?.kill();
  }

  /** Sets a fault of the disk for a while: it fills up, lies or is slow, and tears no write. */
  spoilDisk(): void {
    const { run, prng } = this.#parts;
    const fault = prng.pick(diskFaults);
    run.disk.setFault(fault, true);
    const ms = prng.between(spoiltMs.low, spoiltMs.high);
    run.stormSite.site.clock.after(ms, () => run.disk.setFault(fault, false));
  }

  #doom(): void {
    const { prng } = this.#parts;
    if (this.#callsMean === undefined) return;
    const call = Math.ceil(-Math.log(1 - prng.real()) * this.#callsMean);
    this.#crashing?.doom({ call: Math.max(1, call), when: prng.pick(deaths) });
  }

  #died(crashing: CrashingWorld | undefined): void {
    // A call that an earlier process still has under way does not end the present one.
    if (crashing !== this.#crashing) return;
    const { run, prng } = this.#parts;
    this.deaths[crashing?.diedBy ?? "outside"] += 1;
    const { clock } = run.stormSite.site;
    if (run.disk.crash()) {
      run.stormSite.oracle.forgets();
      this.forgotAt = clock.now();
    }
    run.end();
    clock.after(prng.between(restartMs.low, restartMs.high), () => {
      this.start();
      clock.wake();
    });
  }
}
