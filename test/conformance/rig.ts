// One simulated router with two links, and the bench that conformance cases see of it.

import type { Capabilities, Device, KeyResolver } from "#hal/device.ts";
import type { CipherSuite, KeyRef, PortName } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import type { DeviceBench, DeviceTruth, PortTruth, Trouble } from "#sim/conformance/bench.ts";
import { Fibre } from "#sim/mka/fibre.ts";
import { PortEndpoint } from "#sim/mka/port-endpoint.ts";
import { Router } from "#sim/router/router.ts";
import type { MutableConfig } from "#sim/router/router-config.ts";
import { Traffic } from "#sim/site/traffic.ts";

/** Counts the sleeps that are not the bench's own: each exchange with the router takes some. */
class CountingClock extends SimClock {
  sleeps = 0;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps += 1;
    return super.sleep(ms, signal);
  }

  pause(ms: number): Promise<void> {
    return super.sleep(ms);
  }
}

export interface Rig {
  readonly clock: CountingClock;
  readonly router: Router;
  readonly links: readonly [RigLink, RigLink];
  readonly traffic: Traffic;
  readonly prng: Prng;
  /** One that comes up. */
  readonly tunnel: TunnelSpec;
  /** Octets by secret id. */
  readonly caks: Map<string, Uint8Array>;
  readonly output: string[];
  readonly effects: { count: number };
}

interface RigLink {
  readonly port: PortName;
  readonly edge: PortEndpoint;
  readonly far: PortEndpoint;
  readonly fibre: Fibre;
}

const vault = "https://conformance.vault.sim/secrets";
/** What a platform calls the two ports. */
type Names = readonly [PortName, PortName];
export const ports = ["et-0/0/0", "et-0/0/1"] as const satisfies Names;
const strong: TunnelSpec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk", secretId: `${vault}/hub-1-psk/${"1".repeat(32)}` },
};

/** `policy`: what a platform takes instead of the policy `strong`. */
export function buildRig(
  capabilities: Capabilities,
  names: Names = ports,
  policy: Partial<Pick<TunnelSpec, "ike" | "transforms">> = {},
  seed = "conformance",
): Rig {
  const clock = new CountingClock(1_800_000_000_000);
  const prng = new Prng(seed);
  const links = [
    linkOf(0, names, clock, prng, capabilities),
    linkOf(1, names, clock, prng, capabilities),
  ] as const;
  const router = new Router({
    name: "edge-a",
    clock,
    prng: prng.fork("router"),
    capabilities,
    ports: links.map(({ port, edge, fibre }) => ({ name: port, endpoint: edge, fibre })),
    latency: { observeMs: 200, prepareMs: 400, commitMs: 1_000 },
  });
  router.managementRoutes.set("192.0.2.10", names[1]);
  router.managementRoutes.set("192.0.2.99", undefined);
  const traffic = new Traffic({ links: links.map(({ port, fibre }) => ({ router, port, fibre })) });
  // A PSK is text that Azure takes.
  const psk = new TextEncoder().encode(prng.fork("psk").hex(24));
  const caks = new Map([[strong.auth.secretId, psk]]);
  router.setGatewayPsk(strong.remoteAddress, psk);
  const effects = { count: 0 };
  router.onEffect(() => {
    effects.count += 1;
  });
  const beside = { prng: prng.fork("keys"), caks, output: [], effects };
  return { clock, router, links, traffic, tunnel: { ...strong, ...policy }, ...beside };
}

function linkOf(
  index: 0 | 1,
  names: Names,
  clock: SimClock,
  prng: Prng,
  offer: Capabilities,
): RigLink {
  const quirks = { perPortCounters: offer.macsec?.counters === "perPort" };
  const endpoint = (end: string, mac: string): PortEndpoint =>
    new PortEndpoint({
      name: `${end}-${index}`,
      clock,
      prng: prng.fork(`${end}-${index}`),
      mac: `${mac}000000000${index}`,
      lineBps: 100e9,
      quirks,
    });
  const edge = endpoint("edge", "02");
  const far = endpoint("far", "06");
  return {
    port: names[index],
    edge,
    far,
    fibre: new Fibre({ clock, a: edge, b: far, delayMs: 1 }),
  };
}

/** What a bench cannot know of the rig: how its sessions are opened, and what they exchange. */
export interface Way {
  readonly open: () => Promise<Device>;
  readonly offers: Capabilities;
  readonly exchanges: () => number;
}

const routerFaults = [
  "locked",
  "replyLost",
  "errorWithSuccess",
  "unreachable",
  "unparsed",
] as const;

export async function benchOf(rig: Rig, way: Way): Promise<DeviceBench> {
  const { clock, output } = rig;
  return {
    device: await way.open(),
    offers: way.offers,
    ports: [rig.links[0].port, rig.links[1].port],
    ...{ tunnel: rig.tunnel, gateway: true },
    routes: { known: { address: "192.0.2.10", port: rig.links[1].port }, unknown: "192.0.2.99" },
    troubles: new Set([...routerFaults, "farEndGone", "bfdOff", "reboot"]),
    strike: (trouble) => disturb(rig, trouble, true),
    heal: (trouble) => disturb(rig, trouble, false),
    second: () => way.open(),
    probePackets: 1_000_000,
    newKey: (shape) => newKey(rig, shape.cakOctets, shape.cknOctets),
    keys: resolverOf(rig),
    canaries: () => [...rig.caks.values()].filter((bytes) => bytes.length >= 16),
    holds: (port, key) => holds(rig, port, key),
    giveFarEnd: (port, key, suite) => giveFarEnd(rig, port, key, suite),
    say: (text) => {
      output.push(text);
    },
    transcript: () => output,
    now: () => clock.now(),
    wait: (ms) => clock.pause(ms),
    exchanges: () => way.exchanges(),
    truth: () => truthOf(rig),
  };
}

function disturb(rig: Rig, trouble: Trouble, on: boolean): void {
  const [{ far, port }] = rig.links;
  switch (trouble) {
    case "locked":
    case "replyLost":
    case "errorWithSuccess":
    case "unreachable":
    case "unparsed":
      rig.router.setFault(trouble, on);
      return;
    case "farEndGone":
      for (const { ckn } of far.keys()) far.removeKey(ckn);
      return;
    case "bfdOff":
      rig.router.setBfd(port, on ? "off" : "up");
      return;
    case "reboot":
      if (on) rig.router.reboot();
  }
}

function newKey({ prng, caks }: Rig, cakOctets: number, cknOctets: number): KeyRef {
  const ckn = parseCkn(prng.hex(cknOctets));
  if (ckn === undefined) throw new RangeError(`no CKN of ${cknOctets} octets`);
  const cakSecretId = `${vault}/link-cak/${prng.hex(16)}`;
  caks.set(cakSecretId, prng.bytes(cakOctets));
  return { ckn, cakSecretId, cknSecretId: `${vault}/link-ckn/${prng.hex(16)}` };
}

export function cakOf({ caks }: Rig, secretId: string): Uint8Array {
  const bytes = caks.get(secretId);
  if (bytes === undefined) throw new RangeError(`no secret ${secretId}`);
  return bytes;
}

function resolverOf(rig: Rig): KeyResolver {
  return async (ref) => {
    const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
    return Secret.take(ref.kind, Uint8Array.from(cakOf(rig, id)));
  };
}

function linkAt(rig: Rig, port: PortName): RigLink {
  const link = rig.links.find((one) => one.port === port);
  if (link === undefined) throw new RangeError(`no port ${port}`);
  return link;
}

function holds(rig: Rig, port: PortName, { ckn, cakSecretId }: KeyRef): boolean {
  return linkAt(rig, port).edge.holdsCak(ckn, cakOf(rig, cakSecretId));
}

function giveFarEnd(rig: Rig, port: PortName, key: KeyRef, suite: CipherSuite): void {
  const { far } = linkAt(rig, port);
  for (const { ckn } of far.keys()) far.removeKey(ckn);
  far.configure({
    suite,
    policy: "mustSecure",
    includeSci: true,
    confidentialityOffset: 0,
    keyServerPriority: 8,
    replayWindow: undefined,
    sakRekeyMs: undefined,
  });
  far.putKey({ ckn: key.ckn, cak: cakOf(rig, key.cakSecretId), role: "primary" });
}

/** The running configuration, for reading. */
function configOf(router: Router): MutableConfig {
  let read: MutableConfig | undefined;
  router.manualEdit((config) => {
    read = config;
  });
  if (read === undefined) throw new Error("the router did not show its configuration");
  return read;
}

function truthOf(rig: Rig): DeviceTruth {
  const config = configOf(rig.router);
  return {
    ports: rig.links.map((link) => portTruth(rig, link, config)),
    tunnels: rig.router.tunnels().map((one) => {
      const { sas } = one.read();
      const all = sas.kind === "known" ? sas.value : [];
      const spis = all.filter(({ phase }) => phase === "installed").map(({ spi }) => spi);
      return { name: one.spec.name, up: one.up(), spis };
    }),
    pending: rig.router.commits.pending(),
    effects: rig.effects.count,
  };
}

function portTruth(rig: Rig, link: RigLink, config: MutableConfig): PortTruth {
  const { port, edge, fibre } = link;
  const { a2b, b2a } = fibre.truth();
  const session = edge.session();
  const stands = config.ports.get(port);
  const offered = rig.traffic.links.find((one) => one.port === port);
  return {
    port,
    keys: (stands?.keys ?? []).map(({ ckn, role }) => ({ ckn, role })),
    settings: edge.settings(),
    principal: session.principalCkn,
    sak: session.latestSak?.keyId,
    admin: edge.adminUp() ? "up" : "down",
    linkUp: edge.linkUp(),
    drain: stands?.drain,
    bgpUp: rig.router.bgpUp(port),
    carries: fibre.carries(),
    offeredPps: offered === undefined ? 0 : rig.traffic.offered(offered),
    clearFrames: a2b.clearOnWire + b2a.clearOnWire,
    protectedFrames: a2b.protectedOnWire + b2a.protectedOnWire,
    lostFrames: a2b.lost + b2a.lost,
  };
}

/** Lets virtual time pass until the promise has settled; a day without that is an error. */
export async function drive<T>(clock: SimClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  await clock.runFor(86_400_000, () => done);
  if (!done) throw new Error("the case has not ended within a day");
  return await promise;
}
