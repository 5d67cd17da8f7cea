// Our own client: `push` sends the change by our transports; `transaction` lets the driver carry it
// out, with a confirmed commit, an observation that verifies it, the confirm, and a journal on
// disk.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock } from "#agent/host/clock.ts";
import { FsDisk } from "#agent/host/disk.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { hostDialer } from "#agent/host/host.ts";
import { drivers } from "#drivers/index.ts";
import { Netconf } from "#drivers/transport/netconf.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { readXml } from "#drivers/transport/xml.ts";
import type { DeviceChange } from "#hal/device.ts";
import type { Target } from "#hal/target.ts";
import type { World } from "#hal/world.ts";
import { forEach, type Order, orderFrom, port, pushes } from "./change.ts";

/** Measured by the routers' clock, which is fast. */
const confirmMs = 3_600_000;
const never = new AbortController().signal;
const order = await orderFrom(process.stdin);
const shells = new Shells({
  key: async () => Buffer.from(order.login),
  knownHosts: async () => "",
  agentSocket: () => undefined,
});

function targetOf(at: number, { hostKey }: Order): Target {
  const ssh = { user: "linkseal", port: at, key: "file:/key", hostKey };
  return { device: `edge-${at}`, address: "127.0.0.1", ssh };
}

async function push(at: number): Promise<void> {
  const target = targetOf(at, order);
  const channel = await shells.channel(target, "netconf", never);
  const options = { where: target.device, onChange: () => undefined, marks: [] };
  await using session = await Netconf.open(channel, options, never);
  for (const operation of pushes(order.priority)) await session.call(operation, "unknown", never);
}

const settings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: order.priority,
  replayWindow: 64,
  sakRekeyMs: undefined,
} as const;
const change: DeviceChange = [{ kind: "macsec.protect", port, settings }];

async function transaction(at: number, world: World): Promise<void> {
  const { junos } = drivers;
  if (junos === undefined) throw new Error("no driver");
  const target = targetOf(at, order);
  const journal = (what: string): Promise<void> =>
    world.disk.append("journal/bench", Buffer.from(`${target.device} ${what}\n`));
  await using device = await junos.open(target, world, () => undefined, never);
  const noKeys = (): Promise<never> => Promise.reject(new Error("no key is asked for"));
  const prepared = await device.prepare(change, noKeys, never);
  await journal(`applies ${prepared.token}`);
  await prepared.apply(confirmMs, never);
  const state = await device.observe(never);
  const found = state.macsec.find((one) => one.port === port)?.settings;
  const observed = found?.kind === "known" ? found.value?.keyServerPriority : undefined;
  if (observed !== order.priority) throw new Error(`${target.device} has the priority ${observed}`);
  await journal("confirms");
  await prepared.confirm(never);
  await journal("done");
}

// The parser is loaded by its first user, as in a running agent.
await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
const folder = mkdtempSync(join(tmpdir(), "linkseal-push-"));
try {
  const disk = await FsDisk.open(join(folder, "state"));
  const channel: World["dial"]["channel"] = (...words) => shells.channel(...words);
  const world: World = {
    clock: hostClock,
    entropy: hostEntropy,
    disk,
    dial: { ...hostDialer, channel },
    log: { write: () => undefined },
  };
  const one = process.argv[2] === "push" ? push : (at: number) => transaction(at, world);
  console.log(JSON.stringify(await forEach(order, one)));
} finally {
  await shells[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}
