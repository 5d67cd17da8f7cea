// `npm run bench -- NAME...` prints min, median, max and ratios; without a name it lists the
// benchmarks. `--shortest` takes one small sample of each side, which shows only that they run.

import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { basename, join } from "node:path";
import { runInMachine } from "../test/machine/machine.ts";
import { whyNoMachine } from "../test/machine/place.ts";
import { type Bench, formatFigure, isKept, isShortest, measure } from "./bench.ts";

const options = isShortest ? ["--shortest"] : [];
const insideMark = "LINKSEAL_IN_MACHINE";
const machinePatienceMs = 900_000;

const names = globSync("*.ts", { cwd: import.meta.dirname })
  .map((path) => basename(path, ".ts"))
  .filter((name) => name !== "run" && name !== "bench")
  .sort();

// Runs this program again in the machine, on its kernel; from there it cannot write to the clone.
async function runInside(name: string): Promise<void> {
  const addon = join(import.meta.dirname, "..", ".ci", "addon.ts");
  const { status } = spawnSync(process.execPath, [addon], { stdio: "inherit" });
  if (status !== 0) throw new Error("the native addon does not compile");
  const end = await runInMachine({
    argv: [process.execPath, import.meta.filename, name, ...options],
    cwd: join(import.meta.dirname, ".."),
    env: { [insideMark]: "1" },
    patienceMs: machinePatienceMs,
    // The kernel that counts instructions takes a minute to boot.
    kernel: isShortest && name !== "mka" ? "user-mode" : "counted",
    out: 1,
    err: 2,
  });
  if (end.kind !== "ended") console.error(`the machine ${end.kind}:\n${end.console}`);
  if (end.kind !== "ended" || end.status !== 0) process.exitCode = 1;
}

async function run(name: string): Promise<void> {
  const module: { readonly bench: Bench } = await import(`./${name}.ts`);
  const { title, runs, figures, inMachine, whyNot, close } = module.bench;
  const isInside = process.env[insideMark] !== undefined;
  const why = inMachine === true && !isInside ? whyNoMachine() : whyNot?.();
  if (why !== undefined) {
    console.error(`${name}: ${why}`);
    process.exitCode = 1;
    return;
  }
  if (inMachine === true && !isInside) {
    await runInside(name);
    return;
  }
  const load = loadavg().map((value) => value.toFixed(2));
  console.log(`${name}: ${title}`);
  console.log(
    `${isShortest ? 1 : runs} runs of each side in turns; Node ${process.versions.node}, ` +
      `${availableParallelism()} cores, load ${load.join(" ")}`,
  );
  console.log(`  ${"".padEnd(28)}${["min", "median", "max"].map((s) => s.padStart(12)).join("")}`);
  try {
    for (const figure of figures) {
      const measured = await measure(figure, figure.runs ?? runs);
      console.log(formatFigure(figure, measured));
      if (!isShortest && isKept(figure, measured) === false) process.exitCode = 1;
    }
  } finally {
    await close?.();
  }
}

const asked = process.argv.slice(2).filter((word) => !options.includes(word));
const unknown = asked.filter((name) => !names.includes(name));
if (asked.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run bench -- [--shortest] NAME...\nnames: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  for (const name of asked) await run(name);
}
