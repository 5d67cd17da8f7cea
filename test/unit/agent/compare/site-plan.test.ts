// A whole plan: when there is nothing to do, and what has changed since an operator agreed to it.

import { describe, expect, it } from "vitest";
import { plan } from "#agent/compare/plan.ts";
import {
  type ConfigPart,
  changedSince,
  type SitePlan,
  sitePlan,
} from "#agent/compare/site-plan.ts";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { PeerState } from "#hal/device.ts";
import { type IpsecTunnel, known, type MacsecPort } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, ckn, sampleState } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  clearPort,
  desiredOf,
  peerOff,
  peerOn,
  securedPort,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const tunnel = sampleState("edge-a", now).ipsec[0] as IpsecTunnel;
// Both links have the settings with which the sample port is protected.
const desired = desiredOf((text) =>
  text.replace(
    "suite: gcm-aes-xpn-256 }",
    "suite: gcm-aes-xpn-256, offset: 0, replayWindow: 64, sakRekey: 8h }",
  ),
);
const binding = bindingOf();
const bound: Memory = {
  ...emptyMemory,
  bindings: { "erd-demo/primary": binding, "erd-demo/secondary": binding },
};
const inForce: ConfigPart = {
  ...{ accepted: 3, sha256: "ab", compared: "inForce", settings: [] },
};

interface Scene {
  readonly config?: ConfigPart;
  readonly wanted?: Desired;
  readonly memory?: Memory;
  readonly port?: (link: DesiredLink) => MacsecPort;
  readonly far?: PeerState;
  readonly tunnels?: readonly IpsecTunnel[];
  readonly lines?: readonly string[];
}

function planned(scene: Scene = {}): SitePlan {
  const { config = inForce, wanted = desired, memory = bound, tunnels = [tunnel] } = scene;
  const port = scene.port ?? (({ port: name }: DesiredLink) => securedPort({ port: name }));
  const input = {
    ...{ desired: wanted, memory },
    snapshot: (link: DesiredLink): LinkSnapshot => ({
      ...snapshotOf(stateOf(port(link)), { peer: scene.far ?? peerOn() }),
      link,
    }),
    state: () => stateOf(clearPort(), { ipsec: tunnels }),
    capabilities: () => capabilities,
    made: () => undefined,
    acceptsRisk: () => false,
  };
  const { lines } = scene;
  const sends = () => (lines === undefined ? undefined : ({ kind: "lines", lines } as const));
  return sitePlan(config, plan({ ...input, sends }), input);
}

const since = (before: SitePlan, after: SitePlan): readonly string[] =>
  changedSince(JSON.parse(JSON.stringify(before)), after);

const extraKey = ({ port }: DesiredLink): MacsecPort => {
  const slots = [keyOne.ckn, ckn("9")].map((each) => ({ ckn: each, role: "primary" as const }));
  return securedPort({ port, keys: known(slots, now) });
};
const bare = ({ port }: DesiredLink): MacsecPort => clearPort({ port });

describe("whether anything differs", () => {
  it("nothing does only if the config is in force and both ends are as it wants them", () => {
    expect(planned()).toMatchObject({ differs: false, steps: [], notes: [] });
  });

  it.each<[string, Scene]>([
    ["another text", { config: { ...inForce, compared: "respelled" } }],
    ["another setting", { config: { ...inForce, compared: "differs" } }],
    ["no config in force", { config: { ...inForce, accepted: null, compared: "first" } }],
    ["a key beside the own one, which no step removes", { port: extraKey }],
    ["a tunnel that is absent", { tunnels: [] }],
  ])("%s differs", (_name, scene) => {
    expect(planned(scene).differs).toBe(true);
  });

  it("a limit of a tunnel that is as wanted is no difference", () => {
    const tunnels = desired.tunnels.map((each) => ({ ...each, ikeVersion: "v1" as const }));
    const old = { ...desired, tunnels };
    const seen = planned({ wanted: old });
    expect(seen.notes).toMatchObject([{ about: "hub-1", kind: "limit" }]);
    expect(seen.differs).toBe(false);
  });
});

describe("what has changed since a plan was agreed to", () => {
  it("nothing has, after a round trip through a file", () => {
    expect(since(planned(), planned())).toEqual([]);
    const scene = { port: bare, memory: emptyMemory, far: peerOff };
    expect(planned(scene).steps.length).toBeGreaterThan(0);
    expect(since(planned(scene), planned(scene))).toEqual([]);
  });

  it("drift that no step mends is named with its link", () => {
    expect(since(planned(), planned({ port: extraKey }))).toEqual([
      "erd-demo/secondary is no longer as it was",
      "erd-demo/primary is no longer as it was",
    ]);
  });

  it("a tunnel that is gone is named, and the step that comes with it", () => {
    expect(since(planned(), planned({ tunnels: [] }))).toEqual([
      "hub-1 is no longer as it was",
      "step 1 is now: edge-a: add the tunnel hub-1",
    ]);
    expect(since(planned({ tunnels: [] }), planned())).toEqual([
      "hub-1 is no longer as it was",
      "1 step is not needed now",
    ]);
  });

  it("a newer accepted config and another text are named", () => {
    const later = planned({ config: { ...inForce, accepted: 4, sha256: "cd" } });
    expect(since(planned(), later)).toEqual([
      "the text of the config is another one",
      "config 4 is in force, and it was config 3",
    ]);
    const first = planned({ config: { ...inForce, accepted: null } });
    expect(since(first, planned())).toEqual(["config 3 is in force, and it was no config"]);
  });

  it("a rotation that ended meanwhile changes nothing", () => {
    const key = { ...keyOne, ckn: ckn("7"), cakSecretId: `${keyOne.cakSecretId}7` };
    const rotated = bindingOf({ key, how: "rotated" });
    const memory: Memory = {
      ...emptyMemory,
      bindings: { "erd-demo/primary": rotated, "erd-demo/secondary": rotated },
    };
    const port = ({ port: name }: DesiredLink): MacsecPort =>
      securedPort({ port: name, keys: known([{ ckn: key.ckn, role: "primary" }], now) });
    expect(since(planned(), planned({ memory, port, far: peerOn(key) }))).toEqual([]);
  });

  it("another line for a router is another step, another time of its clock is none", () => {
    const scene = { port: bare, memory: emptyMemory, far: peerOff };
    const sent = (line: string): SitePlan => planned({ ...scene, lines: [line] });
    expect(since(sent("key 1"), sent("key 2")).length).toBeGreaterThan(0);
    const junos = (time: string) => `<start-time>2026-11-${time}+0000</start-time>`;
    expect(since(sent(junos("24.10:00:00")), sent(junos("25.11:30:09")))).toEqual([]);
    const cisco = (time: string) => ` lifetime ${time} infinite`;
    const [monday, friday] = ["10:00:00 november 24 2026", "9:30:01 december 5 2026"];
    expect(since(sent(cisco(monday ?? "")), sent(cisco(friday ?? "")))).toEqual([]);
  });

  const odd: readonly unknown[] = [
    ...[undefined, null, 7, "x", [], {}, { agreed: null }, { agreed: 7 }, { agreed: [] }],
    { agreed: { accepted: 3, sha256: "ab", states: null, steps: [] } },
    { agreed: { accepted: 3, sha256: "ab", states: {}, steps: {} } },
    { agreed: { accepted: "3", sha256: "ab", states: {}, steps: [] } },
  ];
  it.each(odd)("%j is no plan", (shown) => {
    expect(changedSince(shown, planned())).toEqual(["it is not a plan that this version has made"]);
  });

  it("states by the names of built-in members are not taken for those of links", () => {
    const { agreed } = planned();
    const states = Object.create({ "erd-demo/primary": agreed.states["erd-demo/primary"] });
    expect(changedSince({ agreed: { ...agreed, states } }, planned())).toHaveLength(3);
  });
});
