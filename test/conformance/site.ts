// The rig as a simulated site: reached by the driver, in this process or over a real socket.

import { drivers, simPeer, simVault } from "#drivers/index.ts";
import type { Device } from "#hal/device.ts";
import type { Dialer, Log, World } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import type { PeerBench, PeerTrouble, VaultBench } from "#sim/conformance/bench.ts";
import { openRouter } from "#sim/site/device-hal.ts";
import { type FarEndpoint, Msee } from "#sim/site/msee.ts";
import type { SiteBackend } from "#sim/site/protocol.ts";
import { SimVault } from "#sim/site/vault.ts";
import type { Rig, Way } from "./rig.ts";

const address = "unix:conformance";
const portId = "/subscriptions/s/expressRoutePorts/conformance";
const base = "https://conformance.vault.sim";

export interface FarSide {
  readonly site: SiteBackend;
  readonly msee: Msee;
  readonly vault: SimVault;
  /** Keys given to the hardware so far. */
  readonly programmed: { link1: number; link2: number };
}

export function buildFarSide(rig: Rig): FarSide {
  const { clock, prng } = rig;
  const vault = new SimVault({ clock, prng: prng.fork("vault"), base });
  const programmed = { link1: 0, link2: 0 };
  const hardware = (link: "link1" | "link2"): FarEndpoint => ({
    configure: () => undefined,
    putKey: () => {
      programmed[link] += 1;
    },
    removeKey: () => undefined,
    setAdmin: () => undefined,
  });
  const msee = new Msee({
    clock,
    prng: prng.fork("msee"),
    vault,
    name: portId,
    links: { link1: hardware("link1"), link2: hardware("link2") },
    delayMs: { low: 15_000, high: 40_000 },
  });
  const device = openRouter(rig.router);
  const site: SiteBackend = {
    clock,
    vault,
    device: (name) => (name === rig.router.name ? device : undefined),
    msee: (port) => (port === portId ? msee : undefined),
    speed: () => Number.POSITIVE_INFINITY,
  };
  return { site, msee, vault, programmed };
}

/** Counts exchanges and writes down what the site answered, but for the values of secrets. */
function listening(rig: Rig, inner: Dialer): { dial: Dialer; exchanges: () => number } {
  let exchanges = 0;
  const dial: Dialer = {
    ...inner,
    async http(request, signal) {
      exchanges += 1;
      const reply = await inner.http(request, signal);
      const holdsValue = /^\/vault\/.*\/[0-9a-f]{32}$/.test(request.path) && reply.status === 200;
      if (!holdsValue) rig.output.push(new TextDecoder().decode(reply.body));
      return reply;
    },
  };
  return { dial, exchanges: () => exchanges };
}

export function driverWay(rig: Rig, inner: Dialer, to = address): Way {
  const { dial, exchanges } = listening(rig, inner);
  const log: Log = {
    write: (level, code, text, fields) => {
      rig.output.push(`${level} ${code} ${text} ${JSON.stringify(fields)}`);
    },
  };
  const world: World = {
    clock: rig.clock,
    entropy: rig.prng.fork("world"),
    disk: new SimDisk({ clock: rig.clock, prng: rig.prng.fork("disk"), writeMs: 1 }),
    dial,
    log,
  };
  const { sim } = drivers;
  if (sim === undefined) throw new Error("there is no sim driver");
  const target = { device: rig.router.name, address: to };
  const open = (): Promise<Device> =>
    sim.open(target, world, () => undefined, new AbortController().signal);
  return { open, offers: sim.offers, exchanges };
}

export function peerBench(rig: Rig, far: FarSide, inner: Dialer, to = address): PeerBench {
  const { dial, exchanges } = listening(rig, inner);
  const names = { cak: "erd-1-cak", ckn: "erd-1-ckn" };
  const suite = "gcm-aes-xpn-256";
  const strike = (trouble: PeerTrouble, on: boolean): void => far.msee.setFault(trouble, on);
  return {
    peer: simPeer(dial, to, portId, "link1"),
    neighbour: simPeer(dial, to, portId, "link2"),
    troubles: new Set<PeerTrouble>(["fails", "throttled", "unreadable"]),
    strike: (trouble) => strike(trouble, true),
    heal: (trouble) => strike(trouble, false),
    newWant: () => ({ key: far.vault.generatePair(names, suite), suite, sci: "on", admin: "up" }),
    canaries: () => far.vault.secretsForOracle().map(({ bytes }) => bytes),
    say: (text) => {
      rig.output.push(text);
    },
    transcript: () => rig.output,
    wait: (ms) => rig.clock.pause(ms),
    exchanges,
    truth: () => ({
      hardware: far.msee.hardwareKey("link1"),
      programmed: far.programmed.link1,
      neighbourProgrammed: far.programmed.link2,
    }),
  };
}

export function vaultBench(rig: Rig, far: FarSide, inner: Dialer, to = address): VaultBench {
  const { dial, exchanges } = listening(rig, inner);
  return {
    vault: simVault(dial, to),
    troubles: new Set(["down", "denied"]),
    strike: (trouble) => far.vault.setFault(trouble, true),
    put: (name, value, state) => far.vault.put(name, value, { enabled: state === "enabled" }),
    strangerId: `${base}/secrets/conformance-cak/${"0".repeat(32)}`,
    say: (text) => {
      rig.output.push(text);
    },
    transcript: () => rig.output,
    exchanges,
  };
}
