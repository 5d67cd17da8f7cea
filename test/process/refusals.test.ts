// Evidence of a change beside thousands of refused requests, by a real agent on a real disk.

import { expect, it } from "vitest";
import { flood, floodStage, link, refusalsIn, reportedChanges } from "./flood.ts";

it("a drain and an undrain among six thousand refusals are in the signed report", async () => {
  const [stage, program] = await floodStage("refusals");
  await using _stage = stage;
  const { sent, statuses } = await flood([stage, program], 6_000, 2);
  expect([...statuses]).toEqual([[400, sent]]);
  const changes = await reportedChanges([stage, program], sent);
  const asked = changes.filter(({ what, about }) => what === "asked" && about === link);
  const texts = asked.map(({ text }) => text);
  expect(texts).toContain("drain: done");
  expect(texts).toContain("undrain: done");
  expect(refusalsIn(changes)).toBe(sent);
  expect(program.dead).toBe(false);
});
