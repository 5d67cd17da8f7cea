// Blocks of a protected prefix outside its tunnel, and routes that lead past the tunnel.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence, Verdict } from "#agent/model/health.ts";
import { type IpsecTunnel, known, type Route, unknown } from "#hal/model.ts";
import { at, routing, tunnel, tunnelEvidence, tunnelObservation } from "../health-evidence.ts";

const old = tunnelObservation(0, 100);
const now = tunnelObservation(95_000, 900);
const overPort = (prefix: string): Route => ({
  prefix,
  via: { kind: "port", port: "et-0/0/0" },
  best: true,
});
const into: Route = { ...overPort("10.100.0.0/16"), via: { kind: "tunnel", name: "hub-2" } };

type Row = {
  readonly name: string;
  readonly observations: readonly IpsecTunnel[];
  readonly change: Partial<TunnelEvidence>;
  readonly verdict: Verdict;
  readonly codes: string;
};

describe("health of a tunnel", () => {
  const blocking = (...prefixes: readonly string[]): Partial<TunnelEvidence> => ({
    blocked: known(prefixes, at(95_000)),
  });
  const leaky: Partial<TunnelEvidence> = {
    routing: known({ ...routing, routes: [into, overPort("10.100.7.0/24")] }, at(95_000)),
  };
  const guards: readonly Row[] = [
    {
      name: "its prefix is blocked",
      observations: [old, now],
      change: blocking("10.100.0.0/16"),
      verdict: "protected",
      codes: "",
    },
    {
      name: "more than it is blocked",
      observations: [old, now],
      change: blocking("10.0.0.0/8"),
      verdict: "protected",
      codes: "",
    },
    {
      name: "a part of it is blocked",
      observations: [old, now],
      change: blocking("10.100.7.0/24"),
      verdict: "degraded",
      codes: "guard-missing",
    },
    {
      name: "nothing is blocked",
      observations: [old, now],
      change: blocking(),
      verdict: "degraded",
      codes: "guard-missing",
    },
    {
      name: "it is not known what is blocked",
      observations: [old, now],
      change: { blocked: unknown("queryFailed", at(95_000)) },
      verdict: "unknown",
      codes: "reading-missing",
    },
    {
      name: "what would leak is blocked",
      observations: [old, now],
      change: { ...leaky, ...blocking("10.100.0.0/16") },
      verdict: "degraded",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "it is unknown whether the leaking prefix is blocked",
      observations: [old, now],
      change: { ...leaky, blocked: unknown("queryFailed", at(95_000)) },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "what is blocked is no prefix",
      observations: [old, now],
      change: { ...leaky, ...blocking("nonsense") },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "its own table is reported and no sessions are",
      observations: [old, now],
      change: { ways: known([into], at(95_000)), routing: undefined },
      verdict: "protected",
      codes: "",
    },
    {
      name: "its own table cannot be read",
      observations: [old, now],
      change: { ways: unknown("queryFailed", at(95_000)) },
      verdict: "unknown",
      codes: "reading-missing",
    },
    {
      name: "a session brings more than it, which is in no table",
      observations: [old, now],
      change: {
        ways: known([], at(95_000)),
        routing: known({ ...routing, routes: [overPort("10.0.0.0/8")] }, at(95_000)),
      },
      verdict: "protected",
      codes: "",
    },
    {
      name: "what would leak is not blocked",
      observations: [old, now],
      change: { ...leaky, ...blocking("10.101.0.0/16") },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "its own table leads past it, whatever sessions report",
      observations: [old, now],
      change: { ways: known([overPort("10.100.0.0/16")], at(95_000)) },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "a blocked route takes all of its traffic past it",
      observations: [old, now],
      change: {
        ...blocking("10.100.0.0/16"),
        ways: known(
          [overPort("10.100.0.0/16"), { ...into, prefix: "10.100.0.0/16", best: false }],
          at(95_000),
        ),
      },
      verdict: "down",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "a blocked route covers it, and longer ones lead into it",
      observations: [old, now],
      change: {
        ...blocking("10.100.0.0/16"),
        ways: known([overPort("10.0.0.0/8"), { ...into, prefix: "10.100.7.0/24" }], at(95_000)),
      },
      verdict: "degraded",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "its own table is enough, where no session is reported",
      observations: [old, now],
      change: { ways: known([into], at(95_000)), routing: unknown("notSupported", at(95_000)) },
      verdict: "protected",
      codes: "",
    },
    {
      name: "BGP would take a port next, whatever its own table does now",
      observations: [old, now],
      change: {
        ways: known([into], at(95_000)),
        routing: known(
          { ...routing, routes: [{ ...overPort("10.100.0.0/16"), best: false }] },
          at(95_000),
        ),
      },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "BGP has a port for its best, and its own table another for now",
      observations: [old, now],
      change: {
        ways: known([into], at(95_000)),
        routing: known({ ...routing, routes: [overPort("10.100.0.0/16")] }, at(95_000)),
      },
      verdict: "unprotected",
      codes: "clear-path-beside-tunnel",
    },
    {
      name: "BGP has a default that its own table does not take for this",
      observations: [old, now],
      change: {
        ways: known([into], at(95_000)),
        routing: known({ ...routing, routes: [overPort("0.0.0.0/0")] }, at(95_000)),
      },
      verdict: "protected",
      codes: "",
    },
    {
      name: "its daemon forgot it",
      observations: [old, { ...now, ike: known("forgotten", at(95_000)) }],
      change: {},
      verdict: "degraded",
      codes: "ike-down",
    },
  ];
  it.each(guards)(
    "the guard of a tunnel where $name",
    ({ observations, change, verdict, codes }) => {
      const health = deriveTunnelHealth(tunnelEvidence(observations, change));
      const reported = health.reasons.map((reason) => reason.code).join(" ");
      expect([health.verdict, reported]).toEqual([verdict, codes]);
    },
  );

  it("a missing guard names the open prefix or the unreadable guards, and nothing else", () => {
    const reasonText = (change: Partial<TunnelEvidence>) =>
      deriveTunnelHealth(tunnelEvidence([old, now], change)).reasons.map(({ text }) => text);
    expect(reasonText(blocking())).toEqual([
      "edge-a would let 10.100.0.0/16 pass in the clear without hub-1",
    ]);
    expect(reasonText(blocking("10.100.0.0/16"))).toEqual([]);
    expect(reasonText({ blocked: unknown("queryFailed", at(95_000)) })).toEqual([
      expect.stringContaining("its block policies"),
    ]);
  });

  // A tunnel that was absent was only down, and no route was named, while its prefix left in the
  // clear past its block.
  it("a route past a block that a policy precedes is unprotected, and the policy is named", () => {
    const by = "the xfrm policy 0.0.0.0/0 -> 10.100.0.0/17, dir out, priority 0";
    const opened = [{ prefix: "10.100.0.0/16", by }];
    const open = { ...blocking(), opened };
    const found = (observations: readonly IpsecTunnel[], change: Partial<TunnelEvidence>) => {
      const { verdict, reasons } = deriveTunnelHealth(tunnelEvidence(observations, change));
      return [verdict, ...reasons.map(({ code, text }) => `${code}: ${text}`)];
    };
    const [verdict, leak] = found([], { ...leaky, ...open });
    expect(verdict).toBe("unprotected");
    expect(leak).toContain("clear-path-beside-tunnel: edge-a reaches 10.100.0.0/16 over");
    expect(leak).toContain(`because ${by}, precedes its block`);
    const [, missing] = found([old, now], open);
    expect(missing).toContain(`guard-missing: edge-a would let 10.100.0.0/16 pass in the clear`);
    expect(missing).toContain(`because ${by}, precedes its block`);
  });

  it("an open path is named before any that is blocked", () => {
    const both = { ...tunnel, remotePrefixes: ["10.100.0.0/16", "10.101.0.0/16"] };
    const routes = [into, overPort("10.100.7.0/24"), overPort("10.101.7.0/24")];
    const { verdict, reasons } = deriveTunnelHealth(
      tunnelEvidence([old, now], {
        ...{ tunnel: both, ...blocking("10.100.0.0/16") },
        routing: known({ ...routing, routes }, at(95_000)),
      }),
    );
    expect([verdict, reasons[0]?.text]).toEqual([
      "unprotected",
      "edge-a reaches 10.101.0.0/16 over et-0/0/0 (route 10.101.7.0/24), " +
        "beside the tunnel hub-1 and in 1 more ways",
    ]);
  });

  it("a tunnel is open to inbound traffic unless all its prefixes are blocked", () => {
    const both = { ...tunnel, remotePrefixes: ["10.100.0.0/16", "10.101.0.0/16"] };
    const advertised = [{ port: "et-0/0/0", peer: "192.0.2.2", prefix: "10.1.0.0/16" }];
    const verdict = (...blocked: readonly string[]) =>
      deriveTunnelHealth(
        tunnelEvidence([old, now], {
          ...{ tunnel: both, ...blocking(...blocked) },
          routing: known({ ...routing, advertised }, at(95_000)),
        }),
      ).verdict;
    expect(verdict("10.100.0.0/16")).toBe("unprotected");
    expect(verdict("10.100.0.0/16", "10.101.0.0/16")).toBe("degraded");
  });

  it("a tunnel whose IKE is down reports why, if the device knows", () => {
    const down = {
      ...now,
      ike: known("down", at(95_000)),
      trouble: "the ends have different PSKs",
    };
    const { reasons } = deriveTunnelHealth(tunnelEvidence([old, down as IpsecTunnel]));
    expect(reasons[0]?.text).toContain("is down: the ends have different PSKs");
  });
});
