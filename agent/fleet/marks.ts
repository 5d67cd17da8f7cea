// Which rows of the campaign's tables were taken, and which cannot be.

import { table } from "../campaign/campaign.ts";

/** Every row of every state, in the order of the tables. */
export function rowNames(): readonly string[] {
  return Object.values(table).flatMap((rows) => rows.map(({ name }) => name));
}

/** How often each row was taken, by its name. */
export type Marks = Readonly<Record<string, number>>;

/** Rows that no fleet run can reach, and why each stands in the tables all the same. */
export const unreachable: Readonly<Record<string, string>> = {};

export function rowsNotTaken(marks: Marks): readonly string[] {
  return rowNames().filter((name) => (marks[name] ?? 0) === 0 && unreachable[name] === undefined);
}
