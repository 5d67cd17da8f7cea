// What the drivers report of a router on which claims hold: a protected link, a drained one, and a
// tunnel that is up, as three looks each.

import type { DesiredLink, DesiredTunnel } from "#agent/model/desired.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import type { PeerState } from "#hal/device.ts";
import { type DeviceState, type KeyRef, known, type MacsecPort } from "#hal/model.ts";
import type { Dialer } from "#hal/world.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import { commit, never, secure, wanted } from "#sim/conformance/kit.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { simulatedDialer } from "#sim/lab/simulate.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { link as anyLink, tunnel as anyTunnel } from "../../unit/agent/health-evidence.ts";
import { allPlatforms, driverOf, placeOf, wayOf } from "../place.ts";
import { profile } from "../profiles.ts";
import { benchOf, buildRig, drive, type Rig } from "../rig.ts";
import { buildFarSide, driverWay } from "../site.ts";

/** A few looks at one router, oldest first, and what its link and tunnel should be. */
export interface Scene {
  readonly states: readonly DeviceState[];
  /** The probe right before each look; undefined = the platform sends none. */
  readonly probes: readonly LinkSnapshot["probe"][];
  readonly link: DesiredLink;
  readonly key: KeyRef;
  readonly peer: PeerState;
  readonly tunnel: DesiredTunnel;
}

/** The scenes that a platform can be in; absent = it cannot. */
export interface Scenes {
  readonly protected?: Scene;
  readonly drained?: Scene;
  readonly tunnel?: Scene;
}

export const lookEveryMs = 5_000;
const looks = 4;

/** All routers of vendors, the simulated one, and that with what a Linux host alone shows. */
export const places: readonly string[] = [...allPlatforms.map(([name]) => name), "sim", "Linux"];

/** Opens a router of the place on virtual time, and looks at it in each scene. */
export async function scenesOf(name: string): Promise<Scenes> {
  const { rig, open } = opened(name);
  const scenes = await drive(rig.clock, lookedAt(rig, open()));
  if (name !== "Linux") return scenes;
  return Object.fromEntries(
    Object.entries(scenes).map(([scene, one]: [string, Scene]) => [scene, asOnLinux(one)]),
  );
}

/** Returns whether the platform can be in that scene. */
export function isOffered(name: string, kind: keyof Scenes): boolean {
  const less = allPlatforms.find(([each]) => each === name)?.[1].less;
  if (kind === "tunnel") return less?.ipsec === undefined && offers(name, "ipsec");
  return less?.macsec === undefined;
}

function offers(name: string, what: "ipsec"): boolean {
  const platform = allPlatforms.find(([each]) => each === name)?.[1];
  return platform === undefined || driverOf(platform.vendor).offers[what] !== undefined;
}

export function opened(name: string): {
  readonly rig: Rig;
  readonly open: () => Promise<DeviceBench>;
} {
  const found = allPlatforms.find(([each]) => each === name);
  if (found === undefined) {
    const rig = buildRig(profile("everything"));
    const way = driverWay(rig, simulatedDialer(siteHandler(buildFarSide(rig).site)));
    return { rig, open: () => benchOf(rig, way) };
  }
  const place = placeOf(found[1]);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const channel: Dialer["channel"] = async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire));
  return { rig, open: () => benchOf(rig, wayOf(place, target, channel)) };
}

async function lookedAt(rig: Rig, opening: Promise<DeviceBench>): Promise<Scenes> {
  const bench = await opening;
  const [port] = bench.ports;
  const { macsec, drain, ipsec } = bench.device.capabilities;
  const key = macsec === undefined ? bench.newKey(anyShape) : await secure(bench, port);
  const scene = async (): Promise<Scene> => sceneOf(rig, key, wanted(bench), await looksAt(bench));
  const link = macsec === undefined ? {} : { protected: await scene() };
  const tunnel = await tunnelScene(bench, ipsec !== undefined, scene);
  const [means] = drain?.means ?? [];
  if (macsec === undefined || means === undefined) return { ...link, ...tunnel };
  await commit(bench, { kind: "port.drain", port, means });
  await bench.wait(30_000);
  return { ...link, ...tunnel, drained: await scene() };
}

const anyShape = { cakOctets: 32, cknOctets: 32 } as const;

async function tunnelScene(
  bench: DeviceBench,
  isOffered: boolean,
  scene: () => Promise<Scene>,
): Promise<Pick<Scenes, "tunnel">> {
  if (!isOffered) return {};
  await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
  await bench.wait(15_000);
  return { tunnel: withBgp(await scene()) };
}

/** Adds the BGP inside the tunnel, which the simulated gateway does not speak. */
function withBgp(scene: Scene): Scene {
  const { name } = scene.tunnel;
  const session = { tunnel: name, peer: "169.254.21.1", asn: 65_515, up: true };
  const states = scene.states.map((state): DeviceState => {
    const { routing, at } = state;
    if (routing.kind === "unknown") return state;
    return { ...state, routing: known({ ...routing.value, tunnelSessions: [session] }, at) };
  });
  const bgp = { local: "169.254.21.2", peer: session.peer, asn: session.asn };
  return { ...scene, states, tunnel: { ...scene.tunnel, bgp } };
}

/** One look, with a probe before it where the platform sends one. */
export interface Look {
  readonly probe: LinkSnapshot["probe"];
  readonly state: DeviceState;
}

async function looksAt(bench: DeviceBench): Promise<readonly Look[]> {
  const seen: Look[] = [];
  for (let look = 0; look < looks; look += 1) {
    await bench.wait(lookEveryMs);
    seen.push(await lookAt(bench));
  }
  return seen;
}

/** @throws LinksealError if the router does not answer */
export async function lookAt({ device, ports: [port], now }: DeviceBench): Promise<Look> {
  const begunAt = now();
  const answer = await device.probe?.(port, 3, never);
  const probe = answer && { begunAt, at: now(), ...answer };
  return { probe, state: await device.observe(never) };
}

export function sceneOf(
  rig: Rig,
  key: KeyRef,
  settings: DesiredLink["settings"],
  seen: readonly Look[],
): Scene {
  const device = rig.router.name;
  const { auth: _auth, backs: _backs, ...spec } = rig.tunnel;
  const { cakSecretId, cknSecretId } = key;
  return {
    ...{ states: seen.map(({ state }) => state), probes: seen.map(({ probe }) => probe) },
    link: { ...anyLink, device, port: rig.links[0].port, settings },
    key,
    peer: {
      pointsAt: { cakSecretId, cknSecretId },
      ...{ suite: settings.suite, sci: "on", admin: "up", provisioning: "settled" },
      ...{ revision: "1", operation: undefined },
    },
    tunnel: { ...anyTunnel, ...spec, device },
  };
}

/** Adds the readings that drivers of routers never have; the kernel tests hold their contents. */
export function asOnLinux(scene: Scene): Scene {
  const states = scene.states.map((state): DeviceState => {
    const { at, routing } = state;
    const macsec = state.macsec.map(
      (port): MacsecPort => ({
        ...port,
        failOpen: known([], at),
        keyAgreement: known("same", at),
      }),
    );
    const ways = routing.kind === "known" ? known(routing.value.routes, at) : routing;
    return { ...state, macsec, ways, blocked: known(scene.tunnel.remotePrefixes, at) };
  });
  return { ...scene, states };
}
