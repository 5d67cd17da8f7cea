import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence, Verdict } from "#agent/model/health.ts";
import { type IpsecSa, type IpsecTunnel, known, type Route, unknown } from "#hal/model.ts";
import { at, routing, tunnel, tunnelEvidence, tunnelLook } from "../health-evidence.ts";

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
  [
    "without the route into it, however good its SAs are",
    [old, { ...now, gaps: [{ kind: "closed", text: "the route into hub-1 is missing" }] }],
    {},
    "down",
    "tunnel-interface",
  ],
  [
    "of another MTU",
    [old, { ...now, gaps: [{ kind: "mtu", text: "hub-1 has an MTU of 1280" }] }],
    {},
    "degraded",
    "tunnel-interface",
  ],
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
    "SA of which the kernel does not keep the group",
    [
      old,
      {
        ...now,
        sas: sas(
          { ...inbound, transforms: { ...tunnel.transforms, dhGroup: "unknown" } },
          outbound,
        ),
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
    "an SA at its end",
    [old, { ...now, sas: sas({ ...inbound, endsInMs: 29_999 }, outbound) }],
    {},
    "degraded",
    "sa-ending",
  ],
  [
    "an SA before its end",
    [old, { ...now, sas: sas({ ...inbound, endsInMs: 30_000 }, outbound) }],
    {},
    "protected",
    "",
  ],
  [
    "an SA at its end beside its successor",
    [
      old,
      {
        ...now,
        sas: sas({ ...inbound, endsInMs: 9 }, { ...inbound, spi: 9, endsInMs: 30_000 }, outbound),
      },
    ],
    {},
    "protected",
    "",
  ],
  [
    "an SA at its end beside one of unknown end",
    [old, { ...now, sas: sas({ ...inbound, endsInMs: 9 }, { ...inbound, spi: 9 }, outbound) }],
    {},
    "protected",
    "",
  ],
  [
    "a rekeyed SA at its end",
    [
      old,
      {
        ...now,
        sas: sas({ ...inbound, spi: 9, phase: "rekeyed", endsInMs: 9 }, inbound, outbound),
      },
    ],
    {},
    "protected",
    "",
  ],
  [
    "anti-replay off",
    [old, { ...now, sas: sas({ ...inbound, antiReplay: "off" }, outbound) }],
    {},
    "degraded",
    "anti-replay-off",
  ],
  [
    "anti-replay on",
    [old, { ...now, sas: sas({ ...inbound, antiReplay: "on" }, outbound) }],
    {},
    "protected",
    "",
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
  ...(["the tunnel's first", "the port's first"] as const).map((order): Row => {
    const both = [{ ...into, prefix: "10.0.0.0/8" }, overPort("10.0.0.0/8")];
    const seen = order === "the port's first" ? both.toReversed() : both;
    const leak = "clear-path-beside-tunnel";
    return [
      `two best routes around it, ${order}`,
      [old, now],
      routes(...seen),
      "unprotected",
      leak,
    ];
  }),
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

const tuned = (transforms: Partial<typeof tunnel.transforms>): readonly IpsecTunnel[] => [
  old,
  { ...now, sas: sas({ transforms: { ...tunnel.transforms, ...transforms } }, outbound) },
];
const numbered = (sequence: bigint): readonly IpsecTunnel[] => [
  old,
  { ...now, sas: sas({ ...inbound, sequence }, outbound) },
];
const onlyOut = { ...now, sas: sas({ ...inbound, packets: 0n }, outbound) };
const ikeDown: Pick<IpsecTunnel, "ike"> = { ike: known("down", at(95_000)) };
const unread = unknown("queryFailed", at(95_000));
const remote = (prefix: string): Partial<TunnelEvidence> => ({
  tunnel: { ...tunnel, remotePrefixes: [prefix] },
});
const edges: readonly Row[] = [
  ["as old as the limit", [old, now], { now: at(125_000) }, "protected", ""],
  ["stale and absent", [], { now: at(125_001) }, "unknown", "reading-stale"],
  ["only the newest look counts", [old, { ...old, ...ikeDown }, now], {}, "protected", ""],
  [
    "IKE down, one way carries",
    [old, { ...onlyOut, ...ikeDown }],
    {},
    "down",
    "ike-down tunnel-one-way",
  ],
  [
    "IKE down, SAs not told",
    [old, { ...now, ...ikeDown, sas: unread }],
    {},
    "down",
    "ike-down reading-missing",
  ],
  ["other integrity", tuned({ integrity: "sha256" }), {}, "degraded", "transform-mismatch"],
  ["other group", tuned({ dhGroup: "modp2048" }), {}, "degraded", "transform-mismatch"],
  ["same algorithms, spelt in capitals", tuned({ encryption: "AES256GCM16" }), {}, "protected", ""],
  ["a sequence number in the middle", numbered(2n ** 31n), {}, "protected", ""],
  ["one less than 3/4 of the numbers", numbered(3n * 2n ** 30n - 1n), {}, "protected", ""],
  ["the first extended number", numbered(2n ** 32n), {}, "protected", ""],
  [
    "numbers of one SA of two",
    [old, { ...now, sas: sas({ ...inbound, sequence: 3n * 2n ** 30n }, inbound, outbound) }],
    {},
    "protected",
    "",
  ],
  [
    "one way for the evidence window",
    [tunnelLook(5_800, 0), onlyOut],
    {},
    "degraded",
    "tunnel-one-way",
  ],
  ["one way for less", [tunnelLook(5_801, 0), onlyOut], {}, "protected", ""],
  [
    "one way since the first look that told SAs",
    [
      { ...old, sas: unknown("queryFailed", at(0)) },
      { ...old, sas: sasAt(5_000, inbound, outbound) },
      { ...now, sas: sas(inbound, { ...outbound, packets: 9n }) },
    ],
    {},
    "degraded",
    "tunnel-one-way",
  ],
  [
    "one way, with one SPI both ways",
    [
      { ...old, sas: sasAt(0, { ...outbound, spi: 1, packets: 0n }, { ...inbound, spi: 1 }) },
      { ...now, sas: sas({ ...outbound, spi: 1, packets: 4n }, { ...inbound, spi: 1 }) },
    ],
    {},
    "degraded",
    "tunnel-one-way",
  ],
  ["no route at all", [old, now], routes(), "protected", ""],
  ["a remote prefix that is none", [old, now], remote("nonsense"), "protected", ""],
  [
    "a route that is none, and the leak after it",
    [old, now],
    routes(overPort("inet.0"), overPort("0.0.0.0/0")),
    "unprotected",
    "clear-path-beside-tunnel",
  ],
  ["a longer route elsewhere", [old, now], routes(into, overPort("192.0.2.0/24")), "protected", ""],
  [
    "a default that is not used",
    [old, now],
    routes({ ...overPort("0.0.0.0/0"), best: false }),
    "protected",
    "",
  ],
];

describe("health of a tunnel", () => {
  it.each(edges)(
    "the health of a tunnel at the limits: %s",
    (_name, looks, change, verdict, codes) => {
      const health = deriveTunnelHealth(tunnelEvidence(looks, change));
      expect([health.verdict, health.reasons.map((reason) => reason.code).join(" ")]).toEqual([
        verdict,
        codes,
      ]);
    },
  );

  it.each(rows)("the health of a tunnel: %s", (_name, looks, change, verdict, codes) => {
    const health = deriveTunnelHealth(tunnelEvidence(looks, change));
    expect([health.verdict, health.reasons.map((reason) => reason.code).join(" ")]).toEqual([
      verdict,
      codes,
    ]);
  });

  it("a weak policy of a tunnel counts only once its risk is no longer accepted", () => {
    const weak = { ...tunnel, weaknesses: ["dhGroup DHGroup2", "pfsGroup None"] };
    const of = (waiver: "stands" | "over") =>
      deriveTunnelHealth(tunnelEvidence([old, now], { tunnel: weak, waiver }));
    expect(of("stands").verdict).toBe("protected");
    expect(of("over").verdict).toBe("degraded");
    expect(of("over").reasons[0]).toMatchObject({
      code: "weak-policy",
      text: "hub-1 runs under a weak policy: dhGroup DHGroup2, pfsGroup None",
    });
  });

  it("the finding of a leaking tunnel names the route", () => {
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
