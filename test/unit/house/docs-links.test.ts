// The hand-written documents compared with the program: links, verbs, codes, states, faults and
// promises.

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { exampleOf } from "#agent/cli/shape.ts";
import { explanations } from "#agent/explain/explain.ts";
import { type Context, campaignStates, type Evidence, type Row } from "#agent/model/campaign.ts";
import type { Reason } from "#agent/model/reason.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { decideBy, table } from "#agent/rotation/campaign.ts";
import { demoFaults } from "#sim/faults/faults.ts";
import { wholeProgram } from "#sim/lab/main.ts";
import { generatedDocs } from "../../docs/generated.ts";
import { calm, calmPort, campaignOf, refused } from "../kit/campaign-kit.ts";

const root = join(import.meta.dirname, "../../..");
const generated = new Set(Object.keys(generatedDocs()).map((name) => `docs/${name}`));
const written = ["README.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: root })]
  .filter((path) => !generated.has(path))
  .sort();
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

/** Returns anchors as GitHub makes them from headings. */
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

/** Returns the first cells of a table's rows below a heading, without code marks. */
function firstCells(text: string, heading: string): readonly string[] {
  const section = text.split(`\n${heading}\n`)[1]?.split(/\n#{1,2} /)[0] ?? "";
  const rows = section.match(/^\| .*$/gm) ?? [];
  return rows.slice(2).map((row) => (row.split("|")[1] ?? "").trim().replaceAll("`", ""));
}

describe("every document", () => {
  it("every document is in the list of checked ones", () => {
    expect(written.length).toBeGreaterThan(8);
    expect(written).toContain("docs/enrolment.md");
  });

  it.each(written)("%s: its relative links lead somewhere", (path) => {
    expect(brokenLinks(path)).toEqual([]);
  });

  it.each(written)("%s: its commands exist, with their options", (path) => {
    expect(unknownCommands(textOf(path))).toEqual([]);
  });

  it.each([...written, ...generated, "sim/lab/sim-stage.ts"])(
    "%s: npm takes no flag of linkseal for itself",
    (path) => {
      expect(textOf(path).match(/npx (?!--no -- )\S*.*linkseal.*/g)).toBe(null);
    },
  );

  it("a planted command that does not exist is found", () => {
    const found = unknownCommands("`linkseal frobnicate`, `linkseal rotation dance GROUP`, \n");
    expect(found).toEqual(["linkseal frobnicate", "linkseal rotation dance GROUP"]);
  });
});

/** Registers that are looked up, a row at a time, and that no reader reads through. */
const registers: readonly string[] = ["docs/sources.md"];
const wordsMax = 3_000;

/** Returns the number of words that are written by hand, without the generated parts. */
function wordsOf(text: string): number {
  const byHand = text.replaceAll(/<!-- ([\w-]+): written by[\s\S]*?<!-- end: \1 -->/g, "");
  return byHand.split(/\s+/).filter((word) => word !== "").length;
}

/** Whether the first paragraph below the title names the readers of a page. */
function namesReaders(text: string): boolean {
  const [title = "", ...lines] = text.split("\n");
  const below = lines.join("\n").replaceAll(/<!--[\s\S]*?-->/g, "");
  return /^# \S/.test(title) && below.trimStart().startsWith("This page is for ");
}

describe("every page", () => {
  const pages = globSync("docs/*.md", { cwd: root }).sort();
  const long = written.filter((path) => path.startsWith("docs/") && !registers.includes(path));

  it.each(pages)("%s opens with the readers that it is for", (path) => {
    expect(namesReaders(textOf(path))).toBe(true);
  });

  it.each(long)("%s has at most 3,000 words that are written by hand", (path) => {
    expect(wordsOf(textOf(path))).toBeLessThanOrEqual(wordsMax);
  });

  it.each(pages.filter((path) => path !== "docs/README.md"))("%s is in the index", (path) => {
    expect(textOf("docs/README.md")).toContain(`](${path.slice("docs/".length)})`);
  });

  it("a planted page without readers, and one that is too long, are found", () => {
    expect(namesReaders("# Title\n\nText.\n")).toBe(false);
    expect(namesReaders("# Title\n\n<!-- Generated. -->\n\nThis page is for all.\n")).toBe(true);
    const generatedPart = "<!-- costs: written by `npm run docs` -->\n\na b\n\n<!-- end: costs -->";
    expect(wordsOf(`one two\n\n${generatedPart}\n\nthree`)).toBe(3);
    expect(wordsOf("word ".repeat(wordsMax + 1))).toBeGreaterThan(wordsMax);
  });
});

const program = wholeProgram();

/** Returns command lines in code, fenced or not, that the program would not accept. */
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
  // A path without an example is a group of verbs, not a verb.
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

  it("README lists the faults of the demo, as the program names and explains them", () => {
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, name, title]) => ({
      name,
      title,
    }));
    expect(rows).toEqual(demoFaults.map(({ name, title }) => ({ name, title })));
  });

  it("README lists P1 to P8, each with a test", () => {
    expect(firstCells(text, "## The promises")).toEqual(promises);
    for (const row of text.match(/^\| P\d \|.*$/gm) ?? []) expect(row).toContain(".test.ts)");
  });

  it("README lists every exit status", () => {
    expect(firstCells(text, "## Exit statuses")).toEqual(
      Array.from({ length: 9 }, (_, status) => String(status)),
    );
  });
});

const promises = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"];

describe("docs/promises.md", () => {
  it("docs/promises.md has a section for each promise", () => {
    const headings = textOf("docs/promises.md").match(/^## (P\d)/gm) ?? [];
    expect(headings.map((heading) => heading.slice(3))).toEqual(promises);
  });
});

/** The runbooks with the reasons of a stopped campaign. */
const runbooks = ["docs/held.md", "docs/enrolment.md"] as const;
/** The runbooks that name codes. */
const coded = ["docs/rotation.md", "docs/enrolment.md", "docs/incidents.md", "docs/far-end.md"];

describe("the runbooks", () => {
  it("docs/rotation.md has a row for each state of a campaign", () => {
    const states = firstCells(textOf("docs/rotation.md"), "## Every state");
    expect(states).toEqual([...campaignStates]);
  });

  it("docs/enrolment.md has a section for each state that an enrolment can be in", () => {
    const beside = ["staging", "staged", "promoting", "retiring"];
    const sections = [...textOf("docs/enrolment.md").matchAll(/^### `(.+)`$/gm)];
    expect(sections.map(([, state]) => state)).toEqual(
      campaignStates.filter((state) => !beside.includes(state)),
    );
  });

  it.each(coded)("%s names only codes that can be explained", (path) => {
    const codes = [...textOf(path).matchAll(/`([a-z]+(?:[-.][a-zA-Z]+)+)`/g)];
    const others = new Set(["linkseal-ckn", "linkseal-generation"]);
    const isSetting = (code: string): boolean => /^(rotation|rotate|azure|health)\./.test(code);
    const named = codes
      .map(([, code = ""]) => code)
      .filter((code) => !others.has(code) && !isSetting(code));
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((code) => !explanations.has(code))).toEqual([]);
  });
});

describe("the reasons of a stopped campaign", () => {
  const entries = runbooks.flatMap((path) => heldEntries(textOf(path)));

  it("each reason of a stopped campaign has one entry in one runbook", () => {
    const reasons = [...heldReasons()];
    expect(reasons.length).toBeGreaterThan(35);
    const found = reasons.map((reason) => [
      reason,
      entries.filter((entry) => says(entry, reason)).length,
    ]);
    expect(found.filter(([, count]) => count !== 1)).toEqual([]);
  });

  it("the runbooks explain no other reasons", () => {
    const reasons = [...heldReasons()];
    const idle = entries.filter((entry) => !reasons.some((reason) => says(entry, reason)));
    expect(idle).toEqual([]);
  });

  it("a sentence that no runbook has is found", () => {
    expect(entries.some((entry) => says(entry, "the moon is full"))).toBe(false);
    expect(says("it waits: …", "it waits: for a reason")).toBe(true);
    expect(says("it waits", "it waits: for a reason")).toBe(false);
  });
});

/** Returns the first cells of the tables of reasons. */
function heldEntries(text: string): readonly string[] {
  const section = text.split("\n## When it is held\n")[1]?.split(/\n#{1,2} /)[0] ?? "";
  const tables = section.split("\n\n").filter((block) => block.startsWith("| the reason says |"));
  return tables.flatMap((block) => {
    const rows = block.trim().split("\n").slice(2);
    return rows.map((row) => (row.split("|")[1] ?? "").trim());
  });
}

/** `…` in an entry matches any text of the machine. */
function says(entry: string, reason: string): boolean {
  const parts = entry.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".+")}$`).test(reason);
}

/** Returns every sentence of every row that leads to `held`, and of states that no row knows. */
function heldReasons(): ReadonlySet<string> {
  const rows = campaignStates.flatMap((state) =>
    table[state].filter(({ next }) => next === "held"),
  );
  const own = rows.filter(({ name }) => !name.startsWith("held."));
  const empty = Object.fromEntries(campaignStates.map((state) => [state, []])) as never;
  const unlisted = reasonText(decideBy(empty, {} as never, campaignOf("proving"), calm).reason);
  return new Set([...own.flatMap(sentences), unlisted]);
}

function sentences(row: Row): readonly string[] {
  const { name, cause } = row;
  if (typeof cause !== "function") return [reasonText({ code: name } as Reason)];
  return [...contexts()].map((context) =>
    reasonText({ code: name, cause: cause(context) } as Reason),
  );
}

function* contexts(): Generator<Context> {
  const waits: Evidence = {
    kind: "waiting",
    cause: { code: "mka.port", state: "whatever is missing" },
  };
  const campaign = campaignOf("proving", { kind: "rotate" }, "keychain");
  const [link] = campaign.links;
  if (link === undefined) throw new Error("a campaign has a link");
  const replacement = { kind: "refused", cause: refused } as const;
  const evidence = { drained: waits, proof: waits, oldProof: waits, carrying: waits };
  for (const keys of ["old", "both", "half", "new", "else"] as const) {
    for (const far of ["old", "new", "other", "failed", "either"] as const) {
      const port = { ...calmPort, keys };
      const facts = { ...calm, ...evidence, replacement, far, port };
      yield { campaign, link, port, facts };
      yield { campaign, link, port, facts: { ...facts, carrying: { kind: "held" } } };
      if (far === "other") yield { campaign, link, port, facts: { ...facts, farIsOff: true } };
    }
  }
}
