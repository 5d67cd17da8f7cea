// The rows of the campaign's tables: which were taken, and which cannot be.

import { table } from "#agent/rotation/campaign.ts";

/** Returns every row of every state, in the order of the tables. */
export function rowNames(): readonly string[] {
  return Object.values(table).flatMap((rows) => rows.map(({ name }) => name));
}

/** The number of times that each row was taken, by its name. */
export type Marks = Readonly<Record<string, number>>;

/** Rows that no storm can reach, with the reason for which each is in the tables all the same. */
export const unreachable: Readonly<Record<string, string>> = {
  "done.stays": "the rotation runner does not touch a campaign that is done",
};

export function rowsNotTaken(marks: Marks): readonly string[] {
  const isDue = (name: string): boolean => unreachable[name] === undefined;
  return rowNames().filter((name) => (marks[name] ?? 0) === 0 && isDue(name));
}

/** Returns the rows that are listed as unreachable although a run has reached them. */
export function rowsTakenAfterAll(marks: Marks): readonly string[] {
  return Object.keys(unreachable).filter((name) => (marks[name] ?? 0) > 0);
}

/** The number of rotations from which on the rarest of the reachable rows must have been taken. */
const enough = 20_000;

/** Returns the faults of a run's coverage, one sentence each. */
export function marksMissed(marks: Marks, rotations: number): readonly string[] {
  const missing = rotations < enough ? [] : rowsNotTaken(marks);
  return [
    ...missing.map((name) => `row ${name} was never taken in ${rotations} rotations`),
    ...rowsTakenAfterAll(marks).map((name) => `row ${name} is called unreachable and was taken`),
  ];
}
