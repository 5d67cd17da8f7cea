import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { routes } from "#agent/api/routes.ts";
import { everyCommand } from "#agent/cli/command-tree.ts";
import { exampleOf } from "#agent/cli/shape.ts";
import { wholeProgram } from "#sim/lab/main.ts";
import { filled, generatedDocs } from "../../docs/generated.ts";
import { queryParts } from "../../docs/query-reference.ts";
import { triesPart } from "../../docs/tries.ts";

const folder = join(import.meta.dirname, "../../../docs");
const docs = generatedDocs();

describe("a generated document", () => {
  it.each(Object.keys(docs))("%s is up to date; if not: npm run docs", (name) => {
    expect(readdirSync(folder)).toContain(name);
    const written = readFileSync(join(folder, name), "utf8");
    expect(written === docs[name], `${name}: npm run docs`).toBe(true);
  });

  it.each(Object.entries(queryParts()))(
    "the table of queries in %s is up to date; if not: npm run docs",
    (name, parts) => {
      const written = readFileSync(join(folder, name), "utf8");
      expect(filled(written, parts) === written, `${name}: npm run docs`).toBe(true);
    },
  );

  it("the table of tries in attacks.md is up to date; if not: npm run docs", () => {
    const written = readFileSync(join(folder, "attacks.md"), "utf8");
    expect(filled(written, triesPart()) === written, "attacks.md: npm run docs").toBe(true);
  });

  it("docs/protocol.md has every request of the sockets", () => {
    for (const request of Object.keys(routes))
      expect(docs["protocol.md"]).toContain(`\`${request}\``);
  });

  it("docs/cli.md has every verb, each with an example that names it", () => {
    const verbs = everyCommand(wholeProgram()).filter((each) => each.commands.length === 0);
    for (const each of verbs) {
      expect(exampleOf(each), each.name()).toContain(each.name());
      expect(docs["cli.md"]).toContain(exampleOf(each));
    }
  });
});
