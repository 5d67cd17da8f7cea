// What the document of a VPN connection means: its status, and that of the tunnel to each instance
// of its gateway.

import { describe, expect, it } from "vitest";
import { connectionReport } from "#drivers/azure/expressroute-connection.ts";
import { parseFaithful } from "#drivers/transport/arm-json.ts";

const report = (properties: unknown) =>
  connectionReport(parseFaithful(JSON.stringify({ properties })));

describe("the document of a connection", () => {
  it("each instance is known by the address in its tunnel's name", () => {
    const tunnelConnectionStatus = [
      {
        tunnel: "to_dublin_203.0.113.4",
        connectionStatus: "Connected",
        ingressBytesTransferred: 1,
      },
      { tunnel: "to_dublin_203.0.113.5", connectionStatus: "NotConnected" },
    ];
    expect(report({ connectionStatus: "Connected", tunnelConnectionStatus })).toEqual({
      status: "Connected",
      instances: [
        { address: "203.0.113.4", status: "Connected" },
        { address: "203.0.113.5", status: "NotConnected" },
      ],
    });
  });

  it.each([
    ["no list", undefined],
    ["null", null],
    ["a text", "Connected"],
    ["an object", { tunnel: "a_203.0.113.4", connectionStatus: "Connected" }],
    ["tunnels without a name", [{ connectionStatus: "Connected" }, null, 7, "a_203.0.113.4"]],
    ["names without an address", [{ tunnel: "hub" }, { tunnel: "hub_1" }, { tunnel: "_:::::" }]],
    ["a name in another type", [{ tunnel: ["a_203.0.113.4"], connectionStatus: "Connected" }]],
  ])("instances that are not understood are left out: %s", (_what, tunnelConnectionStatus) => {
    expect(report({ connectionStatus: "Connecting", tunnelConnectionStatus })).toEqual({
      status: "Connecting",
      instances: [],
    });
  });

  it("a status that is no word is unknown, and the list has an end", () => {
    const one = { tunnel: "hub_203.0.113.4", connectionStatus: "<b>fine</b>" };
    const { status, instances } = report({
      connectionStatus: 7,
      tunnelConnectionStatus: Array.from({ length: 100 }, () => one),
    });
    expect([status, instances.length]).toEqual(["Unknown", 8]);
    expect(instances[0]).toEqual({ address: "203.0.113.4", status: "Unknown" });
  });
});
