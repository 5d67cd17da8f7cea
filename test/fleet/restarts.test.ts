// P4: many starts of the agent over devices that match the intent, or that an operator has changed.

import { describe, expect, it } from "vitest";
import type { MacsecSettings } from "#hal/model.ts";
import { effort } from "../effort.ts";
import { AgentBench } from "../unit/kit/agent-bench.ts";

const starts = effort(150, 1_000);
const bothLinks = { target: "erd-demo", risks: [] };

/**
 * The links are protected by hand, and their keys pushed and adopted: the agent has not written so
 * far.
 */
async function adopted(edit?: (text: string) => string): Promise<AgentBench> {
  const bench = new AgentBench("protected");
  await bench.live();
  await bench.run(30_000);
  await bench.apply(bench.config(edit));
  await bench.run(30_000);
  await bench.ask("POST /v1/adopt", bothLinks);
  await bench.run(120_000, () => bench.agent.status().verdict === "protected");
  return bench;
}

async function startAgain(bench: AgentBench, times: number): Promise<void> {
  const prng = bench.site.prng.fork("restarts");
  for (let start = 0; start < times; start += 1) {
    // This is any time from the first read of the disk to a few observations.
    await bench.run(prng.between(1, 15_000));
    if (prng.chance(0.5)) bench.disk.crash();
    await bench.end();
    await bench.live();
  }
}

/** An operator edits a port. */
function edit(bench: AgentBench, change: Partial<MacsecSettings>): void {
  const { router, port } = bench.link("primary");
  router.manualEdit((config) => {
    const settings = config.ports.get(port);
    if (settings?.macsec !== undefined) settings.macsec = { ...settings.macsec, ...change };
  });
}

function seen(bench: AgentBench): Partial<MacsecSettings> {
  return bench.link("primary").edge.settings() ?? {};
}

describe(`${starts} starts`, () => {
  it("starts over devices that match the intent write nothing", async () => {
    const bench = await adopted();
    bench.oracle.expectNoWrites("every device equals the intent");
    await startAgain(bench, starts);
    await bench.run(300_000);
    expect(bench.agent.status().verdict).toBe("protected");
    expect([bench.oracle.agentWrites, bench.violations(), bench.broken]).toEqual([0, [], []]);
  });
});

describe("drift by an operator", () => {
  it("drift under repair: off is reported and left alone, over many starts", async () => {
    const bench = await adopted();
    edit(bench, { replayWindow: 7, sakRekeyMs: 3_600_000 });
    bench.oracle.expectNoWrites("repair is off");
    await startAgain(bench, effort(20, 100));
    await bench.run(300_000);
    const warnings = bench.agent.status().warnings.map(({ code, about }) => `${code} ${about}`);
    expect(warnings).toContain("drift erd-demo/primary");
    expect(seen(bench)).toMatchObject({ replayWindow: 7, sakRekeyMs: 3_600_000 });
    expect([bench.oracle.agentWrites, bench.violations()]).toEqual([0, []]);
  });

  const on = (text: string): string => `repair: on\n${text}`;

  it("drift under repair: on is corrected where the driver calls that hitless", async () => {
    const bench = await adopted(on);
    edit(bench, { replayWindow: 7 });
    await bench.run(120_000);
    expect(seen(bench).replayWindow).toBe(64);
    expect(bench.oracle.agentWrites).toBeGreaterThan(0);
    expect(bench.violations()).toEqual([]);
    bench.oracle.expectNoWrites("all is mended");
    await startAgain(bench, effort(20, 50));
    expect(bench.violations()).toEqual([]);
  });

  it("a port without any key is corrected under repair: on, and otherwise reported", async () => {
    for (const [how, edited] of [
      ["on", on],
      ["off", undefined],
    ] as const) {
      const bench = await adopted(edited);
      const { router, port } = bench.link("primary");
      const keys = (): number => bench.link("primary").edge.keys().length;
      router.manualEdit((config) => {
        const own = config.ports.get(port);
        if (own !== undefined) own.keys = [];
      });
      if (how === "off") bench.oracle.expectNoWrites("repair is off");
      await bench.run(300_000);
      expect([how, keys(), bench.violations()]).toEqual([how, how === "on" ? 1 : 0, []]);
      const { verdict } = bench.agent.status();
      expect(verdict).toBe(how === "on" ? "protected" : "down");
    }
  });

  it("a tunnel that carries one way only gets new SAs under repair: on alone", async () => {
    for (const [how, edited] of [
      ["on", on],
      ["off", undefined],
    ] as const) {
      const bench = await adopted(edited);
      const tunnels = [...bench.site.routers.values()].flatMap((router) => router.tunnels());
      const isUp = (): boolean => tunnels.every((tunnel) => tunnel.up());
      await bench.run(120_000);
      expect([how, tunnels.length, isUp()]).toEqual([how, 1, true]);
      if (how === "off") bench.oracle.expectNoWrites("repair is off");
      for (const tunnel of tunnels) tunnel.loseReturn();
      expect(isUp()).toBe(false);
      await bench.run(300_000);
      expect([how, isUp(), bench.violations()]).toEqual([how, how === "on", []]);
      const { events } = bench.agent.events.after(0);
      // A repair that mends it at once leaves no time for a verdict: then its own event says why.
      const why = /packets only leave|got no packet back/u;
      expect(events.some(({ text }) => why.test(text))).toBe(true);
      const isTold = events.some(({ code }) => code === "tunnel-repaired");
      expect([how, isTold]).toEqual([how, how === "on"]);
    }
  });

  it.each([
    ["the SCI", { includeSci: false }],
    ["the key server priority beside the window", { keyServerPriority: 1, replayWindow: 7 }],
  ] as const)(
    "drift that would interrupt the port is left alone under repair: on: %s",
    async (_name, change) => {
      const bench = await adopted(on);
      edit(bench, change);
      bench.oracle.expectNoWrites("mending would interrupt the port");
      await startAgain(bench, 20);
      await bench.run(300_000);
      expect(seen(bench)).toMatchObject(change);
      expect([bench.oracle.agentWrites, bench.violations()]).toEqual([0, []]);
    },
  );
});
