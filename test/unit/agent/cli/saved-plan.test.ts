// A saved plan: written for its owner alone, never over another file, and read as hostile text.

import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSavedPlan, writeSavedPlan } from "#agent/cli/saved-plan.ts";
import type { SitePlan } from "#agent/compare/site-plan.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-saved-plan-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const agreed = { accepted: 3, sha256: "ab", states: { "erd-demo/primary": "cd" }, steps: ["ef"] };
const plan: SitePlan = {
  ...{ schema: "linkseal.plan/1", wouldChange: false, steps: [], notes: [], differs: true },
  config: { accepted: 3, sha256: "ab", compared: "differs", settings: [] },
  agreed,
};
const config = { file: "site.yaml", text: "version: 1\n" };
const document = { schema: "linkseal.saved-plan/1", ...config, plan };

let files = 0;
function fileWith(content: string | Uint8Array): string {
  files += 1;
  const path = join(folder, `${files}.plan`);
  writeFileSync(path, content);
  return path;
}

const refused = { code: "usage", effect: "none" };

describe("a saved plan", () => {
  it("a saved plan has mode 0600, and the config and what was agreed to in it", async () => {
    const path = join(folder, "one.plan");
    await writeSavedPlan(path, config, plan);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await readSavedPlan(path)).toEqual({ ...config, agreed });
  });

  it("an existing file is not overwritten", async () => {
    const path = fileWith("mine");
    await expect(writeSavedPlan(path, config, plan)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("exists already"),
    });
  });

  it.each<[string, string | Uint8Array]>([
    ["an empty file", ""],
    ["no JSON", "plan"],
    ["no UTF-8", Uint8Array.of(0xff, 0xfe, 0x00)],
    ["null", "null"],
    ["a list", "[]"],
    ["nesting without end", "[".repeat(100_000)],
    ["another schema", JSON.stringify({ ...document, schema: "linkseal.plan/1" })],
    ["no plan", JSON.stringify({ ...document, plan: null })],
    ["a plan without what was agreed to", JSON.stringify({ ...document, plan: {} })],
    ["no text", JSON.stringify({ ...document, text: 7 })],
    ["a text that is too long", JSON.stringify({ ...document, text: "x".repeat(1_000_001) })],
    ["no name of a file", JSON.stringify({ ...document, file: "" })],
    ["a name without end", JSON.stringify({ ...document, file: "x".repeat(5_000) })],
  ])("%s is refused as no saved plan", async (_name, content) => {
    const path = fileWith(content);
    await expect(readSavedPlan(path)).rejects.toMatchObject({
      ...refused,
      message: `${path} is not a plan that this version of linkseal has saved`,
    });
  });

  it("a file without end, a folder and a missing file are refused", async () => {
    const long = fileWith("{}");
    truncateSync(long, 17 * 1024 * 1024);
    const inner = join(folder, "inner");
    mkdirSync(inner);
    for (const path of [long, inner, "/dev/zero", join(folder, "none")]) {
      await expect(readSavedPlan(path), path).rejects.toMatchObject(refused);
    }
  });
});
