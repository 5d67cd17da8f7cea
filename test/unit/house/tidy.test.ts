import { describe, expect, it } from "vitest";
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
