// `npm test`: one vitest run over all tiers, another inside a machine for each group of the kernel
// tier, then the table tier / ran / failed / why not.

import { spawnSync } from "node:child_process";
import {
  closeSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { type Cost, costsTo, formatCosts, readCosts } from "./costs.ts";
import { type MachineKernel, runInMachine } from "./machine/machine.ts";
import { buildPackages } from "./machine/packages.ts";
import { machineFolder, whyNoMachine } from "./machine/place.ts";
import { whyNoPeers } from "./peers/place.ts";
import {
  exitStatus,
  failedFiles,
  formatFailures,
  formatRerun,
  formatTiers,
  joinReports,
  type Report,
  renamed,
  stillFailed,
  tierNames,
  tiersOf,
  wholeFiles,
} from "./tiers.ts";

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json"];
/**
 * The lab strikes every fault, and waits for the report and the end of each; dpkg takes minutes;
 * the files of a group run one after the other, and each of them may be slow.
 */
const patienceMs = (paths: readonly string[]): number => {
  const [first = ""] = paths;
  if (first.includes("kernel/lab/")) return 2_700_000;
  // A rotation for each thing that may end.
  if (first.includes("kernel/pair/")) return 5_400_000;
  if (first.includes("kernel/host-faults/") && process.env["LINKSEAL_LONG"] === "1")
    return 3_600_000;
  // Many tunnels are mended one after the other, one is harmed in twelve ways, and a host has two
  // links and a tunnel: that takes long where it is emulated.
  if (/ipsec\/(?:libreswan-(?:agent|bgp|fifty)|backup)|\/said\./.test(first)) return 2_400_000;
  return first.includes("kernel/package/") ? 1_800_000 : 800_000 + 100_000 * paths.length;
};

const restOption = "--rest=";
const words = process.argv.slice(2);
/**
 * The report of an earlier run of the same commit elsewhere; tests that passed there are not run
 * again.
 */
const earlier = words.find((word) => word.startsWith(restOption))?.slice(restOption.length);
const slowest = words.includes("--slowest");
/** Uses Debian's own kernel for the kernel tier, as the long form does. */
const emulated = words.includes("--emulated") || process.env["LINKSEAL_LONG"] === "1";
const ownOptions = ["--slowest", "--emulated"];
const asked = words.filter((word) => !word.startsWith(restOption) && !ownOptions.includes(word));
const fragments = asked.filter((argument) => !argument.startsWith("-"));
const options = asked.filter((argument) => argument.startsWith("-"));
const absolute = (path: string): string => join(root, path);
const done =
  earlier === undefined
    ? undefined
    : renamed(wholeFiles(JSON.parse(readFileSync(earlier, "utf8")) as Report), absolute);
const isDone = new Set(done?.testResults.map(({ name }) => name));
const reportFile = join(root, ".tmp", "report.json");

/** These take minutes, most of a machine of their own: they run in the long run, or if named. */
const longAlone = [
  "test/kernel/ipsec/backup.test.ts",
  "test/kernel/ipsec/libreswan-agent.test.ts",
  "test/kernel/ipsec/libreswan-fifty.test.ts",
  "test/kernel/ipsec/psk-agent.test.ts",
  "test/kernel/ipsec/psk-pair.test.ts",
  "test/kernel/lab/lab.test.ts",
  "test/kernel/lab/rotation.test.ts",
  "test/kernel/pair/pair.test.ts",
  "test/kernel/package/hub.test.ts",
  "test/kernel/package/package.test.ts",
  "test/kernel/package/upgrade.test.ts",
  "test/kernel/reboot.test.ts",
  "test/kernel/said/said.test.ts",
  "test/process/disk-calls.test.ts",
  "test/process/evidence-flood.test.ts",
  "test/process/hostile-site.test.ts",
  "test/peers/azure-cli.test.ts",
  "test/process/upgrade.test.ts",
];
/** Half a minute each, or waits on real sockets: they run under `CI=1` and in the long run. */
const atGate = [
  ...["age", "arm-kill", "arm-lost", "arm-rights", "evidence", "iosxr-cut", "junos-cut"].map(
    (name) => `fleet/${name}`,
  ),
  ...["peer-cuts", "rotations", "router-deaths", "routing-instances", "tunnel-pair"].map(
    (name) => `fleet/${name}`,
  ),
  ...[
    "azure",
    "azure-rights",
    "benches",
    "canary",
    "driver-read",
    "hostile-cost",
    "keys",
    "kill",
  ].map((name) => `process/${name}`),
  ...["loopback", "loopback-faults", "psk", "readme", "report", "scorecard", "start"].map(
    (name) => `process/${name}`,
  ),
  "process/stopped-agent",
].map((name) => `test/${name}.test.ts`);
/** The first two need a service manager; why the others fail in user mode is not known yet. */
const onDebian = /kernel\/(lab\/|package\/|ipsec\/psk-(agent|pair))/;
/**
 * These wait for hours, kill at hundreds of steps, have fifty tunnels, or read each second: that
 * takes minutes in virtual time alone.
 */
const onVirtualTime = /kernel\/(host-faults\/|pair\/|said\/|ipsec\/libreswan-fifty)/;
const kernelOf = (paths: readonly string[]): MachineKernel =>
  (emulated && !paths.every((path) => onVirtualTime.test(path))) ||
  paths.some((path) => onDebian.test(path))
    ? "emulated"
    : "user-mode";
const isForToday = (path: string): boolean =>
  process.env["LINKSEAL_LONG"] === "1" ||
  !(longAlone.includes(path) || (process.env["CI"] !== "1" && atGate.includes(path))) ||
  fragments.some((one) => path.includes(one) && one.includes(basename(path, ".test.ts")));

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

// Files of a folder in the kernel tier share a boot, except those that take minutes, which run
// alone; the longest begin first.
const long =
  /\/(lab|rotation|conformance|matrix|loss|backup|psk-(?:agent|pair)|libreswan.*)\.test\.ts$/;

function groupsInMachine(): string[][] {
  const paths = globSync("test/kernel/*/**/*.test.ts", { cwd: root }).filter(isForToday).sort();
  const byBoot = Map.groupBy(areAskedFor(paths), (path) =>
    long.test(path) || onDebian.test(path) ? path : dirname(path),
  );
  const isLong = ([path = ""]: readonly string[]): boolean =>
    long.test(path) || onDebian.test(path);
  const groups = [...byBoot.values()].flatMap(parts);
  return groups.sort((a, b) => Number(isLong(b)) - Number(isLong(a)));
}

/** A boot takes seconds; a group of many files would be the last one for minutes. */
const filesPerBoot = 4;

function parts(group: readonly string[]): string[][] {
  const count = Math.ceil(group.length / filesPerBoot);
  return Array.from({ length: count }, (_, index) =>
    group.slice(index * filesPerBoot, (index + 1) * filesPerBoot),
  );
}

const kernelFiles = (): string[] =>
  globSync("test/kernel/**/*.test.ts", { cwd: root }).filter(isForToday);

// Returns undefined if vitest ended before it wrote its report.
function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

function runHere(folder: string, excluded: readonly string[]): Report | undefined {
  const file = join(folder, "report.json");
  const argv = [vitest, "run", ...reporters, `--outputFile.json=${file}`];
  // `--exclude` does not reach the projects of a config.
  const here = { ...process.env, LINKSEAL_EXCLUDE: excluded.join(" ") };
  const env = slowest ? { ...here, [costsTo]: join(folder, "costs") } : here;
  spawnSync(process.execPath, [...argv, ...asked], { cwd: root, env, stdio: "inherit" });
  return readReport(file);
}

async function runInside(
  folder: string,
  paths: readonly string[],
  processor: number,
): Promise<Report | undefined> {
  const results = mkdtempSync(join(folder, "group-"));
  const file = "/run/machine/results/report.json";
  const argv = [process.execPath, vitest, "run", ...reporters, `--outputFile.json=${file}`];
  const output = join(results, "said");
  const out = openSync(output, "a");
  const end = await runInMachine({
    // Tests of a group run one after the other, so that one may measure.
    argv: [...argv, "--no-file-parallelism", ...options, ...paths],
    cwd: root,
    env: {
      CI: process.env["CI"] ?? "",
      LINKSEAL_LONG: process.env["LINKSEAL_LONG"] ?? "",
      LINKSEAL_MACHINE: machineFolder,
    },
    ...{ kernel: kernelOf(paths), patienceMs: patienceMs(paths), processor },
    out,
    err: out,
    results,
  });
  closeSync(out);
  process.stdout.write(readFileSync(output));
  if (end.kind !== "ended") console.error(`the machine ${end.kind}:\n${end.console}`);
  return readReport(join(results, "report.json"));
}

/** Two groups run at a time. */
async function runGroups(folder: string, waiting: readonly string[][]): Promise<void> {
  const left = [...waiting];
  const ended: { readonly paths: string[]; readonly report: Report | undefined }[] = [];
  const worker = async (_: unknown, processor: number): Promise<void> => {
    for (let paths = left.shift(); paths !== undefined; paths = left.shift()) {
      ended.push({ paths, report: await timed(folder, paths, processor) });
    }
  };
  await Promise.all(Array.from({ length: 2 }, worker));
  for (const { paths, report } of ended) {
    reports.push(report?.success === true ? report : await runAlone(folder, paths, report));
  }
}

async function timed(
  folder: string,
  paths: readonly string[],
  processor = 0,
): Promise<Report | undefined> {
  const since = performance.now();
  const report = await runInside(folder, paths, processor);
  const [first = ""] = paths;
  const more = paths.length === 1 ? "" : ` and ${paths.length - 1} more`;
  const name = `${first}${more}`;
  groupLines.push(`${name}: ${Math.round((performance.now() - since) / 1000)} s`);
  return report;
}

/**
 * Runs failed files again without another machine beside them, which helps to find the cause; they
 * still count as failed.
 */
async function runAlone(
  folder: string,
  paths: readonly string[],
  first: Report | undefined,
): Promise<Report | undefined> {
  const failed = first === undefined ? [] : failedFiles(first).map((path) => relative(root, path));
  const asked = failed.length === 0 ? paths : failed;
  groupLines.push(`failed at first, and run again alone: ${asked.join(", ")}`);
  groupLines.push(formatFailures(first) || "its machine brought back no report");
  const again = await timed(folder, asked);
  const renamedAgain = again && renamed(again, (path) => relative(root, path));
  groupLines.push(formatRerun(asked, renamedAgain));
  return stillFailed(first, again);
}

const relativeCost = (cost: Cost): Cost => ({ ...cost, file: relative(root, cost.file) });
const tierOfPath = (path: string): string => path.split("/")[1] ?? path;

function buildAddon(): string | undefined {
  const { status } = spawnSync(process.execPath, [join(root, ".ci", "addon.ts")], {
    stdio: "inherit",
  });
  if (status !== 0) return "not run: the native addon does not compile";
  // The machine cannot write to the clone.
  const isPackaged = areAskedFor(kernelFiles()).some((path) => path.includes("kernel/package/"));
  return isPackaged ? buildPackages() : undefined;
}

const folder = mkdtempSync(join(tmpdir(), "linkseal-test-"));
const whyNoKernel = whyNoMachine();
const whyNoOthers = whyNoPeers();
const files = filesPerTier();
const groups = groupsInMachine();
const whyNot = whyNoKernel ?? (areAskedFor(kernelFiles()).length > 0 ? buildAddon() : undefined);
const reports: (Report | undefined)[] = done === undefined ? [] : [done];
let costs: readonly Cost[] = [];
const notRun = new Map<string, string>();
const groupLines: string[] = [];
try {
  const hereOnly = groups.length > 0 && fragments.length > 0;
  const inside = new Set(groups.flat().map((path) => join(root, path)));
  const others = areAskedFor([...files.values()].flat()).filter(
    (path) => !inside.has(path) && !isDone.has(path),
  );
  if (others.length > 0 || (!hereOnly && done === undefined)) {
    const excluded = [whyNot === undefined ? "test/kernel/*/**" : "test/kernel/**"];
    excluded.push(...[...longAlone, ...atGate].filter((path) => !isForToday(path)));
    excluded.push(...[...isDone].map((path) => relative(root, path)));
    if (whyNoOthers !== undefined) {
      excluded.push("test/peers/**");
      notRun.set("peers", whyNoOthers);
    }
    reports.push(runHere(folder, excluded));
    if (slowest) costs = readCosts(readFileSync(join(folder, "costs"), "utf8"));
  }
  if (whyNot !== undefined) notRun.set("kernel", whyNot);
  else await runGroups(folder, groups);
} finally {
  rmSync(folder, { recursive: true });
}

const report = joinReports(reports);
const tiers = tiersOf(files, report, notRun);
if (report !== undefined) {
  mkdirSync(dirname(reportFile), { recursive: true });
  writeFileSync(reportFile, JSON.stringify(renamed(report, (path) => relative(root, path))));
}
if (slowest) console.log(formatCosts(costs.map(relativeCost), tierOfPath));
console.log([...groupLines, formatFailures(report)].join("\n"));
console.log(`\n${formatTiers(tiers)}`);
process.exitCode = exitStatus(tiers, report, process.env["CI"] === "1");
