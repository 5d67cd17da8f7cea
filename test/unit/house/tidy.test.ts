import { describe, expect, it } from "vitest";
import { publicsOf } from "../../tidy/docstrings.ts";
import { lacksSubject, sentencesOf } from "../../tidy/english.ts";
import { graphOf, upward } from "../../tidy/imports.ts";
import { circlesOf, foldersOf } from "../../tidy/layers.ts";
import { exceptions } from "../../tidy/names.ts";
import { rules } from "../../tidy/rules.ts";
import { lendings } from "../../tidy/secrets.ts";
import { type Seeded, seededFiles } from "../../tidy/seeded.ts";
import { sourceOf } from "../../tidy/source.ts";
import { tree } from "../../tidy/tree.ts";

function linesFound({ rule, path, text }: Seeded): number[] {
  const found = rules.find((one) => one.name === rule);
  return found?.check(sourceOf(path, text)).map((offence) => offence.line) ?? [Number.NaN];
}

describe("a tidy rule catches its seeded offender and accepts the near miss", () => {
  it.each(seededFiles.map((row) => ({ ...row, shown: JSON.stringify(row.text.slice(0, 60)) })))(
    "$rule: $path: $shown",
    (row) => {
      expect(linesFound(row)).toEqual(row.lines);
    },
  );

  it.each(rules.map((rule) => rule.name))("%s has an offender and a near miss", (name) => {
    const rows = seededFiles.filter((row) => row.rule === name);
    expect(rows.some((row) => row.lines.length > 0)).toBe(true);
    expect(rows.some((row) => row.lines.length === 0)).toBe(true);
  });
});

describe("a cycle", () => {
  const graph = (...files: readonly (readonly [string, string])[]) =>
    graphOf(files.map(([path, text]) => sourceOf(path, text)));

  it("a cycle of files is found, though each imports only a type", () => {
    const circle = graph(
      ["agent/model/a.ts", 'import type { B } from "./b.ts";'],
      ["agent/model/b.ts", 'import type { C } from "./c.ts";'],
      ["agent/model/c.ts", 'export type { A } from "./a.ts";'],
    );
    expect(circlesOf(circle)).toEqual([
      ["agent/model/a.ts", "agent/model/b.ts", "agent/model/c.ts"],
    ]);
  });

  it("a cycle of folders is found, though the files have none", () => {
    const circle = graph(
      ["sim/a/one.ts", 'import { x } from "#sim/b/one.ts";'],
      ["sim/b/one.ts", ""],
      ["sim/b/two.ts", 'const x = await import("../a/two.ts");'],
      ["sim/a/two.ts", ""],
    );
    expect(circlesOf(circle)).toEqual([]);
    expect(circlesOf(foldersOf(circle))).toEqual([["sim/a", "sim/b"]]);
  });

  it("no cycle is found where everything goes down", () => {
    const tower = graph(
      ["sim/a/one.ts", 'import { x } from "../b/one.ts";'],
      ["sim/b/one.ts", 'import { x } from "../c/one.ts";'],
      ["sim/c/one.ts", ""],
    );
    expect(circlesOf(foldersOf(tower))).toEqual([]);
  });
});

describe("a docstring", () => {
  const owner = (text: string) => [
    sourceOf("hal/a/one.ts", text),
    sourceOf("hal/b/two.ts", 'import { waits, type Shape } from "../a/one.ts";'),
  ];

  it("is missing where another folder imports the name, and found with its units", () => {
    const text = [
      "/** Waits. @throws LinksealError */",
      "export function waits(settleMs: number): void {}",
      "export interface Shape {",
      "  /** Frames, since the start. */",
      "  readonly frames: number;",
      "  readonly port: string;",
      "  [Symbol.dispose](): void;",
      "}",
      "export const own = 1;",
    ].join("\n");
    expect(publicsOf(owner(text)).map(({ name, doc, units }) => [name, doc, units])).toEqual([
      ["waits", "Waits. @throws LinksealError", ["settleMs"]],
      ["Shape", undefined, []],
      ["Shape.frames", "Frames, since the start.", []],
      ["Shape.port", undefined, []],
    ]);
  });
});

describe("a sentence of a comment", () => {
  const texts = (text: string) =>
    sentencesOf(sourceOf("hal/a.ts", text)).map((one) => [one.text, lacksSubject(one)]);

  it("goes over lines, and lacks its subject if it begins with a bare preposition", () => {
    expect(texts("// Of a router that\n// restarts. The port is shut.\nf();")).toEqual([
      ["Of a router that restarts.", true],
      ["The port is shut.", false],
    ]);
    expect(texts("/** In IOS XE, the timer reverts it. */")).toEqual([
      ["In IOS XE, the timer reverts it.", false],
    ]);
  });
});

describe("the tree is tidy", () => {
  const sources = tree();

  it.each(rules)("$name", (rule) => {
    const offences = sources.flatMap((source) =>
      rule.check(source).map((offence) => `${source.path}:${offence.line} ${offence.text}`),
    );
    expect(offences).toEqual([]);
  });

  it("the tree has no cycle of files or folders, with type imports", () => {
    const files = graphOf(sources.filter(({ path }) => /^(hal|drivers|sim|agent)\//.test(path)));
    expect(files.size).toBeGreaterThan(500);
    expect(circlesOf(files)).toEqual([]);
    expect(circlesOf(foldersOf(files))).toEqual([]);
    expect(upward(files)).toEqual([]);
  });

  it("the contract, what drivers share, the agent's words and its API have docstrings", () => {
    const documented = /^(hal|drivers\/platform|agent\/(model|api))\//;
    const publics = publicsOf(sources).filter(({ path }) => documented.test(path));
    expect(publics.length).toBeGreaterThan(1_000);
    expect(publics.filter(({ doc }) => doc === undefined)).toEqual([]);
  });

  it("of the sentences of comments fewer than 3 % begin without a subject", () => {
    const all = sources.flatMap((source) => sentencesOf(source));
    expect(all.length).toBeGreaterThan(5_000);
    expect(all.filter((one) => lacksSubject(one)).length).toBeLessThan(0.03 * all.length);
  });

  it("the rules see the whole tree", () => {
    expect(sources.map((source) => source.path)).toEqual(
      expect.arrayContaining(["package.json", "hal/secret.ts", ".ci/run", "test/tidy/tree.ts"]),
    );
  });

  it("the list of code that reads secret bytes has no stale line", () => {
    const gone = lendings.filter(({ path, line }) => {
      const text = sources.find((source) => source.path === path)?.text ?? "";
      return !text.split("\n").some((written) => written.trim() === line);
    });
    expect(gone).toEqual([]);
  });

  it("the list of exceptions has no stale line", () => {
    const gone = exceptions.filter(({ path, sequence }) => {
      const text = sources.find((source) => source.path === path)?.text ?? "";
      return !text.includes(sequence);
    });
    expect(gone).toEqual([]);
  });
});
