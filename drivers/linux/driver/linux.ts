// A Linux host as an edge router, this one or another: the kernel behind linkseal-net, the
// project's own MKA on each port, BGP through FRR's shell, and ping.

import { missingCapability } from "#hal/capability.ts";
import { count as countOf, property } from "#hal/decoder.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  Driver,
  KeyResolver,
  PortChange,
  ProbeResult,
  Transaction,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, MacsecPort, PortName } from "#hal/model.ts";
import { hostOfPeer, type Target } from "#hal/target.ts";
import type { Clock, Dialer, World } from "#hal/world.ts";
import { deviceOf, LocalSession, notOffered } from "../../local/device.ts";
import {
  ipsecOffer,
  observeTunnels,
  openIpsec,
  prepareTunnels,
  tunnelRequests,
} from "../ipsec/ipsec-driver.ts";
import { applyInTurn, operationsOfBlock, prepareNet } from "../ipsec/net-change.ts";
import { type IpsecParts, isTunnelChange, type TunnelChange } from "../ipsec/tunnel-act.ts";
import { readSubnets, type Subnet, subnetOf } from "../netlink/subnet.ts";
import { type HostDialer, peerDialer } from "../peer/peer-dialer.ts";
import { type BgpPort, type Frr, findPort, planTurn, takeTurn } from "../routing/frr.ts";
import { RoutingObserver, scopeOf, withKernelRoutes } from "../routing/routing.ts";
import { type HostOperation, hostRequests, prepareChange, recallChange } from "./change.ts";
import { ChangeNotifications } from "./change-notifications.ts";
import { examineHost } from "./examine.ts";
import { MkaClients, systemNet, withParticipant } from "./mka-clients.ts";
import { ping } from "./probe.ts";

/** Twice the duration of the slowest drain or restore that was measured. */
const settleMs = 10_000;

/** The suites of the kernel, the preferred one first. */
const macsec = {
  suites: ["gcm-aes-xpn-256", "gcm-aes-xpn-128", "gcm-aes-256", "gcm-aes-128"],
  overlap: "keychain",
  counters: "perSa",
  hitless: ["keyServerPriority", "replayWindow", "sakRekeyMs"],
  freshSak: true,
} as const;
const drain = { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs } as const;

/** The driver of the host that the agent runs on, or of another that it reaches by SSH. */
export const linux: Driver = {
  name: "linux",
  offers: { commit: { kind: "armedRevert" }, macsec, drain, ipsec: ipsecOffer, probe: true },
  async open(target, world, onChange, signal) {
    const place = placeOf(target, world);
    try {
      return await openHost(place, onChange, signal);
    } catch (error) {
      await place.leave();
      throw error;
    }
  },
};

async function openHost(place: Place, onChange: () => void, signal: AbortSignal): Promise<Device> {
  const { target, world } = place;
  const session = new LocalSession(target, world);
  const kernel = deviceOf(session, await session.capabilities(signal));
  const exec: Dialer["exec"] = (argv, stdin, bounded) => world.dial.exec(argv, stdin, bounded);
  const [hasFrr, hasPing] = [
    await isThere(exec, ["vtysh", "--help"], signal),
    await isThere(exec, ["ping", "-V"], signal),
  ];
  const capabilities: Capabilities = {
    ...kernel.capabilities,
    macsec,
    ...(hasFrr ? { drain } : {}),
    // Only FRR knows the address that is pinged.
    ...(hasFrr && hasPing ? { probe: true as const } : {}),
    ...(target.charon === undefined ? {} : { ipsec: ipsecOffer }),
  };
  const end = new AbortController();
  const frr: Frr | undefined = hasFrr ? { exec, shell: shellOf(target) } : undefined;
  const routingObserver = frr === undefined ? undefined : new RoutingObserver(frr, world.clock);
  const mkaClients = new MkaClients(world, target.address);
  const notifications = new ChangeNotifications(world.clock, onChange, end.signal);
  notifications.subscribe("", (after) => changesAfter(session, after, end.signal));
  const ipsec = openIpsec({ session, world, onChange }, target.charon, end.signal);
  const ends = { notifications, end, place };
  const parts = { kernel, mkaClients, capabilities, frr, routingObserver, exec, ipsec };
  const host = { session, clock: world.clock, ...parts, ...ends };
  return deviceWith(host);
}

interface Host {
  readonly session: LocalSession;
  readonly clock: Clock;
  readonly kernel: Device;
  readonly mkaClients: MkaClients;
  readonly notifications: ChangeNotifications;
  readonly capabilities: Capabilities;
  /** undefined = this host has no FRR. */
  readonly frr: Frr | undefined;
  readonly routingObserver: RoutingObserver | undefined;
  readonly exec: Dialer["exec"];
  readonly end: AbortController;
  readonly place: Place;
  /** undefined = the config names no charon for this host. */
  readonly ipsec: IpsecParts | undefined;
}

/** Where the processes of a host are reached, and how that ends. */
interface Place {
  readonly target: Target;
  readonly world: World;
  readonly leave: () => Promise<void>;
  /** The session with another host; undefined = this host is meant. */
  readonly peer: Peer | undefined;
}

interface Peer {
  /** The address of the other host in the config. */
  readonly address: string;
  /** What the other host says of itself, and how it sees this one. */
  readonly hello: HostDialer["hello"];
}

/** Returns the place of a host: behind sockets of this host, or behind SSH. */
function placeOf(target: Target, world: World): Place {
  const address = hostOfPeer(target.address);
  if (address === undefined) {
    return { target, world, leave: async () => undefined, peer: undefined };
  }
  const peer = peerDialer(world, { ...target, address });
  const { http, framed, exec, stream } = peer;
  return {
    target: { ...target, address: `unix:${systemNet}` },
    world: { ...world, dial: { ...world.dial, http, framed, exec, stream } },
    leave: async () => await peer[Symbol.asyncDispose](),
    peer: { address: target.address, hello: (signal) => peer.hello(signal) },
  };
}

function shellOf({ pathspace }: Target): readonly string[] {
  return pathspace === undefined ? ["vtysh"] : ["vtysh", "-N", pathspace];
}

async function isThere(
  exec: Dialer["exec"],
  argv: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await exec(argv, new Uint8Array(), signal);
    return true;
  } catch (error) {
    if (error instanceof LinksealError && error.code === "transport.unreachable") return false;
    throw error;
  }
}

function deviceWith(host: Host): Device {
  const { session, kernel, capabilities } = host;
  const device: Device = {
    id: session.device,
    capabilities,
    observe: (signal) => observe(host, signal),
    prepare: (change, keys, signal) => prepare(host, change, keys, signal),
    preview: (change, _keys, signal) => preview(host, change, signal),
    async recall(token, signal) {
      const transaction = await recallChange(host, token, signal);
      return transaction === undefined ? { kind: "absent" } : { kind: "pending", transaction };
    },
    routesTo: (address, signal) => kernel.routesTo(address, signal),
    ...otherHost(host),
    async [Symbol.asyncDispose]() {
      host.end.abort();
      await kernel[Symbol.asyncDispose]();
      await host.place.leave();
    },
  };
  if (capabilities.probe === undefined) return device;
  return { ...device, probe: (port, count, signal) => probe(host, port, count, signal) };
}

function otherHost(host: Host): Pick<Device, "back" | "examine"> {
  const { place, kernel } = host;
  const { peer } = place;
  if (peer === undefined) return {};
  const routes = async (signal: AbortSignal) => {
    const { from } = await peer.hello(signal);
    return from === undefined ? undefined : await kernel.routesTo(from, signal);
  };
  return {
    back: { address: peer.address, routes },
    examine: (ports, signal) =>
      examineHost({ ...host, ...place, hello: peer.hello }, ports, signal),
  };
}

async function observe(host: Host, signal: AbortSignal): Promise<DeviceState> {
  const { session, kernel, routingObserver, ipsec } = host;
  const observed = await kernel.observe(signal);
  // All at once: those that hang take no longer than one of them.
  const macsec = await Promise.all(
    observed.macsec.map((port) => withAgreement(host, port, signal)),
  );
  const state = {
    ...(ipsec === undefined ? observed : await observeTunnels(ipsec, observed, signal)),
    macsec,
  };
  if (routingObserver === undefined) return state;
  const beside = state.blocked === undefined ? "none" : "tunnels";
  const reported = await routingObserver.observe(await subnetsNow(session, signal), beside, signal);
  return { ...state, routing: withKernelRoutes(reported, state.ways) };
}

async function withAgreement(
  { mkaClients, notifications, end }: Host,
  port: MacsecPort,
  signal: AbortSignal,
): Promise<MacsecPort> {
  const observed = await mkaClients.observe(port.port, signal);
  if (observed.kind === "observed") {
    notifications.subscribe(port.port, (after) => mkaClients.changes(port.port, after, end.signal));
  }
  return withParticipant(port, observed);
}

function subnetsNow(session: LocalSession, signal: AbortSignal): Promise<readonly Subnet[]> {
  return session.ask("subnets", [], readSubnets, signal);
}

type Turn = Extract<PortChange, { readonly kind: "port.drain" | "port.restore" }>;

const isOfHost = (operation: PortChange): operation is HostOperation =>
  operation.kind.startsWith("macsec.") ||
  operation.kind === "port.shut" ||
  operation.kind === "port.open";

const isTurn = (operation: PortChange): operation is Turn =>
  operation.kind === "port.drain" || operation.kind === "port.restore";

async function prepare(
  host: Host,
  change: DeviceChange,
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  const { session, kernel, capabilities } = host;
  const where = session.device;
  const missing = missingCapability(change, capabilities);
  const turns = change.filter(isTurn);
  if (missing !== undefined) throw notOffered(missing, where);
  const tunnels = change.filter(isTunnelChange);
  if (tunnels.length > 0) {
    if (tunnels.length < change.length) throw notOffered("a tunnel beside another change", where);
    return await prepareIpsec(host, tunnels, keys, signal);
  }
  const rest = change.filter(isOfHost);
  if (turns.length === 0) return await prepareChange(host, rest, keys, signal);
  if (turns.length < change.length) throw notOffered("a drain beside another change", where);
  const previews = [];
  for (const turn of turns) previews.push(...(await previewOf(host, turn, signal)));
  // The control server of linkseal-net owns the only lock: nothing is written while another change
  // waits for its confirmation.
  const inner = await kernel.prepare([], keys, signal);
  return {
    token: inner.token,
    preview: previews.join("\n"),
    async apply(within, bounded) {
      if (within !== "final") throw notOffered("a drain that ends by itself", where);
      await applyInTurn(host.clock, inner, "final", bounded);
      for (const turn of turns) {
        for (const port of await portsOf(host, turn.port, bounded)) {
          await takeTurn(frrOf(host), port, wayOf(turn), turn.means, bounded);
        }
      }
    },
    confirm: (bounded) => inner.confirm(bounded),
    rollback: (bounded) => inner.rollback(bounded),
  };
}

/** Requests to linkseal-net, linkseal-mka and charon are JSON here; FRR gets lines. */
async function preview(
  host: Host,
  change: DeviceChange,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const missing = missingCapability(change, host.capabilities);
  if (missing !== undefined) throw notOffered(missing, host.session.device);
  const lines: string[] = [];
  for (const turn of change.filter(isTurn)) lines.push(...(await commandsOf(host, turn, signal)));
  return [
    ...lines,
    ...hostRequests(change.filter(isOfHost)),
    ...tunnelRequests(change.filter(isTunnelChange)),
  ];
}

async function prepareIpsec(
  { session, ipsec }: Host,
  change: readonly TunnelChange[],
  keys: KeyResolver,
  signal: AbortSignal,
): Promise<Transaction> {
  const blocks = change.flatMap((operation) =>
    operation.kind === "ipsec.block" ? [operation] : [],
  );
  if (blocks.length === change.length) {
    // Block policies need neither charon nor a key.
    const all = blocks.flatMap((operation) => operation.blocks);
    return await prepareNet(session, operationsOfBlock(all), signal);
  }
  if (ipsec !== undefined) return await prepareTunnels(ipsec, change, keys, signal);
  throw notOffered("a tunnel by IKE", session.device);
}

const wayOf = ({ kind }: Turn) => (kind === "port.drain" ? "drain" : "restore");

async function previewOf(host: Host, turn: Turn, signal: AbortSignal): Promise<readonly string[]> {
  const commands = await commandsOf(host, turn, signal);
  return commands.length === 0 ? [] : [`port ${turn.port}`, ...commands.map((line) => `+ ${line}`)];
}

async function commandsOf(host: Host, turn: Turn, signal: AbortSignal): Promise<readonly string[]> {
  const commands: string[] = [];
  for (const port of await portsOf(host, turn.port, signal)) {
    const plan = await planTurn(frrOf(host), port, wayOf(turn), turn.means, signal);
    commands.push(...plan.commands);
  }
  return commands;
}

async function portsOf(
  host: Host,
  port: PortName,
  signal: AbortSignal,
): Promise<readonly BgpPort[]> {
  const scope = scopeOf(await subnetsNow(host.session, signal));
  const ports = await findPort(frrOf(host), port, scope, signal);
  if (ports.length > 0) return ports;
  throw rejected(`FRR has no neighbour over ${port}, so no traffic can be led off it`, port);
}

// A host without FRR has refused such a change before.
function frrOf({ frr, session }: Host): Frr {
  if (frr === undefined) throw notOffered("FRR", session.device);
  return frr;
}

async function probe(
  host: Host,
  port: PortName,
  count: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const subnets = await subnetsNow(host.session, signal);
  for (const { neighbours, vrf = "default" } of await portsOf(host, port, signal)) {
    for (const address of neighbours) {
      const link = subnetOf(subnets, vrf, address)?.link;
      if (link !== undefined) return await ping(host.exec, { link, address }, count, signal);
    }
  }
  throw rejected(`the far end's peering address on ${port} is not known`, port);
}

/** Shorter than the longest wait for an answer. */
const changesWaitMsMax = 15_000;

/** undefined = linkseal-net does not answer now. */
async function changesAfter(
  session: LocalSession,
  observed: number,
  end: AbortSignal,
): Promise<number | undefined> {
  const body = [
    JSON.stringify({ after: Math.max(0, observed), waitMs: observed < 0 ? 0 : changesWaitMsMax }),
  ];
  const read = property("count", countOf(Number.MAX_SAFE_INTEGER));
  try {
    return await session.ask("changes", body, read, end);
  } catch (error) {
    if (!(error instanceof LinksealError) && !end.aborted) throw error;
    return undefined;
  }
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", text, {
    effect: "none",
    where,
    next: "linkseal links",
  });
}
