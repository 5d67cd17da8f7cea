// `npm run bench -- NAME...` prints min, median, max and ratios; without a name it lists them.

import { globSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { basename } from "node:path";
import { type Bench, formatFigure, measure } from "./bench.ts";

const names = globSync("*.ts", { cwd: import.meta.dirname })
  .map((path) => basename(path, ".ts"))
  .filter((name) => name !== "run" && name !== "bench")
  .sort();

async function run(name: string): Promise<void> {
  const module: { readonly bench: Bench } = await import(`./${name}.ts`);
  const { title, runs, figures } = module.bench;
  const load = loadavg().map((value) => value.toFixed(2));
  console.log(`${name}: ${title}`);
  console.log(
    `${runs} runs of each side in turns; Node ${process.versions.node}, ` +
      `${availableParallelism()} cores, load ${load.join(" ")}`,
  );
  console.log(`  ${"".padEnd(28)}${["min", "median", "max"].map((s) => s.padStart(12)).join("")}`);
  for (const figure of figures)
    console.log(formatFigure(figure, await measure(figure, figure.runs ?? runs)));
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !names.includes(name));
if (asked.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run bench -- NAME...\nnames: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  for (const name of asked) await run(name);
}
