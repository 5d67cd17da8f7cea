// Worlds in which something happens to a router on which claims hold, and what is true there: a
// claim whose facts all hold while it is false lacks a fact.

import { LinksealError } from "#hal/error.ts";
import type { Prng } from "#sim/base/prng.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import { commit, freshKey, never, prepare, secure, suiteOf, wanted } from "#sim/conformance/kit.ts";
import type { PortConfig } from "#sim/router/router-config.ts";
import { otherKey } from "../../unit/agent/health-evidence.ts";
import { drive, type Rig } from "../rig.ts";
import { type Case, cases, framesOf, type RouterClaim, routerClaims } from "./cases.ts";
import {
  asOnLinux,
  type Look,
  lookAt,
  lookEveryMs,
  opened,
  type Scene,
  type Scenes,
  sceneOf,
} from "./scenes.ts";
import { nowOf } from "./subtractions.ts";

interface Stage {
  readonly rig: Rig;
  readonly bench: DeviceBench;
}

/** Something that happens to the first link, to its router or to the tunnel. */
type Turn = (stage: Stage) => void | Promise<void>;

function edited(change: (port: PortConfig) => void): Turn {
  return ({ rig: { router, links } }) =>
    router.manualEdit(({ ports }) => {
      const port = ports.get(links[0].port);
      if (port !== undefined) change(port);
    });
}

/** What happens, by what is known of it outside: faults, people, other programs, time. */
export const turns: Readonly<Record<string, Turn>> = {
  "the far end sends readable frames": ({ rig }) =>
    rig.links[0].far.setFault("integrityOnly", true),
  "frames of the router vanish behind the far end's port": ({ rig }) =>
    rig.links[0].fibre.setSwallows(true),
  "the fibre is cut": ({ rig }) => rig.links[0].fibre.setUp(false),
  "the far end sends no MKPDU": ({ rig }) => rig.links[0].far.setFault("silent", true),
  "the far end sends under a SAK of before": ({ rig }) =>
    rig.links[0].far.setFault("staleSak", true),
  "the far end gets another key": ({ bench }) =>
    bench.giveFarEnd(bench.ports[0], freshKey(bench), suiteOf(bench)),
  "the far end loses its key": ({ bench }) => bench.strike("farEndGone"),
  "a person lets clear frames pass": edited((port) => {
    if (port.macsec !== undefined) port.macsec = { ...port.macsec, policy: "shouldSecure" };
  }),
  "a person removes the keys": edited((port) => {
    port.keys = [];
  }),
  "a person switches MACsec off": edited((port) => {
    port.macsec = undefined;
    port.keys = [];
  }),
  "a person ends the drain": edited((port) => {
    port.drain = undefined;
  }),
  "a person drains the link": edited((port) => {
    port.drain = "peeringShutdown";
  }),
  "a person shuts the port": edited((port) => {
    port.admin = "down";
  }),
  "a change waits at the router": async ({ bench }) => {
    if (bench.device.capabilities.commit.kind === "immediate") return;
    const waiting = await prepare(bench, [{ kind: "port.shut", port: bench.ports[1] }]);
    await waiting.apply(3_600_000, never);
  },
  "the router boots": ({ rig }) => rig.router.reboot(),
  "counters stand still": ({ rig }) => rig.router.setFault("frozenCounters", true),
  "counters begin anew": ({ rig }) => rig.links[0].edge.resetCounters(),
  "nothing returns by the tunnel": ({ rig }) => {
    for (const one of rig.router.tunnels()) one.loseReturn();
  },
  "nothing arrives by the tunnel": ({ rig }) => {
    for (const one of rig.router.tunnels()) one.loseSent();
  },
  "the way of the tunnel is lost": ({ rig }) => rig.router.setTunnelPath(() => false),
  "a route past the tunnel is learned": ({ rig: { router, tunnel } }) =>
    router.advertise(tunnel.remotePrefixes[0] ?? "", "announce"),
  "a route to this side is sent past the tunnel": ({ rig: { router, tunnel } }) =>
    router.advertiseOwn(tunnel.localPrefixes[0] ?? "", "announce"),
};

/**
 * Claims that are made of a world and are false, because no reading of a router can tell: what is
 * sent arrives is a claim of its own, and a round trip alone shows it.
 */
const unseenThere: Readonly<Record<string, readonly RouterClaim[]>> = {
  "frames of the router vanish behind the far end's port": [
    "link-carries",
    "carries-again",
    "key-proven",
  ],
  // With BGP inside it, its hold time tells; this tunnel has none.
  "nothing arrives by the tunnel": ["tunnel-up", "tunnel-carries"],
  "nothing returns by the tunnel": ["tunnel-up", "tunnel-carries"],
};

/** What was on the wire, and in the tunnel, up to a moment. */
interface Wire {
  readonly clear: bigint;
  readonly clearOut: bigint;
  readonly readableIn: bigint;
  readonly protectedIn: bigint;
  readonly protectedOut: bigint;
}

function wireOf({ links }: Rig): Wire {
  const { a2b, b2a } = links[0].fibre.truth();
  return {
    clear: a2b.clearOnWire + b2a.clearOnWire,
    clearOut: a2b.clearOnWire + a2b.readableOnWire,
    readableIn: b2a.readableOnWire,
    protectedIn: b2a.protectedOnWire + b2a.readableOnWire,
    protectedOut: a2b.protectedOnWire,
  };
}

/** What is true of the router now, since the wire was looked at. */
interface Truth {
  readonly rig: Rig;
  readonly scene: Scene;
  readonly before: Wire;
}

const same = ({ rig, before }: Truth, ...names: (keyof Wire)[]): boolean => {
  const now = wireOf(rig);
  return names.every((name) => now[name] === before[name]);
};

const isMustSecure = (truth: Truth): boolean =>
  truth.rig.links[0].edge.settings()?.policy === "mustSecure" && same(truth, "clearOut");

/** Frames that were only authenticated; where no counter tells them apart, no claim is made. */
const isUnreadable = (truth: Truth): boolean =>
  framesOf(truth.scene)?.rxOctetsDecrypted === undefined || same(truth, "readableIn");

/** Whether the link would deliver now, by light, MACsec and routing. */
function carries({ rig: { router, links } }: Truth): boolean {
  const { port, fibre } = links[0];
  return fibre.carries() && router.bgpUp(port) && !router.drained(port);
}

const holdsKey = ({ rig: { links }, scene: { key } }: Truth): boolean =>
  links[0].edge.session().principalCkn === key.ckn;

const tunnelUp = ({ rig: { router, tunnel } }: Truth): boolean =>
  router.tunnels().some((one) => one.spec.name === tunnel.name && one.up());

/** What the simulation knows of each claim. */
const truths: Readonly<Record<RouterClaim, (truth: Truth) => boolean>> = {
  "must-secure": isMustSecure,
  "link-protected": (truth) =>
    isMustSecure(truth) && holdsKey(truth) && same(truth, "clear") && isUnreadable(truth),
  "received-encrypted": (truth) => same(truth, "clear", "readableIn"),
  "sent-encrypted": (truth) => same(truth, "clearOut"),
  "link-drained": ({ rig: { router, links } }) => router.drained(links[0].port),
  "link-carries": (truth) => carries(truth) && !truth.rig.router.commits.pending(),
  "carries-again": carries,
  "key-proven": (truth) => holdsKey(truth) && truth.rig.links[0].fibre.carries(),
  "tunnel-up": tunnelUp,
  "tunnel-carries": tunnelUp,
  "tunnel-protected": ({ rig: { router, tunnel } }) => !router.clearPath(tunnel.name),
  "block-in-place": () => true,
  "commit-confirmed": ({ rig: { router } }) => !router.commits.pending(),
  "key-removed": ({ rig: { links } }) =>
    links[0].edge.keys().every(({ ckn }) => ckn !== otherKey.ckn),
};

/** A claim that was made of a world in which it was false. */
interface Counter {
  readonly claim: RouterClaim;
  readonly turns: readonly string[];
}

/** One world: what was claimed there, and what of that was false. */
export interface Lived {
  readonly claimed: number;
  readonly counters: readonly Counter[];
}

/** The same, on a platform whose counters do not tell frames apart that were not encrypted. */
export function withoutOctets(scene: Scene): Scene {
  const states = scene.states.map((state) => ({
    ...state,
    macsec: state.macsec.map(({ frames, ...port }) => {
      if (frames.kind === "unknown") return { ...port, frames };
      const {
        rxOctetsValidated: _validated,
        rxOctetsDecrypted: _decrypted,
        ...rest
      } = frames.value;
      return { ...port, frames: { ...frames, value: rest } };
    }),
  }));
  return { ...scene, states };
}

/** Draws some turns, and judges each claim at the end by what the router says then. */
export async function lived(
  place: string,
  kind: keyof Scenes,
  drawn: readonly string[],
  prng: Prng,
  table: { readonly [C in RouterClaim]: Case<C> } = cases,
): Promise<Lived> {
  const { rig, open } = opened(place);
  return await drive(rig.clock, livedIn(place, { rig, open, kind, drawn, prng, table }));
}

interface Plan {
  readonly rig: Rig;
  readonly open: () => Promise<DeviceBench>;
  readonly kind: keyof Scenes;
  readonly drawn: readonly string[];
  readonly prng: Prng;
  readonly table: { readonly [C in RouterClaim]: Case<C> };
}

async function livedIn(place: string, plan: Plan): Promise<Lived> {
  const { rig, kind, drawn, prng, table } = plan;
  const bench = await plan.open();
  const { macsec } = bench.device.capabilities;
  const [port] = bench.ports;
  const key = macsec === undefined ? freshKey(bench) : await secure(bench, port);
  await begin(bench, kind);
  const seen: Look[] = [];
  const wires: Wire[] = [];
  const look = async (): Promise<void> => {
    await bench.wait(lookEveryMs);
    const wire = wireOf(rig);
    const one = await lookAt(bench).catch(unreached);
    // A router that boots is looked at again: what is judged is a look.
    if (one === undefined) return await look();
    wires.push(wire);
    seen.push(one);
  };
  for (let turn = 0; turn < 3; turn += 1) await look();
  for (const name of drawn) {
    await bench.wait(prng.between(0, lookEveryMs));
    // While the router boots, no operator reaches it.
    await Promise.resolve(turns[name]?.({ rig, bench })).catch(unreached);
    if (prng.chance(0.5)) await look();
  }
  // IKE asks a silent gateway five times (RFC 7296, 2.4).
  if (kind === "tunnel") await bench.wait(75_000);
  // MKA gives a silent peer up after 6 s (IEEE 802.1X-2020, 9.6), and BGP here after 9 s.
  for (let turn = 0; turn < 4; turn += 1) await look();
  const shown = sceneOf(rig, key, wanted(bench), seen.slice(-4));
  const scene = place === "Linux" ? asOnLinux(shown) : shown;
  // A claim about a window is one about all of it; the look before the newest begins the shortest.
  const truth: Truth = { rig, scene, before: wires.at(-1) ?? wireOf(rig) };
  const made = routerClaims.filter((claim) => {
    const one: Case<typeof claim> = table[claim];
    return one.scene === kind && one.isOpen?.(scene) !== false && one.holds(scene, nowOf(scene));
  });
  const unseen = new Set(drawn.flatMap((name) => unseenThere[name] ?? []));
  const wrong = made.filter((claim) => !truths[claim](truth) && !unseen.has(claim));
  return { claimed: made.length, counters: wrong.map((claim) => ({ claim, turns: drawn })) };
}

function unreached(error: unknown): undefined {
  if (!(error instanceof LinksealError)) throw error;
}

async function begin(bench: DeviceBench, kind: keyof Scenes): Promise<void> {
  const [port] = bench.ports;
  const { drain } = bench.device.capabilities;
  const [means] = drain?.means ?? [];
  if (kind === "drained" && means !== undefined)
    await commit(bench, { kind: "port.drain", port, means });
  if (kind === "tunnel") await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
  await bench.wait(30_000);
}
