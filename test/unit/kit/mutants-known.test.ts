// The list of mutants that no test can notice: it is whole, and names a mutant by its own text.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hashOf, known, knownIn } from "../../mutate/known.ts";

const root = join(import.meta.dirname, "../../..");

describe("known mutants", () => {
  it("the list names files that exist, and a reason for each", () => {
    expect(known.length).toBeGreaterThan(150);
    expect(known.filter(({ file }) => !existsSync(join(root, file)))).toEqual([]);
    expect(known.filter(({ why }) => why.length < 5)).toEqual([]);
  });

  it("a mutant is known while its line is the same, and no longer", () => {
    const mutant = { file: "agent/a.ts", line: "return x;", becomes: "false" };
    const [first] = knownIn(`agent/a.ts\n  ${hashOf(mutant)} 00000000: it is so\n`);
    expect(first).toEqual({ file: "agent/a.ts", hash: hashOf(mutant), why: "it is so" });
    expect(hashOf({ ...mutant, line: "return y;" })).not.toBe(first?.hash);
    expect(hashOf({ ...mutant, becomes: "true" })).not.toBe(first?.hash);
  });
});
