// What one hostile router costs the process that looks at it: memory, and the longest turn of the
// event loop in processor time. Runs as a process of its own with --expose-gc, which a test forks.

import { randomBytes } from "node:crypto";
import { setTimeout as rest } from "node:timers/promises";
import { platforms } from "#drivers/index.ts";
import { Shells } from "#drivers/transport/shell.ts";
import type { Driver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Clock,
  type Instant,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type WallTime,
  type World,
} from "#hal/world.ts";
import { anyKey } from "../unit/kit/ssh-bench.ts";

export interface CostOrder {
  readonly driver: "junos" | "iosxe" | "iosxr" | "eos";
  readonly port: number;
  readonly hostKey: string;
  readonly looks: number;
}

export interface Cost {
  /** Megabytes of resident memory beyond those before the first look: the most, and at the end. */
  readonly peakMb: number;
  readonly keptMb: number;
  /** The longest turn of the event loop, in milliseconds of this thread's processor time. */
  readonly turnMs: number;
  /** What each look ended with. */
  readonly ends: readonly string[];
}

/** Deadlines pass this many times as fast, so that a flood without an end takes seconds. */
const haste = 4;

const clock: Clock = {
  now: () => performance.now() as Instant,
  wall: () => Date.now() as WallTime,
  sleep: async (ms, signal) => {
    await rest(ms / haste, undefined, signal === undefined ? {} : { signal });
  },
  alarm: (ms, ring) => {
    const timer = setTimeout(ring, ms / haste);
    return () => clearTimeout(timer);
  },
};

const refused = async (): Promise<never> => {
  throw new Error("not of this world");
};

function worldOf(shells: Shells): World {
  return {
    clock,
    entropy: { bytes: (length) => randomBytes(length) },
    disk: { read: refused, list: refused, append: refused, replace: refused },
    dial: {
      ...{ http: refused, routeTo: refused, resolve: refused, exec: noPrograms },
      ...{ framed: noFrames, stream: noStreams, snmp: noSnmp },
      channel: (to, kind, signal) => shells.channel(to, kind, signal),
    },
    log: { write: () => undefined },
  };
}

const megabyte = 1024 * 1024;
const processorMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** Watches every turn of the event loop until it is stopped. */
class Watch {
  turnMs = 0;
  peak = 0;
  #last = processorMs();
  #sampled = 0;
  #timer: NodeJS.Immediate | undefined;

  start(): void {
    this.#last = processorMs();
    this.#turn();
  }

  stop(): void {
    clearImmediate(this.#timer);
  }

  #turn(): void {
    const now = processorMs();
    this.turnMs = Math.max(this.turnMs, now - this.#last);
    if (performance.now() - this.#sampled > 5) {
      this.#sampled = performance.now();
      this.peak = Math.max(this.peak, process.memoryUsage.rss());
    }
    this.#last = processorMs();
    this.#timer = setImmediate(() => this.#turn());
  }
}

async function look(driver: Driver, order: CostOrder, world: World): Promise<string> {
  const { port, hostKey } = order;
  const ssh = { user: "linkseal", port, key: "file:/key", hostKey };
  const target = { device: "edge-a", address: "127.0.0.1", ssh };
  const never = new AbortController().signal;
  try {
    await using device = await driver.open(target, world, () => undefined, never);
    const { macsec } = await device.observe(never);
    return `observed, ${macsec.length} ports`;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

async function settled(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await rest(20);
  }
  return process.memoryUsage.rss();
}

async function costOf(order: CostOrder, quiet: CostOrder): Promise<Cost> {
  const { driver } = platforms[order.driver];
  await using shells = new Shells(anyKey);
  const world = worldOf(shells);
  // Code is loaded and compiled by a router that only closes.
  for (let round = 0; round < 3; round += 1) await look(driver, quiet, world);
  const before = await settled();
  const watch = new Watch();
  watch.start();
  const ends: string[] = [];
  for (let count = 0; count < order.looks; count += 1) ends.push(await look(driver, order, world));
  watch.stop();
  const kept = (await settled()) - before;
  const peakMb = (Math.max(watch.peak, before) - before) / megabyte;
  return { peakMb, keptMb: kept / megabyte, turnMs: watch.turnMs, ends };
}

if (process.argv[1] === import.meta.filename) {
  const [order, quiet] = JSON.parse(process.argv[2] ?? "") as readonly [CostOrder, CostOrder];
  const cost = await costOf(order, quiet);
  process.stdout.write(`${JSON.stringify(cost)}\n`);
  process.exit(0);
}
