import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { TunnelEvidence, Verdict } from "#agent/model/health.ts";
import { type IpsecSa, type IpsecTunnel, known, type Route, unknown } from "#hal/model.ts";
import { at, routing, tunnel, tunnelEvidence, tunnelObservation } from "../health-evidence.ts";

const old = tunnelObservation(0, 100);
const now = tunnelObservation(95_000, 900);

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

type Row = {
  readonly name: string;
  readonly observations: readonly IpsecTunnel[];
  readonly change: Partial<TunnelEvidence>;
  readonly verdict: Verdict;
  readonly codes: string;
};
const rows: readonly Row[] = [
  { name: "moving", observations: [old, now], change: {}, verdict: "protected", codes: "" },
  {
    name: "idle",
    observations: [tunnelObservation(0, 900), now],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "never read",
    observations: [],
    change: { device: { lastObservedAt: undefined, failing: undefined } },
    verdict: "unknown",
    codes: "not-looked-yet",
  },
  {
    name: "stale",
    observations: [old, now],
    change: { now: at(126_000) },
    verdict: "unknown",
    codes: "reading-stale",
  },
  {
    name: "without the route into it, however good its SAs are",
    observations: [
      old,
      { ...now, gaps: [{ kind: "closed", text: "the route into hub-1 is missing" }] },
    ],
    change: {},
    verdict: "down",
    codes: "tunnel-interface",
  },
  {
    name: "of another MTU",
    observations: [old, { ...now, gaps: [{ kind: "mtu", text: "hub-1 has an MTU of 1280" }] }],
    change: {},
    verdict: "degraded",
    codes: "tunnel-interface",
  },
  {
    name: "absent",
    observations: [],
    change: {},
    verdict: "down",
    codes: "tunnel-configured-but-absent",
  },
  {
    name: "gone since",
    observations: [old],
    change: {},
    verdict: "down",
    codes: "tunnel-configured-but-absent",
  },
  {
    name: "IKE connecting",
    observations: [
      { ...old, sas: sas() },
      tunnelObservation(95_000, 0, { ike: known("connecting", at(95_000)), sas: sas() }),
    ],
    change: {},
    verdict: "down",
    codes: "ike-down sa-missing",
  },
  {
    name: "IKE down, SAs carry",
    observations: [
      old,
      tunnelObservation(95_000, 900, { ike: known("down" as const, at(95_000)) }),
    ],
    change: {},
    verdict: "degraded",
    codes: "ike-down",
  },
  {
    name: "gateway silent, SAs idle",
    observations: [
      tunnelObservation(0, 900),
      tunnelObservation(95_000, 900, { isSilent: true, trouble: "the gateway does not answer" }),
    ],
    change: {},
    verdict: "degraded",
    codes: "ike-down",
  },
  {
    name: "IKE unloaded, SAs idle",
    observations: [
      tunnelObservation(0, 900),
      tunnelObservation(95_000, 900, { ike: known("unloaded" as const, at(95_000)) }),
    ],
    change: {},
    verdict: "degraded",
    codes: "ike-down",
  },
  {
    name: "IKE forgotten, SAs idle",
    observations: [
      tunnelObservation(0, 900),
      tunnelObservation(95_000, 900, { ike: known("forgotten", at(95_000)) }),
    ],
    change: {},
    verdict: "down",
    codes: "ike-down",
  },
  {
    name: "IKE not reported",
    observations: [
      old,
      tunnelObservation(95_000, 900, { ike: unknown("queryFailed", at(95_000)) }),
    ],
    change: {},
    verdict: "unknown",
    codes: "reading-missing",
  },
  {
    name: "SAs not understood",
    observations: [old, tunnelObservation(95_000, 900, { sas: unknown("unparsed", at(95_000)) })],
    change: {},
    verdict: "unknown",
    codes: "reading-missing",
  },
  {
    name: "no outbound SA",
    observations: [old, { ...now, sas: sas(inbound) }],
    change: {},
    verdict: "down",
    codes: "sa-missing",
  },
  {
    name: "only one on its way out",
    observations: [old, { ...now, sas: sas(inbound, { ...outbound, phase: "deleting" }) }],
    change: {},
    verdict: "down",
    codes: "sa-missing",
  },
  {
    name: "rekeyed is healthy",
    observations: [
      old,
      { ...now, sas: sas({ ...inbound, phase: "rekeyed" }, { ...outbound, phase: "rekeying" }) },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "rekeyed beside its successor",
    observations: [
      old,
      { ...now, sas: sas({ ...inbound, phase: "rekeyed", transforms: weak }, inbound, outbound) },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "other algorithms",
    observations: [old, { ...now, sas: sas({ ...inbound, transforms: weak }, outbound) }],
    change: {},
    verdict: "degraded",
    codes: "transform-mismatch",
  },
  {
    name: "first child SA without a group",
    observations: [
      old,
      {
        ...now,
        sas: sas({ ...inbound, transforms: { ...tunnel.transforms, dhGroup: "none" } }, outbound),
      },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "SA of which the kernel does not keep the group",
    observations: [
      old,
      {
        ...now,
        sas: sas(
          { ...inbound, transforms: { ...tunnel.transforms, dhGroup: "unknown" } },
          outbound,
        ),
      },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "one way",
    observations: [old, { ...now, sas: sas({ ...inbound, packets: 0n }, outbound) }],
    change: {},
    verdict: "degraded",
    codes: "tunnel-one-way",
  },
  {
    name: "one way, although both moved once",
    observations: [
      { ...old, sas: sasAt(0, inbound, outbound) },
      { ...now, sas: sas(inbound, { ...outbound, packets: 9n }) },
    ],
    change: {},
    verdict: "degraded",
    codes: "tunnel-one-way",
  },
  {
    name: "sequence numbers",
    observations: [old, { ...now, sas: sas({ ...inbound, sequence: 3n * 2n ** 30n }, outbound) }],
    change: {},
    verdict: "degraded",
    codes: "sequence-number-high",
  },
  {
    name: "an SA at its end",
    observations: [old, { ...now, sas: sas({ ...inbound, endsInMs: 29_999 }, outbound) }],
    change: {},
    verdict: "degraded",
    codes: "sa-ending",
  },
  {
    name: "an SA before its end",
    observations: [old, { ...now, sas: sas({ ...inbound, endsInMs: 30_000 }, outbound) }],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "an SA at its end beside its successor",
    observations: [
      old,
      {
        ...now,
        sas: sas({ ...inbound, endsInMs: 9 }, { ...inbound, spi: 9, endsInMs: 30_000 }, outbound),
      },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "an SA at its end beside one of unknown end",
    observations: [
      old,
      { ...now, sas: sas({ ...inbound, endsInMs: 9 }, { ...inbound, spi: 9 }, outbound) },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "a rekeyed SA at its end",
    observations: [
      old,
      {
        ...now,
        sas: sas({ ...inbound, spi: 9, phase: "rekeyed", endsInMs: 9 }, inbound, outbound),
      },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "anti-replay off",
    observations: [old, { ...now, sas: sas({ ...inbound, antiReplay: "off" }, outbound) }],
    change: {},
    verdict: "degraded",
    codes: "anti-replay-off",
  },
  {
    name: "anti-replay on",
    observations: [old, { ...now, sas: sas({ ...inbound, antiReplay: "on" }, outbound) }],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "extended numbers",
    observations: [old, { ...now, sas: sas({ ...inbound, sequence: 2n ** 33n }, outbound) }],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "group in the clear",
    observations: [old, now],
    change: { carriers: [{ id: "erd-demo/primary", verdict: "unprotected", reason: undefined }] },
    verdict: "degraded",
    codes: "outside-macsec",
  },
  {
    name: "the prefix over a port",
    observations: [old, now],
    change: routes(into, overPort("10.100.0.0/16")),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel",
  },
  {
    name: "a part of it over a port",
    observations: [old, now],
    change: routes(into, overPort("10.100.7.0/24")),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel",
  },
  {
    name: "default over a port, tunnel better",
    observations: [old, now],
    change: routes(into, overPort("0.0.0.0/0")),
    verdict: "protected",
    codes: "",
  },
  ...(["the tunnel's first", "the port's first"] as const).map((order): Row => {
    const both = [{ ...into, prefix: "10.0.0.0/8" }, overPort("10.0.0.0/8")];
    const seen = order === "the port's first" ? both.toReversed() : both;
    const leak = "clear-path-beside-tunnel";
    return {
      name: `two best routes around it, ${order}`,
      observations: [old, now],
      change: routes(...seen),
      verdict: "unprotected",
      codes: leak,
    };
  }),
  {
    name: "default over a port, tunnel route gone",
    observations: [old, now],
    change: routes(overPort("0.0.0.0/0")),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel",
  },
  {
    name: "beside the best route",
    observations: [old, now],
    change: routes(into, { ...overPort("10.100.0.0/16"), best: false }),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel",
  },
  {
    name: "another prefix",
    observations: [old, now],
    change: routes(into, overPort("10.101.0.0/16")),
    verdict: "protected",
    codes: "",
  },
  {
    name: "absent, and around it",
    observations: [],
    change: routes(overPort("10.100.0.0/16")),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel tunnel-configured-but-absent",
  },
  {
    name: "routes not reported",
    observations: [old, now],
    change: { routing: unknown("queryFailed", at(95_000)) },
    verdict: "unknown",
    codes: "reading-missing",
  },
];
describe("health of a tunnel", () => {
  it.each(rows)("the health of a tunnel: $name", ({ observations, change, verdict, codes }) => {
    const health = deriveTunnelHealth(tunnelEvidence(observations, change));
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

  const textsOf = (observed: IpsecTunnel, change: Partial<TunnelEvidence> = {}) =>
    deriveTunnelHealth(tunnelEvidence([old, observed], change)).reasons.map(({ text }) => text);
  const trouble = "the ends agree on no algorithms for ESP";

  it("a child that is refused while IKE is up is reported with the reason", () => {
    expect(textsOf({ ...now, sas: sas(), trouble })).toEqual([
      `no SA carries traffic of edge-a from 203.0.113.1: ${trouble}`,
    ]);
    const down = { ...now, ike: known("down" as const, at(95_000)), sas: sas(), trouble } as const;
    expect(textsOf(down)).toEqual([
      `IKE from edge-a (198.51.100.1) to 203.0.113.1 is down: ${trouble}`,
      "no SA carries traffic of edge-a from 203.0.113.1",
    ]);
  });

  it("a silent gateway is reported beside its SAs, as the fault of a link that is down", () => {
    const reason = { code: "link-down", text: "no link", next: "linkseal links" } as const;
    const carriers = [{ id: "erd-demo/primary", verdict: "down", reason, path: "taken" }] as const;
    const silent = { ...now, isSilent: true, trouble: "the gateway does not answer" };
    const text =
      "IKE from edge-a (198.51.100.1) to 203.0.113.1 has no answer, and no packet comes: the " +
      "gateway does not answer";
    expect(textsOf(silent)).toEqual([text]);
    const [found] = deriveTunnelHealth(tunnelEvidence([old, silent], { carriers })).reasons;
    expect(found).toMatchObject({ because: { about: "erd-demo/primary" } });
  });

  it("an SA that ends without a successor is reported with the reason", () => {
    const ending = { ...now, sas: sas({ ...inbound, endsInMs: 9_000 }, outbound), trouble };
    expect(textsOf(ending)).toEqual([
      `the SA edge-a from 203.0.113.1 ends in 9 s and has no successor: ${trouble}`,
    ]);
  });

  it("a tunnel that is refused is reported with the reason of its own set-up", () => {
    const refusal = "the tunnel hub-1: the ends agree on no algorithms for IKE";
    const absent = deriveTunnelHealth(tunnelEvidence([], { refusal })).reasons[0]?.text;
    expect(absent).toContain(`; its last set-up failed: ${refusal}`);
    const other = { ...now, sas: sas({ ...inbound, transforms: weak }, outbound) };
    expect(textsOf(other, { refusal })[0]).toContain(`; its last set-up failed: ${refusal}`);
    expect(textsOf(now, { refusal })).toEqual([]);
  });

  it("a tunnel whose connection is unloaded names what ends with its SAs", () => {
    const unloaded = { ...now, ike: known("unloaded" as const, at(95_000)) } as const;
    expect(textsOf(unloaded)).toEqual([
      "the IKE daemon of edge-a has no connection hub-1 any more: the tunnel ends with the SAs " +
        "that it has",
    ]);
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
