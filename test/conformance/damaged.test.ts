// Routers of each vendor whose answers are damaged on their way: what the driver reports may be
// unknown, or a typed error. It must never be healthier than what the router itself reports.

import { afterAll, describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { Verdict } from "#agent/model/health.ts";
import { channelTo } from "#agent/simulation/emulator-channel.ts";
import { platforms as registry } from "#drivers/index.ts";
import { Shells } from "#drivers/transport/shell.ts";
import type { DeviceBench } from "#hal/conformance/bench.ts";
import { commit, freshKey, secure, suiteOf } from "#hal/conformance/kit.ts";
import type { Device } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, KeyRef, MacsecPort, Reading, Routing } from "#hal/model.ts";
import type { Dialer } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { paceClock } from "#sim/serve/site.ts";
import { serveSsh } from "#sim/serve/ssh.ts";
import { effort } from "../effort.ts";
import { link as anyLink } from "../unit/agent/health-evidence.ts";
import { fewerErrors, grown, healthierMka } from "../unit/drivers/dirty-judges.ts";
import { anyKey } from "../unit/kit/ssh-bench.ts";
import { Damage } from "./damage.ts";
import { type Place, type Platform, placeOf, platforms, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";
import { Travel } from "./travel.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "damage";
const never = new AbortController().signal;

const knownOf = <T>(reading: Reading<T>): T | undefined =>
  reading.kind === "known" ? reading.value : undefined;

/** States of a port; each but the first is not healthy. */
const scenes: Readonly<
  Record<string, (bench: DeviceBench, place: Place, key: KeyRef) => Promise<void>>
> = {
  protected: async () => undefined,
  "far end without a key": async (bench) => bench.strike("farEndGone"),
  "far end with another key": async (bench) => {
    bench.giveFarEnd(bench.ports[0], freshKey(bench), suiteOf(bench));
  },
  "clear frames are let through": async (_bench, { rig }) => {
    rig.router.manualEdit((config) => {
      const port = config.ports.get(rig.links[0].port);
      if (port?.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
    });
  },
  "a port that is shut": async (bench) => {
    await commit(bench, { kind: "port.shut", port: bench.ports[0] });
  },
};

interface Looked {
  readonly looks: number;
  readonly damaged: number;
  readonly read: number;
  readonly errors: ReadonlySet<string>;
  readonly healthier: readonly string[];
}

const goodness: Readonly<Record<Verdict, number>> = {
  ...{ protected: 2, degraded: 1, unknown: 0, down: 0, unprotected: 0 },
};

/** The verdict on the first port from an observation and a later one. */
function verdictOf(place: Place, key: KeyRef, before: DeviceState, state: DeviceState): Verdict {
  const [{ port }] = place.rig.links;
  const portIn = ({ macsec }: DeviceState): readonly MacsecPort[] =>
    macsec.filter((one) => one.port === port);
  const { verdict } = deriveLinkHealth({
    link: { ...anyLink, device: state.device, port },
    expected: key,
    settings: { pollMs: 5_000, staleAfterMs: 600_000, evidenceMs: 600_000 },
    now: state.at,
    observations: [...portIn(before), ...portIn(state)],
    device: { lastObservedAt: state.at, failing: undefined },
    probe: undefined,
    peer: undefined,
  });
  return verdict;
}

/** `before`, `after`: what the router itself reported around the damaged observation. */
function healthierPort(one: MacsecPort, before: MacsecPort, after: MacsecPort): string | undefined {
  const [own, session] = [knownOf(after.session), knownOf(one.session)];
  const mka =
    own === undefined || session === undefined
      ? undefined
      : healthierMka(new Map([[one.port, session]]), new Map([[one.port, own]]));
  if (mka !== undefined) return mka;
  if (knownOf(one.linkUp) === true && knownOf(after.linkUp) === false) return "its link is up";
  const [settings, ownSettings] = [knownOf(one.settings), knownOf(after.settings)];
  const isSecure = settings?.policy === "mustSecure" && after.settings.kind === "known";
  if (isSecure && ownSettings?.policy !== "mustSecure") return "it is must-secure";
  const [frames, first, last] = [one.frames, before.frames, after.frames].map(knownOf);
  if (frames === undefined || first === undefined || last === undefined) return undefined;
  const errors = (from: typeof frames) =>
    [from.txClear, from.rxClear, from.rxNotValid, from.rxBadTag, from.rxLate].map((count) => count);
  return (
    grown(frames.txProtected, last.txProtected, "protected frames sent") ??
    grown(frames.rxOk, last.rxOk, "protected frames received") ??
    fewerErrors(errors(frames), errors(first))
  );
}

/** `truths`: before and after; a session that ended in between was up when it was observed. */
function healthierRouting(
  one: Routing,
  own: Routing,
  truths: readonly Routing[],
): string | undefined {
  for (const { port, peer, up } of one.sessions) {
    const real = truths.flatMap(({ sessions }) =>
      sessions.filter((each) => each.port === port && each.peer === peer),
    );
    if (up && real.length > 0 && real.every((each) => !each.up)) return "BGP is up";
  }
  const routes = ({ routes: all }: Routing): number => all.length;
  // Without the session nothing is proven about its routes.
  const isWhole = one.sessions.length >= own.sessions.length;
  if (isWhole && routes(one) < routes(own))
    return `${routes(one)} routes of ${routes(own)}: it looks drained`;
  return one.drains.length > own.drains.length ? "a drain" : undefined;
}

function healthier(one: DeviceState, before: DeviceState, after: DeviceState): string | undefined {
  for (const own of after.macsec) {
    const [read, first] = [one, before].map(({ macsec }) =>
      macsec.find(({ port }) => port === own.port),
    );
    const why = read && first && healthierPort(read, first, own);
    if (why !== undefined) return `${own.port}: ${why}`;
  }
  const [routing, ownRouting] = [knownOf(one.routing), knownOf(after.routing)];
  const truths = [before, after].flatMap(({ routing: own }) => knownOf(own) ?? []);
  return routing && ownRouting && healthierRouting(routing, ownRouting, truths);
}

/** Looks from a place in one scene: two whole observations around each ten damaged ones. */
async function lookedAt(
  name: string,
  place: Place,
  bench: DeviceBench,
  damage: Damage,
  wantedLooks: number,
): Promise<Looked> {
  const [port] = bench.ports;
  const key = await secure(bench, port);
  await scenes[name]?.(bench, place, key);
  await bench.wait(15_000);
  const { device } = bench;
  const healthierOnes: string[] = [];
  let [looks, read] = [0, 0];
  const errors = new Set<string>();
  while (looks < wantedLooks) {
    const before = await device.observe(never);
    await bench.wait(5_000);
    const states: { readonly state: DeviceState; readonly replies: readonly string[] }[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      looks += 1;
      damage.begin();
      const state = await stateOf(device);
      damage.end();
      if (state instanceof LinksealError) errors.add(state.message);
      else states.push({ state, replies: damage.replies });
    }
    await bench.wait(5_000);
    const after = await device.observe(never);
    const truth = verdictOf(place, key, before, after);
    read += states.length;
    for (const { state, replies } of states) {
      const verdict = verdictOf(place, key, before, state);
      const isBetter = goodness[verdict] > goodness[truth];
      const why = isBetter ? `${verdict}, and not ${truth}` : healthier(state, before, after);
      if (why !== undefined) healthierOnes.push([`${name}: ${why}`, ...replies].join("\n"));
    }
  }
  return { looks, damaged: damage.done, read, errors, healthier: healthierOnes };
}

/** Returns a typed error; any other error fails the test. */
async function stateOf(device: Device): Promise<DeviceState | LinksealError> {
  try {
    return await device.observe(never);
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
}

async function inMemory(platform: Platform, scene: string, looks: number): Promise<Looked> {
  const place = placeOf(platform, `${seed} ${scene}`);
  const { rig, emulator } = place;
  const damage = new Damage(new Prng(`${seed} ${scene}`));
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const connect = damage.over((wire) => emulator.connect(wire));
  const way = wayOf(place, target, async (to) => channelTo(to.device, connect));
  const bench = await drive(rig.clock, benchOf(rig, way));
  return await drive(rig.clock, lookedAt(scene, place, bench, damage, looks));
}

async function overSsh(platform: Platform, scene: string, looks: number): Promise<Looked> {
  const place = placeOf(platform, `${seed} ${scene}`);
  const { rig, emulator } = place;
  const damage = new Damage(new Prng(`${seed} ${scene} over SSH`));
  const travel = new Travel();
  const damaged = damage.over((wire) => emulator.connect(wire));
  const connect = travel.routerEnd(damaged);
  const { channel } = registry[platform.vendor].access;
  const server = await serveSsh({ port: 0, channel, connect });
  await using shells = new Shells(anyKey);
  const { port, hostKey } = server;
  const ssh = { user: "linkseal", port, key: "file:/key", hostKey };
  const target = { device: rig.router.name, address: "127.0.0.1", ssh };
  const dial: Dialer["channel"] = (to, kind, signal) =>
    travel.open(() => shells.channel(to, kind, signal));
  const pace = paceClock(rig.clock, { speed: Number.POSITIVE_INFINITY, hold: travel.hold });
  try {
    const bench = await benchOf(rig, wayOf(place, target, dial));
    return await lookedAt(scene, place, bench, damage, looks);
  } finally {
    await pace.stop();
    await server.close();
  }
}

/** One of each vendor. */
const tried = [
  "7280CR3MK 4.30.5M",
  "C8500-12X4QC 17.15.1",
  "8201-32FH 7.11.2",
  "C9336C-FX2 9.3.6",
  "ptx10008 23.4R2",
] as const;

describe("a router whose answers are damaged", () => {
  const rows: string[] = [];
  afterAll(() => console.log(`damaged answers, LINKSEAL_SEED=${seed}\n${rows.join("\n")}`));

  const ways = [
    { over: "in memory", look: inMemory, looks: effort(20, 500) },
    { over: "over SSH", look: overSsh, looks: effort(10, 50) },
  ] as const;

  it.each(tried.flatMap((name) => ways.map((way) => ({ name, ...way }))))(
    "a router $name $over whose answers are damaged is never healthier than the truth",
    { timeout: 3_600_000 },
    async ({ name, over, look, looks }) => {
      const all: Looked[] = [];
      for (const scene of Object.keys(scenes)) all.push(await look(platforms[name], scene, looks));
      const sum = (of: (one: Looked) => number): number => all.reduce((n, one) => n + of(one), 0);
      const [sent, read] = [sum((one) => one.looks), sum((one) => one.read)];
      const damaged = sum((one) => one.damaged);
      const errors = new Set(all.flatMap((one) => [...one.errors]));
      rows.push(
        `${name} ${over}: ${sent} observations, ${damaged} replies damaged, ${read} read, ` +
          `${errors.size} kinds of errors`,
      );
      expect(all.flatMap((one) => one.healthier)).toEqual([]);
      // Else all of it ended in errors, and nothing was compared.
      expect(read).toBeGreaterThan(sent / 2);
      expect(damaged).toBeGreaterThan(sent / 2);
    },
  );
});
