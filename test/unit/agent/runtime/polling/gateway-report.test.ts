// Which part of a connection's report is about a tunnel.

import { describe, expect, it } from "vitest";
import { gatewayReport } from "#agent/runtime/polling/gateway-report.ts";
import { at } from "../../health-evidence.ts";

const instances = [
  { address: "203.0.113.4", status: "Connected" },
  { address: "2001:db8::5", status: "NotConnected" },
];
const report = { status: "Connected", instances };

describe("what Azure reports about a tunnel", () => {
  it.each([
    { remoteAddress: "203.0.113.4", instance: "Connected" },
    { remoteAddress: "2001:db8:0::5", instance: "NotConnected" },
    { remoteAddress: "203.0.113.40", instance: null },
  ])("the instance at $remoteAddress is $instance", ({ remoteAddress, instance }) => {
    const found = gatewayReport({ remoteAddress }, report, at(7));
    expect(found).toEqual({ connection: "Connected", instance, at: at(7) });
  });
});
