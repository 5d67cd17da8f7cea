// The limits of a tunnel's findings: the last value that is still good, and the first that is not.

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

const tuned = (transforms: Partial<typeof tunnel.transforms>): readonly IpsecTunnel[] => [
  old,
  { ...now, sas: sas({ transforms: { ...tunnel.transforms, ...transforms } }, outbound) },
];
const numbered = (sequence: bigint): readonly IpsecTunnel[] => [
  old,
  { ...now, sas: sas({ ...inbound, sequence }, outbound) },
];
const withPpk = (use: "required" | "offered"): Partial<TunnelEvidence> => ({
  tunnel: { ...tunnel, auth: { ...tunnel.auth, ppk: { secret: "p", id: "hub", use } } },
});
const onlyOut = { ...now, sas: sas({ ...inbound, packets: 0n }, outbound) };
const ikeDown: Pick<IpsecTunnel, "ike"> = { ike: known("down", at(95_000)) };
const unread = unknown("queryFailed", at(95_000));
const remote = (prefix: string): Partial<TunnelEvidence> => ({
  tunnel: { ...tunnel, remotePrefixes: [prefix] },
});
const edges: readonly Row[] = [
  {
    name: "as old as the limit",
    observations: [old, now],
    change: { now: at(125_000) },
    verdict: "protected",
    codes: "",
  },
  {
    name: "stale and absent",
    observations: [],
    change: { now: at(125_001) },
    verdict: "unknown",
    codes: "reading-stale",
  },
  {
    name: "only the newest observation counts",
    observations: [old, { ...old, ...ikeDown }, now],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "IKE down, one way carries",
    observations: [old, { ...onlyOut, ...ikeDown }],
    change: {},
    verdict: "down",
    codes: "ike-down tunnel-one-way",
  },
  {
    name: "IKE down, SAs not reported",
    observations: [old, { ...now, ...ikeDown, sas: unread }],
    change: {},
    verdict: "down",
    codes: "ike-down reading-missing",
  },
  {
    name: "other integrity",
    observations: tuned({ integrity: "sha256" }),
    change: {},
    verdict: "degraded",
    codes: "transform-mismatch",
  },
  {
    name: "other group",
    observations: tuned({ dhGroup: "modp2048" }),
    change: {},
    verdict: "degraded",
    codes: "transform-mismatch",
  },
  {
    name: "no PPK where one is required",
    observations: [old, { ...now, ppk: "unused" }],
    change: withPpk("required"),
    verdict: "degraded",
    codes: "ppk-unused",
  },
  {
    name: "a PPK in use where one is required",
    observations: [old, { ...now, ppk: "used" }],
    change: withPpk("required"),
    verdict: "protected",
    codes: "",
  },
  {
    name: "no PPK where one is only offered",
    observations: [old, { ...now, ppk: "unused" }],
    change: withPpk("offered"),
    verdict: "protected",
    codes: "",
  },
  {
    name: "same algorithms, spelt in capitals",
    observations: tuned({ encryption: "AES256GCM16" }),
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "a sequence number in the middle",
    observations: numbered(2n ** 31n),
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "one less than 3/4 of the numbers",
    observations: numbered(3n * 2n ** 30n - 1n),
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "the first extended number",
    observations: numbered(2n ** 32n),
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "numbers of one SA of two",
    observations: [
      old,
      { ...now, sas: sas({ ...inbound, sequence: 3n * 2n ** 30n }, inbound, outbound) },
    ],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "one way for the evidence window",
    observations: [tunnelObservation(5_800, 0), onlyOut],
    change: {},
    verdict: "degraded",
    codes: "tunnel-one-way",
  },
  {
    name: "one way for less",
    observations: [tunnelObservation(5_801, 0), onlyOut],
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "one way since the first observation that reported SAs",
    observations: [
      { ...old, sas: unknown("queryFailed", at(0)) },
      { ...old, sas: sasAt(5_000, inbound, outbound) },
      { ...now, sas: sas(inbound, { ...outbound, packets: 9n }) },
    ],
    change: {},
    verdict: "degraded",
    codes: "tunnel-one-way",
  },
  {
    name: "one way, with one SPI both ways",
    observations: [
      { ...old, sas: sasAt(0, { ...outbound, spi: 1, packets: 0n }, { ...inbound, spi: 1 }) },
      { ...now, sas: sas({ ...outbound, spi: 1, packets: 4n }, { ...inbound, spi: 1 }) },
    ],
    change: {},
    verdict: "degraded",
    codes: "tunnel-one-way",
  },
  {
    name: "no route at all",
    observations: [old, now],
    change: routes(),
    verdict: "protected",
    codes: "",
  },
  {
    name: "a remote prefix that is none",
    observations: [old, now],
    change: remote("nonsense"),
    verdict: "protected",
    codes: "",
  },
  {
    name: "a route that is none, and the leak after it",
    observations: [old, now],
    change: routes(overPort("inet.0"), overPort("0.0.0.0/0")),
    verdict: "unprotected",
    codes: "clear-path-beside-tunnel",
  },
  {
    name: "a longer route elsewhere",
    observations: [old, now],
    change: routes(into, overPort("192.0.2.0/24")),
    verdict: "protected",
    codes: "",
  },
  {
    name: "a default that is not used",
    observations: [old, now],
    change: routes({ ...overPort("0.0.0.0/0"), best: false }),
    verdict: "protected",
    codes: "",
  },
];

describe("health of a tunnel", () => {
  it.each(edges)(
    "the health of a tunnel at the limits: $name",
    ({ observations, change, verdict, codes }) => {
      const health = deriveTunnelHealth(tunnelEvidence(observations, change));
      expect([health.verdict, health.reasons.map((reason) => reason.code).join(" ")]).toEqual([
        verdict,
        codes,
      ]);
    },
  );
});
