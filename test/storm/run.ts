// `npm run storm`: the real agent over many simulated routers, for days of virtual time, or through
// many rotations under a fault schedule. Ends with status 1 if a promise was broken.

import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { marksMissed } from "./marks.ts";
import { countersText, type Part, playPart, playParts } from "./parts.ts";
import { type Played, playStorm } from "./play.ts";
import type { SeededDefect } from "./seeded-defect.ts";
import { seededDefects } from "./seeded-defects.ts";

const usage = `npm run storm -- [--routers 20] [--days 7] [--seed 1] [--faults on|off]
npm run storm -- --rotations N [--seed 1]
npm run storm -- --plant NAME ...     a seeded defect of the agent, to see it caught
npm run storm -- --list-plants`;

const limits = {
  routers: { least: 2, most: 100 },
  days: { least: 0.001, most: 366 },
  rotations: { least: 1, most: 10_000_000 },
} as const;

class UsageError extends Error {}

function numberOf(name: keyof typeof limits, text: string): number {
  const { least, most } = limits[name];
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const isWhole = name === "days" || Number.isInteger(value);
  if (value >= least && value <= most && isWhole) return value;
  throw new UsageError(`--${name}: a number from ${least} to ${most}`);
}

/** Parses `K/N`: the seeds of one process of a run. */
function partOf(text: string): Part {
  const [, index, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  if (index !== undefined && Number(index) >= 1 && Number(index) <= Number(of)) {
    return { index: Number(index) - 1, of: Number(of) };
  }
  throw new UsageError("--part: K/N");
}

function defectNamed(name: string | undefined): SeededDefect | undefined {
  const defect = seededDefects.find((one) => one.name === name);
  if (name !== undefined && defect === undefined) throw new UsageError(`no plant ${name}`);
  return defect;
}

// Writes at once and in order: a run ends with its process, and its output must not be lost.
function write(line: string): void {
  writeSync(process.stdout.fd, `${line}\n`);
}

function warn(line: string): void {
  writeSync(process.stderr.fd, `${line}\n`);
}

async function runRotations(
  rotations: number,
  seed: string,
  defect: SeededDefect | undefined,
): Promise<number> {
  warn(`seed ${seed}: ${rotations} rotations`);
  const begun = performance.now();
  const counters = await playParts({ rotations, seed, defect }, warn);
  write(countersText(counters, (performance.now() - begun) / 1000));
  // A seeded defect may keep a row from being taken, or take one that should be unreachable.
  const missed = defect === undefined ? marksMissed(counters.marks, counters.rotations) : [];
  for (const text of missed) warn(text);
  return counters.violations.length + missed.length > 0 ? 1 : 0;
}

interface Days {
  readonly routers: number;
  readonly days: number;
  readonly seed: string;
  readonly faults: "on" | "off";
}

async function runDays(asked: Days, defect: SeededDefect | undefined): Promise<number> {
  if (defect?.where === "rotations") {
    throw new UsageError(`${defect.name} shows in rotations: add --rotations 200`);
  }
  const { seed, routers, days, faults } = asked;
  if (routers % 2 !== 0) throw new UsageError("--routers: an even number");
  write(`seed ${seed}: ${routers} routers, ${days} days, faults ${faults}`);
  const begun = performance.now();
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const played = await playStorm({ ...asked, defect, writeLine: write, stop: stop.signal });
  for (const text of [...played.broken, ...played.restless]) warn(text);
  warn(figures(played, (performance.now() - begun) / 1000));
  return played.broken.length + played.restless.length > 0 ? 1 : 0;
}

function figures(played: Played, seconds: number): string {
  const { virtualMs, observations, events, starts, broken } = played;
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  const each = whole((seconds * 1e6) / Math.max(1, observations));
  return [
    `${(virtualMs / 86_400_000).toFixed(2)} virtual days in ${seconds.toFixed(1)} s`,
    `${whole(observations)} observations (${each} µs each)`,
    `${whole(events)} events (${whole(events / seconds)}/s)`,
    `${starts} starts of the agent`,
    `${broken.length} violations`,
  ].join(", ");
}

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      routers: { type: "string", default: "20" },
      days: { type: "string", default: "7" },
      seed: { type: "string", default: "1" },
      faults: { type: "string", default: "off" },
      rotations: { type: "string" },
      plant: { type: "string" },
      "list-plants": { type: "boolean", default: false },
      part: { type: "string" },
    },
  });
  const { seed, faults } = values;
  if (values["list-plants"]) {
    for (const { name, breaks, title } of seededDefects) {
      write(`${name.padEnd(20)}${breaks.padEnd(9)}${title}`);
    }
    return 0;
  }
  if (faults !== "on" && faults !== "off") throw new UsageError("--faults: on or off");
  const defect = defectNamed(values.plant);
  if (values.rotations === undefined) {
    const [routers, days] = [numberOf("routers", values.routers), numberOf("days", values.days)];
    return await runDays({ routers, days, seed, faults }, defect);
  }
  const rotations = numberOf("rotations", values.rotations);
  if (values.part === undefined) return await runRotations(rotations, seed, defect);
  await playPart({ rotations, seed, defect }, partOf(values.part));
  return 0;
}

try {
  process.exitCode = await run();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  warn(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
