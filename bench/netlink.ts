// The cost of netlink against `ip`, with thousands of SAs and policies.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  addPolicy,
  dumpPolicies,
  dumpSas,
  readPolicy,
  readSa,
} from "#drivers/linux/netlink/xfrm.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { NetlinkRequest, Reader } from "#hal/netlink.ts";
import { type Bench, type Figure, sized } from "./bench.ts";

const count = sized(10_000, 200);
const netlinkXfrm = 6;
const resolutionMs = 5;
const near = "10.100.0.1";
const name = "rfc4106(gcm(aes))";
const indices = Array.from({ length: count }, (_, index) => index);
const farOf = (index: number): string => `10.200.${index >> 8}.${index & 255}`;
const saFile = join(tmpdir(), "linkseal-bench-sas");
const policyFile = join(tmpdir(), "linkseal-bench-policies");
const never = new AbortController().signal;

function ip(...argv: string[]): void {
  execFileSync("ip", argv, { stdio: ["ignore", "ignore", "inherit"] });
}

function keyOf(index: number): Uint8Array {
  const octets = new Uint8Array(36).fill(0x5a);
  octets[2] = index >> 8;
  octets[3] = index & 0xff;
  return octets;
}

function policy(index: number): NetlinkRequest {
  const far = farOf(index);
  return addPolicy({
    source: `${near}/32`,
    destination: `${far}/32`,
    direction: "out",
    priority: 100,
    template: { source: near, destination: far, reqid: index + 1, mode: "tunnel" },
  });
}

function writeFiles(): void {
  const sas = indices.map((index) => {
    const key = `0x${Buffer.from(keyOf(index)).toString("hex")}`;
    return (
      `xfrm state add src ${near} dst ${farOf(index)} proto esp spi ${0x1000 + index} ` +
      `reqid ${index + 1} mode tunnel replay-window 32 aead ${name} ${key} 128`
    );
  });
  const policies = indices.map((index) => {
    const far = farOf(index);
    return (
      `xfrm policy add src ${near}/32 dst ${far}/32 dir out priority 100 ` +
      `tmpl src ${near} dst ${far} proto esp reqid ${index + 1} mode tunnel`
    );
  });
  writeFileSync(saFile, sas.join("\n"));
  writeFileSync(policyFile, policies.join("\n"));
}

let opened: NetlinkChannel | undefined;
/**
 * The longest time for which the event loop was blocked in each of our samples, by operation, in
 * milliseconds.
 */
const lags = new Map<string, number[]>();

/** Closes the socket, which would otherwise keep the process alive after the last sample. */
function closeChannel(): void {
  opened?.[Symbol.dispose]();
  opened = undefined;
}

async function channel(): Promise<NetlinkChannel> {
  if (opened !== undefined) return opened;
  // Only the machine has the addon.
  const { native } = await import("../test/kernel/lab.ts");
  writeFiles();
  opened = new NetlinkChannel(native, netlinkXfrm);
  return opened;
}

let filled: Promise<void> | undefined;

/** Loads the SAs, which only IKE makes elsewhere; `install` flushes them. */
function fill(): Promise<void> {
  filled ??= channel().then(() => {
    flush();
    ip("-batch", saFile);
  });
  return filled;
}

async function timed(what: string, f: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const begun = performance.now();
  await f();
  const took = performance.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, 2 * resolutionMs));
  delay.disable();
  lags.set(what, [...(lags.get(what) ?? []), delay.max / 1e6 - resolutionMs]);
  return took;
}

function timedIp(...argv: string[]): number {
  const begun = performance.now();
  ip(...argv);
  return performance.now() - begun;
}

function flush(): void {
  ip("xfrm", "state", "flush");
  ip("xfrm", "policy", "flush");
}

// Measures how long the loop is blocked because other programs use the processors too.
async function idle(): Promise<number> {
  await timed("idle", () => new Promise((resolve) => setTimeout(resolve, sized(3_000, 100))));
  return lags.get("idle")?.at(-1) ?? 0;
}

async function install(): Promise<number> {
  const socket = await channel();
  flush();
  return await timed(policy.name, async () => {
    const refusals = await socket.write(indices.values().map(policy), never);
    const refused = refusals.find((one) => one !== undefined);
    if (refused !== undefined) throw new Error(`the kernel reported ${refused.name}`);
  });
}

function installByIp(file: string): number {
  flush();
  return timedIp("-batch", file);
}

async function dump(request: NetlinkRequest, read: Reader<unknown>): Promise<number> {
  const socket = await channel();
  return await timed(read.name, async () => {
    const answer = await socket.ask(request, read, never);
    const found = answer.kind === "answered" ? answer.found.length : 0;
    if (found !== count) throw new Error(`${found} instead of ${count}`);
  });
}

const figures: readonly Figure[] = [
  {
    name: `read ${count} SAs`,
    unit: "ms",
    ours: async () => {
      await fill();
      return await dump(dumpSas(), readSa);
    },
    peer: { name: "ip xfrm state", sample: () => timedIp("xfrm", "state") },
    most: 0.5,
  },
  {
    name: `install ${count} policies`,
    unit: "ms",
    ours: install,
    peer: { name: "ip -batch", sample: () => installByIp(policyFile) },
    most: 1.1,
  },
  {
    name: `read ${count} policies`,
    unit: "ms",
    ours: () => dump(dumpPolicies(), readPolicy),
    peer: { name: "ip xfrm policy", sample: () => timedIp("xfrm", "policy") },
  },
  {
    name: "longest stop of the event loop in all of these",
    unit: "ms",
    runs: 1,
    ours: () => {
      closeChannel();
      // The first sample of each operation warmed up, like those that are discarded.
      const warm = sized(1, 0);
      const own = [...lags].filter(([what]) => what !== "idle");
      return Math.max(...own.flatMap(([, samples]) => samples.slice(warm)));
    },
    most: 100,
  },
  { name: "longest stop of an idle event loop, for 3 s", unit: "ms", ours: idle },
];

export const bench: Bench = {
  title: `IPsec by netlink, ${count} SAs and policies, on the machine's kernel`,
  runs: 5,
  figures,
  inMachine: true,
};
