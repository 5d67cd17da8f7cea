// Manual pages from our references: every verb and key, and no line that troff takes for a request.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { everyCommand } from "#agent/cli/command-tree.ts";
import { schemaOfFile } from "#agent/config/schema.ts";
import { version } from "#agent/model/version.ts";
import { wholeProgram } from "#sim/lab/main.ts";
import { manual } from "../../docs/roff.ts";

const docs = join(import.meta.dirname, "../../../docs");
const head = { name: "linkseal", section: 1, what: "what it is", synopsis: "`linkseal`" } as const;
const bodyOf = (markdown: string): readonly string[] =>
  manual(markdown, head).trimEnd().split("\n").slice(6);

describe("a manual page", () => {
  it("a manual page has a name and a section", () => {
    expect(manual("# Title\n", head).split("\n").slice(0, 3)).toEqual([
      ...[`.TH LINKSEAL 1 "" "linkseal ${version}"`, ".SH NAME", "linkseal \\- what it is"],
    ]);
  });

  it.each([
    ["a section", "## Exit status", ['.SH "EXIT STATUS"']],
    ["a heading", '## A "b" `c`', ['.SH "A \\(dqb\\(dq \\fBc\\fR"']],
    ["a part", "### A\n\ntext", ['.SS "A"', "text"]],
    [
      "an indented part",
      "#### `a`\n\ntext\n\n#### `b`\n\n## C",
      ["\\fBa\\fR", ".RS 4", "text", ".RE", ".PP", "\\fBb\\fR", ".RS 4", ".RE", '.SH "C"'],
    ],
    ["an option", "- `--yes`: do\n  it", [".TP", "\\fB\\-\\-yes\\fR", "do it"]],
    ["a list", "- one\n  more\n- `two`", [".IP \\(bu 2", "one more", ".IP \\(bu 2", "\\fBtwo\\fR"]],
    ["code", "```sh\n.x -y\n\n\\n\n```", [".nf", "\\&.x \\-y", "", "\\en", ".fi"]],
    ["a link", "see [that page](x.md)", ["see that page"]],
    ["an order in a text", "'tis\n.so /etc/passwd", ["\\&'tis", "\\&.so /etc/passwd"]],
    [
      "a table",
      "| key | must be | why |\n| --- | --- | --- |\n| `a` | x\\|y | z |",
      [".TP", "\\fBa\\fR", "must be: x|y", ".br", "why: z"],
    ],
  ])("a manual page has %s", (_what, markdown, lines) => {
    expect(bodyOf(markdown)).toEqual(lines);
  });

  it("linkseal(1) has every verb, linkseal.yaml(5) every key", () => {
    const read = (name: string): string =>
      readFileSync(join(docs, name), "utf8").replaceAll("\\-", "-");
    const verbs = everyCommand(wholeProgram()).filter(({ commands }) => commands.length === 0);
    for (const verb of verbs)
      expect(read("linkseal.1")).toMatch(new RegExp(`linkseal.* ?${verb.name()}`));
    for (const key of Object.keys(schemaOfFile.properties ?? {})) {
      expect(read("linkseal.yaml.5")).toContain(`\n\\fB${key}\\fR\n`);
    }
  });
});

describe("the examples that come with the package", () => {
  it.each(["linux-router.yaml", "two-routers.yaml"])("%s is a valid config", async (name) => {
    const { parseConfig } = await import("#agent/config/index.ts");
    const parsed = parseConfig(readFileSync(join(docs, "examples", name), "utf8"), name);
    expect(parsed.kind === "refused" ? parsed.complaints : []).toEqual([]);
  });

  it.each(["linux-router.yaml", "two-routers.yaml"])("%s leads an editor to the schema", (name) => {
    const [first = ""] = readFileSync(join(docs, "examples", name), "utf8").split("\n");
    const path = /^# yaml-language-server: \$schema=(\S+)$/.exec(first)?.[1] ?? "none";
    const schema = JSON.parse(readFileSync(join(docs, "examples", path), "utf8")) as object;
    expect(schema).toMatchObject({ title: "linkseal.yaml" });
  });
});
