// The last successful run of each part of the long run: reads and writes the table in
// docs/long-runs.md.

import type { Part } from "../long.ts";

export interface Green {
  /** The full id of the commit that was run. */
  readonly commit: string;
  /** Day on which it ended, UTC: `2026-11-24`. */
  readonly day: string;
  readonly minutes: number;
  /** Tests that passed; undefined = the part has figures instead of tests. */
  readonly tests: number | undefined;
  /** The measured figures; undefined = none. */
  readonly figures: string | undefined;
}

const intro = `# Long runs

This page is for those who change linkseal and must know more than the gate shows.

What takes too long for each change, in parts: \`npm run test:long -- PART...\`, or without a
name all in turn. \`npm run test:long -- --list\` names their files. No part takes two quiet
processors more than an hour. \`mutation-...\` changes the code of an area bit by bit, and counts
the changes that its tests notice.

<!-- Written by \`npm run test:long\`, for a part that is green in a tree without changes. -->

`;

const none = "-";

const cells = (row: readonly string[]): string => `| ${row.join(" | ")} |`;

export function formatGreens(parts: readonly Part[], greens: ReadonlyMap<string, Green>): string {
  const rows = parts.map(({ name, what }): readonly string[] => {
    const green = greens.get(name);
    const head = [`\`${name}\``, what];
    if (green === undefined) return [...head, "never", none, none, none, none];
    const { commit, day, minutes, tests, figures } = green;
    const end = [String(minutes), tests === undefined ? none : String(tests), figures ?? none];
    return [...head, `\`${commit.slice(0, 12)}\``, day, ...end];
  });
  const head = ["part", "what it holds", "green at", "on", "minutes", "tests passed", "figures"];
  const all = [head, head.map(() => "---"), ...rows];
  return `${intro}${all.map(cells).join("\n")}\n`;
}

/**
 * Reads the table, by name of the part; parts that never passed are not in it. Throws for a row
 * that it cannot read.
 */
export function parseGreens(text: string): ReadonlyMap<string, Green> {
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(
    rows.flatMap((row) => {
      const [name = "", , at = "", day = "", minutes, tests, figures] = row
        .slice(2, -2)
        .split(" | ")
        .map((cell) => cell.replaceAll("`", ""));
      if (at === "never") return [];
      const isRead = /^[0-9a-f]{12}$/.test(at) && Number.isInteger(Number(minutes));
      if (!isRead) throw new Error(`docs/long-runs.md: a row that no run has written: ${row}`);
      const green: Green = {
        ...{ commit: at, day, minutes: Number(minutes) },
        tests: tests === none ? undefined : Number(tests),
        figures: figures === none ? undefined : figures,
      };
      return [[name, green] as const];
    }),
  );
}
