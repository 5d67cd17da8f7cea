// What a run of the suite prints: how many cases each device passed, refused or failed.

import type { Verdict } from "#sim/conformance/suite.ts";

export interface Row {
  readonly profile: string;
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

function countOf({ verdicts }: Row, kind: Verdict["kind"]): number {
  return [...verdicts.values()].filter((verdict) => verdict.kind === kind).length;
}

export function formatRows(title: string, rows: readonly Row[]): string {
  const lines = rows.map(
    (row) =>
      `${row.profile.padEnd(26)}${String(countOf(row, "ok")).padStart(5)}` +
      `${String(countOf(row, "refused")).padStart(9)}${String(countOf(row, "failed")).padStart(8)}`,
  );
  return [`\n${title.padEnd(26)}   ok  refused  failed`, ...lines].join("\n");
}

/** One line per case that did not hold. */
export function failures({ verdicts }: Row): string[] {
  return [...verdicts].flatMap(([name, verdict]) => {
    if (verdict.kind === "failed") return [`${name}: ${verdict.text}`];
    return verdict.kind === "untried" ? [`${name}: the bench lacks ${verdict.lacks}`] : [];
  });
}
