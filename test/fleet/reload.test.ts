// A router that saves apart from a commit is reloaded before it has saved: the old configuration
// comes back. What the agent says of it, what it puts back itself, and what a campaign ends.

import { describe, expect, it } from "vitest";
import { type Platform, platforms, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "reload";
const saves = /^(?:write memory|copy running-config startup-config)$/;
const group = "erd-demo";
const [iosxe, eos, nxos] = [
  platforms["C8500-12X4QC 17.15.1"],
  platforms["7280CR3MK 4.30.5M"],
  platforms["C9336C-FX2 9.3.6"],
];

/** A stage in which the first router saves no more from its `from`th save of a rotation on. */
async function cutFrom(platform: Platform, from: number) {
  const stage = new RouterStage(seed, spokenBy(platform));
  await stage.run(stage.begin());
  await stage.settled();
  const [name, router] = [...stage.site.routers][0] ?? [];
  if (name === undefined || router === undefined) throw new Error("no router");
  let asked = 0;
  stage.cutsLine = (device, line) => {
    if (device !== name || !saves.test(line)) return false;
    asked += 1;
    return asked >= from;
  };
  await stage.rotate();
  const reload = async (): Promise<void> => {
    router.reboot();
    await stage.site.clock.runFor(5_000);
    stage.cutsLine = () => false;
    await stage.site.clock.runFor(240_000);
  };
  return { stage, reload, asked: () => asked };
}

const stateOf = ({ agent }: RouterStage) => agent.memory.campaigns[group]?.state;
const linksOf = ({ site }: RouterStage) => site.truth().groups[0]?.links ?? [];
const warned = ({ agent }: RouterStage) =>
  agent.status().warnings.filter(({ absentSince }) => absentSince === null);

/** Both links are secured by the key of the far end, carry, and hold no other key. */
function expectWhole(stage: RouterStage, what: string): void {
  const wanted = linksOf(stage).map(({ farKey }) => ({ edgeKeys: [farKey], drained: false }));
  expect(
    linksOf(stage).map(({ edgeKeys, drained }) => ({ edgeKeys, drained })),
    what,
  ).toEqual(wanted);
  expect(stage.agent.status().verdict, what).toBe("protected");
  expect(stage.agent.memory.unsaved, what).toEqual({});
  expect(stage.complaints(), what).toEqual([]);
}

describe.each([
  { vendor: "nxos", platform: nxos },
  { vendor: "eos", platform: eos },
])("a reload after a rotation that $vendor has not saved", ({ platform }) => {
  it.each([1, 2, 3, 4, 5])("from its save %i on is named, and both links carry", async (from) => {
    const { stage, reload } = await cutFrom(platform, from);
    await stage.until(() => stateOf(stage) === "done");
    const before = stage.logged.length;
    await reload();
    expect(stage.logged.slice(before)).toContain("reload-took-back");
    // Nothing that is not in force is called saved; the end of a drain that was not saved is.
    if (from > 1) expect(stage.logged.slice(before)).not.toContain("commit-saved");
    // The key of the far end is back, no drain of ours is left, and the old key waits for a person.
    for (const { edgeKeys, farKey, drained } of linksOf(stage)) {
      expect(edgeKeys).toContain(farKey);
      expect(drained).toBe(false);
    }
    const isBack = linksOf(stage).some(({ edgeKeys }) => edgeKeys.length > 1);
    const named = warned(stage).filter(({ code }) => code === "reload-took-back");
    expect(named.map(({ next }) => next)).toEqual(isBack ? [`linkseal rotate ${group}`] : []);
    if (isBack) {
      await stage.run(stage.ask());
      await stage.until(() => stateOf(stage) === "done");
      await stage.site.clock.runFor(60_000);
    }
    expectWhole(stage, `save ${from}`);
    expect(warned(stage).map(({ code }) => code)).not.toContain("reload-took-back");
  });
});

const states = ["draining", "staging", "switching", "proving", "retiring", "restoring"];

describe.each([
  { vendor: "nxos", platform: nxos },
  { vendor: "eos", platform: eos },
  { vendor: "iosxe", platform: iosxe },
])("a reload of an unsaved $vendor in mid-campaign", ({ platform }) => {
  it.each(effort(["switching", "retiring"], states))("in %s ends whole", async (state) => {
    const { stage, reload } = await cutFrom(platform, 1);
    await stage.until(() => stateOf(stage) === state || stateOf(stage) === "done");
    await reload();
    for (let tried = 0; tried < 3; tried += 1) {
      await stage.until(() => ["done", "held"].includes(stateOf(stage) ?? ""));
      await stage.resumed();
    }
    await stage.site.clock.runFor(120_000);
    if (linksOf(stage).some(({ edgeKeys }) => edgeKeys.length > 1)) {
      await stage.run(stage.ask());
      await stage.settled();
      await stage.site.clock.runFor(60_000);
    }
    expectWhole(stage, state);
  });
});
