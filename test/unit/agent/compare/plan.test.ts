// The steps of a plan, their order, and those that are left to an operator.

import { describe, expect, it } from "vitest";
import { type Plan, plan } from "#agent/compare/plan.ts";
import type { SendsOf } from "#agent/compare/sends.ts";
import { tunnelSpec } from "#agent/compare/tunnel-spec.ts";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import { type DeviceState, type IpsecTunnel, type KeyRef, known } from "#hal/model.ts";
import { campaignOf, keyOne, keyTwo } from "../../kit/campaign-kit.ts";
import { capabilities, sampleState } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  clearPort,
  desiredOf,
  link,
  linkNamed,
  peerOn,
  securedPort,
  settings,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const bound: Memory = {
  ...emptyMemory,
  bindings: { "erd-demo/primary": bindingOf() },
};

interface Scene {
  readonly desired?: Desired;
  readonly memory?: Memory;
  readonly snapshot?: (link: DesiredLink) => LinkSnapshot;
  readonly state?: (device: string) => DeviceState | undefined;
  readonly sends?: SendsOf;
}

const clearOn = (each: DesiredLink): LinkSnapshot => ({
  ...snapshotOf(stateOf(clearPort({ port: each.port }))),
  link: each,
});

function planned({
  desired = desiredOf(),
  memory = emptyMemory,
  snapshot = clearOn,
  state,
  sends = () => undefined,
}: Scene): Plan {
  return plan({
    desired,
    memory,
    snapshot,
    state: state ?? (() => stateOf(clearPort())),
    capabilities: () => capabilities,
    made: () => undefined,
    acceptsRisk: () => false,
    sends,
  });
}

const tunnel = sampleState("edge-a", now).ipsec[0] as IpsecTunnel;
const repairing = desiredOf((text) => text.replace("repair: off", "repair: on"));
const wrongRekey = (each: DesiredLink): LinkSnapshot => {
  const port = securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) });
  return each.name === "primary"
    ? { ...snapshotOf(stateOf(port), { peer: peerOn() }), link: each }
    : clearOn(each);
};

describe("the plan", () => {
  it("the plan of a first day has the tunnel, then each link in the config's order", () => {
    const { steps, notes, wouldChange } = planned({});
    expect(wouldChange).toBe(true);
    expect(notes).toEqual([]);
    expect(steps.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const seen = steps.map((step) => `${step.where} ${step.link}`);
    const secondary = ["edge-b", "erd-demo link2", "edge-b", "edge-b"];
    const primary = ["edge-a", "erd-demo link1", "edge-a", "edge-a"];
    expect(seen).toEqual([
      "edge-a null",
      ...secondary.map((where) => `${where} erd-demo/secondary`),
      ...primary.map((where) => `${where} erd-demo/primary`),
    ]);
  });

  it("the plan shows which link has an outage, for how long, and under which risk", () => {
    const dark = planned({}).steps.filter(({ risk }) => risk !== null);
    expect(dark).toHaveLength(2);
    expect(dark[0]).toMatchObject({ risk: "breakBeforeMake", darkMs: { low: 500, high: 15_000 } });
  });

  it("the plan shows every step of a tunnel and a link, and only the place of a secret", () => {
    const { steps } = planned({});
    expect(steps.slice(0, 5).map(({ does, preview }) => `${does}: ${preview}`)).toEqual([
      "add the tunnel hub-1: + ipsec hub-1 198.51.100.1 203.0.113.1 aes-256-gcm [secret psk]",
      "move the traffic to the sibling link: + prepend on et-0/0/1",
      "give the far end its first key: " +
        "+ macSecConfig gcm-aes-xpn-256 sci on erd-demo-2-ckn erd-demo-2-cak",
      "follow with the key and must-secure, then prove both directions: " +
        "+ macsec et-0/0/1 must-secure gcm-aes-xpn-256 [secret cak]",
      "bring the traffic back: - prepend on et-0/0/1",
    ]);
    const lit = steps.filter(({ risk }) => risk === null);
    for (const { darkMs } of lit) expect(darkMs).toEqual({ low: 0, high: 0 });
  });

  it("the plan leaves the first key to a person if the far end is manual", () => {
    const manual = desiredOf((text) => text.replace("farEnd: agent", "farEnd: manual"));
    const does = planned({ desired: manual }).steps.map((step) => step.does);
    expect(does).toContain("wait for a person to give the far end its first key");
    expect(does).not.toContain("give the far end its first key");
  });

  it("the plan asks for the SCI of the intent", () => {
    const bare = (each: DesiredLink): DesiredLink => ({
      ...each,
      settings: { ...each.settings, includeSci: false },
    });
    const wanted = desiredOf();
    const groups = wanted.groups.map((group) => ({ ...group, links: group.links.map(bare) }));
    const { steps } = planned({ desired: { ...wanted, groups } });
    expect(steps.filter(({ preview }) => preview.includes(" sci off "))).toHaveLength(2);
  });

  it("the plan adds a tunnel although the device has another one", () => {
    const state = (): DeviceState =>
      stateOf(clearPort(), { ipsec: [{ ...tunnel, name: "hub-2" }] });
    expect(planned({ state }).steps[0]?.does).toBe("add the tunnel hub-1");
  });

  it("the plan is empty once everything is as wanted", () => {
    const desired = desiredOf((text) => text.replace(/links:[\s\S]*tunnels:/, "$&"));
    const managed = (each: DesiredLink): LinkSnapshot => ({
      ...snapshotOf(stateOf(securedPort({ port: each.port })), { peer: peerOn() }),
      link: { ...each, settings: link.settings },
    });
    const binding = bindingOf({ how: "adopted" });
    const bindings = { "erd-demo/primary": binding, "erd-demo/secondary": binding };
    const state = (): DeviceState => stateOf(clearPort(), { ipsec: [tunnel] });
    const memory = { ...emptyMemory, bindings };
    expect(planned({ desired, memory, snapshot: managed, state })).toEqual({
      schema: "linkseal.plan/1",
      wouldChange: false,
      steps: [],
      notes: [],
    });
  });

  it("the plan leaves a link with an unmanaged key to adoption", () => {
    const snapshot = (each: DesiredLink): LinkSnapshot => ({
      ...snapshotOf(stateOf(securedPort({ port: each.port })), { peer: peerOn() }),
      link: each,
    });
    const { steps, notes } = planned({ snapshot });
    expect(steps.filter((step) => step.link !== null)).toEqual([]);
    expect(notes[0]).toMatchObject({ next: "linkseal adopt erd-demo/secondary" });
  });

  it("the plan notes devices that it cannot read, and plans nothing there", () => {
    const snapshot = (each: DesiredLink): LinkSnapshot => ({
      ...snapshotOf(undefined),
      link: each,
    });
    const { steps, notes } = planned({ snapshot, state: () => undefined });
    expect(steps).toEqual([]);
    const next = "linkseal status";
    expect(notes).toEqual([
      { about: "hub-1", text: "edge-a cannot be read", next },
      { about: "erd-demo/secondary", text: "edge-b cannot be read", next },
      { about: "erd-demo/primary", text: "edge-a cannot be read", next },
    ]);
  });

  it("the plan mends drift only if repair is on", () => {
    const off = planned({ memory: bound, snapshot: wrongRekey });
    expect(off.notes[0]?.text).toContain("sakRekeyMs");
    expect(off.notes[0]?.next).toContain("repair: on");
    expect(off.steps.some(({ does }) => does.startsWith("mend"))).toBe(false);
    const mended = planned({ desired: repairing, memory: bound, snapshot: wrongRekey });
    const mends = mended.steps.filter(({ does }) => does.startsWith("mend"));
    expect(mends.map(({ n: _n, ...step }) => step)).toEqual([
      {
        where: "edge-a",
        link: "erd-demo/primary",
        does: "mend what cannot interrupt the port",
        preview: "~ edge-a et-0/0/0: sakRekeyMs is off, wanted 28800000",
        darkMs: { low: 0, high: 0 },
        risk: null,
        by: "reconcile",
      },
    ]);
  });

  it("the plan restores a key that a restart removed, whatever repair is set to", () => {
    const gone = {
      ...securedPort({ keys: known([], now) }),
      keyLoss: known("restart" as const, now),
    };
    const snapshot = (each: DesiredLink): LinkSnapshot =>
      each.name === "primary"
        ? { ...snapshotOf(stateOf(gone), { peer: peerOn() }), link: each }
        : clearOn(each);
    for (const wanted of [desiredOf(), repairing]) {
      const { steps } = planned({ desired: wanted, memory: bound, snapshot });
      expect(steps.filter(({ does }) => does.startsWith("mend"))).toHaveLength(1);
    }
  });

  it("the plan sends drift that it cannot mend to the doctor, whatever repair is set to", () => {
    const snapshot = (each: DesiredLink): LinkSnapshot => {
      const port = securedPort({ settings: known({ ...settings, suite: "gcm-aes-128" }, now) });
      return each.name === "primary"
        ? { ...snapshotOf(stateOf(port), { peer: peerOn() }), link: each }
        : clearOn(each);
    };
    for (const wanted of [desiredOf(), repairing]) {
      const { steps, notes } = planned({ desired: wanted, memory: bound, snapshot });
      expect(steps.some(({ does }) => does.startsWith("mend"))).toBe(false);
      expect(notes).toEqual([
        {
          about: "erd-demo/primary",
          text: "edge-a et-0/0/0: suite is gcm-aes-128, wanted gcm-aes-xpn-256",
          next: "linkseal doctor",
        },
      ]);
    }
  });
});

describe("what the steps of a plan send", () => {
  const asked: SendsOf = (device, change) => ({
    kind: "lines",
    lines: change.map(({ kind }) => `${device} ${kind}`),
  });

  it("each step at a device shows what that is sent, and a restore the step that it undoes", () => {
    const { steps } = planned({ sends: asked });
    expect(steps.slice(0, 5).map(({ sends }) => sends)).toEqual([
      { kind: "lines", lines: ["edge-a ipsec.putTunnel"] },
      { kind: "lines", lines: ["edge-b port.drain"] },
      undefined,
      { kind: "lines", lines: ["edge-b macsec.protect", "edge-b macsec.addKey"] },
      { kind: "undoes", step: 2 },
    ]);
  });

  it("no step has a change of the contract in it, and the first key has no CKN yet", () => {
    const seen: string[] = [];
    const { steps } = planned({
      sends: (_device, change) => {
        seen.push(JSON.stringify(change));
        return undefined;
      },
    });
    expect(steps.filter((step) => "change" in step)).toEqual([]);
    expect(seen.join(" ")).toContain('"ckn":"CKN-OF-erd-demo-1-ckn"');
  });
});

describe("a link that a campaign of this agent changes", () => {
  const keyNew: KeyRef = {
    ckn: keyTwo.ckn,
    cakSecretId: `${keyOne.cakSecretId}7`,
    cknSecretId: `${keyOne.cknSecretId}7`,
  };
  const slot = ({ ckn }: KeyRef) => ({ ckn, role: "primary" as const });
  const both = (each: DesiredLink, farKey: KeyRef): LinkSnapshot => {
    const port = securedPort({ keys: known([slot(keyOne), slot(keyNew)], now) });
    return each.name === "primary"
      ? { ...snapshotOf(stateOf(port), { peer: peerOn(farKey) }), link: each }
      : clearOn(each);
  };
  const rotation = campaignOf("staged", { kind: "rotate" }, "keychain");
  const [first] = rotation.links;
  if (first === undefined) throw new Error("the campaign has no link");
  const wanted = link.settings;
  const entry = {
    ...first,
    old: { key: keyOne, settings: wanted },
    new: { key: keyNew, settings: wanted },
  };
  const running: Memory = {
    ...bound,
    campaigns: { "erd-demo": { ...rotation, links: [entry] } },
  };

  it("the key that the campaign staged is not another key beside its own (finding 19)", () => {
    const texts = (memory: Memory, farKey: KeyRef): readonly string[] =>
      planned({ memory, snapshot: (each) => both(each, farKey) }).notes.map(({ text }) => text);
    expect(texts(bound, keyOne).join("\n")).toContain("exists beside its own");
    expect(texts(running, keyOne)).toEqual([]);
    expect(texts(running, keyNew)).toEqual([]);
  });

  it("the first key of an enrolment of this agent is not offered for adoption", () => {
    const memory: Memory = { ...emptyMemory, campaigns: { "erd-demo": campaignOf("proving") } };
    const { notes } = planned({ memory, snapshot: (each) => both(each, keyOne) });
    expect(notes.find(({ about }) => about === "erd-demo/primary")).toMatchObject({
      text: "a campaign of this agent gives it its key",
      next: "linkseal rotation show erd-demo",
    });
  });
});

describe("settings of a newer config that interrupt nothing", () => {
  const wider = desiredOf((text) => text.replaceAll("sakRekey: 8h", "sakRekey: 4h"));
  const asBefore = (each: DesiredLink): LinkSnapshot =>
    each.name === "primary"
      ? { ...snapshotOf(stateOf(securedPort()), { peer: peerOn() }), link: each }
      : clearOn(each);

  it("they are a step even where repair is off", () => {
    const { steps, notes } = planned({ desired: wider, memory: bound, snapshot: asBefore });
    const step = steps.find(({ by }) => by === "reconcile");
    expect(step).toMatchObject({
      where: "edge-a",
      does: "change settings, which cannot interrupt the port",
      preview: "~ edge-a et-0/0/0: sakRekeyMs is 28800000, wanted 14400000",
    });
    expect(notes).toEqual([]);
  });
});

describe("a tunnel as a driver takes it", () => {
  it("a tunnel for a driver has its key by id and every other setting as wanted", () => {
    const [wanted] = desiredOf().tunnels;
    if (wanted === undefined) throw new Error("the sample has no tunnel");
    expect(tunnelSpec(wanted, { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" })).toEqual({
      name: "hub-1",
      localAddress: "198.51.100.1",
      remoteAddress: "203.0.113.1",
      localPrefixes: ["10.1.0.0/16"],
      remotePrefixes: ["10.100.0.0/16"],
      ike: wanted.ike,
      transforms: wanted.transforms,
      life: wanted.life,
      mtu: 1400,
      ifId: wanted.ifId,
      auth: { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" },
    });
  });
});

describe("the links of a plan", () => {
  it("the plan names links in the config's order", () => {
    expect(linkNamed("secondary").azureLink).toBe("link2");
  });
});
