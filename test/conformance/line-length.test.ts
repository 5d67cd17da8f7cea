// The lines that are sent to platforms that take lines of a limited length: those of changes, and
// the queries.

import { describe, expect, it } from "vitest";
import { readers } from "#drivers/index.ts";
import { driverEdits } from "#sim/lab/driver-edits.ts";

const cak = "0".repeat(64);

/** Values of the variable words of queries, each as long as it may be. */
const longest: Readonly<Record<string, string>> = {
  "<port>": "TwentyFiveGigE1/0/48/1",
  "<vrf>": "v".repeat(32),
  "<name>": "m".repeat(63),
};
const address = "2001:db8:1111:2222:3333:4444:5555:6666";

const platforms = [
  // The characters that IOS takes in a line.
  ["iosxe", "C8500-12X4QC", "17.15.1", 254],
  // The width of the terminal, so that no echo is broken; NX-OS takes longer lines.
  ["nxos", "C9336C-FX2", "9.3(6)", 511],
] as const;

describe.each(platforms)("the lines that are sent to %s", (driver, model, release, most) => {
  it("has room for every line of a change", async () => {
    const { edits } = await driverEdits({ driver, model, release });
    const lines = edits.flatMap(({ text }) =>
      text.split("\n").map((one) => one.replace(/KEY-OF-[\w-]+/, cak)),
    );
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.filter((text) => text.length > most)).toEqual([]);
  });

  it("has room for every query", () => {
    const queries = readers[driver].rows.map(({ name }) =>
      name.replaceAll(/<\w+>/g, (word) => longest[word] ?? address),
    );
    expect(queries.length).toBeGreaterThan(15);
    expect(queries.filter((text) => text.length > most)).toEqual([]);
  });
});
