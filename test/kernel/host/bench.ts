// The bench of the conformance cases over a real kernel: the truth comes from `ip` and from FRR's
// own output.

import { readFileSync } from "node:fs";
import { linux } from "#drivers/linux/driver/linux.ts";
import { caKeys } from "#drivers/linux/mka/keys.ts";
import type { BgpPort } from "#drivers/linux/routing/frr.ts";
import type { Device } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { DeviceBench, DeviceTruth, PortTruth, Trouble } from "#sim/conformance/bench.ts";
import type { WireWatch } from "../../lab/wire.ts";
import type { PacedClock } from "./clock.ts";
import type { FarEnd } from "./far-end.ts";
import type { Host, HostTrouble } from "./host.ts";
import { type Pair, type } from "./router.ts";
import type { NetworkTruth, SecyTruth, Truths } from "./secy-truth.ts";

export interface BenchParts {
  readonly pair: Pair;
  readonly host: Host;
  readonly clock: PacedClock;
  readonly device: Device;
  /** Current traffic of each port. */
  readonly rates: Rates;
  readonly farEnd: FarEnd;
  /** Truth of the edge and of the far end. */
  readonly truths: Truths;
  /** Frames that arrive at both ends, by port. */
  readonly wires: ReadonlyMap<PortName, readonly WireWatch[]>;
  readonly hasRouting: boolean;
}

const tunnel = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.9",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk" as const, secretId: "https://conformance.example/secrets/hub-1-psk/1" },
};

/** FRR's output may be this old, in ms: the cases about traffic wait for seconds. */
const freshMs = 500;
/** The kernel's output may be this old, in ms. */
const briefMs = 5;
/** Packets that BGP itself sends do not count as data. */
const chatterPps = 20;

export function benchOf(parts: BenchParts): DeviceBench {
  const { pair, host, clock, device, farEnd } = parts;
  const keys = new Map([[tunnel.auth.secretId, crypto.getRandomValues(new Uint8Array(24))]]);
  const octetsOf = (id: string) => Uint8Array.from(keys.get(id) ?? new Uint8Array(32));
  let effects = 0;
  let moment = momentOf(parts);
  let last = runningOf(parts, moment);
  const ports = pair.ports.map(({ port }) => port) as [PortName, PortName];
  return {
    device,
    offers: linux.offers,
    ports,
    ...{ tunnel, gateway: true },
    routes: { known: { address: "192.0.2.6", port: ports[1] }, unknown: "192.0.2.99" },
    troubles: new Set<Trouble>(["replyLost", "unreachable", "unparsed", "farEndGone"]),
    strike: (trouble) => {
      if (trouble === "farEndGone") farEnd.leave(ports[0]);
      else host.troubles.add(trouble as HostTrouble);
    },
    heal: (trouble) => host.troubles.delete(trouble as HostTrouble),
    second: () => host.device(),
    probePackets: 200,
    newKey({ cakOctets, cknOctets }) {
      const bytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
      const ckn = parseCkn(Buffer.from(bytes(cknOctets)).toString("hex"));
      const id = `https://conformance.example/secrets/cak/${keys.size + 1}`;
      keys.set(id, bytes(cakOctets));
      if (ckn === undefined) throw new RangeError(`no CKN of ${cknOctets} octets`);
      return { ckn, cakSecretId: id, cknSecretId: id.replace("cak", "ckn") };
    },
    keys: async (ref) => {
      const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
      return Secret.take(ref.kind, octetsOf(id));
    },
    canaries: () => [...keys.values()],
    holds: (port, { ckn, cakSecretId }) => {
      const held = host.agreementOf(port)?.keys.find((one) => one.ckn === ckn);
      using cak = Secret.take("cak", octetsOf(cakSecretId));
      return held !== undefined && caKeys(cak, ckn).ick.equals(held.ick);
    },
    giveFarEnd: (port, { ckn, cakSecretId }, suite) =>
      farEnd.give(port, { ckn, cak: octetsOf(cakSecretId) }, suite),
    say: (text) => {
      host.output.push(text);
    },
    transcript: () => host.output,
    now: () => clock.now(),
    wait: (ms) => clock.sleep(Math.max(0, ms)),
    exchanges: () => host.exchanges,
    truth() {
      const isYoung = performance.now() - moment.at < (parts.hasRouting ? freshMs : briefMs);
      // In a machine where programs take no virtual time, the moment before a change has the age of
      // the one after it.
      if (!isYoung || moment.exchanges !== host.exchanges) moment = momentOf(parts);
      const now = runningOf(parts, moment);
      if (now !== last) effects += 1;
      last = now;
      return truthOf(parts, moment, effects);
    },
  };
}

interface Neighbour {
  readonly bgpState?: string;
}

/**
 * Everything that the truth is made of, read at one moment: in an emulator each program takes long.
 */
interface Moment {
  readonly at: number;
  /** The number of exchanges with the host until then. */
  readonly exchanges: number;
  readonly links: NetworkTruth["links"];
  readonly secys: NetworkTruth["secys"];
  readonly farSecys: NetworkTruth["secys"];
  readonly config: string;
  readonly neighbours: Readonly<Record<string, Neighbour>>;
}

function momentOf({ hasRouting, truths, host, pair: { edge } }: BenchParts): Moment {
  const [near, beyond] = truths.read();
  if (near === undefined || beyond === undefined) throw new Error("a link has two ends");
  const { links, secys } = near;
  const farSecys = beyond.secys;
  const at = performance.now();
  const kernel = { at, exchanges: host.exchanges, links, secys, farSecys };
  if (!hasRouting) return { ...kernel, config: "", neighbours: {} };
  const mark = "\nend\n";
  const output = type(edge, "show running-config", "show bgp neighbors json");
  const end = output.indexOf(mark) + mark.length;
  const neighbours = JSON.parse(output.slice(end)) as Moment["neighbours"];
  return { ...kernel, config: output.slice(0, end), neighbours };
}

function linkOf({ links }: Moment, port: PortName) {
  return links.find(({ name }) => name === port);
}

/**
 * Returns the state that a commit can change: ports, SecYs and their keys, and FRR's configuration.
 */
function runningOf(parts: BenchParts, moment: Moment): string {
  const ports = parts.pair.ports.map(({ port }) => {
    const keys = parts.host.agreementOf(port)?.keys.map(({ ckn }) => ckn);
    return [linkOf(moment, port)?.admin, settingsOf(parts, moment, port), keys];
  });
  return JSON.stringify([ports, moment.config]);
}

function truthOf(parts: BenchParts, moment: Moment, effects: number): DeviceTruth {
  const port = ({ port: name, neighbours: [peer = ""] }: BgpPort): PortTruth =>
    portTruth(parts, moment, name, peer);
  return { ports: parts.pair.ports.map(port), tunnels: [], pending: parts.host.pending(), effects };
}

function settingsOf({ host }: BenchParts, { secys }: Moment, port: PortName) {
  const agreed = host.agreementOf(port)?.settings;
  const secy = secys[port];
  return secy === undefined || agreed === undefined ? undefined : { ...secy.settings, ...agreed };
}

/** True if both ends are in the clear, or each sends under a key that the other accepts. */
function joins(near: SecyTruth | undefined, far: SecyTruth | undefined): boolean {
  if (near === undefined || far === undefined) return near === far;
  const reaches = (a: SecyTruth, b: SecyTruth): boolean =>
    a.sends !== undefined && b.takes.includes(a.sends);
  return near.sends === far.sends && reaches(near, far) && reaches(far, near);
}

function portTruth(parts: BenchParts, moment: Moment, port: PortName, peer: string): PortTruth {
  const { host, farEnd, wires, rates, hasRouting } = parts;
  const [near, far] = [moment.secys[port], moment.farSecys[port.replace("p", "m")]];
  const { admin = "down", light } = linkOf(moment, port) ?? {};
  const linkUp = light === "on";
  const joined = linkUp && joins(near, far);
  const bgpUp = hasRouting ? joined && moment.neighbours[peer]?.bgpState === "Established" : joined;
  const { pps, dropped } = rates.of(port);
  const keys = near === undefined ? undefined : host.agreementOf(port)?.keys;
  return {
    port,
    keys: keys?.map(({ ckn }) => ({ ckn, role: "primary" })) ?? [],
    settings: settingsOf(parts, moment, port),
    // The far end has one key, so that is the one which both have.
    principal: near !== undefined && joined ? farEnd.keyOf(port) : undefined,
    sak: near?.sends,
    admin,
    linkUp,
    drain: drainIn(moment.config, peer),
    bgpUp,
    carries: hasRouting ? bgpUp : joined,
    offeredPps: pps < chatterPps ? 0 : pps,
    clearFrames: crossed(wires.get(port), "clear"),
    protectedFrames: crossed(wires.get(port), "sealed"),
    lostFrames: dropped + BigInt((near?.lost ?? 0) + (far?.lost ?? 0)),
  };
}

function crossed(ends: readonly WireWatch[] = [], how: "clear" | "sealed"): bigint {
  return ends.reduce((sum, end) => sum + BigInt(end[how]), 0n);
}

function drainIn(config: string, peer: string): DrainMeans | undefined {
  if (config.includes(`neighbor ${peer} shutdown`)) return "peeringShutdown";
  const own = config.split("\n").filter((line) => line.includes(`neighbor ${peer} route-map`));
  if (own.some((line) => line.includes("linkseal-prepend"))) return "prepend";
  if (own.some((line) => line.includes("linkseal-graceful"))) return "gracefulShutdown";
  return undefined;
}

const sampleMs = 250;

interface Rate {
  /** Rate of the busier direction over the last moments. */
  readonly pps: number;
  readonly dropped: bigint;
}

interface Sample {
  readonly at: number;
  readonly packets: number;
  readonly dropped: bigint;
}

/** Rates by the kernel's counters of the network that this thread is in. */
export class Rates implements Disposable {
  readonly #timer = setInterval(() => this.#sample(), sampleMs);
  #rates = new Map<PortName, Rate>();
  #before = new Map<PortName, Sample>();

  of(port: PortName): Rate {
    return this.#rates.get(port) ?? { pps: 0, dropped: 0n };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = samples();
    for (const [port, { at, packets, dropped }] of now) {
      const before = this.#before.get(port);
      if (before === undefined) continue;
      const pps = (1000 * (packets - before.packets)) / (at - before.at);
      this.#rates.set(port, { pps, dropped });
    }
    this.#before = now;
  }
}

function samples(): Map<PortName, Sample> {
  const at = performance.now();
  const lines = readFileSync("/proc/thread-self/net/dev", "latin1").split("\n").slice(2, -1);
  return new Map(
    lines.map((line) => {
      const [name = "", ...words] = line.trim().split(/[:\s]+/);
      const count = (index: number): number => Number(words[index]);
      const packets = Math.max(count(1), count(9));
      return [name, { at, packets, dropped: BigInt(count(3) + count(11)) }];
    }),
  );
}
