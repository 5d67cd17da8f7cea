import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-bin-")));
afterAll(() => rmSync(folder, { recursive: true }));

// Node as the machine has it, without the one that npm puts in front.
const path = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((part) => !part.includes("node_modules"))
  .join(delimiter);
const own = execFileSync("node", ["--version"], { env: { PATH: path }, encoding: "utf8" });
const ownIsOld = Number.parseInt(own.slice(1), 10) < 24;
const installed = `node-linux-${process.arch}`;
const missing = (place: string): string =>
  `linkseal: needs Node 24, and ${installed} is not installed: ` +
  `run "npm ci" in ${place}/, without --omit=optional\n`;

const program = (name: string): string => `
  export async function main(argv) {
    if (argv[0] === "wait") {
      setInterval(() => {}, 1000);
      const ended = new Promise((done) => process.once(argv[1], () => done(argv[1])));
      process.stdout.write("ready\\n");
      process.stdout.write(await ended);
      process.exit(5);
    }
    let input = "";
    for await (const chunk of process.stdin) input += chunk;
    const major = Number.parseInt(process.versions.node, 10);
    process.stdout.write(JSON.stringify({ from: "${name}", argv, input, new: major >= 24 }));
    process.stderr.write("words");
    return 4;
  }`;

const seconds = (age: number): number => Date.now() / 1000 - age;

interface Ages {
  readonly bundle?: number;
  readonly source?: number;
  /** Most words of data beside the sources. */
  readonly words?: number;
}

function clone(name: string, ages: Ages): string {
  const place = join(folder, name);
  for (const part of ["agent/bin", "hal", "dist/agent"])
    mkdirSync(join(place, part), { recursive: true });
  const data = ["agent/flags.json", "agent/programs.json"];
  const own = [...data, "agent/bin.js", "agent/launcher.js", ".ci/node.js"];
  for (const file of own) {
    cpSync(join(root, file), join(place, file));
  }
  for (const file of data) utimesSync(join(place, file), 0, 0);
  writeFileSync(
    join(place, "package.json"),
    '{"type":"module","imports":{"#agent/*":"./agent/*"}}',
  );
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  if (ages.bundle !== undefined) {
    writeFileSync(join(place, "dist/agent/cli.js"), program("bundle"));
    writeFileSync(join(place, "dist/STAMP"), "");
    utimesSync(join(place, "dist/STAMP"), seconds(ages.bundle), seconds(ages.bundle));
  }
  if (ages.source !== undefined) {
    writeFileSync(join(place, "agent/bin/cli.ts"), program("sources"));
    writeFileSync(join(place, "hal/word.ts"), "export const word = 1;");
    for (const file of ["agent/bin/cli.ts", "hal/word.ts"]) utimesSync(join(place, file), 0, 0);
    utimesSync(join(place, "hal/word.ts"), seconds(ages.source), seconds(ages.source));
  }
  if (ages.words !== undefined) {
    writeFileSync(join(place, "hal/words.json"), "{}");
    utimesSync(join(place, "hal/words.json"), seconds(ages.words), seconds(ages.words));
  }
  return place;
}

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

function run(
  place: string,
  argv: readonly string[],
  whenReady: (kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ended> {
  return runProgram(join(place, "agent/bin.js"), argv, whenReady);
}

function runProgram(
  program: string,
  argv: readonly string[],
  whenReady: (kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(program, argv, { env: { PATH: path } });
  let out = "";
  let err = "";
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
    if (out === "ready\n") whenReady((signal) => child.kill(signal));
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end("typed");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, out, err }));
  });
}

describe("agent/bin.js on the machine's own Node", () => {
  it.each([
    ["sources without a bundle", { source: 10 }, "sources"],
    ["a bundle without sources", { bundle: 10 }, "bundle"],
    ["a fresh bundle", { bundle: 10, source: 20 }, "bundle"],
    ["the sources, if one is newer", { bundle: 20, source: 10 }, "sources"],
    ["the sources, if their data is newer", { bundle: 20, source: 30, words: 10 }, "sources"],
  ])("agent/bin.js runs %s", async (name, ages, from) => {
    const { status, out, err } = await run(clone(name, ages), ["status", "--json", "a b"]);
    expect(JSON.parse(out)).toEqual({
      from,
      argv: ["status", "--json", "a b"],
      input: "typed",
      new: true,
    });
    expect([status, err]).toEqual([4, "words"]);
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const)(
    "agent/bin.js passes %s on to its child",
    async (signal) => {
      const place = clone(`pass-${signal}`, { bundle: 1 });
      const ended = await run(place, ["wait", signal], (kill) => kill(signal));
      expect(ended).toEqual({ status: 5, signal: null, out: `ready\n${signal}`, err: "" });
    },
  );

  it("agent/bin.js ends by the signal that ended its child", async () => {
    const place = clone("die", { bundle: 1 });
    const ended = await run(place, ["wait", "SIGHUP"], (kill) => kill("SIGTERM"));
    expect(ended).toEqual({ status: null, signal: "SIGTERM", out: "ready\n", err: "" });
  });

  it("agent/bin.js reports what is missing where npm installed no Node", async () => {
    const place = clone("bare", { bundle: 1 });
    rmSync(join(place, "node_modules"));
    const { status, err } = await run(place, []);
    expect([status, err]).toEqual(ownIsOld ? [1, missing(place)] : [4, "words"]);
  });
});

describe("a script of this clone on the machine's own Node", () => {
  const typed = "const words: readonly string[] = process.argv.slice(2);\n";

  function script(name: string, code: string): readonly [place: string, script: string] {
    const place = clone(name, {});
    writeFileSync(join(place, "script.ts"), typed + code);
    return [place, join(place, "script.ts")];
  }

  it("a script runs without .bin/node, which npm 9 removed", async () => {
    const [place, file] = script("typed", "console.log(words.join('|')); process.exitCode = 3;");
    // No folder of npm's is in PATH, which has the same effect as no link.
    const ended = await runProgram("node", [join(place, ".ci/node.js"), file, "--json", "a b"]);
    expect(ended).toEqual({ status: 3, signal: null, out: "--json|a b\n", err: "" });
  });

  it("a script runs on the Node of the installed package, however new another is", async () => {
    const [place, file] = script("exact", "console.log(process.execPath, words.length);");
    const { out } = await runProgram("node", [join(place, ".ci/node.js"), file]);
    expect(out).toBe(`${realpathSync(join(root, "node_modules", installed, "bin/node"))} 0\n`);
  });

  it("a script ends with one sentence where that package is missing", async () => {
    const [place, file] = script("lacking", "console.log(words.length);");
    rmSync(join(place, "node_modules"));
    const { status, err } = await runProgram("node", [join(place, ".ci/node.js"), file]);
    expect([status, err]).toEqual(ownIsOld ? [1, missing(place)] : [0, ""]);
  });
});
