import { describe, expect, it } from "vitest";
import { explain, explanations } from "#agent/explain/explain.ts";
import findings from "#agent/explain/findings.json" with { type: "json" };
import links from "#agent/explain/links.json" with { type: "json" };
import operations from "#agent/explain/operations.json" with { type: "json" };
import { campaignStates } from "#agent/model/campaign.ts";
import { riskNames } from "#agent/model/desired.ts";
import { warningRows } from "#agent/model/warning-rows.ts";
import { errorRows } from "#hal/error.ts";
import { explainMarkdown } from "../../../docs/codes.ts";
import { isVerb } from "../../../verbs.ts";

const sources: readonly (readonly [string, readonly string[]])[] = [
  ["warning", Object.keys(warningRows)],
  ["finding", Object.keys(findings)],
  ["error", Object.keys(errorRows)],
  ["risk", riskNames],
  ["state", campaignStates],
];

describe("explanations", () => {
  it.each(sources)("there is an explanation of every %s, and none left over", (kind, codes) => {
    const mine = [...explanations.values()].filter((each) => each.kind === kind);
    expect(mine.map((each) => each.code).sort()).toEqual([...codes].sort());
  });

  it("each code belongs to one source", () => {
    const all = sources.flatMap(([, codes]) => codes);
    expect(new Set(all).size).toBe(all.length);
  });

  it("explanations of warnings are in two files, each code in one of them", () => {
    const codes = [...Object.keys(links), ...Object.keys(operations)];
    expect(codes.sort()).toEqual(Object.keys(warningRows).sort());
  });

  it.each([...explanations.values()].map((each) => [each.code, each] as const))(
    "%s has a title, a meaning and something to do",
    (_code, { title, meaning, whatToDo }) => {
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(meaning).toMatch(/^[A-Z`].*[.:]$/);
      expect(whatToDo.length).toBeGreaterThan(0);
      for (const step of whatToDo) expect(step).toMatch(/^[A-Z`].*\.$/);
    },
  );

  it("explain finds a code in upper or lower case", () => {
    expect(explain("Gate.Siblingunhealthy")).toMatchObject({
      kind: "known",
      explanation: { code: "gate.siblingUnhealthy" },
    });
  });

  it.each([
    ["cak-mismach", "cak-mismatch"],
    ["gate.sibling-unhealthy", "gate.siblingUnhealthy"],
    ["xyzzy", undefined],
  ])("explain %s suggests %s", (code, meant) => {
    expect(explain(code)).toEqual({ kind: "unknown", meant });
  });

  it("docs/codes.md has every code once", () => {
    const titles = explainMarkdown().match(/^### `.*`$/gm) ?? [];
    expect(titles.length).toBe(explanations.size);
  });

  it("explanations name only verbs that the command line has", () => {
    const used = [...explainMarkdown().matchAll(/`(linkseal [a-z][^`]*)`/g)].map(
      (match) => match[1] ?? "",
    );
    expect(used.length).toBeGreaterThan(50);
    expect(used.filter((line) => !isVerb(line))).toEqual([]);
  });
});
