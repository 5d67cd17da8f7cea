// `npm run test:long -- PART...`: the long forms of the tests in parts; without a name all of them.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Part, parts, type Run } from "../long.ts";
import type { Report } from "../tiers.ts";
import { beside } from "./beside.ts";
import { formatGreens, type Green, parseGreens } from "./green.ts";
import { type Ended, endOfMutation, endOfTests, whyUnwritten } from "./outcome.ts";

const root = join(import.meta.dirname, "..", "..");
const table = "docs/long-runs.md";
const reportFile = join(root, ".tmp", "report.json");
const usage = `npm run test:long -- [--list] [PART...]\n\nParts: ${parts
  .map(({ name }) => name)
  .join(", ")}`;

const greens = (): ReadonlyMap<string, Green> =>
  existsSync(join(root, table)) ? parseGreens(readFileSync(join(root, table), "utf8")) : new Map();

/**
 * Reads the state of the tree, except the table, to which earlier parts of this run may have
 * written.
 */
function treeNow(): { readonly commit: string; readonly changes: string } {
  const git = (...argv: readonly string[]): string =>
    execFileSync("git", argv, { cwd: root, encoding: "utf8" }).trim();
  const changes = git("status", "--porcelain", "--", ".", `:(exclude)${table}`);
  return { commit: git("rev-parse", "HEAD"), changes };
}

let child: ChildProcess | undefined;

/** Runs a program; resolves to its standard output, which is shown as it comes, and its status. */
async function ended(argv: readonly string[], env: NodeJS.ProcessEnv) {
  const options = { cwd: root, env: { ...process.env, ...env } };
  const program = spawn(process.execPath, argv, {
    ...options,
    stdio: ["inherit", "pipe", "inherit"],
  });
  child = program;
  let output = "";
  program.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    process.stdout.write(chunk);
  });
  const [status] = (await once(program, "close")) as [number | null];
  return { output, status };
}

function readReport(): Report | undefined {
  return existsSync(reportFile)
    ? (JSON.parse(readFileSync(reportFile, "utf8")) as Report)
    : undefined;
}

async function endOf(run: Run): Promise<Ended> {
  if (run.kind === "mutation") {
    const argv = [join(root, "test", "mutate.ts"), run.area];
    const { output, status } = await ended(argv, { LINKSEAL_MUTATE_WORKERS: "2" });
    return endOfMutation(run.area, output, status);
  }
  // An older report does not belong to this run.
  rmSync(reportFile, { force: true });
  const env = { LINKSEAL_LONG: run.effort === "long" ? "1" : "" };
  const { status } = await ended([join(root, "test", "run.ts"), ...run.files], env);
  return endOfTests(readReport(), status);
}

/** Runs a part; the first run that fails ends it. */
async function endOfPart({ runs }: Part): Promise<Ended> {
  let tests: number | undefined;
  const figures: string[] = [];
  for (const run of runs) {
    const end = await endOf(run);
    if (end.kind === "red") return end;
    if (end.tests !== undefined) tests = (tests ?? 0) + end.tests;
    if (end.figures !== undefined) figures.push(end.figures);
  }
  return { kind: "green", tests, figures: figures.length === 0 ? undefined : figures.join(", ") };
}

/** Runs a part and returns one line about the result; a success is recorded. */
async function played(part: Part): Promise<{ readonly line: string; readonly isGreen: boolean }> {
  const { name } = part;
  const before = treeNow();
  const since = performance.now();
  const run = (): Promise<Ended> => endOfPart(part);
  const end = await (part.beside === undefined ? run() : beside(part.beside, run));
  const minutes = Math.ceil((performance.now() - since) / 60_000);
  if (end.kind === "red") return { line: `${name}: red: ${end.why}`, isGreen: false };
  const { tests, figures } = end;
  const line = [`${name}: green, ${minutes} min`, ...(figures === undefined ? [] : [figures])];
  if (tests !== undefined) line.push(`${tests} tests`);
  const why = whyUnwritten(before, treeNow());
  if (why === undefined) {
    const day = new Date().toISOString().slice(0, 10);
    const green = { commit: before.commit, day, minutes, tests, figures };
    writeFileSync(join(root, table), formatGreens(parts, new Map(greens()).set(name, green)));
  } else line.push(`not written down: ${why}`);
  return { line: line.join(", "), isGreen: true };
}

function list(): string {
  const known = greens();
  return parts
    .map(({ name, what, runs }) => {
      const green = known.get(name);
      const last =
        green === undefined
          ? "never green"
          : `green on ${green.day} at ${green.commit}, in ${green.minutes} min`;
      const files = runs.flatMap((run) => (run.kind === "tests" ? run.files : [run.area]));
      const lines = [...new Set(files)].map((file) => `    ${file}`);
      return [`${name}: ${what}; ${last}`, ...lines].join("\n");
    })
    .join("\n");
}

async function main(words: readonly string[]): Promise<number> {
  const names = words.filter((word) => word !== "--list");
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    console.error(`no part ${unknown.join(", ")}\n\n${usage}`);
    return 2;
  }
  if (words.includes("--list")) {
    console.log(list());
    return 0;
  }
  const ends: { readonly line: string; readonly isGreen: boolean }[] = [];
  for (const part of parts) {
    if (names.length === 0 || names.includes(part.name)) ends.push(await played(part));
  }
  console.log(`\n${ends.map(({ line }) => line).join("\n")}`);
  return ends.every(({ isGreen }) => isGreen) ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    child?.kill(signal);
    process.exit(1);
  });
}
process.exitCode = await main(process.argv.slice(2));
