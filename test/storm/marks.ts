// Which rows of the campaign's tables were taken, and which cannot be.

import { table } from "#agent/rotation/campaign.ts";

/** Every row of every state, in the order of the tables. */
export function rowNames(): readonly string[] {
  return Object.values(table).flatMap((rows) => rows.map(({ name }) => name));
}

/** How often each row was taken, by its name. */
export type Marks = Readonly<Record<string, number>>;

/** Rows that no fleet run can reach, and why each stands in the tables all the same. */
export const unreachable: Readonly<Record<string, string>> = {
  "done.stays": "the conductor leaves a campaign that is done alone",
};

export function rowsNotTaken(marks: Marks): readonly string[] {
  const isDue = (name: string): boolean => unreachable[name] === undefined;
  return rowNames().filter((name) => (marks[name] ?? 0) === 0 && isDue(name));
}

/** Rows that are called unreachable, and that a run has reached. */
export function rowsTakenAfterAll(marks: Marks): readonly string[] {
  return Object.keys(unreachable).filter((name) => (marks[name] ?? 0) > 0);
}

/** From so many rotations on the rarest of the reachable rows has no excuse. */
const enough = 20_000;

/** What a run must not leave behind, one sentence each. */
export function marksMissed(marks: Marks, rotations: number): readonly string[] {
  const missing = rotations < enough ? [] : rowsNotTaken(marks);
  return [
    ...missing.map((name) => `row ${name} was never taken in ${rotations} rotations`),
    ...rowsTakenAfterAll(marks).map((name) => `row ${name} is called unreachable and was taken`),
  ];
}
