// A filter behind a pipe is a regular expression; an invalid one is refused like any other line.

import { expect, it } from "vitest";
import { placeOf, platforms } from "../../../conformance/place.ts";

it("the IOS XE emulator goes on after a filter that is an invalid expression", async () => {
  const platform = platforms["C8500-12X4QC 17.15.1"];
  if (platform === undefined) throw new Error("no such platform");
  const { rig, emulator } = placeOf(platform);
  let printed = "";
  const session = emulator.connect({
    send: (octets) => {
      printed += Buffer.from(octets).toString();
    },
    close: () => undefined,
  });
  for (const filter of ["include (", "section [", "include ^hostname"]) {
    session?.receive(Buffer.from(`show running-config | ${filter}\r`));
    await rig.clock.runFor(10_000);
  }
  expect(printed.match(/% Failed to compile regular expression/g)).toHaveLength(2);
  expect(printed).toMatch(/^hostname /m);
});
