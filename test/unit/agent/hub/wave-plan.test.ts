// A wave from the words of a command.

import { describe, expect, it } from "vitest";
import { parseWave, waveOctets } from "#agent/fleet/wave.ts";
import { plannedWave, type WaveRequest } from "#agent/hub/wave-plan.ts";
import { wallAt } from "../../kit/wave-kit.ts";

const act = { at: wallAt(0), by: "ann" };
const request: WaveRequest = {
  ...{ name: "w", kind: "rotate", bakeMs: 0, lateMs: 1_000, permitMs: 1_000 },
  groups: ["a.g", "b.g", "c.g", "d.g", "e.g", "f.g"],
  ...{ canary: ["b.g"], share: "2" },
};

function stagesOf(part: Partial<WaveRequest>): readonly string[] | string {
  const planned = plannedWave({ ...request, ...part }, act);
  if (planned.kind === "fault") return planned.why;
  expect(parseWave(waveOctets(planned.wave))).toEqual(planned.wave);
  return planned.wave.stages.map((stage) => stage.map(({ site }) => site).join(" "));
}

describe("the stages of a wave", () => {
  it.each<readonly [string, Partial<WaveRequest>, readonly string[]]>([
    ["the canary, then shares in order", {}, ["b", "a c", "d e", "f"]],
    ["a part of all, rounded down", { share: "50%" }, ["b", "a c d", "e f"]],
    ["at least one at once", { share: "1%" }, ["b", "a", "c", "d", "e", "f"]],
    [
      "a canary larger than the share goes in shares",
      { canary: ["a.g", "b.g", "c.g"] },
      ["a b", "c", "d e", "f"],
    ],
    ["all of them a canary", { canary: [...request.groups], share: "100%" }, ["a b c d e f"]],
  ])("%s", (_what, part, stages) => {
    expect(stagesOf(part)).toEqual(stages);
  });

  it.each<readonly [Partial<WaveRequest>, RegExp]>([
    [{ name: "hub.lease" }, /the name has/],
    [{ groups: ["a"] }, /a is not SITE.GROUP/],
    [{ groups: ["a.g.h"] }, /is not SITE.GROUP/],
    [{ groups: ["a.*"] }, /is not SITE.GROUP/],
    [{ groups: ["b.g", "b.g"] }, /twice/],
    [{ canary: ["x.g"] }, /not among the groups/],
    [{ canary: [] }, /canary of at least one/],
    [{ share: "0" }, /a share is/],
    [{ share: "101%" }, /a share is/],
    [{ share: "two" }, /a share is/],
  ])("%j is refused", (part, why) => {
    expect(stagesOf(part)).toMatch(why);
  });
});
