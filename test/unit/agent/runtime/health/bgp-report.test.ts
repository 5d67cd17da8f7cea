// Status and warnings about BGP inside tunnels, and about how a bundle's traffic spreads.

import { describe, expect, it } from "vitest";
import { insideOf } from "#agent/runtime/health/bgp-report.ts";
import { finders } from "#agent/runtime/health/finders.ts";
import type { Supervisor } from "#agent/runtime/supervisor.ts";
import { type DeviceState, type IpsecTunnel, known, type Routing, unknown } from "#hal/model.ts";
import { foundBy, tunnelSubject } from "../../../kit/finder-kit.ts";
import { at, routing, tunnelObservation } from "../../health-evidence.ts";
import { bundle, hub } from "../../tunnel-bundle-kit.ts";

const [one = hub(1), two = hub(2)] = bundle;
const sessions = bundle.map(({ name, bgp }) => ({
  ...{ tunnel: name, peer: bgp?.peer ?? "", asn: 65_515, up: true },
}));

interface Scene {
  /** Packets that each tunnel sent between two observations. */
  readonly sent?: readonly number[];
  readonly reported?: Partial<Routing>;
  readonly routing?: DeviceState["routing"];
  readonly unread?: true;
}

function supervisorOf({ sent = [], reported = {}, unread, ...scene }: Scene): Supervisor {
  const state: DeviceState = {
    ...{ device: "edge-a", at: at(0), control: unknown("notSupported", at(0)), macsec: [] },
    ipsec: [],
    routing: scene.routing ?? known({ ...routing, tunnelSessions: sessions, ...reported }, at(0)),
  };
  const observations = new Map<string, readonly IpsecTunnel[]>(
    bundle.flatMap(({ name }, index) => {
      const packets = sent[index];
      if (packets === undefined) return [];
      return [[name, [tunnelObservation(0, 0), tunnelObservation(5_000, packets)]] as const];
    }),
  );
  return {
    intent: { desired: { tunnels: bundle, health: { staleAfterMs: 30_000 } } },
    deviceCache: {
      state: () => (unread ? undefined : state),
      tunnelHistory: (name: string) => observations.get(name) ?? [],
    },
  } as unknown as Supervisor;
}

const balanceWarnings = (site: Supervisor, tunnel: typeof one) =>
  foundBy(finders.tunnel, "tunnel-unbalanced", { site }, tunnelSubject(tunnel));

const drained = { drains: [{ port: "hub-1", means: "prepend" }] } as const;

describe("BGP inside a tunnel", () => {
  const ends = { peer: "169.254.21.5", asn: 65_515 };
  it.each<[string, Scene, object]>([
    ["is a session that is up", {}, { up: true, drained: false }],
    ["is one that is drained", { reported: drained }, { up: true, drained: true }],
    [
      "is none yet, which is down",
      { reported: { tunnelSessions: [] } },
      { up: false, drained: false },
    ],
    [
      "is unknown if the device does not report it",
      { routing: unknown("queryFailed", at(0)) },
      { up: undefined, drained: undefined },
    ],
    [
      "is unknown before the first observation",
      { unread: true },
      { up: undefined, drained: undefined },
    ],
  ])("BGP inside a tunnel %s", (_name, scene, reported) => {
    expect(insideOf(supervisorOf(scene), one, at(0))).toEqual({ bgp: { ...ends, ...reported } });
  });

  it("BGP inside a tunnel is reported with the tunnel's share of its bundle", () => {
    const supervisor = supervisorOf({ sent: [300, 100] });
    expect(insideOf(supervisor, two, at(0)).share).toEqual({
      tunnel: "hub-2",
      sent: 100n,
      percent: 25,
    });
  });

  it("BGP inside a tunnel is unknown once its observation is too old", () => {
    const supervisor = supervisorOf({ sent: [300, 100] });
    const fresh = { bgp: { up: true, drained: false }, share: { percent: 25 } };
    expect(insideOf(supervisor, two, at(30_000))).toMatchObject(fresh);
    const { bgp, ...beside } = insideOf(supervisor, two, at(30_001));
    expect(bgp).toMatchObject({ up: undefined, drained: undefined });
    expect(beside).toEqual({});
  });

  it("a tunnel without BGP reports none", () => {
    const { bgp: _bgp, ...still } = one;
    expect(insideOf(supervisorOf({ sent: [300, 100] }), still, at(0))).toEqual({});
  });
});

describe("a bundle that carries unevenly", () => {
  it("an uneven bundle has one warning, about the tunnel with almost no traffic", () => {
    const supervisor = supervisorOf({ sent: [4_000, 10] });
    expect(balanceWarnings(supervisor, one)).toEqual([]);
    expect(balanceWarnings(supervisor, two)).toMatchObject([
      {
        code: "tunnel-unbalanced",
        about: "hub-2",
        text: "it sends 0.2 % where 50 % would be even: hub-1 99.7 %, hub-2 0.2 %",
        next: "linkseal tunnels hub-2",
      },
    ]);
  });

  it.each<[string, Scene]>([
    ["carries evenly", { sent: [4_000, 3_000] }],
    ["has one that is drained", { sent: [10, 4_000], reported: drained }],
    ["has one that does not report", { sent: [4_000] }],
    ["is not read", { sent: [4_000, 10], unread: true }],
  ])("a bundle has no warning that %s", (_name, scene) => {
    for (const tunnel of bundle) expect(balanceWarnings(supervisorOf(scene), tunnel)).toEqual([]);
  });
});
