// Two readings of the same object, side by side: ours and that of `ip`.

import { expect } from "vitest";

function* leaves(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value !== "object" || value === null) yield [path, String(value)];
  else {
    for (const [key, part] of Object.entries(value)) {
      yield* leaves(part, path === "" ? key : `${path}.${key}`);
    }
  }
}

/** Prints every value of both, then expects them to be the same. */
export function expectSame(what: string, ours: unknown, theirs: unknown): void {
  const [mine, other] = [new Map(leaves(ours, "")), new Map(leaves(theirs, ""))];
  const paths = [...new Set([...mine.keys(), ...other.keys()])];
  const rows = paths.map((path) => {
    const [left, right] = [mine.get(path) ?? "-", other.get(path) ?? "-"];
    return `  ${path.padEnd(44)} ${left.padEnd(24)} ${right}`;
  });
  console.log([`${what}: ${paths.length} values, ours and those of ip`, ...rows].join("\n"));
  expect(ours).toEqual(theirs);
}
