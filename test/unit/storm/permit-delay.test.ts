// P8: what is a delay of a run without a hub, and what is more.

import { describe, expect, it } from "vitest";
import type { EffectEvent } from "#sim/base/truth.ts";
import { type AgentRun, judgeDelay, linkEffect } from "../../storm/permit-delay.ts";

const steps = ["port.drain", "macsec.addKey 01", "macsec.removeKey 02", "port.restore"];

/** A run of two links, whose steps are ten seconds apart. */
function run(delayMs: readonly [number, number], cut = 8): AgentRun {
  const effects = ["g/primary", "g/secondary"].flatMap((link, index) =>
    steps.map((what, step) => ({
      ...{ link, what },
      at: (index * steps.length + step) * 10_000 + (delayMs[index] ?? 0),
    })),
  );
  return { effects: effects.slice(0, cut), endedAt: 3_600_000 };
}

const free = run([0, 0]);

describe("a run beside a hub", () => {
  it.each([
    ["the same", run([0, 0])],
    ["later", run([900_000, 900_000])],
    ["later between the links", run([0, 1_800_000])],
    ["nothing", run([0, 0], 0)],
    ["one link", run([60_000, 0], 4)],
  ])("%s is a delay", (_name, withHub) => {
    expect(judgeDelay(free, withHub)).toEqual([]);
  });

  it("a step that was made twice is made once", () => {
    const [first, ...others] = free.effects;
    if (first === undefined) throw new RangeError();
    const again = { ...free, effects: [first, { ...first, at: 5_000 }, ...others] };
    expect(judgeDelay(free, again)).toEqual([]);
  });

  it("another step, or one more, is found", () => {
    const [first, ...others] = free.effects;
    if (first === undefined) throw new RangeError();
    const other = { ...free, effects: [{ ...first, what: "port.shut" }, ...others] };
    expect(judgeDelay(free, other)).toEqual([
      "P8: g/primary: port.shut is step 1, without a hub it is not",
    ]);
    expect(judgeDelay(run([0, 0], 4), free)).toEqual([
      "P8: g/secondary: port.drain is step 1, without a hub it is not",
    ]);
  });

  it("a step that comes earlier is found", () => {
    expect(judgeDelay(run([0, 600_000]), free)).toEqual([
      "P8: g/secondary: port.drain is earlier than without a hub",
    ]);
  });

  it("a link that was taken and does not get on is found, also at its last step", () => {
    expect(judgeDelay(free, run([0, 0], 2))).toEqual([
      "P8: g/primary: what has taken it waits after macsec.addKey 01",
    ]);
    expect(judgeDelay(free, run([0, 0], 7))).toEqual([
      "P8: g/secondary: what has taken it waits after macsec.removeKey 02",
    ]);
  });
});

describe("an effect on a link", () => {
  const event = { at: 7, by: "agent", place: "edge-a", link: "g/a", port: "p" } as const;
  const of = (over: object) => linkEffect({ ...event, what: "port.drain", ...over } as EffectEvent);

  it("a taking is named by its kind and its key", () => {
    expect(of({})).toEqual({ at: 7, link: "g/a", what: "port.drain" });
    expect(of({ what: "macsec.addKey", ckn: "0123456789ab" })?.what).toBe("macsec.addKey 01234567");
  });

  it("what others did, or on no link, is none", () => {
    expect(of({ by: "person" })).toBeUndefined();
    expect(of({ link: undefined })).toBeUndefined();
  });
});
