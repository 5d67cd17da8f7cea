// The hand-written documents against the program: links, verbs, codes, states, faults and promises.

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Campaign, campaignStates, decide, type Facts } from "#agent/campaign/campaign.ts";
import { buildProgram } from "#agent/cli/program.ts";
import { exampleOf } from "#agent/cli/shape.ts";
import { explanations } from "#agent/explain/explain.ts";
import { demoFaults } from "#sim/faults.ts";
import { generatedDocs } from "../generated-docs.ts";

const root = join(import.meta.dirname, "..", "..");
const generated = new Set(Object.keys(generatedDocs()).map((name) => `docs/${name}`));
const written = ["README.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: root })]
  .filter((path) => !generated.has(path))
  .sort();
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

/** Anchors as GitHub makes them from headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function brokenLinks(path: string): readonly string[] {
  const targets = [...textOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file = "", anchor] = target.split("#");
    const full = file === "" ? path : join(dirname(path), file);
    if (!existsSync(join(root, full))) return true;
    return anchor !== undefined && !anchorsOf(textOf(full)).includes(anchor);
  });
}

/** First cells of a table's rows below a heading, without marks of code. */
function firstCells(text: string, heading: string): readonly string[] {
  const section = text.split(`\n${heading}\n`)[1]?.split(/\n#{1,2} /)[0] ?? "";
  const rows = section.match(/^\| .*$/gm) ?? [];
  return rows.slice(2).map((row) => (row.split("|")[1] ?? "").trim().replaceAll("`", ""));
}

describe("every document", () => {
  it("is among those that are checked", () => {
    expect(written.length).toBeGreaterThan(8);
    expect(written).toContain("docs/enrolment.md");
  });

  it.each(written)("%s: its relative links lead somewhere", (path) => {
    expect(brokenLinks(path)).toEqual([]);
  });

  it.each(written)("%s: its commands exist, with their options", (path) => {
    expect(unknownCommands(textOf(path))).toEqual([]);
  });

  it("a planted command that does not exist is found", () => {
    const found = unknownCommands("`linkseal frobnicate`, `linkseal rotation dance GROUP`, \n");
    expect(found).toEqual(["linkseal frobnicate", "linkseal rotation dance GROUP"]);
  });
});

const program = buildProgram();

/** Command lines in code, fenced or not, that the program would not take. */
function unknownCommands(text: string): readonly string[] {
  return [...text.matchAll(/(?<=^|[`\s])linkseal [a-z][^`\n#|,]*(?=[`\n#|,])/gm)]
    .filter(({ index }) => isCode(text, index))
    .map(([line]) => line.trim())
    .filter((line) => !isTaken(line.split(/\s+/).slice(1)));
}

function isTaken(words: readonly string[]): boolean {
  let at = program;
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) break;
    at = next;
  }
  const options = at.options.map(({ long }) => long);
  const asked = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]);
  // What has no example is a group of verbs and no verb.
  return exampleOf(at) !== undefined && asked.every((option) => options.includes(option));
}

function isCode(text: string, index: number): boolean {
  const before = text.slice(0, index);
  const fences = before.match(/^```/gm)?.length ?? 0;
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return fences % 2 === 1 || (line.match(/`/g)?.length ?? 0) % 2 === 1;
}

describe("README.md", () => {
  const text = textOf("README.md");

  it("lists the faults of the demo, as the program names and explains them", () => {
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, name, title]) => ({
      name,
      title,
    }));
    expect(rows).toEqual(demoFaults.map(({ name, title }) => ({ name, title })));
  });

  it("lists P1 to P7, each with a test", () => {
    expect(firstCells(text, "## The promises")).toEqual(promises);
    for (const row of text.match(/^\| P\d \|.*$/gm) ?? []) expect(row).toContain(".test.ts)");
  });

  it("lists every exit status", () => {
    expect(firstCells(text, "## Exit statuses")).toEqual(
      Array.from({ length: 10 }, (_, status) => String(status)),
    );
  });
});

const promises = ["P1", "P2", "P3", "P4", "P5", "P6", "P7"];

describe("docs/promises.md", () => {
  it("has a section for each promise", () => {
    const headings = textOf("docs/promises.md").match(/^## (P\d)/gm) ?? [];
    expect(headings.map((heading) => heading.slice(3))).toEqual(promises);
  });
});

describe("docs/enrolment.md", () => {
  const text = textOf("docs/enrolment.md");

  it("has a section for each state of a campaign", () => {
    const sections = [...text.matchAll(/^### `(.+)`$/gm)].map(([, state]) => state);
    expect(sections).toEqual([...campaignStates]);
  });

  it("names only codes that can be explained", () => {
    const codes = [...text.matchAll(/`([a-z]+(?:[-.][a-zA-Z]+)+)`/g)].map(([, code = ""]) => code);
    const others = new Set(["linkseal-ckn"]);
    const isSetting = (code: string): boolean => /^(rotation|azure|health)\./.test(code);
    const named = codes.filter((code) => !others.has(code) && !isSetting(code));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((code) => !explanations.has(code))).toEqual([]);
  });

  it("explains every sentence with which a campaign is held, and no other", () => {
    const rows = firstCells(text, "## When it is held");
    const reasons = [...heldReasons()];
    expect(reasons.filter((reason) => !rows.some((row) => reason.startsWith(row)))).toEqual([]);
    expect(rows.filter((row) => !reasons.some((reason) => reason.startsWith(row)))).toEqual([]);
  });
});

/** Everything that the machine says when it stops, over all that it can see. */
function heldReasons(): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = { kind: "waiting", text: "…" } as const;
  for (const facts of everyFacts()) {
    for (const state of campaignStates.filter((each) => each !== "held")) {
      for (const told of [true, false]) {
        const campaign = { ...blank, state, told };
        const taken = decide(campaign, { ...facts, drained: waiting });
        if (taken.next === "held") seen.add(taken.because);
        const drained = decide(campaign, facts);
        if (drained.next === "held") seen.add(drained.because);
      }
    }
  }
  return seen;
}

const blank: Campaign = {
  group: "g",
  kind: "enrol",
  links: [],
  at: 0,
  state: "queued",
  since: 0 as Campaign["since"],
  because: "",
  told: false,
  asked: false,
  heldFrom: undefined,
  risks: [],
  by: "test",
  intent: 1,
};

function* everyFacts(): Generator<Facts> {
  const held = { kind: "held" } as const;
  const waiting = { kind: "waiting", text: "…" } as const;
  const replacements = [
    { kind: "valid" },
    { kind: "absent" },
    { kind: "refused", text: "…" },
  ] as const;
  for (const port of everyPort())
    for (const far of ["old", "new", "other", "updating", "failed", "unknown"] as const)
      for (const sibling of ["carrying", "lost"] as const)
        for (const proof of [held, waiting])
          for (const carrying of [held, waiting])
            for (const replacement of replacements)
              for (const lostCommits of [0, 3])
                for (const overdue of [true, false])
                  for (const farEnd of ["manual", "agent"] as const)
                    yield {
                      port,
                      far,
                      sibling,
                      closedGate: undefined,
                      drained: held,
                      proof,
                      carrying,
                      replacement,
                      lostCommits,
                      overdue,
                      farEnd,
                    };
}

function* everyPort(): Generator<Facts["port"]> {
  yield undefined;
  for (const keys of ["none", "new", "else"] as const)
    for (const pending of [true, false])
      for (const usable of [true, false])
        for (const drain of ["on", "off"] as const) yield { keys, pending, usable, drain };
}
