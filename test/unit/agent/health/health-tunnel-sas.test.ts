// The sentences about the SAs of a tunnel, word for word: when they end, what they lack, what
// moves.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth, lastEndMs } from "#agent/health/tunnel.ts";
import { type IpsecSa, known, strongValue } from "#hal/model.ts";
import { at, tunnelEvidence, tunnelObservation } from "../health-evidence.ts";

const [inbound, outbound] = strongValue(tunnelObservation(95_000, 900).sas) ?? [];
if (inbound === undefined || outbound === undefined) throw new Error("the sample has two SAs");

function reasonText(...sas: readonly IpsecSa[]): readonly string[] {
  const newest = { ...tunnelObservation(95_000, 900), sas: known(sas, at(95_000)) };
  const observations = [tunnelObservation(0, 100), newest];
  const { reasons, verdict } = deriveTunnelHealth(
    tunnelEvidence(observations, { waiver: "stands" }),
  );
  return [verdict, ...reasons.map(({ code, text }) => `${code}: ${text}`)];
}

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
  ])("the finding about a tunnel's SA: one %s", (_name, sas, text) => {
    expect(reasonText(...sas)).toEqual(["degraded", text]);
  });

  it("fresh SAs are believed before any packet", () => {
    expect(reasonText({ ...inbound, packets: 101n }, outbound)).toEqual(["protected"]);
    const first = [
      { ...inbound, packets: 0n },
      { ...outbound, packets: 0n },
    ];
    expect(reasonText(...first)).toEqual(["protected"]);
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
    ["is not known where one does not report", [sa(7), sa(undefined)], undefined],
    ["is none of nothing", [], undefined],
    ["is none where nothing is in use", [sa(9, "rekeyed")], undefined],
  ])("the end of the SAs in use %s", (_name, sas, endMs) => {
    expect(lastEndMs(sas)).toBe(endMs);
  });
});
