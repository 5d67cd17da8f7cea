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
} from "../../kit/view-kit.ts";

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

const cells: readonly (readonly [string, PortChange, typeof clear, string | undefined])[] = [
  ["protected as wanted", protect, secured, undefined],
  ["not protected", protect, clear, "policy is absent and not mustSecure"],
  ["the key is there", add, secured, undefined],
  ["the key is not there", add, clear, `the key ${ckn} is not there`],
  ["only another key is there", add, foreign, `the key ${ckn} is not there`],
  ["added beside another", add, both, undefined],
  ["keys unreadable", add, blind, "the keys cannot be read"],
  ["replaced", replace, secured, undefined],
  ["replaced, yet another stands beside it", replace, both, "another key is present beside"],
  ["promoted", promote, secured, undefined],
  ["not promoted", promote, fallback, "is not the primary one"],
  ["another one promoted", promote, besides, "is not the primary one"],
  ["promoted key gone", promote, clear, "is not the primary one"],
  ["promotion unreadable", promote, blind, "is not the primary one"],
  ["removed", remove, clear, undefined],
  ["not removed", remove, secured, "is still there"],
  ["removed, and another one stays", remove, foreign, undefined],
  ["removal unreadable", remove, blind, "the keys cannot be read"],
  ["drained", drain, drained, undefined],
  ["not drained", drain, clear, "it is not drained"],
  ["drain unreadable", drain, blind, "the drain state cannot be read"],
  ["restored", restore, clear, undefined],
  ["still drained", restore, drained, "it is still drained"],
  ["restored while its sibling is drained", restore, siblingDrained, undefined],
  ["tunnel there", put, tunnelled, undefined],
  ["tunnel absent", put, clear, "the tunnel hub-1 is not configured"],
  ["another tunnel there", put, otherTunnel, "the tunnel hub-1 is not configured"],
  ["tunnel with other transforms", putOther, tunnelled, "other transforms than wanted"],
  ["one SA of two with other transforms", put, halfWeak, "other transforms than wanted"],
  ["tunnel whose SAs cannot be read", put, unreadSas, undefined],
  ["tunnel removed", removeTunnel, clear, undefined],
  ["tunnel still there", removeTunnel, tunnelled, "is still there"],
  ["tunnel removed, and another one stays", removeTunnel, otherTunnel, undefined],
  ["a port that the device does not list: settings", protect, elsewhere, "policy is absent"],
  ["a port that the device does not list: a new key", add, elsewhere, "keys cannot be read"],
  ["a port that the device does not list: its primary", promote, elsewhere, "not the primary"],
  ["a port that the device does not list: an old key", remove, elsewhere, "keys cannot be read"],
  ["a new SAK leaves no trace in the config", { kind: "macsec.rekeySak", port }, clear, undefined],
  [
    "nor do new SAs of a tunnel",
    { kind: "ipsec.rekey", name: "hub-1", what: "child" },
    clear,
    undefined,
  ],
  ["nor is a closed port judged", { kind: "port.shut", port }, clear, undefined],
  ["nor an opened one", { kind: "port.open", port }, clear, undefined],
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

const backings: readonly (readonly [string, PortChange, typeof clear, string | undefined])[] = [
  ["as wanted, in whatever order", backing("b", "a"), riding(under("b", "a")), undefined],
  ["as wanted beside another prefix", backing("a"), riding(elsewhereToo, under("a")), undefined],
  ["nowhere, as wanted", put, riding(), undefined],
  [
    "under fewer than wanted",
    backing("b", "a"),
    riding(under("b")),
    `${prefix} may ride under the MACsec of b, not a, b`,
  ],
  [
    "nowhere",
    backing("a"),
    riding(elsewhereToo),
    `${prefix} may ride under the MACsec of no port, not a`,
  ],
  [
    "where it is not wanted",
    put,
    riding(under("a")),
    `${prefix} may ride under the MACsec of a, not none`,
  ],
  [
    "on a device that tells of none",
    backing("a"),
    tunnelled,
    `${prefix} may ride under the MACsec of no port, not a`,
  ],
  [
    "unreadable",
    backing("a"),
    stateOf(clearPort(), { ipsec: [tunnel], backed: unknown("queryFailed", now) }),
    "what may ride under MACsec cannot be read",
  ],
];

describe("prefixes that may leave under MACsec", () => {
  it.each(backings)(
    "the exempt ports of a prefix are verified: %s",
    (_name, change, state, gap) => {
      expect(verify([change], state)).toEqual(gap === undefined ? [] : [gap]);
    },
  );
});

describe("verify", () => {
  it.each(cells)("a change is verified against an observation: %s", (_name, change, state, gap) => {
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
      { leaf: "sakRekeyMs", wanted: "1000", seen: "off" },
    ]);
    expect(
      settingsGaps({ ...link.settings, sakRekeyMs: undefined }, { ...settings, sakRekeyMs: 1_000 }),
    ).toEqual([{ leaf: "sakRekeyMs", wanted: "off", seen: "1000" }]);
  });
});

describe("settings of two kinds", () => {
  it("settings of two kinds are equal if every setting is, whatever the port's policy", () => {
    expect(equalSettings(link.settings, { ...link.settings })).toBe(true);
    expect(equalSettings(link.settings, { ...link.settings, replayWindow: 7 })).toBe(false);
    expect(equalSettings(link.settings, { ...link.settings, includeSci: false })).toBe(false);
  });
});
