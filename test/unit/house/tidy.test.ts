import { describe, expect, it } from "vitest";
import { graphOf, upward } from "../../tidy/imports.ts";
import { circlesOf, foldersOf } from "../../tidy/layers.ts";
import { exceptions } from "../../tidy/names.ts";
import { type Planted, plantedFiles } from "../../tidy/planted.ts";
import { rules } from "../../tidy/rules.ts";
import { lendings } from "../../tidy/secrets.ts";
import { sourceOf } from "../../tidy/source.ts";
import { tree } from "../../tidy/tree.ts";

function linesFound({ rule, path, text }: Planted): number[] {
  const found = rules.find((one) => one.name === rule);
  return found?.check(sourceOf(path, text)).map((offence) => offence.line) ?? [Number.NaN];
}

describe("a tidy rule catches its planted offender and lets the near miss pass", () => {
  it.each(plantedFiles.map((row) => ({ ...row, shown: JSON.stringify(row.text.slice(0, 60)) })))(
    "$rule: $path: $shown",
    (row) => {
      expect(linesFound(row)).toEqual(row.lines);
    },
  );

  it.each(rules.map((rule) => rule.name))("%s has an offender and a near miss", (name) => {
    const rows = plantedFiles.filter((row) => row.rule === name);
    expect(rows.some((row) => row.lines.length > 0)).toBe(true);
    expect(rows.some((row) => row.lines.length === 0)).toBe(true);
  });
});

describe("a circle is found", () => {
  const graph = (...files: readonly (readonly [string, string])[]) =>
    graphOf(files.map(([path, text]) => sourceOf(path, text)));

  it("of files, though each takes a type alone", () => {
    const circle = graph(
      ["agent/model/a.ts", 'import type { B } from "./b.ts";'],
      ["agent/model/b.ts", 'import type { C } from "./c.ts";'],
      ["agent/model/c.ts", 'export type { A } from "./a.ts";'],
    );
    expect(circlesOf(circle)).toEqual([
      ["agent/model/a.ts", "agent/model/b.ts", "agent/model/c.ts"],
    ]);
  });

  it("of folders, though there is none of files", () => {
    const circle = graph(
      ["sim/a/one.ts", 'import { x } from "#sim/b/one.ts";'],
      ["sim/b/one.ts", ""],
      ["sim/b/two.ts", 'const x = await import("../a/two.ts");'],
      ["sim/a/two.ts", ""],
    );
    expect(circlesOf(circle)).toEqual([]);
    expect(circlesOf(foldersOf(circle))).toEqual([["sim/a", "sim/b"]]);
  });

  it("and none where everything runs down", () => {
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

  it("has no circle, neither of files nor of folders, type imports counted", () => {
    const files = graphOf(sources.filter(({ path }) => /^(hal|drivers|sim|agent)\//.test(path)));
    expect(files.size).toBeGreaterThan(500);
    expect(circlesOf(files)).toEqual([]);
    expect(circlesOf(foldersOf(files))).toEqual([]);
    expect(upward(files)).toEqual([]);
  });

  it("sees the whole tree", () => {
    expect(sources.map((source) => source.path)).toEqual(
      expect.arrayContaining(["package.json", "hal/secret.ts", ".ci/run", "test/tidy/tree.ts"]),
    );
  });

  it("lists no lending of secret bytes that is gone", () => {
    const gone = lendings.filter(({ path, line }) => {
      const text = sources.find((source) => source.path === path)?.text ?? "";
      return !text.split("\n").some((written) => written.trim() === line);
    });
    expect(gone).toEqual([]);
  });

  it("lists no exception that is gone", () => {
    const gone = exceptions.filter(({ path, sequence }) => {
      const text = sources.find((source) => source.path === path)?.text ?? "";
      return !text.includes(sequence);
    });
    expect(gone).toEqual([]);
  });
});
