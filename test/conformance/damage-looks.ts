// Looks at a router over real SSH whose answers are damaged on their way, and what they are judged
// by: two whole observations around each ten damaged ones.

import { deriveLinkHealth } from "#agent/health/health.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { Verdict } from "#agent/model/health.ts";
import { platforms as registry } from "#drivers/index.ts";
import { Shells } from "#drivers/transport/shell.ts";
import type { Device } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type DeviceState,
  type KeyRef,
  type PortName,
  strongValue,
  type WantedSettings,
} from "#hal/model.ts";
import type { Dialer } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import { commit, freshKey, never, prepare, secure, suiteOf, wanted } from "#sim/conformance/kit.ts";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { link as anyLink, tunnel as anyTunnel } from "../unit/agent/health-evidence.ts";
import { anyKey } from "../unit/kit/ssh-bench.ts";
import { Damage } from "./damage.ts";
import { healthier } from "./damage-judges.ts";
import { driverOf, type Place, type Platform, placeOf, wayOf } from "./place.ts";
import { benchOf, type Rig } from "./rig.ts";
import { Travel } from "./travel.ts";

interface Scene {
  readonly of: "link" | "tunnel";
  /** The verdict on the first link, or on the tunnel, by whole observations. */
  readonly verdict: Verdict;
  readonly make: (bench: DeviceBench, rig: Rig, key: KeyRef) => Promise<void>;
}

const raise = (bench: DeviceBench): Promise<void> =>
  commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });

/** States of a router; in most of them something is not healthy. */
const scenes: Readonly<Record<string, Scene>> = {
  protected: { of: "link", verdict: "protected", make: async () => undefined },
  "far end without a key": {
    of: "link",
    verdict: "down",
    make: async (bench) => bench.strike("farEndGone"),
  },
  "far end with another key": {
    of: "link",
    verdict: "down",
    make: async (bench) => bench.giveFarEnd(bench.ports[0], freshKey(bench), suiteOf(bench)),
  },
  "clear frames are let through": {
    of: "link",
    verdict: "unprotected",
    make: async (_bench, { router, links }) => {
      router.manualEdit((config) => {
        const port = config.ports.get(links[0].port);
        if (port?.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
      });
    },
  },
  "a port that is shut": {
    of: "link",
    verdict: "down",
    make: (bench) => commit(bench, { kind: "port.shut", port: bench.ports[0] }),
  },
  "a drained port without BFD, and a commit that waits": {
    of: "link",
    verdict: "protected",
    async make(bench) {
      const { commit: mode, drain } = bench.device.capabilities;
      const [port, other] = bench.ports;
      bench.strike("bfdOff");
      const [means] = drain?.means ?? [];
      if (means !== undefined) await commit(bench, { kind: "port.drain", port, means });
      if (mode.kind === "immediate") return;
      const waiting = await prepare(bench, [{ kind: "port.shut", port: other }]);
      await waiting.apply(3_600_000, never);
    },
  },
  "a tunnel that is up": { of: "tunnel", verdict: "protected", make: raise },
  "a tunnel that the gateway refuses": {
    of: "tunnel",
    verdict: "down",
    async make(bench, { router, tunnel }) {
      router.setGatewayPsk(tunnel.remoteAddress, new TextEncoder().encode("another"));
      await raise(bench);
    },
  },
  "a tunnel whose path is lost": {
    of: "tunnel",
    verdict: "down",
    async make(bench, { router }) {
      await raise(bench);
      await bench.wait(15_000);
      router.setTunnelPath(() => false);
      // Dead peer detection takes its time.
      await bench.wait(60_000);
    },
  },
  "a tunnel by which nothing returns": {
    of: "tunnel",
    verdict: "degraded",
    async make(bench, { router }) {
      await raise(bench);
      await bench.wait(15_000);
      for (const one of router.tunnels()) one.loseReturn();
    },
  },
};

/** The names of the scenes that a platform can be in. */
export function scenesOf({ vendor, less }: Platform): readonly string[] {
  const { macsec, ipsec } = driverOf(vendor).offers;
  const can = {
    link: macsec !== undefined && less.macsec === undefined,
    tunnel: ipsec !== undefined && less.ipsec === undefined,
  };
  return Object.keys(scenes).filter((name) => can[sceneOf(name).of]);
}

function sceneOf(name: string): Scene {
  const scene = scenes[name];
  if (scene === undefined) throw new RangeError(`no scene ${name}`);
  return scene;
}

/** What became of the looks in one scene. */
export interface Looked {
  readonly looks: number;
  /** Replies that were damaged. */
  readonly damaged: number;
  /** Looks that ended in an observation. */
  readonly read: number;
  /** Texts of the errors in which the others ended. */
  readonly errors: ReadonlySet<string>;
  /** Each with its scene, the number of its look, and the damaged replies. */
  readonly healthier: readonly string[];
}

const goodness: Readonly<Record<Verdict, number>> = {
  ...{ protected: 3, degraded: 2, unknown: 0, down: 1, unprotected: 0 },
};

/**
 * Evidence so short that a direction without frames is a finding, and looks so rare that whole
 * observations count whatever time damaged ones between them took.
 */
const settings = { pollMs: 3_600_000, staleAfterMs: 600_000, evidenceMs: 5_000 };

/** What the first port should have; absent key = it should have none. */
interface Wanted {
  readonly settings: WantedSettings;
  readonly key?: KeyRef;
}

type States = readonly [DeviceState, ...DeviceState[]];

const newestOf = (states: States): DeviceState => states.at(-1) ?? states[0];

function linkVerdict(port: PortName, target: Wanted, states: States): Verdict {
  const newest = newestOf(states);
  const { routing, at, device } = newest;
  const sessions = routing.kind === "known" ? routing.value.sessions : [];
  const own = sessions.filter((one) => one.port === port);
  const { verdict } = deriveLinkHealth({
    link: { ...anyLink, device, port, settings: target.settings },
    ...{ expected: target.key, settings, now: at },
    observations: states.flatMap(({ macsec }) => macsec.filter((one) => one.port === port)),
    device: { lastObservedAt: at, failing: undefined },
    ...{ probe: undefined, peer: undefined, farEndAt: undefined },
    bgp: own.length === 0 ? undefined : own.every(({ up }) => up) ? "up" : "down",
  });
  return verdict;
}

function tunnelVerdict({ tunnel }: Rig, states: States): Verdict {
  const { device, at, routing, ways, blocked, opened } = newestOf(states);
  const { auth: _auth, backs: _backs, ...spec } = tunnel;
  const { verdict } = deriveTunnelHealth({
    tunnel: { ...anyTunnel, ...spec, device },
    ...{ settings, now: at, routing, ways, blocked, opened },
    observations: states.flatMap(({ ipsec }) => ipsec.filter(({ name }) => name === tunnel.name)),
    device: { lastObservedAt: at, failing: undefined },
  });
  return verdict;
}

/** Verdicts on both ports and the tunnel, by their names. */
function verdictsOf({ rig }: Place, target: Wanted, states: States) {
  const [first, second] = rig.links;
  return {
    [first.port]: linkVerdict(first.port, target, states),
    [second.port]: linkVerdict(second.port, { settings: target.settings }, states),
    [rig.tunnel.name]: tunnelVerdict(rig, states),
  };
}

type Truth = readonly [before: DeviceState, after: DeviceState];

/** Compares verdicts with a damaged observation at the end, at the beginning and between. */
function betterVerdict(
  place: Place,
  target: Wanted,
  one: DeviceState,
  [before, after]: Truth,
): string | undefined {
  const truth = verdictsOf(place, target, [before, after]);
  // After one that lacks SAs, those of the router itself are new ones.
  const has = ({ ipsec }: DeviceState, way: "in" | "out"): boolean =>
    ipsec.some(({ sas }) => strongValue(sas)?.some(({ direction }) => direction === way));
  const isLacking = (["in", "out"] as const).some((way) => has(after, way) && !has(one, way));
  const first: readonly States[] = isLacking ? [] : [[one, after]];
  // Without the tunnel itself the newest observation of it is the router's own.
  const isThere = after.ipsec.length <= one.ipsec.length;
  const last: readonly States[] = isThere ? [[before, one]] : [];
  for (const states of [...first, ...last, [before, one, after]] satisfies States[]) {
    for (const [about, verdict] of Object.entries(verdictsOf(place, target, states))) {
      const own = truth[about] ?? "unknown";
      if (goodness[verdict] > goodness[own]) return `${about}: ${verdict}, and not ${own}`;
    }
  }
  return undefined;
}

/** Damages answers between `begin` and `end`. */
export interface Damager extends Pick<Damage, "done" | "replies" | "config"> {
  readonly begin: () => void | Promise<void>;
  readonly end: () => void | Promise<void>;
}

/** What is between a router and its driver. */
export interface Middle {
  readonly damage: Damager;
  /** Returns a way to the router; absent = its own one. */
  readonly over?: Damage["over"];
  /** Returns where the driver finds the router; absent = where it is served. */
  readonly front?: (server: SshServed) => Promise<Pick<SshServed, "port" | "hostKey">>;
}

interface Stage {
  readonly name: string;
  readonly place: Place;
  readonly bench: DeviceBench;
  readonly damage: Damager;
  readonly travel: Travel;
}

/** A damaged observation. */
interface Damaged extends Pick<Damager, "replies" | "config"> {
  readonly state: DeviceState;
  readonly look: number;
}

async function lookedAt(
  { name, place, bench, damage, travel }: Stage,
  most: number,
): Promise<Looked> {
  const { device } = bench;
  const hasMacsec = device.capabilities.macsec !== undefined;
  const key = hasMacsec ? await secure(bench, bench.ports[0]) : undefined;
  const target: Wanted = { settings: wanted(bench), ...(key && { key }) };
  const scene = sceneOf(name);
  const subject = scene.of === "link" ? bench.ports[0] : place.rig.tunnel.name;
  await scene.make(bench, place.rig, key ?? freshKey(bench));
  await bench.wait(15_000);
  const found: string[] = [];
  const errors = new Set<string>();
  let [looks, read] = [0, 0];
  while (looks < most) {
    const before = await device.observe(never);
    await bench.wait(5_000);
    const states: Damaged[] = [];
    for (let turn = 0; turn < 10 && looks < most; turn += 1) {
      looks += 1;
      await travel.aside(() => damage.begin());
      const state = await stateOf(device);
      await travel.aside(() => damage.end());
      const { replies, config } = damage;
      if (state instanceof LinksealError) errors.add(state.message);
      else states.push({ state, look: looks, replies, config });
    }
    await bench.wait(5_000);
    const after = await device.observe(never);
    read += states.length;
    const truth = verdictsOf(place, target, [before, after])[subject];
    if (truth !== scene.verdict) throw new Error(`${name}: ${subject} is ${truth} by itself`);
    for (const { state, look, replies, config } of states) {
      const why =
        healthier(state, { before, after }, config) ??
        betterVerdict(place, target, state, [before, after]);
      if (why !== undefined) found.push([`${name}, look ${look}: ${why}`, ...replies].join("\n"));
    }
  }
  return { looks, damaged: damage.done, read, errors, healthier: found };
}

/** Returns a typed error; any other one fails the test. */
async function stateOf(device: Device): Promise<DeviceState | LinksealError> {
  try {
    return await device.observe(never);
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
}

/** Damage at the router itself. */
function inside(seed: string): Middle {
  const damage = new Damage(new Prng(`${seed} over SSH`));
  return { damage, over: (connect) => damage.over(connect) };
}

/** Looks at a router of the platform in one scene, over real SSH. */
export async function lookOverSsh(
  platform: Platform,
  name: string,
  seed: string,
  looks: number,
  { damage, over, front }: Middle = inside(`${seed} ${name}`),
): Promise<Looked> {
  const place = placeOf(platform, `${seed} ${name}`);
  const { rig, emulator } = place;
  const travel = new Travel();
  const own: Parameters<Damage["over"]>[0] = (wire) => emulator.connect(wire);
  const connect = travel.routerEnd(over?.(own) ?? own);
  const { channel } = registry[platform.vendor].access;
  const server = await serveSsh({ port: 0, channel, connect });
  await using shells = new Shells(anyKey);
  const { port, hostKey } = (await front?.(server)) ?? server;
  const ssh = { user: "linkseal", port, key: "file:/key", hostKey };
  const target = { device: rig.router.name, address: "127.0.0.1", ssh };
  const dial: Dialer["channel"] = (to, kind, signal) =>
    travel.open(() => shells.channel(to, kind, signal));
  const pace = paceClock(rig.clock, { speed: Number.POSITIVE_INFINITY, hold: travel.hold });
  try {
    const bench = await benchOf(rig, wayOf(place, target, dial));
    return await lookedAt({ name, place, bench, damage, travel }, looks);
  } finally {
    await pace.stop();
    await server.close();
  }
}
