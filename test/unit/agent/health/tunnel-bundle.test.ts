// Tunnels that carry for each other: which they are, whether one carries, and how their traffic
// spreads.

import { describe, expect, it } from "vitest";
import {
  bundleOf,
  carriedOver,
  imbalanceOf,
  sessionOf,
  sharesOf,
  siblingsOf,
  whyNot,
} from "#agent/health/tunnel-bundle.ts";
import { bareCauseText } from "#agent/model/reason-text.ts";
import {
  type DeviceState,
  type IpsecTunnel,
  known,
  type Routing,
  strongValue,
  unknown,
} from "#hal/model.ts";
import { at, routing, tunnelObservation } from "../health-evidence.ts";
import { bundle, hub } from "../tunnel-bundle-kit.ts";

const names = (tunnels: readonly { readonly name: string }[]) => tunnels.map(({ name }) => name);

describe("a bundle", () => {
  it("a bundle is the tunnels of one device to the same prefixes with BGP", () => {
    const [one = hub(1), two = hub(2)] = bundle;
    const elsewhere = { ...hub(3), device: "edge-b" };
    const { bgp: _bgp, ...still } = hub(4);
    const other = { ...hub(5), remotePrefixes: ["10.101.0.0/16"] };
    const turned = { ...hub(6), remotePrefixes: two.remotePrefixes.toReversed() };
    const all = [one, two, elsewhere, still, other, turned];
    expect(names(bundleOf(all, one))).toEqual(["hub-1", "hub-2", "hub-6"]);
    for (const alone of [elsewhere, still, other]) expect(bundleOf(all, alone)).toEqual([]);
  });

  it("tunnels whose device and prefix only run together alike are not a bundle", () => {
    const one = { ...hub(1), device: "edge", remotePrefixes: ["10.0.0.0/8"] };
    const two = { ...hub(2), device: "edge1", remotePrefixes: ["0.0.0.0/8"] };
    expect(bundleOf([one, two], one)).toEqual([]);
  });
});

describe("siblings", () => {
  it("siblings share a prefix, on any device and with any routing", () => {
    const { bgp: _bgp, ...still } = hub(2);
    const elsewhere = { ...hub(3), device: "edge-b", remotePrefixes: ["10.100.0.0/16"] };
    const part = { ...hub(4), remotePrefixes: ["10.9.0.0/16", "10.101.0.0/16"] };
    const other = { ...hub(5), remotePrefixes: ["10.9.0.0/16"] };
    const all = [hub(1), still, elsewhere, part, other];
    expect(names(siblingsOf(all, hub(1)))).toEqual(["hub-2", "hub-3", "hub-4"]);
    expect(names(siblingsOf(all, other))).toEqual(["hub-4"]);
  });
});

const session = { tunnel: "hub-1", peer: "169.254.21.5", asn: 65_515, up: true };
function stateOf(tunnel: Partial<IpsecTunnel>, reported: Partial<Routing> = {}): DeviceState {
  return {
    device: "edge-a",
    at: at(0),
    control: unknown("notSupported", at(0)),
    macsec: [],
    ipsec: [tunnelObservation(0, 5, tunnel)],
    routing: known({ ...routing, tunnelSessions: [session], ...reported }, at(0)),
  };
}
const sas = strongValue(tunnelObservation(0, 5).sas) ?? [];
const withSas = (...list: typeof sas): Partial<IpsecTunnel> => ({ sas: known(list, at(0)) });

describe("a tunnel carries", () => {
  it.each<[string, DeviceState, string | undefined]>([
    ["as it should", stateOf({}), undefined],
    ["not: it is absent", { ...stateOf({}), ipsec: [] }, "hub-1 is not there"],
    ["not: IKE is down", stateOf({ ike: known("down", at(0)) }), "IKE of hub-1 is not established"],
    [
      "not: IKE is not reported",
      stateOf({ ike: unknown("queryFailed", at(0)) }),
      "IKE of hub-1 is not established",
    ],
    ["not: one way lacks its SA", stateOf(withSas(...sas.slice(0, 1))), "hub-1 lacks an SA"],
    [
      "not: an SA is on its way out",
      stateOf({
        sas: known(
          sas.map((sa) => ({ ...sa, phase: "deleting" as const })),
          at(0),
        ),
      }),
      "hub-1 lacks an SA",
    ],
    [
      "not: BGP is down",
      stateOf({}, { tunnelSessions: [{ ...session, up: false }] }),
      "BGP over hub-1 is not up",
    ],
    ["not: BGP is not reported", stateOf({}, { tunnelSessions: [] }), "BGP over hub-1 is not up"],
    [
      "not: the session is another's",
      stateOf({}, { tunnelSessions: [{ ...session, tunnel: "hub-2" }] }),
      "BGP over hub-1 is not up",
    ],
    [
      "not: the session is with another peer",
      stateOf({}, { tunnelSessions: [{ ...session, peer: "169.254.21.9" }] }),
      "BGP over hub-1 is not up",
    ],
    [
      "not: no SA is reported",
      stateOf({ sas: unknown("queryFailed", at(0)) }),
      "hub-1 lacks an SA",
    ],
    [
      "not: its router reports no sessions",
      { ...stateOf({}), routing: known(routing, at(0)) },
      "BGP over hub-1 is not up",
    ],
    [
      "not: its router reports no routing",
      { ...stateOf({}), routing: unknown("queryFailed", at(0)) },
      "BGP over hub-1 cannot be read",
    ],
    [
      "as it should beside one that is down",
      {
        ...stateOf({}),
        ipsec: [
          tunnelObservation(0, 5, { name: "hub-2", ike: known("down", at(0)) }),
          tunnelObservation(0, 5),
        ],
      },
      undefined,
    ],
    [
      "not: its gateway is silent",
      { ...stateOf({}), ipsec: [tunnelObservation(0, 5, { isSilent: true })] },
      "the gateway of hub-1 does not answer",
    ],
    [
      "not: it has no way out of its own device",
      {
        ...stateOf({}),
        ipsec: [tunnelObservation(0, 5, { gaps: [{ kind: "outer", text: "no route leads on" }] })],
      },
      "hub-1 has no way out of its device: no route leads on",
    ],
    [
      "not: it is drained",
      stateOf({}, { drains: [{ port: "hub-1", means: "prepend" }] }),
      "hub-1 is drained",
    ],
  ])("a tunnel carries %s", (_name, state, why) => {
    const found = whyNot(hub(1), state);
    expect(found && bareCauseText(found)).toBe(why);
  });

  it("a tunnel without BGP carries without a session", () => {
    const { bgp: _bgp, ...still } = hub(1);
    const silent = stateOf({}, { tunnelSessions: [] });
    expect(whyNot(still, silent)).toBeUndefined();
    expect(sessionOf(still, stateOf({}))).toBeUndefined();
  });
});

const observations = (
  ...sent: readonly (readonly (readonly [number, bigint])[])[]
): IpsecTunnel[] =>
  sent.map((list, index) =>
    tunnelObservation(index * 5_000, 0, {
      sas: known(
        list.map(([spi, packets]) => ({
          ...{ spi, packets, direction: "out" as const, phase: "installed" as const },
          ...{ transforms: hub(1).transforms, sequence: undefined },
        })),
        at(index * 5_000),
      ),
    }),
  );

const sentOver = (list: readonly IpsecTunnel[]) => carriedOver(list, "out");

describe("what a tunnel sent", () => {
  it("a tunnel's packets are counted over a rekey, and a restarted SA adds none", () => {
    expect(
      sentOver(
        observations(
          [[1, 10n]],
          [[1, 25n]],
          [
            [1, 30n],
            [2, 4n],
          ],
          [[2, 9n]],
        ),
      ),
    ).toBe(29n);
    expect(sentOver(observations([[1, 10n]], [[1, 3n]], [[1, 5n]]))).toBe(2n);
  });

  it("a tunnel's packets are unknown from one observation, and 0 if nothing moved", () => {
    expect(sentOver([])).toBeUndefined();
    expect(sentOver(observations([[1, 10n]]))).toBeUndefined();
    expect(sentOver(observations([[1, 10n]], [[1, 10n]]))).toBe(0n);
    expect(sentOver(observations([], []))).toBe(0n);
    const blind = tunnelObservation(0, 0, { sas: unknown("queryFailed", at(0)) });
    expect(sentOver([...observations([[1, 10n]]), blind, ...observations([[1, 12n]])])).toBe(2n);
    expect(sentOver([...observations([[1, 10n]]), blind])).toBeUndefined();
    // One that lacks the SA does not make its counter begin at 0.
    expect(sentOver(observations([[1, 10n]], [], [[1, 12n]]))).toBe(2n);
  });

  it("the packets that a tunnel sent exclude those that it received", () => {
    const both = [tunnelObservation(0, 100), tunnelObservation(5_000, 900)];
    expect([sentOver(both), carriedOver(both, "in")]).toEqual([800n, 800n]);
    const out = observations([[1, 10n]], [[1, 25n]]);
    expect([sentOver(out), carriedOver(out, "in")]).toEqual([15n, 0n]);
  });
});

const moved = (packets: number) => observations([[1, 0n]], [[1, BigInt(packets)]]);

describe("the shares of a bundle", () => {
  const sharesFor = (...sent: readonly number[]) => {
    const of = new Map(sent.map((packets, index) => [`hub-${index + 1}`, moved(packets)]));
    const tunnels = sent.map((_, index) => hub(index + 1));
    return sharesOf(tunnels, (name) => of.get(name) ?? []);
  };

  it("the shares of a bundle are parts of all that it sent", () => {
    expect(sharesFor(300, 700)).toEqual([
      { tunnel: "hub-1", sent: 300n, percent: 30 },
      { tunnel: "hub-2", sent: 700n, percent: 70 },
    ]);
    expect(sharesFor(0, 0)).toEqual([]);
    expect(sharesOf(bundle, (name) => (name === "hub-1" ? moved(9) : []))).toEqual([]);
  });

  const none = new Set<string>();
  it("an imbalance names the tunnel with almost no traffic, and the even share", () => {
    expect(imbalanceOf(sharesFor(1_000, 100, 1_000), none)).toEqual({
      tunnel: "hub-2",
      text: "it sends 4.7 % where 33.3 % would be even: hub-1 47.6 %, hub-2 4.7 %, hub-3 47.6 %",
    });
  });

  it.each([
    ["a quarter of its part is enough", [1_500, 250, 1_250], undefined],
    ["less is not", [1_500, 249, 1_251], "hub-2"],
    ["of few packets nothing follows", [999, 0], undefined],
    ["of a thousand it does", [1_000, 0], "hub-2"],
    ["of one alone nothing follows", [5_000], undefined],
  ] as const)("a bundle is not unbalanced: %s", (_name, sent, tunnel) => {
    expect(imbalanceOf(sharesFor(...sent), none)?.tunnel).toBe(tunnel);
  });

  it("an imbalance names the first of two tunnels with equally little traffic", () => {
    expect(imbalanceOf(sharesFor(2_000, 5, 5), none)?.tunnel).toBe("hub-2");
  });

  it("an imbalance leaves out drained tunnels", () => {
    expect(imbalanceOf(sharesFor(2_000, 0, 2_000), new Set(["hub-2"]))).toBeUndefined();
    expect(imbalanceOf(sharesFor(2_000, 0), new Set(["hub-2"]))).toBeUndefined();
  });
});
