// The plan of a whole config by the real agent on a simulated pair: what it shows, and what is
// refused once something has changed.

import { describe, expect, it } from "vitest";
import type { SitePlan } from "#agent/compare/site-plan.ts";
import type { ApplyAnswer } from "#agent/runtime/agent-shapes.ts";
import { AgentBench } from "../../kit/agent-bench.ts";
import { group, Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

async function planOf(bench: AgentBench, text: string): Promise<SitePlan> {
  const answer = await settled(bench.site.clock, bench.agent.plan(text, "site.yaml", never));
  if ("complaints" in answer) throw new Error(JSON.stringify(answer.complaints));
  return answer.plan;
}

async function applyAgreed(bench: AgentBench, text: string, shown: SitePlan): Promise<ApplyAnswer> {
  // As it comes back from a file.
  const read = JSON.parse(JSON.stringify({ agreed: shown.agreed })) as Pick<SitePlan, "agreed">;
  const request = { text, file: "site.yaml", who: "test", queue: false, shown: read };
  return await settled(bench.site.clock, bench.agent.apply(request, never));
}

const offered = { overlap: "keychain" } as const;

/** An operator turns replay protection to another window, on the router itself. */
function driftOn(pair: Pair): void {
  const { router, port } = pair.link("primary");
  router.manualEdit((config) => {
    const settings = config.ports.get(port);
    if (settings?.macsec === undefined) throw new Error("the port has no MACsec");
    settings.macsec = { ...settings.macsec, replayWindow: 7 };
  });
}

describe("the plan of a whole config", () => {
  it("the accepted config on an adopted pair is the one plan without anything to do", async () => {
    const pair = await Pair.adopted(offered);
    const text = pair.agent.intent?.text ?? "";
    expect(await planOf(pair, text)).toMatchObject({
      ...{ differs: false, wouldChange: false, steps: [], notes: [] },
      config: { accepted: 1, compared: "inForce", settings: [] },
    });
    const comment = await planOf(pair, `# Monday\n${text}`);
    expect([comment.differs, comment.config.compared]).toEqual([true, "respelled"]);
  });

  it("a change of authority alone is a difference, though no device is touched", async () => {
    const pair = await Pair.adopted(offered);
    const plan = await planOf(pair, `${pair.agent.intent?.text ?? ""}repair: on\n`);
    expect([plan.differs, plan.wouldChange, plan.steps]).toEqual([true, false, []]);
    expect(plan.config.settings).toMatchObject([{ path: "repair", old: "off", new: "on" }]);
    expect(plan.config.settings[0]?.authority).toContain("mends drift");
  });

  it("a first config shows what each router is sent, and writes nothing", async () => {
    const bench = await new AgentBench("clear", "planned").live();
    const before = bench.agent.journal.records().length;
    const plan = await planOf(bench, bench.config());
    const lines = plan.steps.flatMap(({ sends }) => (sends?.kind === "lines" ? sends.lines : []));
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
      "ipsec.putTunnel",
      ...["primary", "secondary"].flatMap(() => ["port.drain", "macsec.protect", "macsec.addKey"]),
    ]);
    expect(plan.steps.map(({ sends }) => sends?.kind)).toContain("undoes");
    expect(bench.agent.journal.records().length).toBe(before);
    expect(bench.oracle.agentWrites).toBe(0);
  });

  it("a rotation under way is no drift: neither its staged key nor its far end", async () => {
    const pair = await Pair.adopted(offered);
    const text = pair.agent.intent?.text ?? "";
    pair.newKeys();
    await pair.rotate();
    for (const state of ["primary staged", "primary proving", "primary restoring"]) {
      await pair.reach(state);
      const { notes, steps } = await planOf(pair, text);
      expect([state, notes, steps]).toEqual([state, [], []]);
    }
  });
});

describe("a plan that was agreed to", () => {
  it("the plan is applied if nothing has changed since", async () => {
    const pair = await Pair.adopted(offered);
    const text = `# Monday\n${pair.agent.intent?.text ?? ""}`;
    const plan = await planOf(pair, text);
    await pair.run(600_000);
    expect(await applyAgreed(pair, text, plan)).toMatchObject({ kind: "accepted", number: 2 });
  });

  it("a saved plan is refused after drift, with the link that drifted", async () => {
    const pair = await Pair.adopted(offered);
    const text = `# Monday\n${pair.agent.intent?.text ?? ""}`;
    const plan = await planOf(pair, text);
    driftOn(pair);
    await pair.run(1_000);
    expect(await applyAgreed(pair, text, plan)).toMatchObject({
      kind: "changed",
      since: [`${group}/primary is no longer as it was`],
    });
    expect(pair.agent.intent?.number).toBe(1);
  });

  it("a saved plan is refused after another config was accepted, or of another text", async () => {
    const pair = await Pair.adopted(offered);
    const before = pair.agent.intent?.text ?? "";
    const text = `# Monday\n${before}`;
    const plan = await planOf(pair, text);
    expect(await applyAgreed(pair, `${text}# Tuesday\n`, plan)).toMatchObject({
      kind: "changed",
      since: ["the text of the config is another one"],
    });
    await pair.apply(`${before}# Wednesday\n`);
    expect(await applyAgreed(pair, text, plan)).toMatchObject({
      kind: "changed",
      since: ["config 2 is in force, and it was config 1"],
    });
    expect(pair.agent.intent?.number).toBe(2);
  });
});
