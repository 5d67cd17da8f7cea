// `npm test`: one vitest run over all tiers, another inside a machine for each group of the kernel
// tier, then the table tier / ran / failed / why not.

import { spawnSync } from "node:child_process";
import { closeSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runInMachine } from "./machine/machine.ts";
import { machineFolder, whyNoMachine } from "./machine/place.ts";
import { whyNoPeers } from "./peers/place.ts";
import {
  exitStatus,
  formatFailures,
  formatTiers,
  joinReports,
  type Report,
  tierNames,
  tiersOf,
} from "./tiers.ts";

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json"];
const machinePatienceMs = 900_000;

const asked = process.argv.slice(2);
const fragments = asked.filter((argument) => !argument.startsWith("-"));
const options = asked.filter((argument) => argument.startsWith("-"));

// A quarter of an hour alone: for the long run, or whoever names it.
const isForToday = (path: string): boolean =>
  !path.includes("kernel/lab/") ||
  process.env["LINKSEAL_LONG"] === "1" ||
  fragments.some((fragment) => path.includes(fragment));

function filesPerTier(): Map<string, string[]> {
  const files = tierNames.map((tier): [string, string[]] => [
    tier,
    globSync(`test/${tier}/**/*.test.ts`, { cwd: root })
      .filter(isForToday)
      .map((path) => join(root, path)),
  ]);
  return new Map(files.filter(([, paths]) => paths.length > 0));
}

function areAskedFor(paths: readonly string[]): string[] {
  return fragments.length === 0
    ? [...paths]
    : paths.filter((path) => fragments.some((fragment) => path.includes(fragment)));
}

// Each folder in the kernel tier is a group that shares one boot, but for what takes minutes alone;
// the longest begin first.
const long = /\/(lab|conformance|matrix)\.test\.ts$/;

function groupsInMachine(): string[][] {
  const paths = globSync("test/kernel/*/**/*.test.ts", { cwd: root }).filter(isForToday).sort();
  const byBoot = Map.groupBy(areAskedFor(paths), (path) =>
    long.test(path) ? path : dirname(path),
  );
  const isLong = ([path = ""]: readonly string[]): boolean => long.test(path);
  return [...byBoot.values()].sort((a, b) => Number(isLong(b)) - Number(isLong(a)));
}

// Undefined when vitest ended before it wrote its report.
function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

function runHere(folder: string, excluded: readonly string[]): Report | undefined {
  const file = join(folder, "report.json");
  const exclude = excluded.flatMap((pattern) => ["--exclude", pattern]);
  const argv = [vitest, "run", ...reporters, `--outputFile.json=${file}`, ...exclude];
  spawnSync(process.execPath, [...argv, ...asked], { cwd: root, stdio: "inherit" });
  return readReport(file);
}

async function runInside(folder: string, paths: readonly string[]): Promise<Report | undefined> {
  const results = mkdtempSync(join(folder, "group-"));
  const file = "/run/machine/results/report.json";
  const argv = [process.execPath, vitest, "run", ...reporters, `--outputFile.json=${file}`];
  const said = join(results, "said");
  const out = openSync(said, "a");
  const end = await runInMachine({
    // Tests of a group take turns, so that one may measure.
    argv: [...argv, "--no-file-parallelism", ...options, ...paths],
    cwd: root,
    env: {
      CI: process.env["CI"] ?? "",
      LINKSEAL_LONG: process.env["LINKSEAL_LONG"] ?? "",
      LINKSEAL_MACHINE: machineFolder,
    },
    patienceMs: machinePatienceMs,
    out,
    err: out,
    results,
  });
  closeSync(out);
  process.stdout.write(readFileSync(said));
  if (end.kind !== "ended") console.error(`the machine ${end.kind}:\n${end.console}`);
  return readReport(join(results, "report.json"));
}

/** Two at a time: most of a kernel test is waiting for a protocol's own timers. */
async function runGroups(folder: string, waiting: readonly string[][]): Promise<void> {
  const left = [...waiting];
  const worker = async (): Promise<void> => {
    for (let paths = left.shift(); paths !== undefined; paths = left.shift()) {
      const since = performance.now();
      reports.push(await runInside(folder, paths));
      const [first = ""] = paths;
      const name = paths.length === 1 ? first : dirname(first);
      secondsPerGroup.set(name, Math.round((performance.now() - since) / 1000));
    }
  };
  await Promise.all([worker(), worker()]);
}

function buildAddon(): string | undefined {
  const { status } = spawnSync(process.execPath, [join(root, ".ci", "addon.ts")], {
    stdio: "inherit",
  });
  return status === 0 ? undefined : "not run: the native addon does not compile";
}

const folder = mkdtempSync(join(tmpdir(), "linkseal-test-"));
const whyNoKernel = whyNoMachine();
const whyNoOthers = whyNoPeers();
const files = filesPerTier();
const groups = groupsInMachine();
const reports: (Report | undefined)[] = [];
const notRun = new Map<string, string>();
const secondsPerGroup = new Map<string, number>();
try {
  const hereOnly = groups.length > 0 && fragments.length > 0;
  const inside = new Set(groups.flat().map((path) => join(root, path)));
  const others = areAskedFor([...files.values()].flat()).filter((path) => !inside.has(path));
  if (!hereOnly || others.length > 0) {
    const excluded = [whyNoKernel === undefined ? "test/kernel/*/**" : "test/kernel/**"];
    if (whyNoOthers !== undefined) {
      excluded.push("test/peers/**");
      notRun.set("peers", whyNoOthers);
    }
    reports.push(runHere(folder, excluded));
  }
  const whyNot = whyNoKernel ?? (groups.length > 0 ? buildAddon() : undefined);
  if (whyNot !== undefined) notRun.set("kernel", whyNot);
  else await runGroups(folder, groups);
} finally {
  rmSync(folder, { recursive: true });
}

const report = joinReports(reports);
const tiers = tiersOf(files, report, notRun);
for (const [name, seconds] of secondsPerGroup) console.log(`${name}: ${seconds} s`);
console.log(formatFailures(report));
console.log(`\n${formatTiers(tiers)}`);
process.exitCode = exitStatus(tiers, report, process.env["CI"] === "1");
