// The oracle checks the order of a key change: it catches each step that comes too early, an agent
// that acts without its journal, and a record that is not true.

import { describe, expect, it } from "vitest";
import type { Ckn } from "#hal/model.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";
import { fullCapabilities } from "#sim/site/site-plan.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { never } from "../../kit/site-bench.ts";

interface Scene {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly scripted: ScriptedAgent;
  readonly link: SiteLink;
}

const seed = "switch-1";

async function scene(overlap: "keychain" | "fallback"): Promise<Scene> {
  const { macsec } = fullCapabilities;
  if (macsec === undefined) throw new Error("the best router knows MACsec");
  const models = () => ({ capabilities: { ...fullCapabilities, macsec: { ...macsec, overlap } } });
  const site = buildSite({ seed, name: "demo", groups: 1, tunnels: 0, start: "protected", models });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  await site.clock.runFor(60_000);
  return { site, oracle, scripted, link: scripted.link("erd-demo/primary") };
}

async function play({ site }: Scene, script: () => Promise<void>): Promise<void> {
  let over = false;
  const whole = script()
    .then(() => site.clock.sleep(10_000))
    .finally(() => {
      over = true;
    });
  await Promise.all([whole, site.clock.runFor(9_000_000, () => over)]);
}

async function observeBoth({ scripted, link }: Scene): Promise<void> {
  await scripted.observe(link);
  await scripted.observe(scripted.sibling(link));
}

/** Adds the new key beside the old one, for good or with a timer on it. */
async function stage(
  all: Scene,
  within: number | "final",
): Promise<ReturnType<ScriptedAgent["newKey"]>> {
  const { scripted, link } = all;
  const key = scripted.newKey(link);
  const role =
    link.router.options.capabilities.macsec?.overlap === "fallback" ? "fallback" : "primary";
  const change = [{ kind: "macsec.addKey", port: link.port, key, role }] as const;
  const transaction = await scripted.device(link).prepare(change, scripted.keys, never);
  await transaction.apply(within, never);
  return key;
}

/** The key is proven, turned off at the far end by an operator, and promoted after this delay. */
async function promoteAfter(all: Scene, ms: number): Promise<void> {
  const { scripted, link, site } = all;
  await observeBoth(all);
  await scripted.drain(link);
  const { ckn } = await proven(all);
  link.msee.manualEdit(link.azureLink, { key: "off" });
  while (link.far.keys().length > 0) await site.clock.sleep(100);
  await site.clock.sleep(ms);
  await observeBoth(all);
  await scripted.change(link, { kind: "macsec.promoteKey", port: link.port, ckn });
}

/** The new key is in use at both ends for long enough, the old one still beside it. */
async function proven(all: Scene): Promise<ReturnType<ScriptedAgent["newKey"]>> {
  const { scripted, link, site } = all;
  const key = await stage(all, "final");
  scripted.put(link, key);
  while (link.edge.session().principalCkn !== key.ckn) await site.clock.sleep(100);
  await site.clock.sleep(20_000);
  await scripted.device(link).probe?.(link.port, 40, never);
  await observeBoth(all);
  return key;
}

interface Offence {
  readonly name: string;
  readonly promise: string;
  readonly says: string;
  readonly overlap?: "fallback";
  act(all: Scene): Promise<void>;
}

const offences: readonly Offence[] = [
  {
    name: "points the far end at a key that the router never tried",
    promise: "P3",
    says: "which its router never had and was never asked to take",
    async act(all) {
      await observeBoth(all);
      all.scripted.put(all.link, all.scripted.newKey(all.link));
    },
  },
  {
    name: "changes the far end while the staged key has a timer on it",
    promise: "P3",
    says: "while a timer may remove key",
    async act(all) {
      await observeBoth(all);
      const key = await stage(all, 300_000);
      all.scripted.put(all.link, key);
    },
  },
  {
    name: "points it at the old key while the staged one has a timer on it",
    promise: "P3",
    says: "while a timer may remove key",
    async act(all) {
      const old = all.scripted.givenKey(all.link);
      await observeBoth(all);
      await stage(all, 300_000);
      all.scripted.put(all.link, old);
    },
  },
  {
    name: "promotes a key that is not proven",
    promise: "P3",
    says: "the agent promoted key",
    overlap: "fallback",
    async act(all) {
      await observeBoth(all);
      const { ckn } = await stage(all, "final");
      const { scripted, link } = all;
      await scripted.change(link, { kind: "macsec.promoteKey", port: link.port, ckn });
    },
  },
  {
    name: "removes the old key a moment after the new one works",
    promise: "P3",
    says: "too soon to be sure",
    async act(all) {
      const { scripted, link, site } = all;
      const old = scripted.givenKey(link);
      await observeBoth(all);
      await scripted.drain(link);
      const key = await stage(all, "final");
      scripted.put(link, key);
      while (link.edge.session().principalCkn !== key.ckn) await site.clock.sleep(100);
      const gone = { kind: "macsec.removeKey", port: link.port, ckn: old.ckn } as const;
      const transaction = await scripted.device(link).prepare([gone], scripted.keys, never);
      await scripted.device(link).probe?.(link.port, 40, never);
      await observeBoth(all);
      await transaction.apply("final", never);
    },
  },
  {
    name: "promotes a key that its far end has left for minutes",
    promise: "P3",
    says: "the agent promoted key",
    overlap: "fallback",
    act: (all) => promoteAfter(all, 120_000),
  },
  {
    name: "changes the far end's key with the traffic on the link",
    promise: "P2",
    says: "with the traffic still on it",
    async act(all) {
      all.oracle.expectDrained();
      // Before BGP came up, the link was quiet, which counts for a while.
      await all.site.clock.sleep(60_000);
      await observeBoth(all);
      const key = await stage(all, "final");
      all.scripted.put(all.link, key);
    },
  },
  {
    name: "writes a far end that only an operator may change",
    promise: "P4",
    says: "although a person changes it",
    async act(all) {
      all.oracle.expectNoPuts("a person changes it");
      await observeBoth(all);
      all.scripted.put(all.link, await stage(all, "final"));
    },
  },
  {
    name: "acts without a record in its journal",
    promise: "P4",
    says: "its journal on the disk has no record of that",
    async act({ oracle }) {
      oracle.recorded('{"kind":"effect","token":"edge-a-1"}');
      oracle.acts("edge-a", "edge-a-1");
      oracle.acts("edge-a", "edge-a-2");
    },
  },
  {
    name: "records a key that is not the one of the link",
    promise: "P7",
    says: "and the router has another",
    async act({ oracle, link }) {
      oracle.claims(link.id, "0f".repeat(32) as Ckn);
    },
  },
];

describe("the oracle catches", () => {
  it.each(offences)("the oracle catches by $promise an agent that $name", async (offence) => {
    const all = await scene(offence.overlap ?? "keychain");
    await play(all, () => offence.act(all));
    const reported = all.oracle.violations.map(formatViolation);
    const mine = all.oracle.violations.filter(({ text }) => text.includes(offence.says));
    expect(
      mine.map(({ promise }) => promise),
      reported.join("\n"),
    ).toEqual([offence.promise]);
  });
});

describe("the oracle lets pass", () => {
  it("the oracle accepts a rotation in the right order, and its record", async () => {
    const all = await scene("keychain");
    const { scripted, link, oracle, site } = all;
    oracle.expectDrained();
    const next = scripted.newKey(link);
    await play(all, async () => {
      expect(await scripted.rotate(link, scripted.givenKey(link), next)).toBe("done");
      await site.clock.sleep(120_000);
      oracle.claims(link.id, next.ckn);
    });
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a put beside a late commit without keys: seed weather-4319", async () => {
    const all = await scene("keychain");
    const { scripted, link, oracle } = all;
    await play(all, async () => {
      await observeBoth(all);
      const key = scripted.newKey(link);
      const change = [{ kind: "macsec.addKey", port: link.port, key, role: "primary" }] as const;
      const late = await scripted.device(link).prepare(change, scripted.keys, never);
      const settled = await scripted.device(link).prepare(change, scripted.keys, never);
      await settled.apply(300_000, never);
      // The confirm is first, and no observation of the site is made in between.
      await Promise.all([settled.confirm(never), late.apply(300_000, never)]);
      scripted.put(link, key);
      expect(link.router.commits.armed()).toBe(true);
    });
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a promotion while an operator turns the far end off", async () => {
    const all = await scene("fallback");
    await play(all, () => promoteAfter(all, 0));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a record that others have just made untrue", async () => {
    const { oracle, link, scripted } = await scene("keychain");
    link.msee.manualEdit(link.azureLink, { key: scripted.newKey(link) });
    oracle.claims(link.id, "0f".repeat(32) as Ckn);
    expect(oracle.violations).toEqual([]);
  });
});
