// What is written to the journal after an effect, and how its failure is reported.

import { LinksealError } from "#hal/error.ts";

/** Settles a change that is known to have done nothing; any other failure keeps its record. */
export async function unlessUndone(
  settle: () => Promise<void>,
  f: () => Promise<void>,
): Promise<void> {
  try {
    await f();
  } catch (error) {
    if (error instanceof LinksealError && error.effect === "none") await settle();
    throw error;
  }
}

/**
 * Writes what follows an effect that has happened.
 * @throws LinksealError with effect "applied", whatever the disk reports: the effect is in force.
 */
export async function writtenAfter(where: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const text = `the change of ${where} is in force, and not in the journal: ${error.code}`;
    const details = { effect: "applied", where, next: error.next, cause: error } as const;
    throw new LinksealError(error.code, text, details);
  }
}

/** Writes; a disk that takes no write is told to `otherwise`, and any other error is thrown. */
export async function unlessUnwritable(
  write: () => Promise<void>,
  otherwise: (error: LinksealError) => void,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof LinksealError) || error.code !== "journal.full") throw error;
    otherwise(error);
  }
}
