// Microsoft's own clients call the simulated cloud, each call in their own process. What they
// return must be of the types that they declare: a property that they require and do not get, or
// get in another form, fails the call.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Program } from "../process/program.ts";
import { sdkFolder as folder } from "./place.ts";
import { run } from "./run.ts";
import { StartedAzure } from "./sim-azure.ts";

const root = join(import.meta.dirname, "../..");
/** Below the folder of the packages, so that the compiler finds them. */
const scratch = join(folder, ".tmp");

interface Row {
  readonly package: string;
  readonly version: string;
  /** The class of the client. */
  readonly type: string;
  /** The path of the method, such as `expressRoutePorts.get`. */
  readonly call: string;
  /** The answer, as TypeScript. */
  readonly literal?: string;
  /** The refusal that the row expects. */
  readonly refused?: string;
  readonly failed?: string;
}

let rows: Row[] = [];
beforeAll(async () => {
  await using cloud = await StartedAzure.begin();
  const { arm: base, expressRoutePort: port, secrets = "" } = cloud.settings;
  const secret = secrets.split(" ").find((name) => name.endsWith("-ckn"));
  const argv = [join(folder, "calls.js"), JSON.stringify({ base, port, secret })];
  const env = cloud.environment;
  const client = new Program(
    spawn(process.execPath, argv, { env, stdio: ["ignore", "pipe", "pipe"] }),
  );
  await client.ended;
  const lines = client.output.split("\n").filter((line) => line.startsWith("{"));
  const called = lines.map((line) => JSON.parse(line) as Row);
  if (client.child.exitCode !== 0) throw new Error(`the clients ended early: ${client.output}`);
  rows = await typed(called);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const preamble = (called: readonly Row[]): readonly string[] => {
  const clients = new Map(called.map((row) => [aliasOf(row), row]));
  return [
    ...[...clients].map(([alias, { type, package: from }]) => {
      return `import type { ${type} as ${alias} } from "${from}";`;
    }),
    "type Result<R> = R extends AsyncIterable<infer T> ? T[] : Ended<Awaited<R>>;",
    "type Ended<R> = R extends { pollUntilDone(): Promise<infer T> } ? T : R;",
    "type Answer<F> = F extends (...words: never[]) => infer R ? Result<R> : never;",
    "declare const writtenOtherwise: never;",
  ];
};

const aliasOf = ({ type, package: from }: Row): string => `${type}_${from.replaceAll(/\W/g, "_")}`;

/** Marks the rows whose answers the compiler does not take for what the client declares. */
async function typed(called: readonly Row[]): Promise<Row[]> {
  const first = preamble(called);
  const lines = called.map((row, index) => {
    if (row.literal === undefined) return "";
    const path = row.call.split(".").map((word) => `["${word}"]`);
    return `export const a${index}: Answer<${aliasOf(row)}${path.join("")}> = ${row.literal};`;
  });
  mkdirSync(scratch, { recursive: true });
  const file = join(scratch, "answers.ts");
  writeFileSync(file, [...first, ...lines, ""].join("\n"));
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--types", "node"];
  const modules = ["--module", "nodenext", "--target", "es2024", "--ignoreConfig"];
  const tsc = join(root, "node_modules/.bin/tsc");
  const { status, stdout } = await run([tsc, ...options, ...modules, file], "");
  const complaints = new Map<number, string>();
  for (const [, line, text = ""] of stdout.matchAll(/answers\.ts\((\d+),\d+\): (error .*)$/gm)) {
    const index = Number(line) - 1 - first.length;
    complaints.set(index, complaints.get(index) ?? text);
  }
  const elsewhere = [...complaints].find(([index]) => index < 0);
  if (elsewhere !== undefined) throw new Error(`a client has no types: ${elsewhere[1]}`);
  if (status !== 0 && complaints.size === 0) throw new Error(`the compiler failed: ${stdout}`);
  return called.map((row, index) => {
    const failed = complaints.get(index);
    return failed === undefined ? row : { ...row, failed };
  });
}

const callOf = ({ type, call }: Row): string => (call.includes(".") ? call : `${type}.${call}`);

const resultOf = ({ refused, failed }: Row): string => {
  if (failed !== undefined) return `FAILED: ${failed}`;
  return refused === undefined ? "ok" : `refused: ${refused}`;
};

function formatted(): string {
  const cells = rows.map((row) => [row.package, row.version, callOf(row), resultOf(row)]);
  const widths = [0, 1, 2].map((at) => Math.max(...cells.map((cell) => (cell[at] ?? "").length)));
  return cells
    .map((cell) => cell.map((text, at) => text.padEnd(widths[at] ?? 0)).join("  "))
    .join("\n");
}

describe("Microsoft's clients at the simulated cloud", () => {
  it("every call succeeds with an answer of its declared type, or is refused on purpose", () => {
    console.log(formatted());
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.filter(({ failed }) => failed !== undefined).map(resultOf)).toEqual([]);
  });

  it("both generations of the network client are called, and get the same results", () => {
    const of = (name: string): readonly string[] =>
      rows.filter((row) => row.package === name).map((row) => `${row.call} ${resultOf(row)}`);
    const status = /(?<=refused: \d+ ).*/;
    const short = (list: readonly string[]) => list.map((line) => line.replace(status, ""));
    expect(short(of("@azure/arm-network"))).toEqual(short(of("arm-network-before")));
  });

  it("the packages are the ones that the lock names", () => {
    const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
    const { packages } = JSON.parse(lock) as { packages: Record<string, { version?: string }> };
    for (const { package: name, version } of rows) {
      expect(packages[`node_modules/${name}`]?.version).toBe(version);
    }
  });

  it("the compiler refuses an answer without a property that its client requires", async () => {
    const one = rows.find(({ call }) => call === "vaults.get");
    if (one?.literal === undefined) throw new Error("no vault was read");
    const [broken] = await typed([{ ...one, literal: one.literal.replace('"sku":', '"other":') }]);
    expect(broken?.failed).toMatch(/sku|other/);
  });

  it("the compiler knows the type of every answer: it takes no other object for one", async () => {
    const answered = rows.filter(({ literal }) => literal !== undefined);
    const other = await typed(answered.map((row) => ({ ...row, literal: "{ noSuchName: 1 }" })));
    expect(other.filter(({ failed }) => failed === undefined).map(callOf)).toEqual([]);
  });
});
