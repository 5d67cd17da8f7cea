// The parts of the long run: the tests of each, the result of one, and its record.

import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { beside } from "../../long/beside.ts";
import { formatGreens, type Green, parseGreens } from "../../long/green.ts";
import { endOfMutation, endOfTests, whyUnwritten } from "../../long/outcome.ts";
import { parts, partsOf } from "../../long.ts";
import { areas } from "../../mutate/areas.ts";
import type { Report } from "../../tiers.ts";

const root = join(import.meta.dirname, "../../..");
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");
const sources = globSync("test/**/*.ts", { cwd: root });
const isTest = (path: string): boolean => path.endsWith(".test.ts");
/** True if the file, or a helper that it imports, uses effort.ts. */
function asks(path: string, read = textOf, seen = new Set<string>()): boolean {
  // This file only mentions it.
  if (seen.has(path) || path === "test/effort.ts" || path === "test/unit/house/long.test.ts")
    return false;
  seen.add(path);
  const text = read(path);
  if (/\beffort\(|\benv(?:\.|\[")LINKSEAL_LONG/.test(text)) return true;
  const helpers = [...text.matchAll(/^(?:import .*|}) from "(\.[^"]+\.ts)"/gm)].map(([, to = ""]) =>
    join(dirname(path), to),
  );
  return helpers.some((helper) => asks(helper, read, seen));
}

describe("the parts of the long run", () => {
  it("the parts hold each test file that has a long form, once", () => {
    const tests = sources.filter((path) => isTest(path) && asks(path));
    expect(tests.length).toBeGreaterThan(50);
    const odd = tests.filter((path) => partsOf(path).length !== 1);
    expect(odd.map((path) => `${path}: in ${partsOf(path).join(", ") || "no part"}`)).toEqual([]);
    expect(partsOf("test/unit/a-new-one.test.ts")).toEqual([]);
  });

  it("the parts hold the files too that use effort.ts by a helper", () => {
    const helper = "test/fleet/a-helper.ts";
    const files: Readonly<Record<string, string>> = {
      "test/fleet/a.test.ts": 'import { days } from "./a-helper.ts";',
      [helper]: 'import { effort } from "../../effort.ts"; export const days = effort(1, 2);',
      "test/fleet/b.test.ts": 'import { seed } from "./b-helper.ts";',
      "test/fleet/b-helper.ts": "export const seed = 1;",
      "test/effort.ts": "export function effort<T>(usual: T, long: T): T {}",
    };
    const found = Object.keys(files).filter((path) => asks(path, (each) => files[each] ?? ""));
    expect(found).toEqual(["test/fleet/a.test.ts", helper]);
  });

  it("the parts name files that exist and have a long form, and every mutation area", () => {
    const runs = parts.flatMap((part) => part.runs);
    const files = runs.flatMap((run) => (run.kind === "tests" ? run.files : []));
    const gone = files.filter((file) => !sources.some((path) => path.startsWith(file)));
    expect(gone).toEqual([]);
    const idle = files.filter((file) => isTest(file) && !asks(file));
    expect(idle).toEqual([]);
    const mutated = runs.flatMap((run) => (run.kind === "mutation" ? [run.area] : []));
    expect(mutated.toSorted()).toEqual(Object.keys(areas).toSorted());
    expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
  });
});

describe("a part of the long run", () => {
  const reportOf = (...statuses: readonly string[]): Report => ({
    success: !statuses.includes("failed"),
    testResults: [
      {
        ...{ name: "a.test.ts", status: "passed" },
        assertionResults: statuses.map((status) => ({ status })),
      },
    ],
  });

  interface Case {
    readonly name: string;
    readonly report: Report | undefined;
    readonly status: number;
    readonly end: object;
  }
  const failed = (count: number) => ({ why: `${count} tests failed, exit status 1` });
  it.each<Case>([
    {
      ...{ name: "is green", report: reportOf("passed", "passed"), status: 0 },
      end: { kind: "green", tests: 2 },
    },
    { name: "left no report", report: undefined, status: 0, end: { why: "it left no report" } },
    { name: "failed", report: reportOf("passed", "failed"), status: 1, end: failed(1) },
    { name: "ended badly", report: reportOf("passed"), status: 1, end: failed(0) },
    {
      ...{ name: "skipped one", report: reportOf("passed", "skipped"), status: 0 },
      end: { why: "1 tests did not run" },
    },
    { name: "held nothing", report: reportOf(), status: 0, end: { why: "no test ran" } },
  ])("a part of tests that $name ends accordingly", ({ report, status, end }) => {
    expect(endOfTests(report, status)).toMatchObject(end);
  });

  it("a part of mutations reports the score of its area", () => {
    const output = "100.0  agent/compare/plan.ts\n\n  96.1  plan; 99.0 but for the known\n";
    const figures = "96.1 % noticed, 99.0 % but for the known";
    expect(endOfMutation("plan", output, 0)).toMatchObject({ kind: "green", figures });
    expect(endOfMutation("plan", output, 1)).toEqual({ kind: "red", why: figures });
    expect(endOfMutation("health", output, 0)).toEqual({ kind: "red", why: "it left no score" });
  });

  it("a result is recorded only for a clean commit", () => {
    const clean = { commit: "abc", changes: "" };
    expect(whyUnwritten(clean, clean)).toBeUndefined();
    const dirty = { commit: "abc", changes: " M agent/compare/plan.ts\n?? x" };
    const why = "the tree has changes that are not committed:  M agent/compare/plan.ts".replace(
      "  ",
      " ",
    );
    expect([whyUnwritten(dirty, clean), whyUnwritten(clean, dirty)]).toEqual([why, why]);
    expect(whyUnwritten(clean, { ...clean, commit: "abd" })).toMatch(/^another commit/);
  });
});

describe("docs/long-runs.md", () => {
  const path = "docs/long-runs.md";

  it("docs/long-runs.md is what the runner writes, with the parts as they are", () => {
    expect(textOf(path)).toBe(formatGreens(parts, parseGreens(textOf(path))));
  });

  it("the table keeps its rows, and refuses a row that no run has written", () => {
    const green: Green = {
      ...{ commit: "0123456789ab", day: "2026-11-24", minutes: 52 },
      ...{ tests: 5_083, figures: undefined },
    };
    const score: Green = { ...green, tests: undefined, figures: "96.1 % noticed" };
    const reported = new Map([
      ["storms", green],
      ["mutation-plan", score],
    ]);
    expect(parseGreens(formatGreens(parts, reported))).toEqual(reported);
    const spoilt = formatGreens(parts, reported).replace("0123456789ab", "yesterday");
    expect(() => parseGreens(spoilt)).toThrow("no run has written");
  });
});

describe("a program beside a part", () => {
  const idle = "setInterval(() => {}, 1000)";
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const program = [process.execPath, "-e", idle];

  it.each(["green", "red"])(
    "a program beside a part ends with it, by its id, though the part is %s",
    async (end) => {
      let seen = 0;
      const played = beside(program, async (id) => {
        seen = id;
        expect(isAlive(id)).toBe(true);
        if (end === "red") throw new Error("the part is red");
        return end;
      });
      if (end === "red") await expect(played).rejects.toThrow("the part is red");
      else expect(await played).toBe(end);
      expect(seen).toBeGreaterThan(0);
      expect(isAlive(seen)).toBe(false);
    },
  );

  it("a program that ended by itself, or cannot be started, fails the part", async () => {
    const short = [process.execPath, "-e", ""];
    const untilDead = async (id: number): Promise<void> => {
      while (isAlive(id)) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await expect(beside(short, untilDead)).rejects.toThrow("has ended before");
    await expect(beside(["/nowhere/stress"], async () => 1)).rejects.toThrow("ENOENT");
  });
});
