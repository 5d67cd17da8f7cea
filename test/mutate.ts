// `npm run mutate -- AREA...`: changes the code of an area bit by bit and checks that its tests
// notice.

import { rmdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Stryker } from "@stryker-mutator/core";
import { areas, type Part } from "./mutate/areas.ts";
import { hashOf } from "./mutate/known.ts";
import { type FileScore, percent, scoresOf, staleKnown, whyKnown } from "./mutate/score.ts";

const root = join(import.meta.dirname, "..");
const config = fileURLToPath(import.meta.resolve("./mutate/vitest.config.ts"));
const temporary = ".tmp";
const scoreMin = 85;

async function mutate({ files, tests }: Part): Promise<readonly FileScore[]> {
  // Stryker's own list of tests does not apply to code that runs as a module loads.
  process.env["LINKSEAL_MUTATE_TESTS"] = tests.join(" ");
  const stryker = new Stryker({
    mutate: [...files],
    testRunner: "vitest",
    plugins: [import.meta.resolve("@stryker-mutator/vitest-runner")],
    vitest: { configFile: relative(root, config), related: false },
    // Stryker would rewrite tsconfig.json with an API that TypeScript 7 does not have.
    ignorePatterns: ["tsconfig.json", "coverage", "dist"],
    coverageAnalysis: "perTest",
    concurrency: Number(process.env["LINKSEAL_MUTATE_WORKERS"] ?? "1"),
    reporters: ["progress-append-only"],
    tempDirName: `${temporary}/stryker`,
    cleanTempDir: "always",
    warnings: false,
  });
  return scoresOf(root, await stryker.runMutationTest());
}

function report(area: string, scores: readonly FileScore[]): boolean {
  for (const { survivors } of scores) {
    for (const survivor of survivors) {
      const { file, at, mutator, line, becomes } = survivor;
      const name = hashOf(survivor);
      const why = whyKnown(survivor)?.why;
      const known = why === undefined ? "" : ` (known: ${why})`;
      console.log(`${file}:${at} ${name} ${mutator}: ${line} -> ${becomes.slice(0, 100)}${known}`);
    }
  }
  console.log();
  for (const score of [...scores.map((one) => [one])]) {
    console.log(
      `${percent(score, () => true)
        .toFixed(1)
        .padStart(6)}  ${score[0]?.file}`,
    );
  }
  const all = percent(scores, () => true);
  const unexplained = percent(scores, (survivor) => whyKnown(survivor) === undefined);
  console.log(
    `${all.toFixed(1).padStart(6)}  ${area}; ${unexplained.toFixed(1)} but for the known`,
  );
  const stale = staleKnown(scores);
  for (const line of stale) console.log(`known, and noticed all the same: ${line}`);
  return unexplained >= scoreMin && stale.length === 0;
}

for (const area of process.argv.slice(2)) {
  const parts = areas[area];
  if (parts === undefined) throw new Error(`no area ${area}: ${Object.keys(areas).join(", ")}`);
  const scores: FileScore[] = [];
  try {
    for (const part of parts) scores.push(...(await mutate(part)));
  } finally {
    try {
      rmdirSync(join(root, temporary));
    } catch {
      // Another program has files in it.
    }
  }
  if (!report(area, scores)) process.exitCode = 1;
}
