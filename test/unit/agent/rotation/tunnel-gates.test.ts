// What keeps a gateway from being given a newer key, and a tunnel from being led away: each gate
// alone, with the command that goes on from there.

import { describe, expect, it } from "vitest";
import type { DesiredGroup, DesiredTunnel } from "#agent/model/desired.ts";
import type { RoundTrips } from "#agent/model/health.ts";
import {
  bundledWith,
  drainObstacle,
  isKeyChanging,
  keyObstacle,
} from "#agent/rotation/tunnel-gates.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import { type DeviceState, type IpsecTunnel, known } from "#hal/model.ts";
import { wallAfter } from "#hal/world.ts";
import { at, desired, stateOf, wall } from "../../kit/snapshot-kit.ts";
import { tunnel as sample, tunnelObservation } from "../health-evidence.ts";

const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
const tunnelOf = (name: string, over: Partial<DesiredTunnel> = {}): DesiredTunnel => ({
  ...{ ...sample, name, bgp, remoteAddress: `203.0.113.${name.at(-1)}`, ...over },
});
const [one, two, three] = [tunnelOf("hub-1"), tunnelOf("hub-2"), tunnelOf("hub-3")];
const psk = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
type Next = NonNullable<Memory["auths"][string]["next"]>;
const nextOf = (state: Next["state"]): Next => ({
  ...{ auth: psk, state, since: wall, reason: { code: "begin.asked" } },
});
const changing = (name: string, state: Next["state"] = "switching"): Memory => ({
  ...emptyMemory,
  auths: { [name]: { auth: psk, next: nextOf(state) } },
});
const drainedByHand = (name: string): Memory => ({
  ...emptyMemory,
  drains: { [name]: { by: "anna", since: wall } },
});

function up(name: string, over: Partial<IpsecTunnel> = {}): IpsecTunnel {
  return { ...tunnelObservation(0, 1), name, ...over };
}

function seen(
  tunnels: readonly IpsecTunnel[],
  { down = [] as readonly string[], drained = [] as readonly string[], over = {} } = {},
): DeviceState {
  const tunnelSessions = tunnels.map(({ name: tunnel }) => ({
    ...{ tunnel, peer: bgp.peer, asn: bgp.asn, up: !down.includes(tunnel) },
  }));
  const drains = drained.map((port) => ({ port, means: "prepend" as const }));
  const routing = known({ sessions: [], routes: [], drains, tunnelSessions }, at(0));
  return { ...stateOf(undefined as never), macsec: [], ipsec: tunnels, routing, ...over };
}

const whole = seen([up("hub-1"), up("hub-2"), up("hub-3")]);
const silentTrips = {
  ...{ under: "", at: at(0), silent: 20, answered: { at: at(0), wall } },
} as RoundTrips;

type Input = Parameters<typeof keyObstacle>[0];
function inputOf(over: Partial<Input> = {}): Input {
  return {
    desired: { groups: [], tunnels: [one, two] },
    ...{ tunnel: one, asked: "policy", wall, memory: emptyMemory, state: whole },
    ...{ lastState: () => undefined, inCampaign: () => false, trips: () => undefined },
    ...over,
  };
}

const [group] = desired.groups as readonly [DesiredGroup];
const freeze = { text: "now", from: wall, until: wallAfter(wall, 1_000) };
const frozen: DesiredGroup = { ...group, freezes: [freeze] };
const inGroup = { ...one, insideMacsec: group.name };
const elsewhere = { ...two, device: "edge-b" };

describe("a gateway is not given a newer key", () => {
  it.each([
    [
      "while a campaign runs on the device",
      { inCampaign: (device: string) => device === "edge-a" },
      { code: "gate.busy", next: "linkseal rotation show" },
      { code: "device.inCampaign", device: "edge-a" },
    ],
    [
      "in a freeze of its group",
      { desired: { groups: [group, frozen], tunnels: [two] }, tunnel: one },
      { code: "gate.window", next: "linkseal psk proceed hub-1" },
      { code: "window.frozen" },
    ],
    [
      "in a freeze of the group that it runs inside",
      { desired: { groups: [frozen], tunnels: [inGroup, two] }, tunnel: inGroup },
      { code: "gate.window", next: "linkseal psk proceed hub-1" },
      { code: "window.frozen" },
    ],
    [
      "while another tunnel to its prefixes changes",
      { memory: changing("hub-2") },
      { code: "gate.busy", next: "linkseal psk show hub-2" },
      { code: "tunnel.otherChanging", tunnel: "hub-2" },
    ],
    [
      "while another tunnel to its gateway changes",
      {
        desired: {
          groups: [],
          tunnels: [
            one,
            { ...two, remotePrefixes: ["10.9.0.0/16"], remoteAddress: one.remoteAddress },
          ],
        },
        memory: changing("hub-2"),
      },
      { code: "gate.busy", next: "linkseal psk show hub-2" },
      { code: "tunnel.otherChanging", tunnel: "hub-2" },
    ],
    [
      "while it is not up",
      { state: seen([up("hub-1", { ike: known("down", at(0)) }), up("hub-2")]) },
      { code: "gate.busy", next: "linkseal tunnels hub-1" },
      { code: "tunnel.notUp" },
    ],
    [
      "while its device does not list it",
      { state: seen([up("hub-2")]) },
      { code: "gate.busy", next: "linkseal tunnels hub-1" },
      { code: "tunnel.notUp" },
    ],
    [
      "while no other tunnel carries",
      { state: seen([up("hub-1"), up("hub-2")], { down: ["hub-2"] }) },
      { code: "gate.siblingUnhealthy", next: "linkseal tunnels" },
      { code: "tunnel.bgpDown", tunnel: "hub-2" },
    ],
    [
      "while what the other sends does not arrive",
      { trips: (name: string) => (name === "hub-2" ? silentTrips : undefined) },
      { code: "gate.siblingUnhealthy", next: "linkseal tunnels" },
      { code: "tunnel.undelivered" },
    ],
    [
      "while the other was drained by hand",
      { memory: drainedByHand("hub-2") },
      { code: "gate.siblingUnhealthy", next: "linkseal tunnels" },
      { code: "tunnel.drained", tunnel: "hub-2" },
    ],
    [
      "while the device of the other was not read",
      { desired: { groups: [], tunnels: [one, elsewhere] } },
      { code: "gate.siblingUnhealthy", next: "linkseal tunnels" },
      { code: "device.unread", device: "edge-b" },
    ],
  ] as const)("%s", (_, over, obstacle, cause) => {
    const found = keyObstacle(inputOf(over as Partial<Input>));
    expect(found).toMatchObject({ ...obstacle, cause });
  });

  it.each([
    ["every gate is open", {}],
    ["it has no other tunnel", { desired: { groups: [], tunnels: [one] } }],
    [
      "the tunnel that changes goes elsewhere",
      {
        desired: { groups: [], tunnels: [one, { ...two, remotePrefixes: ["10.9.0.0/16"] }] },
        memory: changing("hub-2"),
      },
    ],
    ["the other waits, and neither end has the version", { memory: changing("hub-2", "waiting") }],
    ["the other went back", { memory: changing("hub-2", "held") }],
    ["its own change is the one", { memory: changing("hub-1") }],
    [
      "a freeze is over",
      {
        desired: {
          groups: [{ ...group, freezes: [{ ...freeze, from: 0, until: wall }] }],
          tunnels: [],
        },
      },
    ],
    [
      "a freeze is that of a group that it is not inside",
      {
        desired: { groups: [group, { ...frozen, name: "other" }], tunnels: [inGroup] },
        tunnel: inGroup,
      },
    ],
    [
      "a person asks in a freeze",
      {
        desired: { groups: [frozen], tunnels: [one, two] },
        asked: "person",
      },
    ],
    [
      "a person asks while it is down",
      {
        state: seen([up("hub-1", { ike: known("down", at(0)) }), up("hub-2")]),
        asked: "person",
      },
    ],
    [
      "one of two others carries",
      {
        desired: { groups: [], tunnels: [one, two, three] },
        state: seen([up("hub-1"), up("hub-2"), up("hub-3")], { down: ["hub-2"] }),
      },
    ],
    [
      "the other device was read",
      {
        desired: { groups: [], tunnels: [one, elsewhere] },
        lastState: (device: string) => (device === "edge-b" ? whole : undefined),
      },
    ],
  ] as const)("the gateway gets one where %s", (_, over) => {
    expect(keyObstacle(inputOf(over as unknown as Partial<Input>))).toBeUndefined();
  });

  it("a person decides for both tunnels of one connection, a policy for neither", () => {
    const auth = { kind: "psk", secret: "k", farEnd: "agent" } as const;
    const shared = { auth, azureConnection: "/connections/c" };
    const tunnels = [tunnelOf("hub-1", shared), tunnelOf("hub-2", shared)];
    const state = seen([up("hub-1"), up("hub-2")], { down: ["hub-2"] });
    const input = { desired: { groups: [], tunnels }, tunnel: tunnels[0], state };
    const both = (asked: "policy" | "person") =>
      keyObstacle(inputOf({ ...input, asked } as Partial<Input>))?.cause.code;
    expect([both("person"), both("policy")]).toEqual([undefined, "tunnel.bgpDown"]);
  });
});

it.each([
  ["giving", true],
  ["switching", true],
  ["returning", true],
  ["waiting", false],
  ["held", false],
] as const)("the ends of a tunnel in %s may have different keys: %s", (state, may) => {
  expect(isKeyChanging(changing("hub-1", state), "hub-1")).toBe(may);
  expect(isKeyChanging(emptyMemory, "hub-1")).toBe(false);
  expect(isKeyChanging({ ...emptyMemory, auths: { "hub-1": { auth: psk } } }, "hub-1")).toBe(false);
});

describe("a tunnel stays in service", () => {
  type Drain = Parameters<typeof drainObstacle>[0];
  const drainOf = (over: Partial<Drain>) =>
    drainObstacle({
      ...{ tunnels: [one, two], tunnel: one, state: whole, memory: emptyMemory, canDrain: true },
      trips: () => undefined,
      ...over,
    });

  it.each([
    [
      "that has no other in its bundle",
      { tunnels: [one, elsewhere] },
      { code: "gate.siblingUnhealthy", next: "linkseal tunnels", cause: { code: "tunnel.alone" } },
    ],
    [
      "whose device cannot drain",
      { canDrain: false },
      {
        ...{ code: "device.unsupported", next: "linkseal driver list" },
        cause: { code: "device.noDrain", device: "edge-a" },
      },
    ],
    [
      "that is drained already",
      { state: seen([up("hub-1"), up("hub-2")], { drained: ["hub-1"] }) },
      {
        ...{ code: "gate.busy", next: "linkseal undrain hub-1" },
        cause: { code: "link.drainedAlready" },
      },
    ],
    [
      "beside one that is drained",
      { state: seen([up("hub-1"), up("hub-2")], { drained: ["hub-2"] }) },
      {
        ...{ code: "gate.busy", next: "linkseal undrain hub-2" },
        cause: { code: "tunnel.otherDrained", tunnel: "hub-2" },
      },
    ],
    [
      "beside one that was drained by hand",
      { memory: drainedByHand("hub-2") },
      {
        ...{ code: "gate.busy", next: "linkseal undrain hub-2" },
        cause: { code: "tunnel.otherDrained", tunnel: "hub-2" },
      },
    ],
    [
      "beside one that does not carry",
      { state: seen([up("hub-1"), up("hub-2")], { down: ["hub-2"] }) },
      {
        ...{ code: "gate.siblingUnhealthy", next: "linkseal tunnels" },
        cause: { code: "tunnel.bgpDown", tunnel: "hub-2" },
      },
    ],
    [
      "beside one whose packets do not arrive",
      { trips: (name: string) => (name === "hub-2" ? silentTrips : undefined) },
      { code: "gate.siblingUnhealthy", cause: { code: "tunnel.undelivered" } },
    ],
  ] as const)("%s", (_, over, obstacle) => {
    expect(drainOf(over as unknown as Partial<Drain>)).toMatchObject(obstacle);
  });

  it("unless another of its bundle carries", () => {
    expect(drainOf({})).toBeUndefined();
    const state = seen([up("hub-1"), up("hub-2"), up("hub-3")], { down: ["hub-2"] });
    expect(drainOf({ tunnels: [one, two, three], state })).toBeUndefined();
    expect(bundledWith([one, two, three], one)).toEqual([two, three]);
  });
});
