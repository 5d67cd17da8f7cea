// What Azure's own side tells of a link and of a tunnel: late, and nothing about MACsec.

import { describe, expect, it } from "vitest";
import type { PeerTelemetry } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type ArmBench, armBench, noOperations, putGraceMs } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";

const minute = 60_000;

function telemetry(bench: ArmBench, link: "link1" | "link2" = "link1"): Promise<PeerTelemetry> {
  const at = { resource: bench.resource, link, operations: noOperations, putGraceMs };
  return bench.run(bench.far.peer(at).telemetry(never));
}

async function afterTenMinutes(kind?: "expressRouteLags"): Promise<ArmBench> {
  const bench = armBench({ start: "protected", ...(kind === undefined ? {} : { kind }) });
  await bench.site.clock.runFor(10 * minute);
  return bench;
}

describe("meters", () => {
  it.each([undefined, "expressRouteLags"] as const)(
    "the meters of a healthy link are read: %s",
    async (kind) => {
      const bench = await afterTenMinutes(kind);
      const observed = await telemetry(bench);
      expect(observed).toMatchObject({
        ...{ lineUp: true, rxDbm: -2.6, txDbm: -1.4, arpPercent: 100, bgpPercent: 100 },
        peerings: [{ type: "AzurePrivatePeering", state: "Enabled" }],
      });
      const lateMs = bench.site.clock.wall() - (observed.until ?? 0);
      expect(lateMs).toBeGreaterThanOrEqual(2 * minute);
      expect(lateMs).toBeLessThan(4 * minute);
    },
  );

  it("the meters of the two links are told apart", async () => {
    const bench = await afterTenMinutes();
    const [first] = bench.site.links;
    first?.fibre.setUp(false);
    await bench.site.clock.runFor(10 * minute);
    expect(await telemetry(bench, "link1")).toMatchObject({
      ...{ lineUp: false, rxDbm: -40, arpPercent: 0, bgpPercent: 0 },
    });
    expect(await telemetry(bench, "link2")).toMatchObject({ lineUp: true, arpPercent: 100 });
  });

  it("meters report nothing in the first minute or without a circuit", async () => {
    const bench = armBench({ start: "protected" });
    expect(await telemetry(bench)).toMatchObject({ until: undefined, lineUp: undefined });
    bench.alter = (reply, { path }) => {
      if (!path.startsWith(`${bench.resource}?`)) return reply;
      const text = new TextDecoder().decode(reply.body).replace(/"circuits":\[[^\]]*\]/, '"x":1');
      return { ...reply, body: new TextEncoder().encode(text) };
    };
    await bench.site.clock.runFor(10 * minute);
    expect(await telemetry(bench)).toMatchObject({
      ...{ lineUp: true, arpPercent: undefined, bgpPercent: undefined, peerings: [] },
    });
  });

  it("meters with malformed replies are read as far as they make sense", async () => {
    for (const odd of [
      "{}",
      "[]",
      '{"value":[{"name":{"value":"LineProtocol"},"timeseries":7}]}',
    ]) {
      const bench = armBench({ start: "protected" });
      bench.alter = (reply, { path }) =>
        path.startsWith(`${bench.resource}?`)
          ? reply
          : { ...reply, body: new TextEncoder().encode(odd) };
      expect(await telemetry(bench)).toEqual({
        ...{ until: undefined, lineUp: undefined, rxDbm: undefined, txDbm: undefined },
        ...{ arpPercent: undefined, bgpPercent: undefined, peerings: [] },
      });
    }
  });

  it("meters that may not be read give an error with the missing right", async () => {
    const bench = armBench();
    bench.cloud.faults.arm.strike("authorizationFailed");
    const error = await refused(telemetry(bench));
    expect(error).toBeInstanceOf(LinksealError);
    expect([error.code, error.effect]).toEqual(["peer.denied", "none"]);
  });
});

/** Series of a circuit as Azure Monitor reports them: [peering, peer, percent]. */
type Series = readonly (readonly [string, string, number])[];

interface CircuitReport {
  readonly peerings: readonly (readonly [string, string])[];
  readonly series: Series;
}

/** Answers for the circuit what `report` says, and passes everything else. */
async function reported({ peerings, series }: CircuitReport): Promise<PeerTelemetry> {
  const bench = await afterTenMinutes();
  bench.alter = (reply, { path }) => {
    const name = (value: string) => ({ value, localizedValue: value });
    const written = (value: unknown) => ({
      ...reply,
      body: new TextEncoder().encode(JSON.stringify(value)),
    });
    if (/\/peerings\?/.test(path)) {
      const value = peerings.map(([peeringType, state]) => ({
        properties: { peeringType, state },
      }));
      return written({ value });
    }
    if (!path.includes("ArpAvailability")) return reply;
    const timeStamp = new Date(bench.site.clock.wall() - 4 * minute).toISOString();
    const timeseries = series.map(([peering, peer, average]) => ({
      metadatavalues: [
        { name: name("peeringtype"), value: peering },
        { name: name("peer"), value: peer },
      ],
      data: [{ timeStamp, average }],
    }));
    const value = ["ArpAvailability", "BgpAvailability"].map((metric) => ({
      name: name(metric),
      timeseries,
    }));
    return written({ value });
  };
  return await telemetry(bench);
}

describe("meters of a circuit's peerings", () => {
  const enabled = (...types: readonly string[]) => types.map((type) => [type, "Enabled"] as const);

  // A circuit with Microsoft peering alone showed no meter at all.
  it.each<readonly [string, CircuitReport["peerings"], Series, number | undefined]>([
    [
      "Microsoft peering alone",
      enabled("MicrosoftPeering"),
      [["Microsoft", "Primary-IPv4", 97]],
      97,
    ],
    [
      "the worse of two peerings",
      enabled("AzurePrivatePeering", "MicrosoftPeering"),
      [
        ["Private", "Primary-IPv4", 100],
        ["Microsoft", "Primary-IPv4", 0],
      ],
      0,
    ],
    [
      "a peering that is not configured",
      enabled("AzurePrivatePeering"),
      [
        ["Private", "Primary-IPv4", 100],
        ["Microsoft", "Primary-IPv4", 0],
      ],
      100,
    ],
    [
      "a peering that is switched off",
      [...enabled("AzurePrivatePeering"), ["MicrosoftPeering", "Disabled"]],
      [
        ["Private", "Primary-IPv4", 100],
        ["Microsoft", "Primary-IPv4", 0],
      ],
      100,
    ],
    [
      "the peer of the other link",
      enabled("MicrosoftPeering"),
      [["Microsoft", "Secondary-IPv4", 0]],
      undefined,
    ],
    ["a word that is not known", enabled("MicrosoftPeering"), [["Ms", "Primary", 0]], undefined],
    ["no word", enabled("MicrosoftPeering"), [["", "Primary", 0]], undefined],
    ["no type", [["", "Enabled"]], [["Private", "Primary", 0]], undefined],
  ])("meters of %s are read for what they are", async (_name, peerings, series, percent) => {
    const { arpPercent, bgpPercent } = await reported({ peerings, series });
    expect([arpPercent, bgpPercent]).toEqual([percent, percent]);
  });
});

describe("a VPN connection", () => {
  it("a VPN connection's status is reported in the gateway's own word", async () => {
    const bench = await afterTenMinutes();
    const group = bench.resource.split("/providers/")[0] ?? "";
    const id = `${group}/providers/Microsoft.Network/connections/hub-1`;
    const report = await bench.run(bench.far.connection(id, never));
    const { remoteAddress: address } = bench.site.plan.tunnels[0] ?? {};
    expect(report).toEqual({ status: "Connected", instances: [{ address, status: "Connected" }] });
    bench.alter = (reply) => ({
      ...reply,
      body: new TextEncoder().encode('{"properties":{"connectionStatus":"<b>all is well</b>"}}'),
    });
    const odd = await bench.run(bench.far.connection(id, never));
    expect(odd).toEqual({ status: "Unknown", instances: [] });
  });
});
