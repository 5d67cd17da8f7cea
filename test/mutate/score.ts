// Turns Stryker's results into a score per file, and into the mutants that no test noticed.

import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Stryker } from "@stryker-mutator/core";
import { hashOf, type Known, known } from "./known.ts";

type Result = Awaited<ReturnType<Stryker["runMutationTest"]>>[number];

export interface Survivor {
  readonly file: string;
  /** First line, counted from 1. */
  readonly at: number;
  /** The source line, without its indent. */
  readonly line: string;
  readonly mutator: string;
  readonly becomes: string;
}

export interface FileScore {
  readonly file: string;
  readonly noticed: number;
  readonly survivors: readonly Survivor[];
}

const noticed: readonly string[] = ["Killed", "Timeout"];
const missed: readonly string[] = ["Survived", "NoCoverage"];

/** Counts as Stryker does: a mutant with which a test file does not even load is in no sum. */
export function scoresOf(root: string, results: readonly Result[]): readonly FileScore[] {
  const files = [...new Set(results.map(({ fileName }) => fileName))].sort();
  return files.map((path): FileScore => {
    const mine = results.filter(({ fileName }) => fileName === path);
    const file = relative(root, path);
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    const survivors = mine
      .filter(({ status }) => missed.includes(status))
      .map(({ location, mutatorName, replacement }): Survivor => {
        const at = location.start.line;
        const becomes = replacement.replaceAll(/\s+/g, " ");
        return { file, at, line: lines[at - 1]?.trim() ?? "", mutator: mutatorName, becomes };
      });
    return {
      file,
      noticed: mine.filter(({ status }) => noticed.includes(status)).length,
      survivors,
    };
  });
}

/** Returns the entry of a mutant; a line of "*" stands for every line of its file. */
export function whyKnown(survivor: Survivor): Known | undefined {
  const names = [hashOf(survivor), hashOf({ ...survivor, line: "*" })];
  return known.find(({ file, hash }) => file === survivor.file && names.includes(hash));
}

/** Returns the entries whose mutant the tests noticed after all, or that no longer exists. */
export function staleKnown(scores: readonly FileScore[]): readonly string[] {
  const seen = scores.flatMap(({ survivors }) => survivors).map((survivor) => whyKnown(survivor));
  return known
    .filter((entry) => scores.some(({ file }) => file === entry.file) && !seen.includes(entry))
    .map(({ file, hash, why }) => `${file} ${hash}: ${why}`);
}

/** Returns the score in percent of `noticed + survived`. */
export function percent(
  scores: readonly FileScore[],
  counts: (survivor: Survivor) => boolean,
): number {
  const good = scores.reduce((sum, score) => sum + score.noticed, 0);
  const bad = scores.flatMap(({ survivors }) => survivors.filter(counts)).length;
  return good + bad === 0 ? 0 : (100 * good) / (good + bad);
}
