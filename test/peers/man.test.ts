// The manual pages, rendered by man and checked by mandoc: no warning, and each standard section.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "./run.ts";

const docs = join(import.meta.dirname, "../../docs");

/** A page has no date: two builds of one source are the same. */
const undated = /WARNING: missing date/;

describe.each([
  [
    "linkseal.1",
    ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT"],
    ["FILES", "SEE ALSO"],
  ],
  ["linkseal.yaml.5", ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLE"], ["FILES", "SEE ALSO"]],
])("%s", (name, first, last) => {
  const page = join(docs, name);

  it("man renders it on 80 columns without a warning", async () => {
    const environment = ["MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING="];
    const argv = ["env", ...environment, "man", "--warnings", "-l", page];
    const { status, stdout, stderr } = await run(argv, "");
    expect([status, stderr]).toEqual([0, ""]);
    const sections = stdout.split("\n").filter((line) => /^[A-Za-z]/.test(line));
    expect(sections.slice(1, 1 + first.length)).toEqual(first);
    expect(sections.slice(0, -1).slice(-last.length)).toEqual(last);
  });

  it("mandoc has no complaint about it", async () => {
    const { stdout, stderr } = await run(["mandoc", "-T", "lint", "-W", "warning", page], "");
    const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
    expect(lines.filter((line) => !undated.test(line))).toEqual([]);
    expect(lines).toHaveLength(1);
  });
});
