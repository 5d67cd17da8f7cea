// What the MKA process of a port costs, beside wpa_supplicant at the far end of the same wire and
// beside a bare Node. In this machine a nanosecond of processor time is an instruction.

import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import flags from "#agent/flags.json" with { type: "json" };
import { firstLine } from "../test/first-line.ts";
import { type Bench, type Figure, sized } from "./bench.ts";

/** What linkseal-mka@.service sets. */
const environment = { UV_THREADPOOL_SIZE: "1" };
const settleMs = sized(20_000, 1_000);
const watchedMs = sized(60_000, 1_000);

interface Cost {
  readonly residentMb: number;
  readonly privateMb: number;
  readonly threads: number;
  readonly perSecond: number;
}

function kilobytes(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
}

const threadsOf = (pid: number): readonly string[] => readdirSync(`/proc/${pid}/task`);

/** Processor time of all threads, in nanoseconds. */
function spent(pid: number): number {
  return threadsOf(pid).reduce((sum, thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8");
    return sum + Number(text.split(" ")[0]);
  }, 0);
}

async function costsOf<Name extends string>(
  pids: Readonly<Record<Name, number>>,
): Promise<Record<Name, Cost>> {
  const all = Object.entries<number>(pids);
  const before = all.map(([, pid]) => spent(pid));
  await rest(watchedMs);
  const costs = all.map(([name, pid], index) => [
    name,
    {
      residentMb: kilobytes(pid, "Rss") / 1024,
      privateMb: kilobytes(pid, "Private_Dirty") / 1024,
      threads: threadsOf(pid).length,
      perSecond: ((spent(pid) - (before[index] ?? 0)) * 1000) / watchedMs / 1e6,
    },
  ]);
  return Object.fromEntries(costs) as Record<Name, Cost>;
}

async function bareNode(): Promise<ChildProcess> {
  const code = "setInterval(() => {}, 1e6); console.log()";
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await firstLine(child.stdout);
  return child;
}

/**
 * Lays the command out in a folder as the package does, and returns its path: the bundle without
 * the sources, whose times the command of a clone would read first.
 */
function packaged(folder: string): string {
  const root = join(import.meta.dirname, "..");
  mkdirSync(join(folder, "agent"));
  for (const name of ["bin.js", "launcher.js", "flags.json", "programs.json"])
    copyFileSync(join(root, "agent", name), join(folder, "agent", name));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  symlinkSync(join(root, "dist"), join(folder, "dist"));
  return join(folder, "agent", "bin.js");
}

/** How the process of the package runs in a network, with its data in the folder. */
const asPackaged = (network: string, folder: string) => ({
  ...{ network, folder, environment },
  command: packaged(folder),
  flags: flags.mka,
});

/** One wire with a session between the two, and a bare Node, for all figures. */
async function measureAll(): Promise<Record<"ours" | "supplicant" | "bare", Cost>> {
  const { keyOf, makeSecy, address, wire } = await import("../test/kernel/mka/station.ts");
  const { Participant } = await import("../test/kernel/mka/participant.ts");
  const { Supplicant } = await import("../test/kernel/mka/supplicant.ts");
  const { leaveNetworks, until } = await import("../test/kernel/lab.ts");
  const folder = mkdtempSync(join(tmpdir(), "linkseal-bench-mka-"));
  const bare = await bareNode();
  try {
    const [near, far] = wire();
    const key = keyOf("c0ffee", 16);
    const suite = "gcm-aes-128";
    makeSecy(near, { suite, sci: "on" });
    address(near, 0);
    using ours = new Participant(asPackaged(near, folder));
    await ours.start();
    await ours.add(key, { token: "first", within: "final" });
    using theirs = new Supplicant({ version: "2.10", network: far, key, priority: 32, suite });
    await until(() => theirs.isSecured || undefined);
    await until(() => ours.secured());
    await rest(settleMs);
    return await costsOf({ ours: ours.pid ?? 0, supplicant: theirs.pid, bare: bare.pid ?? 0 });
  } finally {
    bare.kill();
    leaveNetworks();
    rmSync(folder, { recursive: true });
  }
}

let costs: ReturnType<typeof measureAll> | undefined;

const sample = (of: "ours" | "supplicant" | "bare", what: keyof Cost) => async () => {
  costs ??= measureAll();
  return (await costs)[of][what];
};

const supplicant = (what: keyof Cost) => ({
  name: "wpa_supplicant",
  sample: sample("supplicant", what),
});

async function startMs(): Promise<number> {
  const { addNetwork, leaveNetworks } = await import("../test/kernel/lab.ts");
  const { Participant } = await import("../test/kernel/mka/participant.ts");
  const folder = mkdtempSync(join(tmpdir(), "linkseal-bench-mka-"));
  try {
    const network = addNetwork();
    using ours = new Participant(asPackaged(network, folder));
    const begun = performance.now();
    await ours.start();
    return performance.now() - begun;
  } finally {
    leaveNetworks();
    rmSync(folder, { recursive: true });
  }
}

async function startBareMs(): Promise<number> {
  const begun = performance.now();
  const child = await bareNode();
  const took = performance.now() - begun;
  child.kill();
  return took;
}

const figures: readonly Figure[] = [
  {
    name: "memory (RSS), secured",
    unit: "MB",
    runs: 1,
    ours: sample("ours", "residentMb"),
    peer: { name: "bare node", sample: sample("bare", "residentMb") },
    most: 1.4,
  },
  {
    name: "memory (RSS), secured",
    unit: "MB",
    runs: 1,
    ours: sample("ours", "residentMb"),
    peer: supplicant("residentMb"),
  },
  { name: "private memory", unit: "MB", runs: 1, ours: sample("ours", "privateMb"), most: 15 },
  {
    name: "private memory",
    unit: "MB",
    runs: 1,
    ours: sample("ours", "privateMb"),
    peer: supplicant("privateMb"),
  },
  { name: "threads", unit: "", runs: 1, ours: sample("ours", "threads"), most: 5 },
  {
    name: "million instructions a second, secured",
    unit: "M/s",
    runs: 1,
    ours: sample("ours", "perSecond"),
    peer: supplicant("perSecond"),
  },
  {
    name: "start until READY, in million instructions",
    unit: "M",
    ours: startMs,
    peer: { name: "bare node", sample: startBareMs },
  },
];

export const bench: Bench = {
  title: "the MKA process of one port, on the machine's kernel",
  runs: 3,
  figures,
  inMachine: true,
};
