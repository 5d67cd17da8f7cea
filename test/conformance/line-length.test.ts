// The lines that are sent to IOS XE, which takes lines of a limited length.

import { describe, expect, it } from "vitest";
import { driverEdits } from "#agent/simulation/driver-edits.ts";

/** The characters that IOS takes in a line. */
const most = 254;
const cak = "0".repeat(64);

describe("the lines that are sent to IOS XE", () => {
  it("has room for every line of a change in a line of IOS", { timeout: 120_000 }, async () => {
    const platform = { driver: "iosxe", model: "C8500-12X4QC", release: "17.15.1" } as const;
    const { edits } = await driverEdits(platform);
    const lines = edits.flatMap(({ text }) =>
      text.split("\n").map((one) => one.replace(/KEY-OF-[\w-]+/, cak)),
    );
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.filter((text) => text.length > most)).toEqual([]);
  });
});
