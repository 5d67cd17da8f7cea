// The bench of the conformance cases over a real kernel: truth by `ip` and by FRR's own words.

import { readFileSync } from "node:fs";
import type { BgpPort } from "#drivers/linux/frr.ts";
import { linux } from "#drivers/linux/linux.ts";
import type { DeviceBench, DeviceTruth, PortTruth, Trouble } from "#hal/conformance-bench.ts";
import type { Device } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { ip } from "../lab.ts";
import type { PacedClock } from "./clock.ts";
import type { Host, HostTrouble } from "./host.ts";
import { type Pair, type } from "./router.ts";

export interface BenchParts {
  readonly pair: Pair;
  readonly host: Host;
  readonly clock: PacedClock;
  readonly device: Device;
  /** Traffic of each port, as it is now. */
  readonly rates: Rates;
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
  pskSecretId: "https://conformance.example/secrets/hub-1-psk/1",
};

/** Of FRR's words: the cases about traffic wait for seconds. */
const freshMs = 500;
/** What BGP itself sends is no data. */
const chatterPps = 20;

export function benchOf(parts: BenchParts): DeviceBench {
  const { pair, host, clock, device } = parts;
  const keys = new Map([[tunnel.pskSecretId, crypto.getRandomValues(new Uint8Array(24))]]);
  let effects = 0;
  let moment = momentOf(parts);
  let seen = runningOf(parts, moment);
  const ports = pair.ports.map(({ port }) => port) as [PortName, PortName];
  return {
    device,
    offers: linux.offers,
    ports,
    tunnel,
    routes: { known: { address: "192.0.2.6", port: ports[1] }, unknown: "192.0.2.99" },
    troubles: new Set<Trouble>(["replyLost", "unreachable", "unparsed"]),
    strike: (trouble) => host.troubles.add(trouble as HostTrouble),
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
      return Secret.take(ref.kind, Uint8Array.from(keys.get(id) ?? new Uint8Array(32)));
    },
    canaries: () => [...keys.values()],
    holds: () => false,
    giveFarEnd: () => undefined,
    say: (text) => {
      host.said.push(text);
    },
    transcript: () => host.said,
    now: () => clock.now(),
    wait: (ms) => clock.sleep(Math.max(0, ms)),
    exchanges: () => host.exchanges,
    truth() {
      const isFresh = parts.hasRouting && performance.now() - moment.at < freshMs;
      if (!isFresh) moment = momentOf(parts);
      const now = runningOf(parts, moment);
      if (now !== seen) effects += 1;
      seen = now;
      return truthOf(parts, moment, effects);
    },
  };
}

interface IpLink {
  readonly ifname: string;
  readonly flags: readonly string[];
}

interface Neighbour {
  readonly bgpState?: string;
}

/** All that the truth is made of, at one moment: in an emulator each program costs. */
interface Moment {
  readonly at: number;
  readonly links: readonly IpLink[];
  readonly config: string;
  readonly neighbours: Readonly<Record<string, Neighbour>>;
}

function momentOf({ hasRouting, pair: { edge } }: BenchParts): Moment {
  const links = JSON.parse(ip("-n", edge.network, "-j", "link")) as IpLink[];
  const at = performance.now();
  if (!hasRouting) return { at, links, config: "", neighbours: {} };
  const mark = "\nend\n";
  const said = type(edge, "show running-config", "show bgp neighbors json");
  const end = said.indexOf(mark) + mark.length;
  const neighbours = JSON.parse(said.slice(end)) as Moment["neighbours"];
  return { at, links, config: said.slice(0, end), neighbours };
}

function isUp({ links }: Moment, port: PortName, flag: "UP" | "LOWER_UP"): boolean {
  return links.find(({ ifname }) => ifname === port)?.flags.includes(flag) === true;
}

/** What a commit can change: the ports' administrative state, and FRR's configuration. */
function runningOf({ pair }: BenchParts, moment: Moment): string {
  return JSON.stringify([pair.ports.map(({ port }) => isUp(moment, port, "UP")), moment.config]);
}

function truthOf(parts: BenchParts, moment: Moment, effects: number): DeviceTruth {
  const port = ({ port: name, neighbours: [peer = ""] }: BgpPort): PortTruth =>
    portTruth(parts, moment, name, peer);
  return { ports: parts.pair.ports.map(port), tunnels: [], pending: parts.host.pending(), effects };
}

function portTruth(parts: BenchParts, moment: Moment, port: PortName, peer: string): PortTruth {
  const linkUp = isUp(moment, port, "LOWER_UP");
  const bgpUp = linkUp && moment.neighbours[peer]?.bgpState === "Established";
  const { pps, dropped } = parts.rates.of(port);
  return {
    port,
    keys: [],
    settings: undefined,
    principal: undefined,
    sak: undefined,
    admin: isUp(moment, port, "UP") ? "up" : "down",
    linkUp,
    drain: drainIn(moment.config, peer),
    bgpUp,
    carries: bgpUp,
    offeredPps: pps < chatterPps ? 0 : pps,
    clearFrames: 0n,
    protectedFrames: 0n,
    lostFrames: dropped,
  };
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
  /** The busier direction, over the last moments. */
  readonly pps: number;
  readonly dropped: bigint;
}

interface Sample {
  readonly at: number;
  readonly packets: number;
  readonly dropped: bigint;
}

/** By what the kernel counts in the network that this thread is in. */
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
