// The oracle judges by the agent's knowledge: at the moment of its request, and from what a device
// showed.

import { describe, expect, it } from "vitest";
import type { Transaction } from "#hal/device.ts";
import { setKeys, swapNewestKey } from "#sim/faults/manual-operators.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { never } from "../../kit/site-bench.ts";

interface Scene {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly scripted: ScriptedAgent;
  readonly primary: SiteLink;
  readonly secondary: SiteLink;
}

async function scene(routers: "one" | "two" = "two"): Promise<Scene> {
  const options = { seed: "known-1", name: "demo", groups: 1, tunnels: 0, routers } as const;
  const site = buildSite({ ...options, start: "protected" });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  await site.clock.runFor(60_000);
  const [primary, secondary] = [
    scripted.link("erd-demo/primary"),
    scripted.link("erd-demo/secondary"),
  ];
  return { site, oracle, scripted, primary, secondary };
}

async function play({ site }: Scene, script: () => Promise<void>): Promise<void> {
  let over = false;
  const whole = script().finally(() => {
    over = true;
  });
  await Promise.all([whole, site.clock.runFor(9_000_000, () => over)]);
}

async function observeBoth({ scripted, primary, secondary }: Scene): Promise<void> {
  await scripted.observe(primary);
  await scripted.observe(secondary);
}

/** The sibling keeps a SAK that its far end has left, for longer than any evidence takes. */
async function drainBesideStale(all: Scene, counters: "frozen" | "counting"): Promise<void> {
  const { scripted, primary, secondary, site } = all;
  secondary.edge.setFault("staleSak", true);
  secondary.far.rekeySak();
  if (counters === "frozen") secondary.router.setFault("frozenCounters", true);
  for (let spent = 0; spent < 150_000; spent += 10_000) {
    await observeBoth(all);
    await site.clock.sleep(10_000);
  }
  await observeBoth(all);
  await scripted.drain(primary);
}

/** The far end was pointed at the key and is slow, or was not pointed at it. */
async function addBesideLost(all: Scene, farEnd: "pointed" | "as before"): Promise<void> {
  const { scripted, primary, secondary, site } = all;
  const key = scripted.newKey(primary);
  primary.msee.setFault("lies", true);
  if (farEnd === "pointed") primary.msee.manualEdit(primary.azureLink, { key });
  secondary.fibre.setUp(false);
  await site.clock.sleep(60_000);
  await observeBoth(all);
  await scripted.change(primary, scripted.keyChange(primary, "addKey", key));
}

/** An operator points the far end at the staged key, and reverts that or not. */
async function rollBackAfter(all: Scene, farEnd: "old" | "new"): Promise<void> {
  const { scripted, primary, site } = all;
  const [old, key] = [scripted.givenKey(primary), scripted.newKey(primary)];
  await observeBoth(all);
  await scripted.drain(primary);
  await observeBoth(all);
  const staged = [scripted.keyChange(primary, "addKey", key)];
  const transaction = await scripted.device(primary).prepare(staged, scripted.keys, never);
  await transaction.apply(600_000, never);
  primary.msee.manualEdit(primary.azureLink, { key });
  while (primary.edge.session().principalCkn !== key.ckn) await site.clock.sleep(100);
  if (farEnd === "old") {
    primary.msee.manualEdit(primary.azureLink, { key: old });
    while (primary.far.keys()[0]?.ckn !== old.ckn) await site.clock.sleep(100);
  }
  await site.clock.sleep(20_000);
  await observeBoth(all);
  await transaction.rollback(never);
}

/** An operator removes the only key as a commit comes, and puts it back before the rollback. */
async function rollBackUnder(
  all: Scene,
  how: "alone" | "beside the staged one" | "once it was asked",
): Promise<void> {
  const { scripted, primary, site } = all;
  await observeBoth(all);
  const staged = [scripted.keyChange(primary, "addKey", scripted.newKey(primary))];
  const transaction = await scripted.device(primary).prepare(staged, scripted.keys, never);
  const gone = primary.router.configured(primary.port)?.keys ?? [];
  const putBack = swapNewestKey(site, primary);
  await transaction.apply(600_000, never);
  const beside = primary.router.configured(primary.port)?.keys ?? [];
  if (how === "alone") putBack();
  if (how === "beside the staged one") setKeys(primary, [...gone, ...beside]);
  if (how !== "once it was asked") await site.clock.sleep(120_000);
  await observeBoth(all);
  const asked = transaction.rollback(never);
  if (how === "once it was asked") putBack();
  await asked;
}

/** The same happens at the other port of a router that has both links. */
async function rollBackBeside({ scripted, primary, secondary, site }: Scene): Promise<void> {
  const putBack = swapNewestKey(site, secondary);
  const staged = [scripted.keyChange(primary, "addKey", scripted.newKey(primary))];
  const transaction = await scripted.device(primary).prepare(staged, scripted.keys, never);
  await transaction.apply(600_000, never);
  putBack();
  await site.clock.sleep(120_000);
  await transaction.rollback(never);
}

/** Another client's commit comes in the very moment in which the own one is settled or not. */
async function putAfter(all: Scene, own: "confirmed" | "pending"): Promise<void> {
  const { scripted, primary } = all;
  const key = scripted.newKey(primary);
  await observeBoth(all);
  await scripted.drain(primary);
  await observeBoth(all);
  const staged = [scripted.keyChange(primary, "addKey", key)];
  const transaction = await scripted.device(primary).prepare(staged, scripted.keys, never);
  await transaction.apply(300_000, never);
  if (own === "confirmed") await transaction.confirm(never);
  primary.router.setFault("foreignCommit", true);
  scripted.put(primary, key);
  await all.site.clock.sleep(1_000);
}

async function putUndrained(all: Scene): Promise<void> {
  const { scripted, primary, site } = all;
  for (let spent = 0; spent < 120_000; spent += 10_000) {
    await observeBoth(all);
    await site.clock.sleep(10_000);
  }
  const key = scripted.newKey(primary);
  await scripted.change(primary, scripted.keyChange(primary, "addKey", key));
  await observeBoth(all);
  scripted.put(primary, key);
  await site.clock.sleep(1_000);
}

/** A standby that lacks the newest commit takes over the primary's router after these changes. */
async function goBack(all: Scene, ...done: readonly ("drain" | "restore")[]): Promise<void> {
  const { scripted, primary, secondary, site } = all;
  for (const what of done) {
    await observeBoth(all);
    const restored = { kind: "port.restore", port: primary.port, means: "prepend" } as const;
    await (what === "drain" ? scripted.drain(primary) : scripted.change(primary, restored));
  }
  if (done.includes("restore")) primary.router.takeOver(1);
  expect(primary.router.drained(primary.port)).toBe(true);
  secondary.fibre.setUp(false);
  for (let spent = 0; spent < 300_000; spent += 10_000) {
    await observeBoth(all);
    await site.clock.sleep(10_000);
  }
}

/** The same happens after a key was removed, and the sibling gets one after this delay. */
async function addAfterReturn(
  all: Scene,
  laterMs: number,
  how:
    | "with both links in use"
    | "already drained"
    | "pointed at it by a person"
    | "validated on its router"
    | "shut for it",
): Promise<void> {
  const { scripted, primary, secondary, site } = all;
  const key = scripted.newKey(primary);
  await observeBoth(all);
  await scripted.change(primary, scripted.keyChange(primary, "addKey", key));
  await observeBoth(all);
  const { port } = primary;
  await scripted.change(primary, { kind: "macsec.removeKey", port, ckn: key.ckn });
  await observeBoth(all);
  if (how === "already drained") await scripted.drain(secondary);
  if (how === "shut for it") await scripted.shut(secondary);
  const next = scripted.newKey(secondary);
  const change = [scripted.keyChange(secondary, "addKey", next)];
  const validate = (): Promise<Transaction> =>
    scripted.device(secondary).prepare(change, scripted.keys, never);
  const validated = how === "validated on its router" ? await validate() : undefined;
  primary.router.takeOver(1);
  if (how === "pointed at it by a person") {
    secondary.msee.manualEdit(secondary.azureLink, { key: next });
    while (secondary.far.keys()[0]?.ckn !== next.ckn) await site.clock.sleep(100);
  }
  await site.clock.sleep(laterMs);
  await (validated ?? (await validate())).apply("final", never);
  expect([primary.edge.keys().length, secondary.edge.keys().length]).toEqual([2, 2]);
}

/** The far end is pointed at a key this long after its undrained link began to carry again. */
async function putAfterOutage(all: Scene, laterMs: number): Promise<void> {
  const { scripted, primary, site } = all;
  await observeBoth(all);
  const key = scripted.newKey(primary);
  await scripted.change(primary, scripted.keyChange(primary, "addKey", key));
  primary.edge.setFault("staleSak", true);
  primary.far.rekeySak();
  for (let spent = 0; spent < 20_000; spent += 10_000) {
    await site.clock.sleep(10_000);
    await observeBoth(all);
  }
  primary.edge.setFault("staleSak", false);
  primary.far.rekeySak();
  for (let spent = 0; spent < laterMs; spent += 1_000) {
    await site.clock.sleep(1_000);
    await observeBoth(all);
  }
  scripted.put(primary, key);
  await site.clock.sleep(1_000);
}

describe("the oracle", () => {
  it("the oracle accepts a drain that its router brings back by itself", async () => {
    const all = await scene();
    await play(all, async () => await goBack(all, "drain", "restore"));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle catches a drain that was never undone", async () => {
    const all = await scene();
    await play(all, async () => await goBack(all, "drain"));
    const [found] = all.oracle.violations;
    expect(found?.text).toContain("stayed drained after its sibling was seen lost");
  });

  it.each([
    [1_000, "with both links in use", []],
    [12_000, "with both links in use", ["P6"]],
    [12_000, "already drained", []],
    [12_000, "pointed at it by a person", []],
    [12_000, "validated on its router", []],
    [12_000, "shut for it", []],
  ] as const)(
    "a key that returned %i ms before one for a sibling %s gives %j",
    async (ms, how, expected) => {
      const all = await scene();
      await play(all, async () => await addAfterReturn(all, ms, how));
      const promises = all.oracle.violations.map(({ promise }) => promise);
      expect(promises.filter((promise) => promise === "P6")).toEqual(expected);
    },
  );

  it.each([
    [1_000, []],
    [150_000, ["P2"]],
  ] as const)("a put %i ms after the outage of a link gives %j", async (ms, expected) => {
    const all = await scene();
    all.oracle.expectDrained();
    await play(all, async () => await putAfterOutage(all, ms));
    expect(all.oracle.violations.map(({ promise }) => promise)).toEqual(expected);
  });

  it("the oracle accepts a staged key that the router takes long after the request", async () => {
    const all = await scene();
    const { scripted, primary, secondary, site } = all;
    primary.router.setFault("commitsLate", true);
    await play(all, async () => {
      await observeBoth(all);
      const staged = [scripted.keyChange(primary, "addKey", scripted.newKey(primary))];
      const transaction = await scripted.device(primary).prepare(staged, scripted.keys, never);
      await transaction.apply(300_000, never).catch(() => undefined);
      secondary.fibre.setUp(false);
      await observeBoth(all);
      // A restore that is requested meanwhile rests on another observation.
      const restored = { kind: "port.restore", port: primary.port, means: "prepend" } as const;
      await scripted.change(primary, restored).catch(() => undefined);
      await site.clock.sleep(150_000);
    });
    expect(primary.edge.keys()).toHaveLength(2);
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a key that the far end waits for beside a lost sibling", async () => {
    const all = await scene();
    await play(all, async () => await addBesideLost(all, "pointed"));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts one key more while a late commit has its timer", async () => {
    const all = await scene();
    const { scripted, primary, secondary, site } = all;
    secondary.router.setFault("commitsLate", true);
    await play(all, async () => {
      await observeBoth(all);
      const staged = [scripted.keyChange(secondary, "addKey", scripted.newKey(secondary))];
      const transaction = await scripted.device(secondary).prepare(staged, scripted.keys, never);
      await transaction.apply(300_000, never).catch(() => undefined);
      await observeBoth(all);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "addKey", scripted.newKey(primary)),
      );
      await site.clock.sleep(150_000);
    });
    expect([primary.edge.keys().length, secondary.edge.keys().length]).toEqual([2, 2]);
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle catches a rollback of the only key, put back manually meanwhile", async () => {
    const all = await scene();
    await play(all, async () => await rollBackUnder(all, "alone"));
    const [found] = all.oracle.violations;
    expect(found?.text).toContain("before another key secured both ends");
  });

  it.each(["beside the staged one", "once it was asked"] as const)(
    "the oracle accepts a rollback under a key put back manually %s",
    async (how) => {
      const all = await scene();
      await play(all, async () => await rollBackUnder(all, how));
      expect(all.primary.edge.keys()).toEqual([]);
      expect(all.oracle.violations.map(formatViolation)).toEqual([]);
    },
  );

  it("a rollback under a key put back at another port is accepted: seed 23-1789", async () => {
    const all = await scene("one");
    await play(all, async () => await rollBackBeside(all));
    expect(all.secondary.edge.keys()).toEqual([]);
    expect(all.oracle.violations.filter(({ promise }) => promise === "P3")).toEqual([]);
  });

  it("the oracle accepts a rollback of a key that both ends have left", async () => {
    const all = await scene();
    await play(all, async () => await rollBackAfter(all, "old"));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle catches a rollback of the key that the far end uses", async () => {
    const all = await scene();
    await play(all, async () => await rollBackAfter(all, "new"));
    expect(all.oracle.violations.map(({ promise }) => promise)).toContain("P3");
  });

  it("the oracle catches a key that no end waits for beside a lost sibling", async () => {
    const all = await scene();
    await play(all, async () => await addBesideLost(all, "as before"));
    const [found] = all.oracle.violations;
    expect(found?.text).toContain("while its sibling erd-demo/secondary was seen out of service");
  });

  it("the oracle accepts a put after the own confirm, despite another's commit", async () => {
    const all = await scene();
    await play(all, async () => await putAfter(all, "confirmed"));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle catches a put while the own commit waits, despite another's", async () => {
    const all = await scene();
    await play(all, async () => await putAfter(all, "pending"));
    const [found] = all.oracle.violations;
    expect(found?.text).toContain("while a timer may remove key");
  });

  it("the oracle accepts a put under traffic that the rates do not show", async () => {
    const all = await scene();
    all.oracle.expectDrained();
    all.primary.router.setFault("frozenCounters", true);
    await play(all, async () => await putUndrained(all));
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle catches a put under traffic", async () => {
    const all = await scene();
    all.oracle.expectDrained();
    await play(all, async () => await putUndrained(all));
    const [found] = all.oracle.violations;
    expect(found?.text).toContain("with the traffic still on it");
  });

  it.each(["counting", "frozen"] as const)(
    "the oracle catches a drain beside a broken data plane with counters %s",
    async (counters) => {
      const all = await scene();
      await play(all, async () => await drainBesideStale(all, counters));
      const [found] = all.oracle.violations;
      expect(found?.text).toContain("while its sibling erd-demo/secondary was seen out of service");
    },
  );
});
