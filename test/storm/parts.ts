// `npm run storm -- --rotations N`: the seeds are shared out to one process per core, and their
// counters summed.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseJson } from "#hal/json.ts";
import { addRunCounters, type Counts, noCounters, type RunCounters } from "./counters.ts";
import { rowNames, rowsNotTaken, unreachable } from "./marks.ts";
import { playRotations, type RotationsOptions } from "./rotations.ts";
import type { SeededDefect } from "./seeded-defect.ts";

export interface RotationsVerb {
  readonly rotations: number;
  readonly seed: string;
  readonly defect: SeededDefect | undefined;
}

export interface Part {
  readonly index: number;
  readonly of: number;
}

const perSeed = 10;
const processesMax = 8;
const progressEvery = 100;
/**
 * A run makes and drops many objects: a larger nursery saves a tenth of its time, and old space
 * that is marked only when it is large a seventh. Helper threads only take time from the processes
 * beside it.
 */
const flags = ["--max-semi-space-size=128", "--initial-old-space-size=512", "--single-threaded"];

/** Prints one line of JSON for each seed of this part; the first seed is played twice. */
export async function playPart(verb: RotationsVerb, { index, of }: Part): Promise<void> {
  const { rotations, seed, defect } = verb;
  const count = Math.ceil(rotations / perSeed);
  for (let each = index; each < count; each += of) {
    const asked = { seed: `${seed}-${each}`, rotations: perSeed };
    const options: RotationsOptions = defect === undefined ? asked : { ...asked, defect };
    let counters = await playRotations(options);
    if (each === index) {
      const again = await playRotations(options);
      if (again.digest !== counters.digest) {
        const text = `seed ${options.seed} repeat\nthe same seed gave another history`;
        counters = { ...counters, violations: [...counters.violations, text] };
      }
    }
    process.stdout.write(`${JSON.stringify(counters)}\n`);
  }
}

/** Plays all parts side by side; `told` is called with each broken promise at once. */
export async function playParts(
  verb: RotationsVerb,
  report: (text: string) => void,
): Promise<RunCounters> {
  const of = Math.min(processesMax, availableParallelism(), Math.ceil(verb.rotations / perSeed));
  let sum = noCounters;
  const add = (line: string): void => {
    const counters = parseJson(line) as RunCounters;
    sum = addRunCounters(sum, counters);
    for (const text of counters.violations) report(text);
    if (sum.seeds % progressEvery === 0) report(`${sum.seeds} seeds, ${sum.rotations} rotations`);
  };
  const parts = Array.from({ length: of }, (_, index) => playElsewhere(verb, { index, of }, add));
  await Promise.all(parts);
  return sum;
}

async function playElsewhere(
  { rotations, seed, defect }: RotationsVerb,
  { index, of }: Part,
  add: (line: string) => void,
): Promise<void> {
  const argv = ["--rotations", String(rotations), "--seed", seed];
  const seeded = defect === undefined ? [] : ["--plant", defect.name];
  const script = join(import.meta.dirname, "run.ts");
  const child = spawn(
    process.execPath,
    [...flags, script, ...argv, ...seeded, "--part", `${index + 1}/${of}`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("close", (status) => resolve(status ?? 1));
  });
  for await (const line of createInterface({ input: child.stdout })) add(line);
  const status = await ended;
  if (status !== 0) throw new Error(`part ${index + 1} of ${of} ended with status ${status}`);
}

const whole = (value: number): string => Math.round(value).toLocaleString("en");

function rows(title: string, counts: Counts): readonly string[] {
  const sorted = Object.entries(counts).toSorted(([a], [b]) => a.localeCompare(b));
  return [title, ...sorted.map(([name, count]) => `  ${whole(count).padStart(10)}  ${name}`)];
}

/** Returns the counters as text for people. */
export function countersText(counters: RunCounters, seconds: number): string {
  const taken = rowNames().filter((name) => (counters.marks[name] ?? 0) > 0).length;
  const missing = rowsNotTaken(counters.marks);
  const excused = Object.entries(unreachable).map(([name, why]) => `  ${name}: ${why}`);
  return [
    ...rows("rotations, by how they ended", counters.ended),
    ...rows("crashes of the agent, by the moment of a call", counters.deaths),
    ...rows("strikes, by kind of fault", counters.faults),
    ...rows("reasons that make no claim to be checked", counters.unchecked),
    ...rows("rows of the campaign's tables, by how often they were taken", counters.marks),
    ...["rows that no storm can reach", ...excused],
    `${taken} of ${rowNames().length} rows taken; not taken: ${missing.join(" ") || "none"}`,
    [
      `${whole(counters.rotations)} rotations over ${whole(counters.seeds)} seeds`,
      `${seconds.toFixed(1)} s`,
      `${(counters.virtualMs / 86_400_000).toFixed(1)} virtual days`,
      `${whole(counters.observations)} observations`,
      `${whole(counters.events)} events`,
      `${whole(counters.processes)} processes of the agent`,
      `${counters.violations.length} violations`,
    ].join(", "),
  ].join("\n");
}
