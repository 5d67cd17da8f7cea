// What is said of the SAs of a tunnel, word for word: where they end, what they lack, what moves.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth, lastEndMs } from "#agent/health/tunnel.ts";
import type { TunnelEvidence } from "#agent/model/health.ts";
import { type IpsecSa, type IpsecTunnel, known, strongValue } from "#hal/model.ts";
import { at, tunnel as byIke, tunnelEvidence, tunnelLook } from "../health-evidence.ts";

const byHand = {
  ...byIke,
  auth: { kind: "static", secret: "hub-1-keys" },
  life: { seconds: 1_000, kilobytes: 1_024 },
} as const;

const [inbound, outbound] = strongValue(tunnelLook(95_000, 900).sas) ?? [];
if (inbound === undefined || outbound === undefined) throw new Error("the sample has two SAs");

function said(
  sas: readonly IpsecSa[],
  tunnel: TunnelEvidence["tunnel"],
  ike: Extract<IpsecTunnel["ike"], { kind: "known" }>["value"],
): readonly string[] {
  const newest = { ...tunnelLook(95_000, 900), sas: known(sas, at(95_000)) };
  const looks = [tunnelLook(0, 100), newest].map((look) => ({
    ...look,
    ike: known(ike, at(95_000)),
  }));
  const { reasons, verdict } = deriveTunnelHealth(
    tunnelEvidence(looks, { tunnel, waiver: "stands" }),
  );
  return [verdict, ...reasons.map(({ code, text }) => `${code}: ${text}`)];
}
const ofIke = (...sas: readonly IpsecSa[]) => said(sas, byIke, "established");
const label =
  "static-keys: hub-1 has static keys: no forward secrecy, and nobody renews them by himself";
const ofHand = (...sas: readonly IpsecSa[]) =>
  said(sas, byHand, "static").filter((line) => line !== label);

describe("the SAs that IKE made", () => {
  it.each<[string, readonly IpsecSa[], string]>([
    [
      "that ends",
      [inbound, { ...outbound, endsInMs: 12_900 }],
      "sa-ending: the SA edge-a to 203.0.113.1 ends in 12 s and has no successor",
    ],
    [
      "without a window",
      [{ ...inbound, antiReplay: "off" }, outbound],
      "anti-replay-off: the SA edge-a from 203.0.113.1 takes packets that it has seen before",
    ],
  ])("one %s", (_name, sas, text) => {
    expect(ofIke(...sas)).toEqual(["degraded", text]);
  });

  it("need no packet to be believed", () => {
    expect(ofIke({ ...inbound, packets: 101n }, outbound)).toEqual(["protected"]);
    const first = [
      { ...inbound, packets: 0n },
      { ...outbound, packets: 0n },
    ];
    expect(ofIke(...first)).toEqual(["protected"]);
    const spent = { octetsUsedRatio: 0.9 };
    expect(ofIke({ ...inbound, ...spent }, { ...outbound, ...spent })).toEqual(["protected"]);
  });
});

describe("the SAs of static keys", () => {
  const unproven =
    "static-keys-unproven: no packet came by the SA edge-a from 203.0.113.1 so far, " +
    "so nobody knows whether its keys fit";
  const spent =
    "sa-ending: the SA edge-a from 203.0.113.1 has used 4/5 of its octets and has no successor";

  it("are proven by what comes, and by nothing that leaves", () => {
    expect(ofHand({ ...inbound, packets: 0n }, outbound)).toEqual(["unknown", unproven]);
    expect(ofHand(inbound, { ...outbound, packets: 0n })).toEqual([
      "degraded",
      "tunnel-one-way: packets only reach edge-a by hub-1: none goes the other way",
    ]);
  });

  it("end with their octets, and not while a successor is there", () => {
    const used = { ...inbound, octetsUsedRatio: 0.8 };
    expect(ofHand(used, outbound)).toEqual(["degraded", spent]);
    expect(ofHand(used, { ...inbound, spi: 3 }, outbound)).toEqual(["protected"]);
  });

  it("that are gone are said to be gone and nothing else", () => {
    const gone = (way: string) =>
      `static-keys-over: no SA carries traffic of edge-a ${way} 203.0.113.1: ` +
      "put a version with new SPIs into the vault, at both ends";
    expect(ofHand()).toEqual(["down", gone("from")]);
    expect(ofHand(inbound)).toEqual(["down", gone("to")]);
  });

  it("are not what IKE makes", () => {
    expect(said([inbound, outbound], byHand, "established")).toEqual([
      "degraded",
      "transform-mismatch: the SAs of hub-1 are not those of the static keys that are wanted",
      label,
    ]);
  });
});

describe("the end of what is in use", () => {
  const sa = (endsInMs: number | undefined, phase: IpsecSa["phase"] = "installed"): IpsecSa => {
    const { endsInMs: _before, ...rest } = inbound;
    return { ...rest, phase, ...(endsInMs === undefined ? {} : { endsInMs }) };
  };

  it.each<[string, readonly IpsecSa[], number | undefined]>([
    ["of one", [sa(7)], 7],
    ["of two is that of the later one", [sa(7), sa(9)], 9],
    ["does not count what is on its way out", [sa(7), sa(9, "rekeyed"), sa(8, "deleting")], 7],
    ["is not known where one does not tell", [sa(7), sa(undefined)], undefined],
    ["is none of nothing", [], undefined],
    ["is none where nothing is in use", [sa(9, "rekeyed")], undefined],
  ])("%s", (_name, sas, endMs) => {
    expect(lastEndMs(sas)).toBe(endMs);
  });
});
