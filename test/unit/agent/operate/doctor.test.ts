// Two ends that do not go together: each kind is made in the simulated site by a hand that slips,
// and must be named with its rule and source. Two ends that do go together are passed in silence.

import { describe, expect, it } from "vitest";
import { linkRuleCodes } from "#agent/compare/rules.ts";
import { explain } from "#agent/explain/explain.ts";
import type { Finding } from "#agent/model/finding.ts";
import { type DoctorReport, doctorReport } from "#agent/operate/doctor/report.ts";
import type { PeerState } from "#hal/device.ts";
import { generationTag, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { addForeignKey, shutPort } from "#sim/faults/manual-operators.ts";
import type { PortConfig } from "#sim/router/router-config.ts";
import type { SiteLink } from "#sim/site/site.ts";
import { routerWith } from "#sim/site/site-plan.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

const hex = (digit: string, digits = 64): string => digit.repeat(digits);

/** An operator changes the running configuration of the router. */
function edit(link: SiteLink, change: (port: PortConfig) => void): void {
  link.router.manualEdit((config) => {
    const port = config.ports.get(link.port);
    if (port === undefined) throw new RangeError(link.port);
    change(port);
  });
}

function settings(link: SiteLink, change: Partial<NonNullable<PortConfig["macsec"]>>): void {
  edit(link, (port) => {
    if (port.macsec !== undefined) port.macsec = { ...port.macsec, ...change };
  });
}

type Ids = NonNullable<PeerState["pointsAt"]>;

function idsOf(link: SiteLink): Ids {
  const ids = link.msee.observe(link.azureLink).pointsAt;
  if (ids === undefined) throw new Error("the far end has no key");
  return ids;
}

function pointAt(link: SiteLink, ids: Partial<Ids>): void {
  link.msee.manualEdit(link.azureLink, { key: { ...idsOf(link), ...ids } });
}

/** A version of the link's CAK secret that came from elsewhere. */
function putCak(pair: Pair, link: SiteLink, tags: Record<string, string>): string {
  return pair.site.vault.put(link.key.cak, hex("5"), { tags });
}

function putCkn(pair: Pair, link: SiteLink, ckn: string): string {
  return pair.site.vault.put(link.key.ckn, ckn, { holds: "ckn" });
}

type Slip = (pair: Pair, primary: SiteLink, secondary: SiteLink) => unknown;
/** What slips, how, the code, and what is said of both sides. */
type Seed = readonly [string, Slip, string, RegExp];

const farSeeds: readonly Seed[] = [
  [
    "another suite at the far end",
    (_pair, link) => link.msee.manualEdit(link.azureLink, { suite: "gcm-aes-256" }),
    "suite-mismatch",
    /edge-a et-0\/0\/0 uses gcm-aes-xpn-256 \| link1 of erd-demo uses gcm-aes-256/,
  ],
  [
    "another SCI at the far end",
    (_pair, link) => link.msee.manualEdit(link.azureLink, { sci: "off" }),
    "sci-mismatch",
    /has the SCI on \| link1 of erd-demo has sciState Disabled/,
  ],
  [
    "MACsec taken off at the far end",
    (_pair, link) => link.msee.manualEdit(link.azureLink, { key: "off" }),
    "macsec-one-sided",
    /MACsec on \| link1 of erd-demo has MACsec off/,
  ],
  [
    "a link that is switched off",
    (_pair, link) => link.msee.manualEdit(link.azureLink, { admin: "down" }),
    "admin-state-disabled",
    /adminState Disabled/,
  ],
  [
    "a change that failed",
    (_pair, link) => {
      link.msee.setFault("fails", true);
      link.msee.manualEdit(link.azureLink, { sci: "off" });
    },
    "far-end-failed",
    /provisioningState Failed \(OperationFailed\)/,
  ],
  [
    "a change that goes on for hours",
    (pair, link) => {
      link.msee.setFault("slow", true);
      link.msee.manualEdit(link.azureLink, { sci: "off" });
      pair.site.clock.after(30_000, () => link.msee.setFault("slow", false));
    },
    "far-end-updating",
    /provisioningState Updating/,
  ],
  [
    "a port of 10 Gbit/s",
    (_pair, link) => link.msee.setPort({ bandwidthGbps: 10 }),
    "xpn-on-slow-port",
    /the config uses gcm-aes-xpn-256 \| link1 of erd-demo has 10 Gbit\/s/,
  ],
  [
    "a port of another speed",
    (_pair, link) => link.msee.setPort({ bandwidthGbps: 40 }),
    "speed-mismatch",
    /100 Gbit\/s \| link1 of erd-demo has 40/,
  ],
  [
    "a port without identity",
    (_pair, link) => link.msee.setPort({ identity: "missing" }),
    "identity-missing",
    /no user-assigned identity/,
  ],
  [
    "a LAG with too few ports",
    (_pair, link) => link.msee.setPort({ lag: { members: 1, least: 2 } }),
    "lag-members",
    /1 ports, of which 2 must carry/,
  ],
  [
    "a cipher that was never set",
    (_pair, link) => {
      const { pointsAt, sci, admin } = link.msee.observe(link.azureLink);
      const document = { pointsAt, sci, admin, suite: undefined };
      link.msee.write(new Map([[link.azureLink, document]]), "person");
    },
    "cipher-unknown",
    /cipher not set/,
  ],
];

const keySeeds: readonly Seed[] = [
  [
    "an identifier without a version",
    (pair, link) =>
      pointAt(link, { cakSecretId: `${pair.site.vault.base}/secrets/${link.key.cak}` }),
    "identifier-versionless",
    /erd-demo-1-cak, which names no version/,
  ],
  [
    "an identifier of another vault",
    (_pair, link) => pointAt(link, { cakSecretId: `https://kv-else.vault.azure.net/secrets/a/b` }),
    "identifier-foreign-vault",
    /https:\/\/demo\.vault\.sim \| link1 of erd-demo points into https:\/\/kv-else/,
  ],
  [
    "one identifier alone",
    (_pair, link) => pointAt(link, { cknSecretId: "" }),
    "identifier-incomplete",
    /cknSecretIdentifier is not set/,
  ],
  [
    "the secrets of the sibling",
    (_pair, link, sibling) => pointAt(link, idsOf(sibling)),
    "identifier-other-secret",
    /erd-demo-1-cak and erd-demo-1-ckn \| .*erd-demo-2-cak and erd-demo-2-ckn/,
  ],
  [
    "one key for two links",
    (_pair, link, sibling) => pointAt(link, idsOf(sibling)),
    "links-share-key",
    /link1 of erd-demo points at erd-demo-2-cak\/[0-9a-f]{32} \| link2 of erd-demo points/,
  ],
  [
    "the keys of two links crossed",
    (_pair, link, sibling) => {
      const [ours, theirs] = [idsOf(link), idsOf(sibling)];
      pointAt(link, theirs);
      pointAt(sibling, ours);
    },
    "links-swapped",
    /has the key of link2 of erd-demo \| link1 of erd-demo has the key of edge-b/,
  ],
  [
    "a newer pair at the far end alone",
    (pair, link) => pointAt(link, pair.site.vault.generatePair(link.key, "gcm-aes-xpn-256")),
    "key-version",
    /the link runs on erd-demo-1-cak\/[0-9a-f]{32} \| link1 of erd-demo points at erd-demo-1-cak/,
  ],
  [
    "another CKN at the far end",
    (pair, link) => pointAt(link, pair.site.vault.generatePair(link.key, "gcm-aes-xpn-256")),
    "ckn-mismatch",
    /edge-a et-0\/0\/0 has [0-9a-f]{8}… ?[0-9a-f]{4} \| link1 of erd-demo uses [0-9a-f]{8}/,
  ],
  [
    "a version that the vault does not have",
    (pair, link) => {
      const base = `${pair.site.vault.base}/secrets/${link.key.cak}`;
      pointAt(link, { cakSecretId: `${base}/${hex("0", 32)}` });
    },
    "version-missing",
    /the vault has none \| .*erd-demo-1-cak\/0{32}/,
  ],
  [
    "a version in use that is disabled",
    (pair, link) => pair.site.vault.setEnabled(idsOf(link).cakSecretId, false),
    "version-unusable",
    /the vault has it disabled/,
  ],
  [
    "a version in use that has expired",
    (pair, link) => {
      const expires = pair.site.clock.wall();
      pair.site.vault.update(idsOf(link).cakSecretId, { expires });
    },
    "version-unusable",
    /outside its dates/,
  ],
  [
    "a new CAK with the old CKN",
    (pair, link) => {
      const { cakSecretId } = pair.site.vault.generatePair(link.key, "gcm-aes-xpn-256");
      pointAt(link, { cakSecretId });
    },
    "pair-mixed",
    /is paired with the CKN .* \| link1 of erd-demo takes erd-demo-1-ckn/,
  ],
  [
    "an old key put back",
    (pair, link) => {
      const ckn = hex("C");
      const cakSecretId = putCak(pair, link, { [pairTag]: ckn, [generationTag]: "0" });
      pointAt(link, { cakSecretId, cknSecretId: putCkn(pair, link, ckn) });
    },
    "generation-rollback",
    /generation 1 \| .*of generation 0/,
  ],
  [
    "a newest version without its tag",
    (pair, link) => putCak(pair, link, {}),
    "vault.unpaired",
    /erd-demo-1-cak: .*names no CKN/,
  ],
  [
    "a newest version that is too short",
    (pair, link) => {
      const ckn = hex("C");
      putCkn(pair, link, ckn);
      pair.site.vault.put(link.key.cak, hex("5", 32), {
        tags: { [pairTag]: ckn, [generationTag]: "9" },
      });
    },
    "vault.malformedKey",
    /16 octets where/,
  ],
  [
    "a newest pair in lower case",
    (pair, link) => {
      const ckn = hex("c");
      putCkn(pair, link, ckn);
      pair.site.vault.put(link.key.cak, hex("a"), {
        tags: { [pairTag]: ckn, [generationTag]: "9" },
      });
    },
    "key-lower-case",
    /lower case/,
  ],
];

const nearSeeds: readonly Seed[] = [
  [
    "another suite on the router",
    (_pair, link) => settings(link, { suite: "gcm-aes-xpn-128" }),
    "suite-mismatch",
    /uses gcm-aes-xpn-128 \| link1 of erd-demo uses gcm-aes-xpn-256/,
  ],
  [
    "an offset on the router",
    (_pair, link) => settings(link, { confidentialityOffset: 30 }),
    "offset-mismatch",
    /leaves 30 octets/,
  ],
  [
    "should-secure on the router",
    (_pair, link) => settings(link, { policy: "shouldSecure" }),
    "policy-should-secure",
    /should-secure \| link1 of erd-demo drops/,
  ],
  [
    "another replay window on the router",
    (_pair, link) => settings(link, { replayWindow: 7 }),
    "drift",
    /has replayWindow 7 \| the config wants replayWindow 64/,
  ],
  [
    "MACsec taken off on the router",
    (_pair, link) =>
      edit(link, (port) => {
        port.macsec = undefined;
        port.keys = [];
      }),
    "macsec-one-sided",
    /MACsec off \| link1 of erd-demo has MACsec on/,
  ],
  ["a port that is shut", (pair, link) => shutPort(pair.site, link), "port-shut", /is shut/],
  [
    "a second key on the router",
    (pair, link) => addForeignKey(pair.site, link),
    "extra-key",
    /holds 2 keys/,
  ],
];

const waySeeds: readonly Seed[] = [
  [
    "a vault that denies",
    (pair) => pair.site.vault.setFault("denied", true),
    "vault.denied",
    /refuses this identity/,
  ],
  [
    "a vault that is down",
    (pair) => pair.site.vault.setFault("down", true),
    "vault.unreachable",
    /does not answer/,
  ],
  [
    "a far end that cannot be read",
    (_pair, link) => link.msee.setFault("unreadable", true),
    "far-end-unreadable",
    /link1 of erd-demo: /,
  ],
  [
    "a router that does not answer",
    (_pair, link) => link.router.setFault("unreachable", true),
    "device-unreachable",
    /edge-a: .*; nothing is known of erd-demo\/primary, hub-1$/,
  ],
];

const seeds = [...farSeeds, ...keySeeds, ...nearSeeds, ...waySeeds];

function asked(pair: Pair, skewMs = 0): Promise<DoctorReport> {
  const now = (pair.site.clock.wall() + skewMs) as WallTime;
  return settled(pair.site.clock, doctorReport(pair.agent, now, never));
}

async function findings(pair: Pair): Promise<readonly Finding[]> {
  return (await asked(pair)).findings;
}

function findingText({ here, there }: Finding): string {
  return there === null ? here : `${here} | ${there}`;
}

describe("a matching pair", () => {
  it("a matching pair has no finding, protected or still in the clear", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    expect(await findings(pair)).toEqual([]);
    const clear = new Pair("clear", "doctor clear");
    await clear.live();
    await clear.apply(clear.config((text) => text.replace(/^acceptRisks:[\s\S]*?(?=^\w|$)/m, "")));
    await clear.run(2_000);
    expect(await findings(clear)).toEqual([]);
  });

  it("a site without a config has no finding", async () => {
    const bare = await new Pair("clear", "doctor bare").live();
    expect(
      await settled(bare.site.clock, doctorReport(bare.agent, bare.site.clock.wall(), never)),
    ).toEqual({ schema: "linkseal.doctor/1", findings: [] });
  });
});

describe("a mismatch", () => {
  it.each(seeds)(
    "a mismatch of %s is named, with both sides, rule and source",
    async (_n, slip, code, said) => {
      const pair = await Pair.adopted({ overlap: "keychain" });
      slip(pair, pair.link("primary"), pair.link("secondary"));
      await pair.run(80_000);
      const found = await findings(pair);
      const named = found.filter((finding) => finding.code === code);
      expect(found.map((finding) => finding.code)).toContain(code);
      expect(named.map(findingText).join("\n")).toMatch(said);
      for (const finding of found) {
        expect(finding.rule).toMatch(/^[A-Z].{15,}/);
        expect(finding.source).toMatch(/.{8,}/);
        expect(finding.next).not.toBe("");
        expect(explain(finding.code).kind).toBe("known");
      }
      expect(pair.violations().filter((line) => line.includes("P5"))).toEqual([]);
    },
  );

  it("the tests make at least thirty kinds of mismatch", () => {
    expect(new Set(seeds.map(([, , code]) => code)).size).toBeGreaterThanOrEqual(30);
  });

  it("every rule about two ends has a mismatch in these tests", () => {
    const made = [...seeds.map(([, , code]) => code), "suite-unsupported", "xpn-missing"];
    expect(linkRuleCodes.filter((code) => !made.includes(code))).toEqual([]);
  });

  it("a mismatch of one link gives no finding about its sibling", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const link = pair.link("primary");
    link.msee.manualEdit(link.azureLink, { sci: "off" });
    await pair.run(80_000);
    expect((await findings(pair)).map(({ code, about }) => [code, about])).toEqual([
      ["sci-mismatch", "erd-demo/primary"],
    ]);
  });

  it("a mismatch is not a finding while a campaign changes one end before the other", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary switching");
    expect(await findings(pair)).toEqual([]);
  });

  it("a clock difference is reported before it stops a campaign", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const severities = async (skewMs: number) =>
      (await asked(pair, skewMs)).findings.map(({ code, severity }) => `${code} ${severity}`);
    expect(await severities(30_000)).toEqual([]);
    expect(await severities(120_000)).toEqual(["clock-skew warning", "clock-skew warning"]);
    expect(await severities(400_000)).toEqual(["clock-skew warning", "clock-skew warning"]);
  });

  it("ports that the SNMP agent of a router does not list are reported by name", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const cache = pair.agent.supervisor?.deviceCache;
    if (cache === undefined) throw new Error("no config is accepted");
    const state = cache.state.bind(cache);
    const ports = Array.from({ length: 10 }, (_, index) => `et-0/0/${index}`);
    cache.state = (name) => {
      const found = state(name);
      return found === undefined || name !== "edge-a" ? found : { ...found, snmpUnmatched: ports };
    };
    const reported = await findings(pair);
    expect(reported.map(({ code, about, severity }) => [code, about, severity])).toEqual([
      ["snmp-unmatched", "edge-a", "warning"],
    ]);
    expect(reported[0]?.here).toMatch(/the name of et-0\/0\/0, .*, et-0\/0\/7 and 2 more$/);
    expect(explain("snmp-unmatched").kind).toBe("known");
  });

  it("waits too short for a router without probes are reported for each link", async () => {
    const probeless = { overlap: "keychain", capabilities: { probe: undefined } as never } as const;
    const reported = async (pair: Pair) =>
      (await findings(pair)).map(({ code, about, here, next }) => [code, about, here, next]);
    const pair = await Pair.adopted(probeless);
    const [first, ...others] = await reported(pair);
    expect(first?.slice(0, 2)).toEqual(["proof-too-slow", "erd-demo/primary"]);
    expect(first?.[2]).toMatch(
      /^edge-a sends no probes, and without probes 20 frames .* 600s, and/,
    );
    expect(first?.[3]).toMatch(/^set rotation\.verify to \d+s in the config, then linkseal apply$/);
    expect(others.map(([code, about]) => [code, about])).toContainEqual([
      "proof-too-slow",
      "erd-demo/secondary",
    ]);
    expect(explain("proof-too-slow").kind).toBe("known");
    const long = (text: string): string =>
      text
        .replace("verify: 20s", "verify: 10m")
        .replace("confirm: 60s", "confirm: 20m")
        .replace("farEnd: 5m", "farEnd: 10m");
    expect(await reported(await Pair.adopted({ ...probeless, edit: long }))).toEqual([]);
  });

  it("a suite that does not fit router or speed is reported before the first packet", async () => {
    const { macsec } = routerWith("keychain");
    if (macsec === undefined) throw new Error("no MACsec");
    const weak = { macsec: { ...macsec, suites: ["gcm-aes-xpn-128"] as const } };
    const pair = new Pair("clear", "doctor weak", () => ({
      capabilities: { ...routerWith("keychain"), ...weak },
    }));
    await pair.live();
    const slower = (text: string): string =>
      text.replaceAll("gcm-aes-xpn-256", "gcm-aes-256").replaceAll("speed: 100G", "speed: 10G");
    expect(await pair.apply(pair.config(slower))).toMatchObject({ kind: "accepted" });
    await pair.run(2_000);
    const codes = (await findings(pair)).map(({ code }) => code);
    expect(codes).toContain("suite-unsupported");
    expect(codes).toContain("xpn-missing");
  });
});
