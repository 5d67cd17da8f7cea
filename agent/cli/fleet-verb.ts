// `linkseal sim fleet`: the real agent over many simulated routers, for days of virtual time.

import { writeSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Played } from "../fleet/play.ts";
import { usage } from "./failure.ts";
import { exit, withExample } from "./shape.ts";
import { stopAsked } from "./sim-stop.ts";

export function registerFleet(sim: Command): void {
  const fleet = sim
    .command("fleet")
    .description("the agent over many simulated routers, for days of virtual time")
    .option("--routers <number>", "in pairs, one link group each", routersOf, 20)
    .option("--days <number>", "virtual days; a part of one is fine", daysOf, 7)
    .option("--seed <seed>", "the same seed gives the same event log", "1")
    .addOption(
      new Option("--faults <state>", "a storm of faults, then calm, in which all must come to rest")
        .choices(["off", "on"])
        .default("off"),
    )
    .option("--plant <name>", "an offender that breaks a promise, to see it caught")
    .option("--list-plants", "the offenders, and the promise that each breaks");
  withExample(fleet, "linkseal sim fleet --routers 4 --days 1 --seed 7").action(run);
}

interface FleetVerb {
  readonly routers: number;
  readonly days: number;
  readonly seed: string;
  readonly faults: "on" | "off";
  readonly plant?: string;
  readonly listPlants?: true;
}

const routersMax = 100;
const daysMax = 366;

function routersOf(text: string): number {
  const routers = Number(text);
  if (/^\d+$/.test(text) && routers >= 2 && routers <= routersMax && routers % 2 === 0) {
    return routers;
  }
  throw new InvalidArgumentError(`It must be even, from 2 to ${routersMax}.`);
}

function daysOf(text: string): number {
  const days = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && days > 0 && days <= daysMax) return days;
  throw new InvalidArgumentError(`It must be above 0, at most ${daysMax}.`);
}

async function run({ listPlants, plant: asked, ...options }: FleetVerb): Promise<void> {
  const { plants } = await import("../fleet/plants.ts");
  if (listPlants === true) {
    for (const { name, breaks, title } of plants) {
      process.stdout.write(`${name.padEnd(20)}${breaks}: ${title}\n`);
    }
    return;
  }
  const plant = plants.find(({ name }) => name === asked);
  if (asked !== undefined && plant === undefined) {
    throw usage(`no plant ${asked}`, "linkseal sim fleet --list-plants");
  }
  const { playFleet } = await import("../fleet/play.ts");
  const { seed, routers, days, faults } = options;
  write(`seed ${seed}: ${routers} routers, ${days} days, faults ${faults}`);
  const begun = performance.now();
  const played = await playFleet({ ...options, plant, writeLine: write, stop: stopAsked() });
  const seconds = (performance.now() - begun) / 1000;
  for (const text of [...played.broken, ...played.restless]) process.stderr.write(`${text}\n`);
  process.stderr.write(`${figures(played, seconds)}\n`);
  exit(played.broken.length + played.restless.length > 0 ? 9 : 0);
}

// At once and in order: a run ends with its process, and what it told must not be lost.
function write(line: string): void {
  writeSync(process.stdout.fd, `${line}\n`);
}

function figures(played: Played, seconds: number): string {
  const { virtualMs, looks, events, starts, broken } = played;
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  return [
    `${(virtualMs / 86_400_000).toFixed(2)} virtual days in ${seconds.toFixed(1)} s`,
    `${whole(looks)} looks (${whole((seconds * 1e6) / Math.max(1, looks))} µs each)`,
    `${whole(events)} events (${whole(events / seconds)}/s)`,
    `${starts} starts of the agent`,
    `${broken.length} violations`,
  ].join(", ");
}
