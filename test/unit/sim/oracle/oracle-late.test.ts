// The agent's responsibility for changes that a router makes late: a drain that it has forgotten
// (P2), and the proof that it had when it asked for a removal (P3).

import { expect, it } from "vitest";
import { formatViolation, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { settled } from "../../kit/site-bench.ts";

const group = "erd-demo";

/** A campaign drains the primary link; the router carries that out minutes later. */
async function drainedLate() {
  const size = { groups: 1, tunnels: 0, start: "protected" } as const;
  const site = buildSite({ seed: "late", name: "demo", ...size });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  await site.clock.runFor(60_000);
  const [primary, secondary] = [
    scripted.link(`${group}/primary`),
    scripted.link(`${group}/secondary`),
  ];
  const observeBoth = async (): Promise<void> => {
    for (const link of [primary, secondary]) await settled(site.clock, scripted.observe(link));
  };
  const tenMinutes = async (): Promise<void> => {
    for (let round = 0; round < 60; round += 1) {
      await site.clock.runFor(10_000);
      await observeBoth();
    }
  };
  oracle.means(group, primary.id);
  await observeBoth();
  primary.router.setFault("finalsLate", true);
  await expect(settled(site.clock, scripted.drain(primary))).rejects.toThrow(
    "may or may not be in force",
  );
  primary.router.setFault("finalsLate", false);
  const found = () => oracle.violations.map(formatViolation);
  return { oracle, primary, scripted, site, found, tenMinutes };
}

it("an agent that forgets its own late drain is caught once nothing needs it", async () => {
  const { oracle, found, tenMinutes } = await drainedLate();
  oracle.means(group, undefined);
  await tenMinutes();
  expect(found()).toEqual([
    expect.stringMatching(/^seed late promise P2\nat \S+ s after: agent port\.drain at edge-a/),
  ]);
  expect(found()[0]).toContain("stays drained by a change that nothing needs");
});

it("an agent that undoes its own late drain is not caught", async () => {
  const { oracle, primary, scripted, site, found, tenMinutes } = await drainedLate();
  oracle.means(group, undefined);
  await site.clock.runFor(430_000, () => primary.router.drained(primary.port));
  const back = { kind: "port.restore", port: primary.port, means: "prepend" } as const;
  await settled(site.clock, scripted.change(primary, back));
  await tenMinutes();
  expect(found()).toEqual([]);
});

it("an agent whose campaign or operator wants the late drain is not caught", async () => {
  for (const wants of ["campaign", "operator"] as const) {
    const { oracle, primary, found, tenMinutes } = await drainedLate();
    if (wants === "operator") {
      oracle.means(group, undefined);
      oracle.means(primary.id, primary.id);
    }
    await tenMinutes();
    expect(primary.router.drained(primary.port)).toBe(true);
    expect(found()).toEqual([]);
  }
});

it("an agent whose disk lost the request of a late drain is not caught", async () => {
  const { oracle, found, tenMinutes } = await drainedLate();
  oracle.forgets();
  oracle.means(group, undefined);
  await tenMinutes();
  expect(found()).toEqual([]);
});

/** The old key is removed late, while the far end is silent. */
async function removedLate(proof: "proven" | "unproven"): Promise<readonly string[]> {
  const size = { groups: 1, tunnels: 0, start: "protected" } as const;
  const site = buildSite({ seed: "late-key", name: "demo", ...size, routingPps: 2 });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  const [primary, secondary] = [
    scripted.link(`${group}/primary`),
    scripted.link(`${group}/secondary`),
  ];
  const play = <T>(promise: Promise<T>): Promise<T> => settled(site.clock, promise);
  const observeBoth = async (): Promise<void> => {
    for (const link of [primary, secondary]) await play(scripted.observe(link));
  };
  await site.clock.runFor(60_000);
  const [old, key] = [scripted.givenKey(primary), scripted.newKey(primary)];
  await observeBoth();
  await play(scripted.drain(primary));
  await observeBoth();
  await play(scripted.change(primary, scripted.keyChange(primary, "addKey", key)));
  await observeBoth();
  scripted.put(primary, key);
  const leads = (): boolean => primary.edge.session().principalCkn === key.ckn;
  await site.clock.runFor(120_000, () => proof === "unproven" && leads());
  await observeBoth();
  const { router, port } = primary;
  router.lateFinalMs = { low: 200_000, high: 200_000 };
  router.setFault("finalsLate", true);
  const gone = { kind: "macsec.removeKey", port, ckn: old.ckn } as const;
  await expect(play(scripted.change(primary, gone))).rejects.toThrow("may or may not be in force");
  primary.farPort.setFault("silent", true);
  await site.clock.runFor(300_000);
  expect(primary.edge.keys().map(({ ckn }) => ckn)).toEqual([key.ckn]);
  return oracle.violations.map(formatViolation);
}

it("a removal of a key that lands late rests on the proof at its request", async () => {
  expect(await removedLate("proven")).toEqual([]);
});

it("a removal of a key without proof is caught, however late it lands", async () => {
  const [first] = await removedLate("unproven");
  expect(first).toMatch(/promise P3\nat \S+ s after: agent macsec\.removeKey/);
});
