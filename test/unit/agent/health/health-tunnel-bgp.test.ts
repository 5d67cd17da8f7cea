// Findings from BGP about a tunnel: the session inside it, and the routes that other neighbours
// get.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence, Verdict } from "#agent/model/health.ts";
import {
  type IpsecTunnel,
  known,
  type Route,
  type Routing,
  type TunnelSession,
  unknown,
} from "#hal/model.ts";
import { at, routing, tunnel, tunnelEvidence, tunnelObservation } from "../health-evidence.ts";

const old = tunnelObservation(0, 100);
const now = tunnelObservation(95_000, 900);
const overPort = (prefix: string): Route => ({
  prefix,
  via: { kind: "port", port: "et-0/0/0" },
  best: true,
});
const into: Route = { ...overPort("10.100.0.0/16"), via: { kind: "tunnel", name: "hub-2" } };

const reported = (...advertised: readonly string[]): Partial<Routing> => ({
  advertised: advertised.map((prefix) => ({ port: "et-0/0/0", peer: "192.0.2.2", prefix })),
});
const withRouting = (change: Partial<Routing>): Partial<TunnelEvidence> => ({
  routing: known({ ...routing, ...change }, at(95_000)),
});
const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 } as const;
const spoken = (change: Partial<TunnelSession> | "none" = {}): Partial<TunnelEvidence> => ({
  tunnel: { ...tunnel, bgp },
  ...withRouting(
    change === "none"
      ? {}
      : {
          tunnelSessions: [{ tunnel: "hub-1", peer: bgp.peer, asn: bgp.asn, up: true, ...change }],
        },
  ),
});

type Row = {
  readonly name: string;
  readonly observations: readonly IpsecTunnel[];
  readonly change: Partial<TunnelEvidence>;
  readonly verdict: Verdict;
  readonly codes: string;
};

const beside = "clear-path-beside-tunnel";
const bgpRows: readonly Row[] = [
  {
    name: "our prefix advertised over a port",
    observations: [old, now],
    change: withRouting(reported("10.1.0.0/16")),
    verdict: "unprotected",
    codes: beside,
  },
  {
    name: "a part of it advertised",
    observations: [old, now],
    change: withRouting(reported("10.1.7.0/24")),
    verdict: "unprotected",
    codes: beside,
  },
  {
    name: "more than it advertised: the longer one wins",
    observations: [old, now],
    change: withRouting(reported("10.0.0.0/8")),
    verdict: "protected",
    codes: "",
  },
  {
    name: "another advertised",
    observations: [old, now],
    change: withRouting(reported("10.2.0.0/16", "192.0.2.1/32")),
    verdict: "protected",
    codes: "",
  },
  {
    name: "advertised over the port that part of it comes from",
    observations: [old, now],
    change: withRouting({ ...reported("10.1.0.0/16"), routes: [into, overPort("10.1.3.0/24")] }),
    verdict: "protected",
    codes: "",
  },
  {
    name: "advertised over a port that a part of it came from once",
    observations: [old, now],
    change: withRouting({
      ...reported("10.1.0.0/16"),
      routes: [into, { ...overPort("10.1.3.0/24"), best: false }],
    }),
    verdict: "unprotected",
    codes: beside,
  },
  {
    name: "advertised, while what comes back is blocked",
    observations: [old, now],
    change: {
      ...withRouting(reported("10.1.0.0/16")),
      blocked: known(["10.100.0.0/16"], at(95_000)),
    },
    verdict: "degraded",
    codes: beside,
  },
  {
    name: "a session inside that is up",
    observations: [old, now],
    change: spoken(),
    verdict: "protected",
    codes: "",
  },
  {
    name: "none inside",
    observations: [old, now],
    change: spoken("none"),
    verdict: "down",
    codes: "tunnel-bgp-down",
  },
  {
    name: "that of another tunnel",
    observations: [old, now],
    change: spoken({ tunnel: "hub-2" }),
    verdict: "down",
    codes: "tunnel-bgp-down",
  },
  {
    name: "with another neighbour",
    observations: [old, now],
    change: spoken({ peer: "169.254.21.5" }),
    verdict: "down",
    codes: "tunnel-bgp-down",
  },
  {
    name: "one that is down",
    observations: [old, now],
    change: spoken({ up: false }),
    verdict: "down",
    codes: "tunnel-bgp-down",
  },
  {
    name: "one for another AS",
    observations: [old, now],
    change: spoken({ asn: 65_000 }),
    verdict: "down",
    codes: "tunnel-bgp-down",
  },
  {
    name: "sessions not reported",
    observations: [old, now],
    change: {
      tunnel: { ...tunnel, bgp },
      routing: unknown("queryFailed", at(95_000)),
      ways: known([into], at(95_000)),
    },
    verdict: "unknown",
    codes: "reading-missing",
  },
];

describe("health of a tunnel", () => {
  it.each(bgpRows)(
    "the health of a tunnel by BGP: $name",
    ({ observations, change, verdict, codes }) => {
      const health = deriveTunnelHealth(tunnelEvidence(observations, change));
      expect([health.verdict, health.reasons.map((reason) => reason.code).join(" ")]).toEqual([
        verdict,
        codes,
      ]);
    },
  );

  it("a leaking tunnel names the neighbour that gets the route, and counts the paths", () => {
    const text = (change: Partial<TunnelEvidence>) =>
      deriveTunnelHealth(tunnelEvidence([old, now], change)).reasons[0]?.text;
    const reasonText =
      "edge-a sends 192.0.2.2 over et-0/0/0 a route to 10.1.0.0/16 (advertises 10.1.7.0/24), " +
      "beside the tunnel hub-1";
    expect(text(withRouting(reported("10.1.7.0/24")))).toBe(reasonText);
    const blocked = { blocked: known(["10.100.0.0/16"], at(95_000)) };
    expect(text({ ...withRouting(reported("10.1.7.0/24")), ...blocked })).toBe(
      `${reasonText}; it is blocked here, and what comes that way is lost`,
    );
    const both = { ...reported("10.1.7.0/24"), routes: [into, overPort("10.100.7.0/24")] };
    expect(text(withRouting(both))).toContain(
      "edge-a reaches 10.100.0.0/16 over et-0/0/0 (route 10.100.7.0/24), " +
        "beside the tunnel hub-1 and in 1 more ways",
    );
  });

  it("a tunnel on a device that reports no routing has an unknown session", () => {
    const change = { tunnel: { ...tunnel, bgp }, routing: undefined };
    const { verdict, reasons } = deriveTunnelHealth(
      tunnelEvidence([old, now], { ...change, ways: known([into], at(95_000)) }),
    );
    expect([verdict, ...reasons.map(({ text }) => text)]).toEqual([
      "unknown",
      "edge-a did not tell BGP over hub-1: the query failed",
    ]);
  });

  it("a tunnel whose BGP is down names the neighbour and the reason", () => {
    const text = (change: Partial<TunnelSession> | "none") =>
      deriveTunnelHealth(tunnelEvidence([old, now], spoken(change))).reasons[0]?.text;
    const peer = "BGP with 169.254.21.1 over hub-1";
    expect(text("none")).toBe(`${peer} is not configured on edge-a`);
    expect(text({ asn: 65_000 })).toBe(`${peer} expects AS 65000 there, and 65515 is wanted`);
    expect(text({ up: false })).toBe(`${peer} is down`);
    expect(text({ up: false, trouble: "Active" })).toBe(`${peer} is down: Active`);
  });
});
