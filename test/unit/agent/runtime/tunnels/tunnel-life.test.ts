// Operator commands for a tunnel that a newer config changes, and for one that no config names any
// more.

import { beforeAll, describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import { AgentBench } from "../../../kit/agent-bench.ts";

const longer = (text: string): string =>
  text.replace(/( {4}protects:.*remote: \[)([^\]]+)\]/, "$1$2, 10.177.0.0/16]");

/** Returns the config without its tunnels. */
const without = (text: string): string => text.replace(/^tunnels:\n(?: .*\n)*/m, "");

describe("a tunnel of the accepted config", () => {
  let bench: AgentBench;
  let name = "";
  const spec = () => bench.site.routers.get("edge-a")?.tunnels()[0]?.spec;

  beforeAll(async () => {
    bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    name = bench.agent.intent?.desired.tunnels[0]?.name ?? "";
    await bench.run(60_000, () => bench.agent.memory.tunnels[name] !== undefined);
    await bench.run(20_000);
  });

  async function stepsOf(text: string): Promise<readonly string[]> {
    const answer = (await bench.ask("POST /v1/plan", { text, file: "demo.yaml" })) as {
      readonly plan: Plan;
    };
    return answer.plan.steps.map(({ does }) => does).filter((does) => does.includes("tunnel"));
  }

  it("a tunnel that a newer config changes is changed as its plan shows", async () => {
    const before = spec()?.remotePrefixes ?? [];
    expect(await stepsOf(bench.config())).toEqual([]);
    expect(await stepsOf(bench.config(longer))).toEqual([
      `change the tunnel ${name}; its SAs are not touched`,
    ]);
    expect(await bench.apply(bench.config(longer))).toMatchObject({ kind: "accepted", number: 2 });
    await bench.run(60_000, () => spec()?.remotePrefixes.length === before.length + 1);
    expect(spec()?.remotePrefixes).toEqual([...before, "10.177.0.0/16"]);
    await bench.run(10_000);
    expect(bench.agent.memory.tunnels[name]).toBe(2);
    expect(await stepsOf(bench.config(longer))).toEqual([]);
  });

  it("a config with a tunnel that cannot be changed in place is refused", async () => {
    const moved = bench.config((text) =>
      longer(text).replace(/(- name: hub-1\n\s+device: )(\S+)/, "$1edge-b"),
    );
    const answer = await bench.apply(moved);
    expect(answer).toMatchObject({
      kind: "refused",
      complaints: [
        {
          path: `tunnels ${name}`,
          what: "cannot become this",
          why: expect.stringContaining("a tunnel does not move to another device"),
        },
      ],
    });
    expect(bench.agent.intent?.number).toBe(2);
  });

  const retire = (risks: readonly string[] = []): Promise<unknown> =>
    bench.ask("POST /v1/retire/tunnel", { name, risks });

  it("a tunnel is not retired while a config names it, nor if it is foreign", async () => {
    expect(await retire()).toMatchObject({
      code: "usage",
      text: expect.stringContaining("the accepted config names it"),
    });
    const other = await bench.ask("POST /v1/retire/tunnel", { name: "hub-9", risks: [] });
    expect(other).toMatchObject({ code: "usage" });
  });

  it("a tunnel that no config names is unmanaged, and is retired at accepted risk", async () => {
    const last = await bench.apply(bench.config(without));
    expect(last).toMatchObject({
      kind: "accepted",
      plan: {
        notes: expect.arrayContaining([
          {
            about: name,
            text: expect.stringContaining(`${name} goes on, unmanaged: edge-a blocks nothing`),
            next: `linkseal retire tunnel ${name} --accept-risk=clear-after-retire`,
          },
        ]),
      },
    });
    await bench.run(30_000);
    expect(spec()).toBeDefined();
    const unmanaged = () => bench.agent.status().unmanaged.filter(({ kind }) => kind === "tunnel");
    expect(unmanaged()).toMatchObject([
      { kind: "tunnel", name, where: "edge-a", next: `linkseal retire tunnel ${name}` },
    ]);
    // The simulated router has no blocks.
    expect(await retire()).toMatchObject({ code: "gate.riskNotAccepted" });
    expect(spec()).toBeDefined();
    expect(await retire(["clearAfterRetire"])).toEqual({
      ...{ retired: name, device: "edge-a", blocked: [] },
    });
    expect(spec()).toBeUndefined();
    expect(unmanaged()).toEqual([]);
    expect(bench.agent.memory.auths[name]).toBeUndefined();
    expect(await retire()).toMatchObject({ code: "usage" });
    expect(bench.violations()).toEqual([]);
  });
});

describe("a tunnel that a config without it removes", () => {
  const risk = "  - { risk: clearAfterRetire, until: 2027-01-31, reason: a test }\n";
  const accepted = (text: string): string =>
    without(text).replace("acceptRisks:\n", `acceptRisks:\n${risk}`);

  it("a tunnel whose risk is accepted is removed by apply, and set up again by one", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    const name = bench.agent.intent?.desired.tunnels[0]?.name ?? "";
    await bench.run(60_000, () => bench.agent.memory.tunnels[name] !== undefined);
    // The tunnel existed before; linkseal owns it once it has changed it.
    await bench.apply(bench.config(longer));
    const count = (): number => bench.site.routers.get("edge-a")?.tunnels().length ?? 0;
    await bench.run(60_000, () => bench.agent.memory.auths[name] !== undefined);
    expect(count()).toBe(1);
    const answer = await bench.apply(bench.config(accepted));
    expect(answer).toMatchObject({
      plan: { steps: [{ where: "edge-a", does: `remove the tunnel ${name}` }] },
    });
    await bench.run(60_000, () => count() === 0);
    await bench.run(10_000);
    expect([count(), bench.agent.memory.tunnels[name]]).toEqual([0, undefined]);
    const unmanaged = bench.agent.status().unmanaged.filter(({ kind }) => kind === "tunnel");
    expect(unmanaged).toEqual([]);
    await bench.apply(bench.config());
    await bench.run(60_000, () => count() === 1);
    expect(count()).toBe(1);
    expect(bench.broken).toEqual([]);
  });
});

describe("a config without a group and a tunnel", () => {
  it("a config without groups and tunnels is accepted, and changes no device", async () => {
    const bench = await new AgentBench("protected").live();
    await bench.apply();
    const none = bench.config((text) => without(text).replace(/^groups:\n(?: .*\n)*/m, ""));
    expect(await bench.apply(none)).toMatchObject({ kind: "accepted", number: 2 });
    await bench.run(60_000);
    expect(bench.carrying()).toEqual([true, true]);
    expect(bench.broken).toEqual([]);
  });
});
