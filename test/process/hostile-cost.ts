// What one hostile router costs the process that looks at it. Runs as a process of its own, which a
// test starts.

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
import { type Cost, measured } from "./cost-watch.ts";

export interface CostOrder {
  readonly driver: "junos" | "iosxe" | "iosxr" | "eos";
  readonly port: number;
  readonly hostKey: string;
  readonly looks: number;
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

async function costOf(order: CostOrder, quiet: CostOrder): Promise<Cost> {
  const { driver } = platforms[order.driver];
  await using shells = new Shells(anyKey);
  const world = worldOf(shells);
  // A router that only closes loads and compiles the code.
  return await measured(
    () => look(driver, order, world),
    () => look(driver, quiet, world),
    order.looks,
  );
}

if (process.argv[1] === import.meta.filename) {
  const [order, quiet] = JSON.parse(process.argv[2] ?? "") as readonly [CostOrder, CostOrder];
  const cost = await costOf(order, quiet);
  process.stdout.write(`${JSON.stringify(cost)}\n`);
  process.exit(0);
}
