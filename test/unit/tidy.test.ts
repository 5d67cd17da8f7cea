import { describe, expect, it } from "vitest";
import { exceptions } from "../tidy/names.ts";
import { type Planted, plantedFiles } from "../tidy/planted.ts";
import { rules } from "../tidy/rules.ts";
import { lendings } from "../tidy/secrets.ts";
import { sourceOf } from "../tidy/source.ts";
import { tree } from "../tidy/tree.ts";

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

describe("the tree is tidy", () => {
  const sources = tree();

  it.each(rules)("$name", (rule) => {
    const offences = sources.flatMap((source) =>
      rule.check(source).map((offence) => `${source.path}:${offence.line} ${offence.text}`),
    );
    expect(offences).toEqual([]);
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
