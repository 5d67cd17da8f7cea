// Reads values from outside so that no text, however made, can end the process.

import { LinksealError } from "./error.ts";

/**
 * Returns the value that `read` finds. If `read` throws, `refused` decides: it returns a value, or
 * throws the typed error of that one request. `read` has no effect but its value, so nothing has
 * happened yet. A LinksealError is passed on.
 */
export function fromOutside<T>(read: () => T, refused: (cause: unknown) => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    return refused(error);
  }
}
