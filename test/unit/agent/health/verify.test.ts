// Compares a change with a later observation: as wanted, or the setting that differs.

import { describe, expect, it } from "vitest";
import { equalSettings, settingsGaps, verify } from "#agent/health/verify.ts";
import type { PortChange } from "#hal/device.ts";
import { type BackedPrefix, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { sampleState } from "../../kit/site-bench.ts";
import {
  at,
  clearPort,
  drainedRouting,
  link,
  securedPort,
  settings,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const { port } = link;
const { ckn } = keyOne;
const other = { ...keyOne, ckn: "ff".repeat(32) as typeof ckn };
const tunnel = sampleState("edge-a", now).ipsec[0] as IpsecTunnel;
const transforms = { encryption: "aes-gcm-256", integrity: "none", dhGroup: "ecp384" };
const spec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms,
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk" as const, secretId: "https://v/secrets/hub-1-psk/1" },
};

const clear = stateOf(clearPort());
const secured = stateOf(securedPort());
const fallback = stateOf(securedPort({ keys: known([{ ckn, role: "fallback" }], now) }));
const both = stateOf(
  securedPort({
    keys: known(
      [
        { ckn, role: "primary" },
        { ckn: other.ckn, role: "fallback" },
      ],
      now,
    ),
  }),
);
const drained = stateOf(clearPort(), { routing: known(drainedRouting, now) });
const blind = stateOf(clearPort({ keys: unknown("unparsed", now) }), {
  routing: unknown("queryFailed", now),
});
const tunnelled = stateOf(clearPort(), { ipsec: [tunnel] });
const elsewhere = stateOf(securedPort({ port: "et-9/9/9" }));
const besides = stateOf(
  securedPort({
    keys: known(
      [
        { ckn: other.ckn, role: "primary" },
        { ckn, role: "fallback" },
      ],
      now,
    ),
  }),
);
const foreign = stateOf(securedPort({ keys: known([{ ckn: other.ckn, role: "primary" }], now) }));
const siblingDrained = stateOf(clearPort(), {
  routing: known({ ...drainedRouting, drains: [{ port: "et-9/9/9", means: "prepend" }] }, now),
});
const otherTunnel = stateOf(clearPort(), { ipsec: [{ ...tunnel, name: "hub-2" }] });
const [sa] = tunnel.sas.kind === "known" ? tunnel.sas.value : [];
if (sa === undefined) throw new Error("the sample tunnel has no SA");
const weakSa = { ...sa, transforms: { ...sa.transforms, encryption: "aes-128-gcm" } };
const halfWeak = stateOf(clearPort(), {
  ipsec: [{ ...tunnel, sas: known([sa, weakSa], now) }],
});
const unreadSas = stateOf(clearPort(), {
  ipsec: [{ ...tunnel, sas: unknown("queryFailed", now) }],
});

const protect: PortChange = { kind: "macsec.protect", port, settings: link.settings };
const add: PortChange = { kind: "macsec.addKey", port, key: keyOne, role: "primary" };
const replace: PortChange = { kind: "macsec.replaceKey", port, key: keyOne };
const promote: PortChange = { kind: "macsec.promoteKey", port, ckn };
const remove: PortChange = { kind: "macsec.removeKey", port, ckn };
const drain: PortChange = { kind: "port.drain", port, means: "prepend" };
const restore: PortChange = { kind: "port.restore", port, means: "prepend" };
const put: PortChange = { kind: "ipsec.putTunnel", tunnel: spec };
const putOther: PortChange = {
  kind: "ipsec.putTunnel",
  tunnel: { ...spec, transforms: { ...transforms, encryption: "aes-128-gcm" } },
};
const removeTunnel: PortChange = { kind: "ipsec.removeTunnel", name: "hub-1" };

const cells: readonly {
  readonly name: string;
  readonly change: PortChange;
  readonly state: typeof clear;
  readonly gap: string | undefined;
}[] = [
  { name: "protected as wanted", change: protect, state: secured, gap: undefined },
  {
    name: "not protected",
    change: protect,
    state: clear,
    gap: "policy is absent and not mustSecure",
  },
  { name: "the key is there", change: add, state: secured, gap: undefined },
  { name: "the key is not there", change: add, state: clear, gap: `the key ${ckn} is not there` },
  {
    name: "only another key is there",
    change: add,
    state: foreign,
    gap: `the key ${ckn} is not there`,
  },
  { name: "added beside another", change: add, state: both, gap: undefined },
  { name: "keys unreadable", change: add, state: blind, gap: "the keys cannot be read" },
  { name: "replaced", change: replace, state: secured, gap: undefined },
  {
    name: "replaced, yet another exists beside it",
    change: replace,
    state: both,
    gap: "another key exists beside",
  },
  { name: "promoted", change: promote, state: secured, gap: undefined },
  { name: "not promoted", change: promote, state: fallback, gap: "is not the primary one" },
  { name: "another one promoted", change: promote, state: besides, gap: "is not the primary one" },
  { name: "promoted key gone", change: promote, state: clear, gap: "is not the primary one" },
  { name: "promotion unreadable", change: promote, state: blind, gap: "is not the primary one" },
  { name: "removed", change: remove, state: clear, gap: undefined },
  { name: "not removed", change: remove, state: secured, gap: "is still there" },
  { name: "removed, and another one stays", change: remove, state: foreign, gap: undefined },
  { name: "removal unreadable", change: remove, state: blind, gap: "the keys cannot be read" },
  { name: "drained", change: drain, state: drained, gap: undefined },
  { name: "not drained", change: drain, state: clear, gap: "it is not drained" },
  { name: "drain unreadable", change: drain, state: blind, gap: "the drain state cannot be read" },
  { name: "restored", change: restore, state: clear, gap: undefined },
  { name: "still drained", change: restore, state: drained, gap: "it is still drained" },
  {
    name: "restored while its sibling is drained",
    change: restore,
    state: siblingDrained,
    gap: undefined,
  },
  { name: "tunnel there", change: put, state: tunnelled, gap: undefined },
  { name: "tunnel absent", change: put, state: clear, gap: "the tunnel hub-1 is not configured" },
  {
    name: "another tunnel there",
    change: put,
    state: otherTunnel,
    gap: "the tunnel hub-1 is not configured",
  },
  {
    name: "tunnel with other transforms",
    change: putOther,
    state: tunnelled,
    gap: "other transforms than wanted",
  },
  {
    name: "one SA of two with other transforms",
    change: put,
    state: halfWeak,
    gap: "other transforms than wanted",
  },
  { name: "tunnel whose SAs cannot be read", change: put, state: unreadSas, gap: undefined },
  { name: "tunnel removed", change: removeTunnel, state: clear, gap: undefined },
  { name: "tunnel still there", change: removeTunnel, state: tunnelled, gap: "is still there" },
  {
    name: "tunnel removed, and another one stays",
    change: removeTunnel,
    state: otherTunnel,
    gap: undefined,
  },
  {
    name: "a port that the device does not list: settings",
    change: protect,
    state: elsewhere,
    gap: "policy is absent",
  },
  {
    name: "a port that the device does not list: a new key",
    change: add,
    state: elsewhere,
    gap: "keys cannot be read",
  },
  {
    name: "a port that the device does not list: its primary",
    change: promote,
    state: elsewhere,
    gap: "not the primary",
  },
  {
    name: "a port that the device does not list: an old key",
    change: remove,
    state: elsewhere,
    gap: "keys cannot be read",
  },
  {
    name: "a new SAK leaves no trace in the config",
    change: { kind: "macsec.rekeySak", port },
    state: clear,
    gap: undefined,
  },
  {
    name: "nor do new SAs of a tunnel",
    change: { kind: "ipsec.rekey", name: "hub-1", what: "child" },
    state: clear,
    gap: undefined,
  },
  {
    name: "nor is a closed port judged",
    change: { kind: "port.shut", port },
    state: clear,
    gap: undefined,
  },
  { name: "nor an opened one", change: { kind: "port.open", port }, state: clear, gap: undefined },
];

const prefix = "10.100.0.0/16";
const backing = (...backs: readonly string[]): PortChange => ({
  kind: "ipsec.putTunnel",
  tunnel: { ...spec, backs },
});
const riding = (...backed: readonly BackedPrefix[]) =>
  stateOf(clearPort(), { ipsec: [tunnel], backed: known(backed, now) });
const under = (...ports: readonly string[]): BackedPrefix => ({ prefix, ports, open: [] });
const elsewhereToo = { ...under("et-7"), prefix: "10.9.0.0/16" };

const backings: readonly {
  readonly name: string;
  readonly change: PortChange;
  readonly state: typeof clear;
  readonly gap: string | undefined;
}[] = [
  {
    name: "as wanted, in whatever order",
    change: backing("b", "a"),
    state: riding(under("b", "a")),
    gap: undefined,
  },
  {
    name: "as wanted beside another prefix",
    change: backing("a"),
    state: riding(elsewhereToo, under("a")),
    gap: undefined,
  },
  { name: "nowhere, as wanted", change: put, state: riding(), gap: undefined },
  {
    name: "under fewer than wanted",
    change: backing("b", "a"),
    state: riding(under("b")),
    gap: `${prefix} may ride under the MACsec of b, not a, b`,
  },
  {
    name: "nowhere",
    change: backing("a"),
    state: riding(elsewhereToo),
    gap: `${prefix} may ride under the MACsec of no port, not a`,
  },
  {
    name: "where it is not wanted",
    change: put,
    state: riding(under("a")),
    gap: `${prefix} may ride under the MACsec of a, not none`,
  },
  {
    name: "on a device that reports none",
    change: backing("a"),
    state: tunnelled,
    gap: `${prefix} may ride under the MACsec of no port, not a`,
  },
  {
    name: "unreadable",
    change: backing("a"),
    state: stateOf(clearPort(), { ipsec: [tunnel], backed: unknown("queryFailed", now) }),
    gap: "what may ride under MACsec cannot be read",
  },
];

describe("prefixes that may leave under MACsec", () => {
  it.each(backings)(
    "the exempt ports of a prefix are verified: $name",
    ({ change, state, gap }) => {
      expect(verify([change], state)).toEqual(gap === undefined ? [] : [gap]);
    },
  );
});

describe("verify", () => {
  it.each(cells)("a change is verified against an observation: $name", ({ change, state, gap }) => {
    const gaps = verify([change], state);
    if (gap === undefined) expect(gaps).toEqual([]);
    else expect(gaps).toEqual([expect.stringContaining(gap)]);
  });

  it("every setting of a change that differs is named", () => {
    expect(verify([protect, add, drain], clear)).toHaveLength(3);
    expect(verify([], clear)).toEqual([]);
  });
});

describe("settings", () => {
  const leaves = [
    ["suite", { suite: "gcm-aes-128" }],
    ["policy", { policy: "shouldSecure" }],
    ["includeSci", { includeSci: false }],
    ["confidentialityOffset", { confidentialityOffset: 30 }],
    ["keyServerPriority", { keyServerPriority: 200 }],
    ["replayWindow", { replayWindow: undefined }],
    ["sakRekeyMs", { sakRekeyMs: 1_000 }],
  ] as const;
  it.each(leaves)("settings with another %s are not equal", (leaf, over) => {
    const gaps = settingsGaps(link.settings, { ...settings, ...over });
    expect(gaps.map((gap) => gap.leaf)).toEqual([leaf]);
  });

  it("settings are equal to themselves", () => {
    expect(settingsGaps(link.settings, settings)).toEqual([]);
  });

  it('a setting that one side lacks reads "off"', () => {
    const without = { ...settings, sakRekeyMs: undefined };
    expect(settingsGaps({ ...link.settings, sakRekeyMs: 1_000 }, without)).toEqual([
      { leaf: "sakRekeyMs", wanted: "1000", observed: "off" },
    ]);
    expect(
      settingsGaps({ ...link.settings, sakRekeyMs: undefined }, { ...settings, sakRekeyMs: 1_000 }),
    ).toEqual([{ leaf: "sakRekeyMs", wanted: "off", observed: "1000" }]);
  });
});

describe("settings of two kinds", () => {
  it("settings of two kinds are equal if every setting is, whatever the port's policy", () => {
    expect(equalSettings(link.settings, { ...link.settings })).toBe(true);
    expect(equalSettings(link.settings, { ...link.settings, replayWindow: 7 })).toBe(false);
    expect(equalSettings(link.settings, { ...link.settings, includeSci: false })).toBe(false);
  });
});
