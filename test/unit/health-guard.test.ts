// What blocks a protected prefix outside of its tunnel, and which routes lead past it.

import { describe, expect, it } from "vitest";
import type { TunnelEvidence, Verdict } from "#agent/health/model.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import { type IpsecTunnel, known, type Route, unknown } from "#hal/model.ts";
import { at, routing, tunnelEvidence, tunnelLook } from "./health-evidence.ts";

const old = tunnelLook(0, 100);
const now = tunnelLook(95_000, 900);
const overPort = (prefix: string): Route => ({
  prefix,
  via: { kind: "port", port: "et-0/0/0" },
  best: true,
});
const into: Route = { ...overPort("10.100.0.0/16"), via: { kind: "tunnel", name: "hub-2" } };

type Row = readonly [string, readonly IpsecTunnel[], Partial<TunnelEvidence>, Verdict, string];

describe("health of a tunnel", () => {
  const blocking = (...prefixes: readonly string[]): Partial<TunnelEvidence> => ({
    blocked: known(prefixes, at(95_000)),
  });
  const leaky: Partial<TunnelEvidence> = {
    routing: known({ ...routing, routes: [into, overPort("10.100.7.0/24")] }, at(95_000)),
  };
  const guards: readonly Row[] = [
    ["its prefix is blocked", [old, now], blocking("10.100.0.0/16"), "protected", ""],
    ["more than it is blocked", [old, now], blocking("10.0.0.0/8"), "protected", ""],
    ["a part of it is blocked", [old, now], blocking("10.100.7.0/24"), "degraded", "guard-missing"],
    ["nothing is blocked", [old, now], blocking(), "degraded", "guard-missing"],
    [
      "it is not known what is blocked",
      [old, now],
      { blocked: unknown("queryFailed", at(95_000)) },
      "unknown",
      "reading-missing",
    ],
    [
      "what would leak is blocked",
      [old, now],
      { ...leaky, ...blocking("10.100.0.0/16") },
      "degraded",
      "clear-path-beside-tunnel",
    ],
    [
      "what would leak is not blocked",
      [old, now],
      { ...leaky, ...blocking("10.101.0.0/16") },
      "unprotected",
      "clear-path-beside-tunnel",
    ],
    [
      "its own table leads past it, whatever sessions tell",
      [old, now],
      { ways: known([overPort("10.100.0.0/16")], at(95_000)) },
      "unprotected",
      "clear-path-beside-tunnel",
    ],
    [
      "its own table is enough, where no session is told",
      [old, now],
      { ways: known([into], at(95_000)), routing: unknown("notSupported", at(95_000)) },
      "protected",
      "",
    ],
    [
      "BGP would take a port next, whatever its own table does now",
      [old, now],
      {
        ways: known([into], at(95_000)),
        routing: known(
          { ...routing, routes: [{ ...overPort("10.100.0.0/16"), best: false }] },
          at(95_000),
        ),
      },
      "unprotected",
      "clear-path-beside-tunnel",
    ],
    [
      "BGP has a port for its best, and its own table another for now",
      [old, now],
      {
        ways: known([into], at(95_000)),
        routing: known({ ...routing, routes: [overPort("10.100.0.0/16")] }, at(95_000)),
      },
      "unprotected",
      "clear-path-beside-tunnel",
    ],
    [
      "BGP has a default that its own table does not take for this",
      [old, now],
      {
        ways: known([into], at(95_000)),
        routing: known({ ...routing, routes: [overPort("0.0.0.0/0")] }, at(95_000)),
      },
      "protected",
      "",
    ],
    [
      "its daemon forgot it",
      [old, { ...now, ike: known("forgotten", at(95_000)) }],
      {},
      "degraded",
      "ike-down",
    ],
  ];
  it.each(guards)("where %s", (_name, looks, change, verdict, codes) => {
    const health = deriveTunnelHealth(tunnelEvidence(looks, change));
    const told = health.reasons.map((reason) => reason.code).join(" ");
    expect([health.verdict, told]).toEqual([verdict, codes]);
  });

  it("tells why IKE is not established, where the device knows", () => {
    const down = {
      ...now,
      ike: known("down", at(95_000)),
      trouble: "the ends have different PSKs",
    };
    const { reasons } = deriveTunnelHealth(tunnelEvidence([old, down as IpsecTunnel]));
    expect(reasons[0]?.text).toContain("is down: the ends have different PSKs");
  });
});
