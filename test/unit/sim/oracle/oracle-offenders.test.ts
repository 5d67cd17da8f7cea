// One seeded offence per promise and sub-rule, each caught with seed and event in the first lines.

import { describe, expect, it } from "vitest";
import type { Ckn } from "#hal/model.ts";
import type { EffectEvent } from "#sim/base/truth.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import type { PortConfig } from "#sim/router/router-config.ts";
import { buildSite, type Site, type SiteLink, type SiteOptions } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";

interface Scene {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly scripted: ScriptedAgent;
  readonly primary: SiteLink;
  readonly secondary: SiteLink;
}

const seed = "offender-1";
const never = new AbortController().signal;

async function scene(start: SiteOptions["start"]): Promise<Scene> {
  const site = buildSite({ seed, name: "demo", groups: 1, tunnels: 2, start });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  await site.clock.runFor(60_000);
  expect(oracle.violations.map(formatViolation)).toEqual([]);
  return {
    site,
    oracle,
    scripted,
    primary: scripted.link("erd-demo/primary"),
    secondary: scripted.link("erd-demo/secondary"),
  };
}

/** Plays a script under virtual time, then lets `moreMs` pass. */
async function play({ site }: Scene, script: () => Promise<void>, moreMs = 0): Promise<void> {
  let over: "running" | "done" = "running";
  const whole = script()
    .then(() => site.clock.sleep(moreMs))
    .finally(() => {
      over = "done";
    });
  await Promise.all([whole, site.clock.runFor(9_000_000, () => over === "done")]);
}

async function observeBoth({ scripted, primary, secondary }: Scene): Promise<void> {
  await scripted.observe(primary);
  await scripted.observe(secondary);
}

/** Makes a change that no device would make for an agent: manually, reported as the agent's. */
function forge(
  { oracle, primary, site }: Scene,
  what: EffectEvent["what"],
  edit: (port: PortConfig) => void,
  ckn?: Ckn,
): void {
  primary.router.manualEdit((config) => {
    const port = config.ports.get(primary.port);
    if (port !== undefined) edit(port);
  });
  const { id: link, port, device: place } = primary;
  const named = ckn === undefined ? {} : { ckn };
  oracle.effect({ at: site.clock.now(), by: "agent", place, link, port, what, ...named });
}

interface Offence {
  readonly name: string;
  /** Absent = protected. */
  readonly start?: SiteOptions["start"];
  readonly promise: string;
  /** A part of the event that the violation names. */
  readonly event: string;
  readonly says: string;
  readonly moreMs?: number;
  act(scene: Scene): Promise<void>;
}

const offences: readonly Offence[] = [
  {
    name: "relaxes must-secure",
    promise: "P1",
    event: "agent macsec.protect",
    says: "relaxed must-secure on erd-demo/primary",
    act: async (all) =>
      forge(all, "macsec.protect", (port) => {
        if (port.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
      }),
  },
  {
    name: "lets a protected link carry clear frames",
    promise: "P1",
    event: "sends clear frames",
    says: "in the clear",
    moreMs: 20_000,
    async act({ primary }) {
      // No change of a configuration is observed at either end: only the wire shows it.
      primary.edge.configure(undefined);
    },
  },
  {
    name: "lets a transmit SA begin again under its SAK",
    promise: "P1",
    event: "uses a packet number twice",
    says: "from 1 again",
    moreMs: 5_000,
    async act({ primary: { edge, far } }) {
      const sa = edge.secy.encodingSa();
      if (sa !== undefined) edge.secy.install(sa.key, far.secy.sci);
    },
  },
  {
    name: "takes both links out of service",
    promise: "P2",
    event: "agent port.drain at edge-b",
    says: "erd-demo/primary and erd-demo/secondary of group erd-demo are out of service",
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      await all.scripted.drain(all.secondary);
    },
  },
  {
    name: "relies on an old observation of the sibling",
    promise: "P2",
    event: "agent port.drain at edge-a",
    says: "an old observation",
    async act(all) {
      await observeBoth(all);
      await all.site.clock.sleep(300_000);
      await all.scripted.observe(all.primary);
      await all.scripted.drain(all.primary);
    },
  },
  {
    name: "never observes the sibling",
    promise: "P2",
    event: "agent peer.put",
    says: "never observed",
    async act({ scripted, primary }) {
      scripted.put(primary, scripted.newKey(primary));
    },
  },
  {
    name: "drains a link beside a sibling seen down",
    promise: "P2",
    event: "agent port.drain at edge-a",
    says: "seen out of service",
    async act(all) {
      all.secondary.fibre.setUp(false);
      await all.site.clock.sleep(10_000);
      await observeBoth(all);
      await all.scripted.drain(all.primary);
    },
  },
  {
    name: "keeps a usable link drained beside a lost sibling",
    promise: "P2",
    event: "agent port.drain at edge-a",
    says: "stayed drained after its sibling was seen lost",
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      all.secondary.fibre.setUp(false);
      for (let round = 0; round < 20; round += 1) {
        await all.site.clock.sleep(10_000);
        await observeBoth(all);
      }
    },
  },
  {
    name: "shuts a port while its sibling is drained",
    promise: "P2",
    event: "agent port.shut at edge-b",
    says: "erd-demo/primary and erd-demo/secondary of group erd-demo are out of service",
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      await all.scripted.shut(all.secondary);
    },
  },
  {
    name: "shuts a port that is down and drains its sibling",
    promise: "P2",
    event: "agent port.drain at edge-b",
    says: "erd-demo/primary and erd-demo/secondary of group erd-demo are out of service",
    async act(all) {
      const { scripted, primary, secondary, site } = all;
      // The shut disrupts nothing, but only the shut keeps the link down once the fault is healed.
      primary.farPort.setFault("silent", true);
      await site.clock.sleep(30_000);
      await observeBoth(all);
      await scripted.shut(primary);
      primary.farPort.setFault("silent", false);
      await site.clock.sleep(30_000);
      await observeBoth(all);
      await scripted.drain(secondary);
    },
  },
  {
    name: "shuts a port without an observation of its sibling",
    promise: "P2",
    event: "agent port.shut at edge-a",
    says: "never observed",
    async act({ scripted, primary }) {
      await scripted.shut(primary);
    },
  },
  {
    name: "keeps a port shut beside a lost sibling",
    promise: "P2",
    event: "agent port.shut at edge-a",
    says: "stayed shut after its sibling was seen lost",
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      await all.scripted.shut(all.primary);
      all.secondary.fibre.setUp(false);
      for (let round = 0; round < 20; round += 1) {
        await all.site.clock.sleep(10_000);
        await observeBoth(all);
      }
    },
  },
  {
    name: "waits with a port shut",
    promise: "P2",
    event: "agent port.shut at edge-a",
    says: "stays shut although nothing is being done",
    moreMs: 7_300_000,
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      await all.scripted.shut(all.primary);
    },
  },
  {
    name: "waits with a usable link drained",
    promise: "P2",
    event: "agent port.drain at edge-a",
    says: "nothing is being done",
    moreMs: 7_300_000,
    async act(all) {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      await all.site.clock.sleep(190_000);
    },
  },
  {
    name: "removes the old key before the new one is proven",
    promise: "P3",
    event: "agent macsec.removeKey",
    says: "before another key secured both ends",
    async act(all) {
      const { scripted, primary } = all;
      const old = scripted.givenKey(primary);
      await observeBoth(all);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "addKey", scripted.newKey(primary)),
      );
      await observeBoth(all);
      forge(
        all,
        "macsec.removeKey",
        (port) => {
          port.keys = port.keys.filter(({ ckn }) => ckn !== old.ckn);
        },
        old.ckn,
      );
    },
  },
  {
    name: "removes a key by the control plane alone",
    promise: "P3",
    event: "agent macsec.removeKey",
    says: "control plane alone",
    async act(all) {
      const { scripted, primary, site } = all;
      const old = scripted.givenKey(primary);
      await observeBoth(all);
      await scripted.drain(primary);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "addKey", scripted.newKey(primary)),
      );
      // SONiC does this: MKA reports the new key in use, and the hardware keeps the old SAK.
      primary.edge.setFault("staleSak", true);
      const pair = site.vault.versions(primary.key.cak).at(-1);
      const name = site.vault.versions(primary.key.ckn).at(-1);
      scripted.put(primary, scripted.keyOf(pair?.id ?? "", name?.id ?? ""));
      await site.clock.sleep(120_000);
      await observeBoth(all);
      await scripted.change(primary, {
        kind: "macsec.removeKey",
        port: primary.port,
        ckn: old.ckn,
      });
    },
  },
  {
    name: "replaces a key that the far end still uses",
    promise: "P3",
    event: "agent macsec.replaceKey",
    says: "while the far end still used it",
    async act(all) {
      const { scripted, primary } = all;
      await observeBoth(all);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "replaceKey", scripted.newKey(primary)),
      );
    },
  },
  {
    name: "writes after a restart although the devices equal the intent",
    promise: "P4",
    event: "agent macsec.rekeySak",
    says: "the devices equal the intent",
    async act({ scripted, oracle, primary }) {
      oracle.expectNoWrites("the devices equal the intent since the restart");
      await scripted.change(primary, { kind: "macsec.rekeySak", port: primary.port });
    },
  },
  {
    name: "gives one CKN a second CAK",
    promise: "P6",
    event: "agent macsec.replaceKey",
    says: "names two CAKs",
    async act(all) {
      const { scripted, primary, secondary } = all;
      const mixed = {
        ...scripted.givenKey(primary),
        cakSecretId: scripted.newKey(secondary).cakSecretId,
      };
      await observeBoth(all);
      await scripted.change(primary, scripted.keyChange(primary, "replaceKey", mixed));
    },
  },
  {
    name: "points the far end at a mixed pair",
    promise: "P6",
    event: "agent peer.put",
    says: "the far end of erd-demo/primary got another one",
    moreMs: 120_000,
    async act(all) {
      const { scripted, primary } = all;
      const mixed = {
        ...scripted.givenKey(primary),
        cakSecretId: scripted.newKey(primary).cakSecretId,
      };
      await observeBoth(all);
      scripted.put(primary, mixed);
    },
  },
  {
    name: "brings a third key to a link",
    promise: "P6",
    event: "agent peer.put",
    says: "3 keys are on erd-demo/primary",
    async act(all) {
      const { scripted, primary } = all;
      await observeBoth(all);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "addKey", scripted.newKey(primary)),
      );
      await observeBoth(all);
      scripted.put(primary, scripted.newKey(primary));
    },
  },
  {
    name: "brings N+2 keys to a group",
    promise: "P6",
    event: "agent macsec.addKey",
    says: "4 keys in group erd-demo of 2 links, 3 at most",
    async act(all) {
      const { scripted, primary, secondary } = all;
      await observeBoth(all);
      await scripted.change(
        primary,
        scripted.keyChange(primary, "addKey", scripted.newKey(primary)),
      );
      await observeBoth(all);
      await scripted.change(
        secondary,
        scripted.keyChange(secondary, "addKey", scripted.newKey(secondary)),
      );
    },
  },
];

describe("the oracle catches", () => {
  it.each(offences)("the oracle catches by $promise an agent that $name", async (offence) => {
    const all = await scene(offence.start ?? "protected");
    await play(all, () => offence.act(all), offence.moreMs);
    const found = all.oracle.violations.find(
      ({ promise, text }) => promise === offence.promise && text.includes(offence.says),
    );
    if (found === undefined)
      throw new Error(all.oracle.violations.map(formatViolation).join("\n") || "nothing found");
    const [first, second] = formatViolation(found).split("\n");
    expect(first).toBe(`seed ${seed} promise ${offence.promise}`);
    expect(second).toContain(offence.event);
  });
});

describe("the oracle lets pass", () => {
  it("the oracle accepts an agent that enrols both links and rotates one", async () => {
    const all = await scene("clear");
    const { scripted, primary, secondary, oracle } = all;
    const outcomes: string[] = [];
    await play(all, async () => {
      const first = scripted.givenKey(primary);
      outcomes.push(await scripted.enrol(primary, first));
      outcomes.push(await scripted.enrol(secondary, scripted.givenKey(secondary)));
      outcomes.push(await scripted.rotate(primary, first, scripted.newKey(primary)));
    });
    expect(outcomes).toEqual(["done", "done", "done"]);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
    expect(oracle.agentWrites).toBeGreaterThan(10);
  });

  it("the oracle does not blame the agent if an operator relaxes must-secure", async () => {
    const all = await scene("protected");
    const { primary, oracle, site } = all;
    primary.router.manualEdit((config) => {
      const port = config.ports.get(primary.port);
      if (port?.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
    });
    primary.farPort.setTwist("cak", true);
    await site.clock.runFor(120_000);
    expect(primary.fibre.truth().a2b.clearOnWire).toBeGreaterThan(0n);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a sibling that fails after the link was drained", async () => {
    const all = await scene("protected");
    await play(all, async () => {
      await observeBoth(all);
      await all.scripted.drain(all.primary);
      all.secondary.fibre.setUp(false);
      await all.site.clock.sleep(5_000);
      await all.scripted.change(all.primary, {
        kind: "port.restore",
        port: all.primary.port,
        means: "prepend",
      });
    });
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a link drained and shut beside a sibling that carries", async () => {
    const all = await scene("protected");
    const { scripted, primary, site, oracle } = all;
    await play(all, async () => {
      await observeBoth(all);
      await scripted.drain(primary);
      await observeBoth(all);
      await scripted.shut(primary);
      await site.clock.sleep(3_600_000);
      await scripted.change(primary, { kind: "port.open", port: primary.port });
      await site.clock.sleep(60_000);
      await scripted.change(primary, {
        kind: "port.restore",
        port: primary.port,
        means: "prepend",
      });
    });
    expect(primary.router.configured(primary.port)?.admin).toBe("up");
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a port that an operator shut", async () => {
    const all = await scene("protected");
    await play(all, async () => {
      await observeBoth(all);
      all.primary.router.manualEdit((config) => {
        const port = config.ports.get(all.primary.port);
        if (port !== undefined) port.admin = "down";
      });
      await all.site.clock.sleep(7_500_000);
    });
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the oracle accepts a probe as an observation", async () => {
    const all = await scene("protected");
    all.oracle.expectNoWrites("nothing was asked for");
    await play(all, async () => {
      await all.scripted.device(all.primary).probe?.(all.primary.port, 5, never);
      await observeBoth(all);
    });
    expect(all.oracle.violations.map(formatViolation)).toEqual([]);
  });
});
