import { describe, expect, it } from "vitest";
import type { TunnelEvidence, Verdict } from "#agent/health/model.ts";
import { contains, parsePrefix } from "#agent/health/prefix.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import { type IpsecSa, type IpsecTunnel, known, type Route, unknown } from "#hal/model.ts";
import { at, routing, tunnel, tunnelEvidence, tunnelLook } from "./health-evidence.ts";

const old = tunnelLook(0, 100);
const now = tunnelLook(95_000, 900);

const sasAt = (ms: number, ...list: readonly Partial<IpsecSa>[]): IpsecTunnel["sas"] =>
  known(
    list.map((sa, index) => ({
      spi: 10 + index,
      direction: "in",
      phase: "installed",
      transforms: tunnel.transforms,
      packets: 5n,
      sequence: undefined,
      ...sa,
    })),
    at(ms),
  );
const sas = (...list: readonly Partial<IpsecSa>[]): IpsecTunnel["sas"] => sasAt(95_000, ...list);
const inbound = { direction: "in" } as const;
const outbound = { direction: "out" } as const;
const weak = { ...tunnel.transforms, encryption: "aes128" };
const overPort = (prefix: string): Route => ({
  prefix,
  via: { kind: "port", port: "et-0/0/0" },
  best: true,
});
const routes = (...list: readonly Route[]): Partial<TunnelEvidence> => ({
  routing: known({ ...routing, routes: list }, at(95_000)),
});
const into: Route = {
  prefix: "10.100.0.0/16",
  via: { kind: "tunnel", name: "hub-2" },
  best: true,
};

type Row = readonly [string, readonly IpsecTunnel[], Partial<TunnelEvidence>, Verdict, string];
const rows: readonly Row[] = [
  ["moving", [old, now], {}, "protected", ""],
  ["idle", [tunnelLook(0, 900), now], {}, "protected", ""],
  [
    "never read",
    [],
    { device: { lastLookAt: undefined, failing: undefined } },
    "unknown",
    "not-looked-yet",
  ],
  ["stale", [old, now], { now: at(126_000) }, "unknown", "reading-stale"],
  ["absent", [], {}, "down", "tunnel-configured-but-absent"],
  ["gone since", [old], {}, "down", "tunnel-configured-but-absent"],
  [
    "IKE connecting",
    [
      { ...old, sas: sas() },
      tunnelLook(95_000, 0, { ike: known("connecting", at(95_000)), sas: sas() }),
    ],
    {},
    "down",
    "ike-down sa-missing",
  ],
  [
    "IKE down, SAs carry",
    [old, tunnelLook(95_000, 900, { ike: known("down", at(95_000)) })],
    {},
    "degraded",
    "ike-down",
  ],
  [
    "IKE not told",
    [old, tunnelLook(95_000, 900, { ike: unknown("queryFailed", at(95_000)) })],
    {},
    "unknown",
    "reading-missing",
  ],
  [
    "SAs not understood",
    [old, tunnelLook(95_000, 900, { sas: unknown("unparsed", at(95_000)) })],
    {},
    "unknown",
    "reading-missing",
  ],
  ["no outbound SA", [old, { ...now, sas: sas(inbound) }], {}, "down", "sa-missing"],
  [
    "only one on its way out",
    [old, { ...now, sas: sas(inbound, { ...outbound, phase: "deleting" }) }],
    {},
    "down",
    "sa-missing",
  ],
  [
    "rekeyed is healthy",
    [
      old,
      { ...now, sas: sas({ ...inbound, phase: "rekeyed" }, { ...outbound, phase: "rekeying" }) },
    ],
    {},
    "protected",
    "",
  ],
  [
    "rekeyed beside its successor",
    [
      old,
      { ...now, sas: sas({ ...inbound, phase: "rekeyed", transforms: weak }, inbound, outbound) },
    ],
    {},
    "protected",
    "",
  ],
  [
    "other algorithms",
    [old, { ...now, sas: sas({ ...inbound, transforms: weak }, outbound) }],
    {},
    "degraded",
    "transform-mismatch",
  ],
  [
    "first child SA without a group",
    [
      old,
      {
        ...now,
        sas: sas({ ...inbound, transforms: { ...tunnel.transforms, dhGroup: "none" } }, outbound),
      },
    ],
    {},
    "protected",
    "",
  ],
  [
    "one way",
    [old, { ...now, sas: sas({ ...inbound, packets: 0n }, outbound) }],
    {},
    "degraded",
    "tunnel-one-way",
  ],
  [
    "one way, although both moved once",
    [
      { ...old, sas: sasAt(0, inbound, outbound) },
      { ...now, sas: sas(inbound, { ...outbound, packets: 9n }) },
    ],
    {},
    "degraded",
    "tunnel-one-way",
  ],
  [
    "sequence numbers",
    [old, { ...now, sas: sas({ ...inbound, sequence: 3n * 2n ** 30n }, outbound) }],
    {},
    "degraded",
    "sequence-number-high",
  ],
  [
    "extended numbers",
    [old, { ...now, sas: sas({ ...inbound, sequence: 2n ** 33n }, outbound) }],
    {},
    "protected",
    "",
  ],
  ["group in the clear", [old, now], { carrier: "unprotected" }, "degraded", "outside-macsec"],
  [
    "the prefix over a port",
    [old, now],
    routes(into, overPort("10.100.0.0/16")),
    "unprotected",
    "clear-path-beside-tunnel",
  ],
  [
    "a part of it over a port",
    [old, now],
    routes(into, overPort("10.100.7.0/24")),
    "unprotected",
    "clear-path-beside-tunnel",
  ],
  [
    "default over a port, tunnel better",
    [old, now],
    routes(into, overPort("0.0.0.0/0")),
    "protected",
    "",
  ],
  [
    "default over a port, tunnel route gone",
    [old, now],
    routes(overPort("0.0.0.0/0")),
    "unprotected",
    "clear-path-beside-tunnel",
  ],
  [
    "beside the best route",
    [old, now],
    routes(into, { ...overPort("10.100.0.0/16"), best: false }),
    "unprotected",
    "clear-path-beside-tunnel",
  ],
  ["another prefix", [old, now], routes(into, overPort("10.101.0.0/16")), "protected", ""],
  [
    "absent, and around it",
    [],
    routes(overPort("10.100.0.0/16")),
    "unprotected",
    "clear-path-beside-tunnel tunnel-configured-but-absent",
  ],
  [
    "routes not told",
    [old, now],
    { routing: unknown("queryFailed", at(95_000)) },
    "unknown",
    "reading-missing",
  ],
];

describe("health of a tunnel", () => {
  it.each(rows)("%s", (_name, looks, change, verdict, codes) => {
    const health = deriveTunnelHealth(tunnelEvidence(looks, change));
    expect([health.verdict, health.reasons.map((reason) => reason.code).join(" ")]).toEqual([
      verdict,
      codes,
    ]);
  });

  it("names the route that leaks", () => {
    const health = deriveTunnelHealth(
      tunnelEvidence([old, now], routes(into, overPort("10.100.7.0/24"))),
    );
    expect(health.reasons[0]).toEqual({
      code: "clear-path-beside-tunnel",
      text:
        "edge-a reaches 10.100.0.0/16 over et-0/0/0 (route 10.100.7.0/24), " +
        "beside the tunnel hub-1",
      next: "linkseal tunnels hub-1",
    });
  });
});

describe("prefixes", () => {
  it.each([
    ["10.0.0.0/8", "10.1.2.0/24", true],
    ["10.1.2.0/24", "10.0.0.0/8", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["2001:db8::/32", "2001:db8:0:1::/64", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["::/0", "10.0.0.0/8", false],
  ])("%s contains %s: %s", (outer, inner, inside) => {
    const [a, b] = [parsePrefix(outer), parsePrefix(inner)];
    expect(a !== undefined && b !== undefined && contains(a, b)).toBe(inside);
  });

  it.each([
    "",
    "10.0.0/8",
    "10.0.0.256",
    "10.0.0.0/33",
    "10.0.0.0/8/8",
    "1::2::3",
    "::1/129",
    "g::",
    "1:2:3",
    "10.0.0.0/",
  ])("%j is none", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});
