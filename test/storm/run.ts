// `linkseal sim fleet`: the real agent over many simulated routers, for days of virtual time, or
// through many rotations in bad weather.

import { writeSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Plant } from "../fleet/plant.ts";
import type { Played } from "../fleet/play.ts";
import { usage } from "./failure.ts";
import type { Part } from "./rotations-run.ts";
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
    .option("--rotations <number>", "rotations in storms and deaths, instead of days", countOf)
    .option("--plant <name>", "a planted fault of our own, to see it caught")
    .option("--list-plants", "the planted faults, and the promise that each breaks")
    .addOption(
      new Option("--part <part>", "K/N of the seeds, for the processes of one run")
        .argParser(partOf)
        .hideHelp(),
    );
  withExample(fleet, "linkseal sim fleet --routers 4 --days 1 --seed 7").action(run);
}

const fleetVerb = "linkseal sim fleet";

interface FleetVerb {
  readonly routers: number;
  readonly days: number;
  readonly seed: string;
  readonly faults: "on" | "off";
  readonly rotations?: number;
  readonly part?: Part;
  readonly plant?: string;
  readonly listPlants?: true;
}

const routersMax = 100;
const daysMax = 366;
const rotationsMax = 10_000_000;

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

function countOf(text: string): number {
  const rotations = Number(text);
  if (/^\d+$/.test(text) && rotations >= 1 && rotations <= rotationsMax) return rotations;
  throw new InvalidArgumentError(`It must be from 1 to ${rotationsMax}.`);
}

function partOf(text: string): Part {
  const [, index, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  if (index !== undefined && Number(index) >= 1 && Number(index) <= Number(of)) {
    return { index: Number(index) - 1, of: Number(of) };
  }
  throw new InvalidArgumentError("It must be K/N.");
}

async function runRotations(verb: FleetVerb, plant: Plant | undefined): Promise<void> {
  const { playPart, playParts, tallyText } = await import("./rotations-run.ts");
  const { seed, part, rotations = 0 } = verb;
  const asked = { rotations, seed, plant };
  if (part !== undefined) {
    await playPart(asked, part);
    return;
  }
  process.stderr.write(`seed ${seed}: ${rotations} rotations\n`);
  const begun = performance.now();
  const tally = await playParts(asked, (text) => process.stderr.write(`${text}\n`));
  write(await tallyText(tally, (performance.now() - begun) / 1000));
  const { marksMissed } = await import("../fleet/marks.ts");
  // A planted mistake may keep a row from being taken, or take one that nothing should lead to.
  const missed = plant === undefined ? marksMissed(tally.marks, tally.rotations) : [];
  for (const text of missed) process.stderr.write(`${text}\n`);
  exit(tally.violations.length + missed.length > 0 ? 9 : 0);
}

async function run({ listPlants, plant: asked, ...options }: FleetVerb): Promise<void> {
  const { plants } = await import("../fleet/plants.ts");
  if (listPlants === true) {
    for (const { name, breaks, title } of plants) {
      process.stdout.write(`${name.padEnd(20)}${breaks.padEnd(9)}${title}\n`);
    }
    return;
  }
  const plant = plants.find(({ name }) => name === asked);
  if (asked !== undefined && plant === undefined) {
    throw usage(`no plant ${asked}`, `${fleetVerb} --list-plants`);
  }
  if (options.rotations !== undefined) return await runRotations(options, plant);
  if (plant?.where === "rotations") {
    throw usage(
      `${plant.name} shows in rotations`,
      `${fleetVerb} --rotations 200 --plant ${plant.name}`,
    );
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
