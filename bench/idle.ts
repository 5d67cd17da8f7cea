// The cost of an agent that only observes: memory against a bare Node, processor time, and growth.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { firstLine } from "../test/first-line.ts";
import { Watcher } from "./agent/watcher.ts";
import { type Bench, type Figure, sized } from "./bench.ts";

/** The heap has reached its size after this number of polls. */
const warmPolls = sized(1_500, 5);
/** The unit of /proc/PID/stat. */
const tickMs = 10;

function procFile(child: ChildProcess, name: string): string {
  return readFileSync(`/proc/${child.pid}/${name}`, "utf8");
}

function megabytes(child: ChildProcess): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(procFile(child, "status"))?.[1];
  return Number(kilobytes) / 1024;
}

function cpuMs(child: ChildProcess): number {
  const fields = procFile(child, "stat").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

async function bareNode(): Promise<number> {
  const code = "setInterval(() => {}, 1e6); console.log()";
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await firstLine(child.stdout);
  const size = megabytes(child);
  child.kill();
  return size;
}

interface Cost {
  readonly megabytes: number;
  readonly cpuMsPerMinute: number;
  readonly growthMegabytes: number;
}

async function measureCost(links: number, speed: number, polls: number): Promise<Cost> {
  await using watcher = await Watcher.open({ links, speed, warm: links === 2 ? warmPolls : 40 });
  const { child } = watcher;
  const before = { size: megabytes(child), cpu: cpuMs(child) };
  const minutes = await watcher.watch(polls);
  const size = megabytes(child);
  return {
    megabytes: size,
    cpuMsPerMinute: (cpuMs(child) - before.cpu) / minutes,
    growthMegabytes: ((size - before.size) * 1_000) / polls,
  };
}

const costs = new Map<number, Promise<Cost>>();

/** Measures all three figures of a size in one run. */
function costOf(links: 2 | 200): Promise<Cost> {
  const [speed, polls] = links === 2 ? [200, sized(1_000, 5)] : [10, 20];
  const cost = costs.get(links) ?? measureCost(links, speed, polls);
  costs.set(links, cost);
  return cost;
}

const peer = { name: "bare node", sample: bareNode };

function memory(links: 2 | 200): Figure {
  const ours = async (): Promise<number> => (await costOf(links)).megabytes;
  return { name: `memory (RSS), ${links} links`, unit: "MB", ours, peer };
}

function processor(links: 2 | 200): Figure {
  const ours = async (): Promise<number> => (await costOf(links)).cpuMsPerMinute;
  return { name: `processor, ${links} links`, unit: "ms a virtual minute", ours };
}

export const bench: Bench = {
  title: "an agent that only watches, looking every 5 s",
  runs: 1,
  figures: [
    memory(2),
    processor(2),
    {
      name: "growth, 2 links",
      unit: "MB in 1,000 polls",
      ours: async () => (await costOf(2)).growthMegabytes,
    },
    ...sized([memory(200), processor(200)], []),
  ],
};
