// Every benchmark, in its shortest form: it shows that a bench runs, nothing of what it measures.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cannotRun } from "../why-not.ts";

const runner = join(import.meta.dirname, "../../bench/run.ts");

function ran(...words: readonly string[]) {
  return spawnSync(process.execPath, [runner, ...words], { encoding: "utf8" });
}

const names = /^names: (.+)$/m.exec(ran().stderr)?.[1]?.split(", ") ?? [];

describe("the shortest form of the benches", () => {
  it("the list of benches names them", () => {
    expect(names).toContain("netlink");
  });

  it.for(names)("the bench %s runs and prints figures", (name, context) => {
    const { status, stdout, stderr } = ran("--shortest", name);
    const whyNot = new RegExp(`^${name}: not run: (.+)$`, "m").exec(stderr)?.[1];
    if (whyNot !== undefined) cannotRun(context, whyNot);
    if (status !== 0) expect.fail(`it ended with ${status}: ${stderr}`);
    expect(stdout).toMatch(/^ {2}ours +\d/m);
  });
});
