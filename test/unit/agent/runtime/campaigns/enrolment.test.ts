// Adoption and the first enrolment, end to end under virtual time: what is refused, what a person
// does, and that traffic never stops.

import { beforeAll, describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import type { JournalRecord } from "#agent/store/journal/memory.ts";
import type { KeyRef } from "#hal/model.ts";
import { handMadeSettings } from "#sim/site/site-plan.ts";
import { AgentBench, group, operatorText } from "../../../kit/agent-bench.ts";
import { refused, settled } from "../../../kit/site-bench.ts";
import { bindingOf } from "../../../kit/snapshot-kit.ts";

const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");
const careful = (text: string): string => text.replace(/ {2}- \{ risk: breakBeforeMake.*\n/, "");

/** The pair that the site's own hand left in the vault. */
function handMade(bench: AgentBench, name: "primary" | "secondary"): KeyRef {
  const link = bench.link(name);
  const ids = link.msee.observe(link.azureLink).pointsAt;
  const ckn = link.edge.keys()[0]?.ckn;
  if (ids === undefined || ckn === undefined) throw new Error(`${name} is not protected`);
  return { ...ids, ckn };
}

async function protectedBench(seed?: string): Promise<AgentBench> {
  const bench = new AgentBench("protected", seed);
  await bench.run(60_000);
  await bench.live();
  await bench.apply();
  await bench.run(30_000);
  return bench;
}

function adopt(bench: AgentBench, target = group, risks: readonly string[] = []) {
  return bench.ask("POST /v1/adopt", { target, risks });
}

describe("adoption", () => {
  it("an adoption takes both links and writes to no device", async () => {
    const bench = await protectedBench();
    const before = bench.oracle.agentWrites;
    const answer = await adopt(bench);
    const primary = { link: `${group}/primary`, binding: { how: "adopted" } };
    const secondary = { link: `${group}/secondary`, binding: { how: "adopted" } };
    expect(answer).toMatchObject({ adopted: [primary, secondary] });
    await bench.run(120_000);
    expect(bench.oracle.agentWrites).toBe(before);
    expect(bench.agent.status().groups[0]?.verdict).toBe("protected");
    expect(bench.violations()).toEqual([]);
  });

  it("an adoption names the versions in use, and the next process knows it", async () => {
    const bench = await protectedBench();
    await adopt(bench, `${group}/primary`);
    await bench.end();
    await bench.live();
    await bench.run(10_000);
    const { bindings } = bench.agent.memory;
    expect(Object.keys(bindings)).toEqual([`${group}/primary`]);
    expect(bindings[`${group}/primary`]?.key).toEqual(handMade(bench, "primary"));
    expect(await adopt(bench)).toMatchObject({ adopted: [{ link: `${group}/secondary` }] });
    expect(await adopt(bench)).toEqual({ adopted: [] });
  });

  type Spoil = (bench: AgentBench) => void | Promise<void>;
  const foreign = (bench: AgentBench): KeyRef =>
    bench.site.vault.generatePair(bench.link("primary").key, "gcm-aes-xpn-256");
  const refusals: readonly { name: string; spoil: Spoil; code: string; text: string }[] = [
    {
      name: "the far end is off",
      spoil: (bench) => bench.link("primary").msee.manualEdit("link1", { key: "off" }),
      code: "gate.leftoverKey",
      text: "far end has MACsec off",
    },
    {
      name: "the far end points elsewhere",
      spoil: (bench) => bench.link("primary").msee.manualEdit("link1", { key: foreign(bench) }),
      code: "gate.leftoverKey",
      text: "not the one that the far end points at",
    },
    {
      name: "its version is disabled",
      spoil: (bench) => bench.site.vault.setEnabled(handMade(bench, "primary").cakSecretId, false),
      code: "gate.leftoverKey",
      text: "no enabled version of erd-demo-1-cak",
    },
    {
      name: "its CKN is disabled",
      spoil: (bench) => bench.site.vault.setEnabled(handMade(bench, "primary").cknSecretId, false),
      code: "vault.denied",
      text: "disabled",
    },
    {
      name: "MKA is down",
      spoil: (bench) => bench.link("primary").far.setFault("silent", true),
      code: "gate.leftoverKey",
      text: "MKA is not secured",
    },
    {
      name: "the router holds two keys",
      spoil: (bench) =>
        bench.link("primary").router.manualEdit((config) => {
          const port = config.ports.get("et-0/0/0");
          const cak = new Uint8Array(32).fill(7);
          port?.keys.push({ ckn: foreign(bench).ckn, cak, role: "fallback" });
        }),
      code: "gate.leftoverKey",
      text: "not hold exactly one key",
    },
    {
      name: "the router has MACsec without a key",
      spoil: (bench) =>
        bench.link("primary").router.manualEdit((config) => {
          const port = config.ports.get("et-0/0/0");
          if (port !== undefined) port.keys = [];
        }),
      code: "gate.leftoverKey",
      text: "not hold exactly one key",
    },
    {
      name: "the router is unreachable",
      spoil: (bench) => bench.link("primary").router.setFault("unreachable", true),
      code: "gate.leftoverKey",
      text: "cannot be read",
    },
    {
      name: "the far end is unreadable",
      spoil: (bench) => bench.link("primary").msee.setFault("unreadable", true),
      code: "gate.leftoverKey",
      text: "",
    },
    {
      name: "the settings differ",
      spoil: (bench) =>
        bench.link("primary").router.manualEdit((config) => {
          const port = config.ports.get("et-0/0/0");
          if (port !== undefined) port.macsec = { ...handMadeSettings, replayWindow: 0 };
        }),
      code: "gate.riskNotAccepted",
      text: "replayWindow is 0",
    },
    {
      name: "the vault is down",
      spoil: (bench) => bench.site.vault.setFault("down", true),
      code: "vault.unreachable",
      text: "",
    },
  ];
  it.each(refusals)("an adoption is refused where $name", async ({ spoil, code, text }) => {
    const bench = await protectedBench();
    await spoil(bench);
    await bench.run(60_000);
    const before = bench.oracle.agentWrites;
    const answer = await adopt(bench, `${group}/primary`);
    expect(answer).toMatchObject({ schema: "linkseal.error/1", code, effect: "none" });
    expect(answer).toMatchObject({ text: expect.stringContaining(text) });
    expect(bench.agent.memory.bindings).toEqual({});
    expect(bench.oracle.agentWrites).toBe(before);
  });

  it("an adoption takes other settings as found with the risk asFound", async () => {
    const bench = await protectedBench();
    bench.link("primary").router.manualEdit((config) => {
      const port = config.ports.get("et-0/0/0");
      if (port !== undefined) port.macsec = { ...handMadeSettings, replayWindow: 0 };
    });
    await bench.run(60_000);
    const answer = await adopt(bench, `${group}/primary`, ["asFound"]);
    expect(answer).toMatchObject({ adopted: [{ link: `${group}/primary` }] });
  });

  it("an adoption is refused where both links share a key", async () => {
    const bench = await protectedBench();
    const { vault } = bench.site;
    const shared = vault.valueForFarEnd(handMade(bench, "primary").cakSecretId);
    const second = bench.link("secondary");
    const { ckn, cknSecretId } = handMade(bench, "secondary");
    const cakSecretId = vault.put(second.key.cak, shared);
    second.msee.manualEdit("link2", { key: { cakSecretId, cknSecretId } });
    second.router.manualEdit((config) => {
      const port = config.ports.get("et-0/0/0");
      const cak = Uint8Array.from(Buffer.from(shared, "hex"));
      if (port !== undefined) port.keys = [{ ckn, cak, role: "primary" }];
    });
    await bench.run(120_000);
    const answer = await adopt(bench);
    expect(answer).toMatchObject({ code: "vault.reusedCkn" });
    expect(bench.agent.memory.bindings).toEqual({});
  });

  it("an adoption is refused for clear links, unknown names, and without a config", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    expect(await adopt(bench)).toMatchObject({
      code: "usage",
      text: expect.stringMatching(/no config/),
    });
    await bench.apply(bench.config(careful));
    await bench.run(30_000);
    expect(await adopt(bench)).toMatchObject({
      code: "gate.leftoverKey",
      text: expect.stringMatching(/enrol it/),
    });
    for (const target of ["gone", "erd-demo/gone", "erd-demo/primary/x", "/primary", "__proto__"]) {
      expect(await adopt(bench, target), target).toMatchObject({ code: "usage" });
    }
  });
});

describe("an enrolment", () => {
  it("an enrolment waits for its risk, and begins when an operator accepts it", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply(bench.config(careful));
    await bench.run(120_000);
    expect(bench.state()).toBeUndefined();
    const asked = await bench.ask("POST /v1/enrol", { target: group });
    expect(asked).toMatchObject({
      code: "gate.riskNotAccepted",
      text: expect.stringMatching(/breakBeforeMake/),
    });
    const body = { target: `${group}/secondary`, risks: ["breakBeforeMake"] };
    const begun = await bench.ask("POST /v1/enrol", body);
    expect(begun).toMatchObject({ link: "secondary", state: "queued" });
    const again = await bench.ask("POST /v1/enrol", body);
    expect(again).toMatchObject({ code: "gate.busy" });
    await bench.reach("secondary done");
    expect(Object.keys(bench.agent.memory.bindings)).toEqual([`${group}/secondary`]);
    expect(bench.violations()).toEqual([]);
  });

  it("an enrolment never begins on a link that has a key", async () => {
    const bench = await protectedBench();
    const answer = await bench.ask("POST /v1/enrol", { target: group, risks: ["breakBeforeMake"] });
    expect(answer).toMatchObject({ code: "gate.leftoverKey", next: `linkseal adopt ${group}` });
    expect(bench.state()).toBeUndefined();
    expect(bench.oracle.agentWrites).toBeLessThanOrEqual(1);
  });

  it("an enrolment begins once when two requests come at once", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply(bench.config(careful));
    await bench.run(20_000);
    const body = { target: group, risks: ["breakBeforeMake"] };
    const answers = await Promise.all([
      bench.ask("POST /v1/enrol", body),
      bench.ask("POST /v1/enrol", body),
    ]);
    const codes = answers.map((answer) => (answer as { code?: string }).code ?? "begun");
    expect(codes.toSorted()).toEqual(["begun", "gate.busy"]);
  });
});

describe("with a far end that is a person's", () => {
  let bench: AgentBench;
  const campaign = (): Campaign | undefined => bench.agent.memory.campaigns[group];
  const ask = (verb: string) => bench.ask(`POST /v1/rotation/${verb}`, { group });

  beforeAll(async () => {
    bench = new AgentBench("clear");
    await bench.live();
    await bench.apply(bench.config(manual));
  });

  /** The act of an operator in the portal when asked. */
  function changeFarEnd(name: "primary" | "secondary"): void {
    const { msee, azureLink } = bench.link(name);
    const key = campaign()?.links.find((link) => link.name === name)?.new.key;
    if (key === undefined) throw new Error("no campaign");
    msee.manualEdit(azureLink, { key, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" });
  }

  it("an enrolment with a manual far end waits, with traffic on both links", async () => {
    await bench.reach("primary awaitingPeer");
    await bench.run(3_600_000);
    expect(bench.state()).toBe("primary awaitingPeer");
    expect(bench.carrying()).toEqual([true, true]);
    expect(bench.drained()).toEqual([false, false]);
    expect(bench.link("primary").edge.keys()).toEqual([]);
  });

  it("a waiting enrolment keeps the binding of a link that the config has not", async () => {
    const write = (record: JournalRecord): Promise<void> =>
      settled(bench.site.clock, bench.agent.write(record));
    await write({
      kind: "binding",
      link: `${group}/gone`,
      binding: bindingOf({ how: "adopted" }),
    });
    const retire = (): Promise<unknown> => bench.ask("POST /v1/retire", { name: `${group}/gone` });
    expect(await retire()).toMatchObject({ code: "gate.busy" });
    await write({ kind: "forget", link: `${group}/gone` });
    expect(await retire()).toMatchObject({ code: "usage" });
  });

  it("a waiting enrolment refuses commands that do not fit its state", async () => {
    expect(await ask("resume")).toMatchObject({
      code: "gate.busy",
      text: expect.stringMatching(/awaitingPeer/),
    });
    expect(await bench.ask("POST /v1/rotation/proceed", { group: "other" })).toMatchObject({
      code: "gate.busy",
    });
  });

  it("a waiting enrolment drains on proceed and then asks the person", async () => {
    expect(await ask("proceed")).toMatchObject({ state: "awaitingPeer" });
    await bench.reach("primary switching");
    expect(bench.drained()).toEqual([true, false]);
    expect(campaign()?.reason).toEqual({ code: "draining.validated" });
    expect(await ask("abandon")).toMatchObject({
      code: "gate.busy",
      text: expect.stringMatching(/switching/),
    });
    expect(await ask("proceed")).toMatchObject({ code: "gate.busy" });
  });

  it("an enrolment whose person does not act gives the traffic back and asks again", async () => {
    await bench.reach("primary awaitingPeer");
    expect(bench.carrying()).toEqual([true, true]);
    await bench.run(30_000);
    expect(bench.drained()).toEqual([false, false]);
    expect(campaign()).toMatchObject({ asked: false, told: true });
  });

  it("an enrolment follows the person, proves the key, and goes on", async () => {
    await ask("proceed");
    await bench.reach("primary switching");
    changeFarEnd("primary");
    await bench.reach("secondary awaitingPeer");
    expect(bench.link("primary").edge.keys()).toHaveLength(1);
    expect(bench.carrying()).toEqual([true, true]);
    await ask("proceed");
    await bench.reach("secondary switching");
    changeFarEnd("secondary");
    await bench.reach("secondary done");
    await bench.run(120_000);
    expect(bench.agent.status().groups[0]?.verdict).toBe("protected");
  });

  it("an enrolment with a manual far end never writes the far end itself", () => {
    expect(bench.violations()).toEqual([]);
    expect(bench.broken).toEqual([]);
  });
});

describe("a campaign that is held", () => {
  async function heldBench(): Promise<AgentBench> {
    const bench = new AgentBench("clear");
    await bench.live();
    bench.link("primary").msee.setFault("fails", true);
    await bench.apply();
    await bench.reach("primary held");
    return bench;
  }
  const ask = (bench: AgentBench, verb: string) =>
    bench.ask(`POST /v1/rotation/${verb}`, { group });

  it("a held campaign has traffic on both links, says why, and waits", async () => {
    const bench = await heldBench();
    await bench.run(600_000);
    expect(bench.state()).toBe("primary held");
    expect(bench.drained()).toEqual([false, false]);
    const rotation = await bench.ask("GET /v1/rotation");
    expect(rotation).toMatchObject({
      campaigns: [{ heldFrom: "switching", reason: { cause: { code: "farEnd.failed" } } }],
    });
  });

  it("a held campaign goes on after resume once the far end works", async () => {
    const bench = await heldBench();
    const { msee } = bench.link("primary");
    msee.setFault("fails", false);
    msee.manualEdit("link1", { key: "off" });
    await bench.run(120_000);
    expect(await ask(bench, "resume")).toMatchObject({ state: "gated" });
    expect(await ask(bench, "resume")).toMatchObject({ code: "gate.busy" });
    await bench.reach("secondary done");
    expect(bench.violations()).toEqual([]);
  });

  it("a held campaign ends with abandon, and does not begin again by itself", async () => {
    const bench = await heldBench();
    const { msee } = bench.link("primary");
    msee.setFault("fails", false);
    msee.manualEdit("link1", { key: "off" });
    await bench.run(120_000);
    const answer = await ask(bench, "abandon");
    expect(answer).toMatchObject({
      state: "done",
      reason: { code: "operator.abandon", by: operatorText },
    });
    expect(await ask(bench, "abandon")).toMatchObject({
      code: "gate.busy",
      text: expect.stringMatching(/no campaign/),
    });
    await bench.run(600_000);
    expect(bench.state()).toBe("primary done");
    const again = await bench.ask("POST /v1/enrol", { target: group });
    expect(again).toMatchObject({ state: "queued", link: "primary" });
    await bench.reach("secondary done");
  });

  it("a held campaign is not abandoned while its link is dark", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    bench.link("primary").msee.setFault("half", true);
    await bench.apply();
    await bench.reach("primary held");
    await bench.run(300_000);
    if (!(bench.carrying()[0] ?? false)) {
      expect(await ask(bench, "abandon")).toMatchObject({
        code: "gate.busy",
        text: expect.stringMatching(/carry/),
      });
    }
    expect(bench.carrying()[1]).toBe(true);
  });

  it("a held campaign tries a router again after resume that refused the key", async () => {
    const bench = new AgentBench("clear");
    let refuses = true;
    await bench.live((world) => ({
      ...world,
      dial: {
        ...world.dial,
        async http(request, signal) {
          const refused = refuses && request.path.endsWith("edge-a/prepare");
          if (!refused || !JSON.stringify(request.body).includes("macsec.addKey")) {
            return await world.dial.http(request, signal);
          }
          const refusal = { code: "device.rejected", effect: "none", where: "edge-a" };
          const body = JSON.stringify({ ...refusal, text: "no such suite", next: "linkseal plan" });
          return { status: 409, headers: {}, body: new TextEncoder().encode(body) };
        },
      },
    }));
    await bench.apply(bench.config(manual));
    await bench.reach("primary awaitingPeer");
    const { msee } = bench.link("primary");
    const key = bench.agent.memory.campaigns[group]?.links[0]?.new.key;
    if (key === undefined) throw new Error("no campaign");
    msee.manualEdit("link1", { key, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" });
    await bench.reach("primary held");
    expect(bench.agent.memory.campaigns[group]?.reason).toEqual({
      code: "switching.refused",
      cause: { code: "router.refuses", error: "device.rejected", text: "no such suite" },
    });
    refuses = false;
    await ask(bench, "resume");
    await bench.reach("secondary awaitingPeer");
    expect(bench.carrying()).toEqual([true, true]);
  });
});

describe("an operator's word", () => {
  it("an operator's abandon never falls between a decision and its effect", async () => {
    const ends = new Set<string>();
    for (let step = 0; step < 24; step += 1) {
      const bench = new AgentBench("clear");
      await bench.live();
      await bench.apply();
      await bench.run(5_000 + step * 250);
      const answer = await bench.ask("POST /v1/rotation/abandon", { group });
      const { state } = answer as { state?: string };
      ends.add(state ?? "refused");
      await bench.run(120_000);
      if (state === "done") {
        expect(bench.state(), `step ${step}`).toBe("primary done");
        expect(bench.drained(), `step ${step}`).toEqual([false, false]);
      }
      expect(bench.violations()).toEqual([]);
    }
    expect([...ends].toSorted()).toEqual(["done", "refused"]);
  });
});

describe("what is thrown", () => {
  it("a refused resume names the next command", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    const error = await refused(
      bench.agent.commands.rotation({ verb: "resume", farEndDone: false }, group, "test"),
    );
    expect(error).toMatchObject({ code: "gate.busy", next: "linkseal rotation show" });
  });
});
