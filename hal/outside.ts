// What came from outside, being read: no text, however made, may end the process.

import { LinksealError } from "./error.ts";

/**
 * The value that `read` finds. Whatever it throws is what the text or request came to, and
 * `refused` answers for it: by a value, or by the typed error of that one request. `read` has no
 * effect but its value, so nothing has happened yet. A LinksealError is an answer already.
 */
export function fromOutside<T>(read: () => T, refused: (cause: unknown) => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    return refused(error);
  }
}
