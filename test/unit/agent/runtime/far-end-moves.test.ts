// A config that gives links with keys another far end: what its plan shows, and what is known of
// the new far end once the config is in force.

import { describe, expect, it } from "vitest";
import { sitePlanText } from "#agent/cli/plan-text.ts";
import type { SitePlan } from "#agent/compare/site-plan.ts";
import type { DesiredLink } from "#agent/model/desired.ts";
import type { AgentBench } from "../../kit/agent-bench.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

const offered = { overlap: "keychain" } as const;
const restores = "restores the far end";

async function planOf(bench: AgentBench, text: string): Promise<SitePlan> {
  const answer = await settled(bench.site.clock, bench.agent.plan(text, "site.yaml", never));
  if ("complaints" in answer) throw new Error(JSON.stringify(answer.complaints));
  return answer.plan;
}

const textOf = ({ agent }: AgentBench): string => agent.intent?.text ?? "";

function edited(text: string, ...[from, to]: readonly [RegExp, string]): string {
  const after = text.replace(from, to);
  expect(after).not.toBe(text);
  return after;
}

const otherPort = (text: string): string =>
  edited(text, /expressRoutePort: .*/, "expressRoutePort: other");

const swapped = (text: string): string =>
  edited(text, /azureLink: link1([\s\S]*)azureLink: link2/, "azureLink: link2$1azureLink: link1");

/** The far end of each link as the agent last read it. */
function readings({ agent }: AgentBench) {
  const links: readonly DesiredLink[] = agent.intent?.desired.groups[0]?.links ?? [];
  return links.map((link) => agent.supervisor?.deviceCache.peer(link));
}

describe("a port that is another one", () => {
  it("a port that does not exist is not shown as what the config wants", async () => {
    const pair = await Pair.adopted(offered);
    const plan = await planOf(pair, otherPort(textOf(pair)));
    const text = sitePlanText(plan);
    expect(text).not.toContain("both ends are as this config wants them");
    expect(plan.config.settings[0]).toMatchObject({
      path: "groups[erd-demo].expressRoutePort",
      authority: expect.stringContaining("and no longer"),
    });
    expect(plan.steps).toEqual([]);
    for (const [name, link] of [
      ["primary", "link1"],
      ["secondary", "link2"],
    ]) {
      expect(text).toContain(`erd-demo/${name}: its far end becomes ${link} of other (before: `);
    }
    expect(text).toContain("it was not read yet");
  });

  it("the reading of the old port is not shown as that of the new one", async () => {
    const pair = await Pair.adopted(offered);
    expect(readings(pair).map((read) => read !== undefined)).toEqual([true, true]);
    await pair.apply(otherPort(textOf(pair)));
    await pair.run(120_000);
    expect(pair.agent.intent?.number).toBe(2);
    expect(readings(pair)).toEqual([undefined, undefined]);
    const text = sitePlanText(await planOf(pair, textOf(pair)));
    expect(text).toContain("its far end has become link1 of other");
    expect(text).not.toContain("both ends are as");
  });

  it("a config with the same far ends keeps what was read of them", async () => {
    const pair = await Pair.adopted(offered);
    const before = readings(pair);
    await pair.apply(`# Monday\n${textOf(pair)}`);
    await pair.run(1);
    expect(pair.agent.intent?.number).toBe(2);
    expect(before[0]).toBeDefined();
    expect(readings(pair).map((read) => read?.state.pointsAt)).toEqual(
      before.map((read) => read?.state.pointsAt),
    );
  });
});

describe("links of a port that change places in the config", () => {
  it("the plan asks no person to restore far ends that the config itself moved", async () => {
    const pair = await Pair.adopted(offered);
    const plan = await planOf(pair, swapped(textOf(pair)));
    const text = sitePlanText(plan);
    expect(text).not.toContain(restores);
    expect(plan.steps).toEqual([]);
    expect(plan.config.settings.map(({ authority }) => authority)).toEqual([
      expect.stringContaining("As the far end of erd-demo/primary"),
      expect.stringContaining("As the far end of erd-demo/secondary"),
    ]);
    const notes = plan.notes.map(({ about, text: note, next }) => `${about}: ${note}: ${next}`);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(
      /becomes link2 of erd-demo \(before: link1 of erd-demo\).*another CAK version/,
    );
    expect(notes[1]).toMatch(/^erd-demo\/secondary: its far end becomes link1 of erd-demo /);
    expect(plan.notes.map(({ kind }) => kind)).toEqual(["check", "check"]);
    expect(notes[0]).toMatch(/the fibre of edge-a \S+ must end at link2 of /);
  });

  it("once that config is in force, its plan still restores nothing", async () => {
    const pair = await Pair.adopted(offered);
    await pair.apply(swapped(textOf(pair)));
    const text = sitePlanText(await planOf(pair, textOf(pair)));
    expect(text).not.toContain(restores);
    expect(text).toContain("its far end has become link2 of ");
  });
});
