// What every campaign needs before it begins, and what it is when it does.

import { describe, expect, it } from "vitest";
import { noMarks } from "#agent/model/campaign.ts";
import { changeOf, sameSettings } from "#agent/rotation/change.ts";
import {
  type Accepting,
  type Asked,
  assertFresh,
  cannotBegin,
  missingRisk,
  missingRisks,
  newCampaign,
  riskAccepted,
} from "#agent/runtime/campaigns/begin.ts";
import type { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { KeyRef } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { SimVault } from "#sim/site/vault.ts";
import { campaignOf } from "../../../kit/campaign-kit.ts";
import { capabilities, never, refused, settled, wallStart } from "../../../kit/site-bench.ts";
import { bindingOf, desired, link, linkNamed, wall } from "../../../kit/snapshot-kit.ts";

const secondary = linkNamed("secondary");
const asked = (over: Partial<Asked> = {}): Asked => ({
  ...{ by: "an operator", risks: [], links: undefined, urgency: "planned" },
  ...over,
});

/** Routers of which these cannot probe, and one that was never reached. */
const routers = (blind: readonly string[] = [], unmet: readonly string[] = []) => {
  const { probe: _probe, ...rest } = capabilities;
  const offers = (name: string) =>
    unmet.includes(name) ? undefined : blind.includes(name) ? rest : capabilities;
  return { deviceCache: { capabilities: offers } as unknown as DeviceCache, desired };
};

/** The same site with Linux hosts at these addresses. */
function hostsAt(addresses: readonly (string | undefined)[], drain = desired.groups[0]?.drain) {
  const devices = desired.devices.map((device, index) => {
    const address = addresses[index];
    return address === undefined ? device : { ...device, driver: "linux", address };
  });
  const groups = desired.groups.map((group) => ({ ...group, drain: drain ?? group.drain }));
  return { ...routers(), desired: { ...desired, devices, groups } };
}

describe("the risks that are not accepted", () => {
  const accepting = (over: Partial<Accepting> = {}): Accepting => ({
    ...{ asked: undefined, acceptsRisk: () => false, verb: "linkseal rotate g" },
    ...over,
  });
  const both = [link, secondary];

  it("the missing risks are those that neither config nor operator accepts", () => {
    const risks = ["breakBeforeMake", "noDrain", "hardDrain"] as const;
    expect(missingRisks(routers(), both, risks, accepting())).toEqual(risks);
    const some = accepting({
      asked: asked({ risks: ["noDrain"] }),
      acceptsRisk: (risk) => risk === "hardDrain",
    });
    expect(missingRisks(routers(), both, risks, some)).toEqual(["breakBeforeMake"]);
    expect(missingRisks(routers(), both, [], accepting())).toEqual([]);
  });

  it("noProbe is missing for a router without probes or never reached", () => {
    expect(missingRisks(routers(["edge-b"]), both, [], accepting())).toEqual(["noProbe"]);
    expect(missingRisks(routers([], ["edge-a"]), both, [], accepting())).toEqual(["noProbe"]);
    expect(missingRisks(routers(["edge-b"]), [link], [], accepting())).toEqual([]);
    const risky = missingRisks(routers(["edge-b"]), both, ["noDrain"], accepting());
    expect(risky).toEqual(["noDrain", "noProbe"]);
  });

  it("agentOnSibling is missing for a link whose sibling ends on the agent's host", () => {
    const [here, there] = ["unix:/run/linkseal-net/net.sock", "ssh://edge-b"];
    const breaks = ["breakBeforeMake"] as const;
    const risks = (
      parts: ReturnType<typeof hostsAt>,
      links = both,
      needed: readonly (typeof breaks)[number][] = breaks,
    ) => missingRisks(parts, links, needed, accepting());
    expect(risks(hostsAt([here, there]))).toEqual(["breakBeforeMake", "agentOnSibling"]);
    // The agent's own link alone: the sibling on the other host goes on carrying.
    expect(risks(hostsAt([here, there]), [link])).toEqual(breaks);
    expect(risks(hostsAt([here, there]), [secondary])).toContain("agentOnSibling");
    // The agent on a third host, both links on its own, and routers.
    for (const addresses of [
      [there, "ssh://edge-a"],
      [here, here],
      [undefined, undefined],
    ]) {
      expect(risks(hostsAt(addresses))).toEqual(breaks);
    }
    // A rotation with both keys beside each other heals by itself, unless routes are taken away.
    expect(risks(hostsAt([here, there], "prepend"), both, [])).toEqual([]);
    expect(risks(hostsAt([here, there], "peeringShutdown"), both, [])).toEqual(["agentOnSibling"]);
  });

  it("agentOnSibling is missing for an emergency, which may shut the port for a fresh SAK", () => {
    const hosts = hostsAt(["unix:/run/linkseal-net/net.sock", "ssh://edge-b"], "prepend");
    const risks = (urgency: Asked["urgency"]) =>
      missingRisks(hosts, both, [], accepting({ asked: asked({ urgency }) }));
    expect(risks("emergency")).toEqual(["agentOnSibling"]);
    expect(risks("planned")).toEqual([]);
  });

  it("noPermit is missing where an operator begins what the site would ask a hub for", () => {
    const fleet = { servers: [], key: "credential:k", headsMs: 1 };
    const required = { ...desired, fleet: { ...fleet, permits: "required" as const } };
    const risks = (site: typeof desired, over: Partial<Asked> | undefined) =>
      missingRisks(
        { ...routers(), desired: site },
        both,
        [],
        accepting({ asked: over && asked(over) }),
      );
    expect(risks(required, {})).toEqual(["noPermit"]);
    expect(risks(required, { risks: ["noPermit"] })).toEqual([]);
    // A policy asks the hub, and an emergency waits for none.
    expect(risks(required, undefined)).toEqual([]);
    expect(risks(required, { urgency: "emergency" })).toEqual([]);
    expect(risks({ ...desired, fleet }, {})).toEqual([]);
  });

  it("missing risks are reported one at a time, with the command that accepts it", () => {
    const risks = ["noDrain", "hardDrain"] as const;
    expect(missingRisk(routers(), both, risks, accepting())).toEqual({
      code: "campaign-waiting",
      refusal: "gate.riskNotAccepted",
      text: expect.stringMatching(/^the risk noDrain is not accepted: a link is changed while/),
      next: "linkseal rotate g --accept-risk=noDrain",
    });
    const accepted = accepting({ acceptsRisk: () => true });
    expect(missingRisk(routers(), both, risks, accepted)).toBeUndefined();
  });

  it("a risk is accepted in the config by its name, until its date", () => {
    const until = desired.acceptRisks[0]?.until ?? wall;
    expect(riskAccepted(desired, "breakBeforeMake", (until - 1) as WallTime)).toBe(true);
    expect(riskAccepted(desired, "breakBeforeMake", until)).toBe(false);
    expect(riskAccepted(desired, "noDrain", wall)).toBe(false);
    expect(riskAccepted({ ...desired, acceptRisks: [] }, "breakBeforeMake", wall)).toBe(false);
  });
});

describe("keys that a campaign would take", () => {
  const clock = new SimClock(wallStart);
  const base = "https://demo.vault.sim";
  const store = new SimVault({ clock, prng: new Prng("begin"), base });
  const vault: KeyVault = {
    versions: async () => [],
    read: async (id) => Secret.take("value", new TextEncoder().encode(store.value(id))),
  };
  const pair = (name: string): KeyRef =>
    store.generatePair({ cak: `${name}-cak`, ckn: `${name}-ckn` }, "gcm-aes-xpn-256");
  const [one, two, far] = [pair("one"), pair("two"), pair("far")];
  const fresh = async (keys: readonly KeyRef[], bindings: Memory["bindings"]): Promise<string> => {
    const memory = (): Memory => ({ ...emptyMemory, bindings });
    const check = assertFresh({ vault, memory }, "erd", keys, never);
    const told = check.then(
      () => "fresh",
      async () => (await refused(check)).code,
    );
    return await settled(clock, told);
  };
  const bound = (key: KeyRef) => bindingOf({ key });

  it("keys are fresh where none equals another, nor one of the group", async () => {
    expect(await fresh([one, two], {})).toBe("fresh");
    expect(await fresh([one, one], {})).toBe("vault.reusedCkn");
    expect(await fresh([one], { "erd/x": bound(two) })).toBe("fresh");
    expect(await fresh([one], { "erd/x": bound(one) })).toBe("vault.reusedCkn");
    expect(await fresh([one], { "erd/x": bound({ ...one, ckn: two.ckn }) })).toBe(
      "vault.reusedCkn",
    );
  });

  it("keys are compared with other groups by CKN alone, without their vault", async () => {
    expect(await fresh([one], { "other/x": bound(one) })).toBe("vault.reusedCkn");
    expect(await fresh([one], { "other/x": bound({ ...one, ckn: far.ckn }) })).toBe("fresh");
    expect(await fresh([one, two], { "other/x": bound(two) })).toBe("vault.reusedCkn");
  });
});

describe("a campaign that begins", () => {
  const [group] = desired.groups;
  if (group === undefined) throw new Error("the config has a group");
  const entropy = { bytes: (length: number) => new Uint8Array(length).fill(0x5a) };
  const world = { clock: { wall: () => wall }, entropy } as unknown as World;
  const { links } = campaignOf("queued");
  const kind = "enrol" as const;
  const reason = { code: "begin.newerKey", on: "age" } as const;

  it("a campaign that begins by itself is the policy's, under its intent", () => {
    const begun = { group, kind, links, asked: undefined, reason };
    expect(newCampaign({ world, intent: 7 }, begun)).toEqual({
      ...noMarks,
      ...{ group: "erd-demo", kind, links, at: 0, state: "queued", since: wall, intent: 7 },
      ...{ reason, heldFrom: undefined, retire: "afterProof" },
      ...{ urgency: "planned", risks: [], origin: "policy", by: "intent 7" },
      ...{ nonce: "5a".repeat(16), begunAt: undefined },
    });
  });

  it("a campaign that begins by hand is the operator's, with the accepted risks", () => {
    const wish = asked({ risks: ["noDrain"], urgency: "emergency" });
    const begun = { group, kind, links, asked: wish, reason };
    expect(newCampaign({ world, intent: 7 }, begun)).toMatchObject({
      ...{ reason: { code: "begin.asked" }, urgency: "emergency", risks: ["noDrain"] },
      ...{ origin: "operator", by: "an operator" },
    });
  });

  it("a refused campaign says where, why, and what to do, with effect none", () => {
    expect(cannotBegin("gate.busy", "erd/x", "it is busy", "wait")).toMatchObject({
      ...{ code: "gate.busy", effect: "none", where: "erd/x", next: "wait", message: "it is busy" },
    });
  });
});

describe("a link whose settings are wanted otherwise", () => {
  const binding = bindingOf({ settings: { ...link.settings, includeSci: false }, generation: 4 });

  it("a change goes from the accepted settings to the wanted ones, under one key", () => {
    const { key, created } = binding;
    expect(changeOf({ link, binding })).toEqual({
      ...{ name: "primary", device: "edge-a", port: "et-0/0/0", created, generation: 4 },
      old: { key, settings: binding.settings },
      new: { key, settings: link.settings },
      ...{ overlap: "breakBeforeMake", outcome: undefined },
    });
  });

  it("a link with other settings than accepted differs from one as accepted", () => {
    expect(sameSettings({ link, binding })).toBe(false);
    expect(sameSettings({ link, binding: bindingOf() })).toBe(true);
  });
});
