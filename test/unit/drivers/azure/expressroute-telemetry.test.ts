// What Azure's own side tells of a link and of a tunnel: late, and nothing about MACsec.

import { describe, expect, it } from "vitest";
import type { PeerTelemetry } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type ArmBench, armBench, putGraceMs } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";

const minute = 60_000;

function telemetry(bench: ArmBench, link: "link1" | "link2" = "link1"): Promise<PeerTelemetry> {
  const at = { resource: bench.resource, link, operation: () => undefined, putGraceMs };
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

describe("a VPN connection", () => {
  it("a VPN connection's status is reported in the gateway's own word", async () => {
    const bench = await afterTenMinutes();
    const group = bench.resource.split("/providers/")[0] ?? "";
    const id = `${group}/providers/Microsoft.Network/connections/hub-1`;
    expect(await bench.run(bench.far.connection(id, never))).toBe("Connected");
    bench.alter = (reply) => ({
      ...reply,
      body: new TextEncoder().encode('{"properties":{"connectionStatus":"<b>all is well</b>"}}'),
    });
    expect(await bench.run(bench.far.connection(id, never))).toBe("Unknown");
  });
});
