// Text that another system wrote, made fit for an error, a log line or a status.

import { withoutKeys } from "./key-lines.ts";

/** UTF-16 units of the longest text that is returned. */
export const foreignTextMax = 300;
/** No more of a long text is looked at. */
const readMax = 4_096;

/**
 * Returns one line of at most 300 UTF-16 units: runs of control characters (C0 and C1), of
 * characters that change the direction or have no shape, and of blanks become one blank. A text
 * that was cut ends with "…". Keys are withheld, as the grammar of lines with keys finds them.
 * Every text of a device, a service or a program passes through here before it becomes a part of
 * an error.
 */
export function foreignText(text: string): string {
  const line = withoutKeys(text.slice(0, readMax))
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim();
  if (line.length <= foreignTextMax && text.length <= readMax) return line;
  // Half of a surrogate pair would be no character.
  return `${line.slice(0, foreignTextMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
