// `npm test`: one vitest run over all tiers, then the table tier / ran / failed / why not.

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitStatus, formatTiers, type Report, tierNames, tiersOf } from "./tiers.ts";

const root = join(import.meta.dirname, "..");

function filesPerTier(): Map<string, string[]> {
  const files = tierNames.map((tier): [string, string[]] => [
    tier,
    globSync(`test/${tier}/**/*.test.ts`, { cwd: root }).map((path) => join(root, path)),
  ]);
  return new Map(files.filter(([, paths]) => paths.length > 0));
}

// Undefined when vitest ended before it wrote its report.
function runVitest(argv: readonly string[]): Report | undefined {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-test-"));
  const file = join(folder, "report.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  try {
    spawnSync(process.execPath, [vitest, "run", ...reporters, ...argv], {
      cwd: root,
      stdio: "inherit",
    });
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const report = runVitest(process.argv.slice(2));
const tiers = tiersOf(filesPerTier(), report);
console.log(`\n${formatTiers(tiers)}`);
process.exitCode = exitStatus(tiers, report, process.env["CI"] === "1");
