// BGP of this host through FRR's shell: the state of the managed ports, and how traffic is led off
// one of them and back.

import { type Effect, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type {
  BgpSession,
  DrainMeans,
  OpenAdvertisement,
  PortName,
  Route,
  Routing,
  TunnelSession,
} from "#hal/model.ts";
import type { Dialer } from "#hal/world.ts";
import { type Detection, withDetection } from "../../platform/detection.ts";
import { canonicalAddress } from "../netlink/address.ts";
import {
  addressWord,
  askAdvertised,
  askNeighbours,
  askRouteMaps,
  askRoutes,
  drainsOf,
  type Session,
  shellWords,
  shutdownCommands,
  softCommands,
} from "./frr-commands.ts";
import {
  type Advertisement,
  documentsIn,
  type Family,
  type FrrNeighbour,
  type FrrRoutes,
  type Md5Counters,
  readAdvertised,
  readMd5Counters,
  readNeighbours,
  readRouteMaps,
  readRoutes,
} from "./frr-parsers.ts";

/** How FRR is reached. */
export interface Frr {
  /** Runs FRR's shell. */
  readonly exec: Dialer["exec"];
  /** The shell and its options: `vtysh`, or that with `-N` and the name of an instance. */
  readonly shell: readonly string[];
}

/**
 * A port and those of its sessions that the agent may move; the rest of the router is not touched.
 */
export interface BgpPort {
  /** The port, or the interface of a tunnel. */
  readonly port: PortName;
  /** The far end's peering addresses. */
  readonly neighbours: readonly string[];
  /** undefined = FRR's default instance. */
  readonly vrf?: string;
}

export interface SessionObservation
  extends Omit<BgpSession, "port" | "trouble" | keyof Detection>,
    Detection {
  readonly vrf: string;
  readonly via: Route["via"];
  /** The AS number of the neighbour. */
  readonly asn: number;
  /** True if the neighbour is of our own AS, so that what it receives stays on this side. */
  readonly isInternal: boolean;
  readonly families: readonly Family[];
  /** The state of RFC 4271 8.2.2, as FRR writes it. */
  readonly state: string;
  /** True if it is shut by configuration. */
  readonly shut: boolean;
  /** True if a password is configured (RFC 2385). */
  readonly signed: boolean;
  /** Why it ended last, in FRR's words; undefined = it never ended. */
  readonly lastReset: string | undefined;
}

export interface RoutingObservation {
  readonly routing: Routing;
  readonly sessions: readonly SessionObservation[];
  /** undefined = this kernel does not have these counters. */
  readonly md5: Md5Counters | undefined;
}

export interface SentRoute extends Advertisement {
  readonly peer: string;
}

const defaultVrf = "default";
const families: readonly Family[] = ["ipv4", "ipv6"];

const nothing = new Uint8Array();

/** Which sessions belong to the managed ports and tunnels. */
export interface BgpScope {
  /** `default` is FRR's default instance. */
  readonly vrfs: readonly string[];
  /**
   * Returns the port or tunnel of a neighbour; undefined = it is not ours. The address is written
   * as in RFC 5952.
   */
  readonly viaOf: (vrf: string, address: string) => Route["via"] | undefined;
}

/**
 * Reads sessions, paths and drains of these ports and tunnels; never writes.
 * @throws LinksealError `device.unparsed`, `device.rejected`, `device.locked`, or
 * `transport.unreachable` if FRR does not run
 */
export async function readRouting(
  frr: Frr,
  { vrfs, viaOf }: BgpScope,
  signal: AbortSignal,
): Promise<RoutingObservation> {
  const observations = await Promise.all(
    vrfs.map(async (vrf) => {
      const instance = await askInstance(frr, vrf, signal);
      return observationOf(vrf, instance, (address) => viaOf(vrf, address));
    }),
  );
  const counted = await frr.exec(["cat", "/proc/net/netstat"], nothing, signal);
  const sessions = observations.flatMap((observation) => observation.sessions);
  return {
    sessions,
    routing: {
      ...reportedSessions(sessions, () => undefined),
      routes: observations.flatMap(({ routes }) => routes),
      drains: observations.flatMap(({ drains }) => drains),
    },
    md5: counted.status === 0 ? readMd5Counters(counted.stdout) : undefined,
  };
}

/** Lists the connections of BGP's port (RFC 4271 8.2.1) that are up, below a head line. */
const bgpConnections = ["ss", "-tn", "state", "established", "( sport = :179 or dport = :179 )"];

/**
 * Asks the kernel whether this host has no BGP session, by any daemon; false = it may have
 * one, also where FRR's instance can be in a network namespace of its own (`-N`).
 */
export async function hasNoSession({ exec, shell }: Frr, signal: AbortSignal): Promise<boolean> {
  if (shell.length > 1) return false;
  const { status, stdout } = await exec(bgpConnections, nothing, signal);
  const [head, ...connections] = new TextDecoder().decode(stdout).trim().split("\n");
  return status === 0 && /^Recv-Q\b.*\bPeer\b/.test(head ?? "") && connections.length === 0;
}

/** Separates the sessions over ports from those inside tunnels, in the form of an observation. */
export function reportedSessions(
  all: readonly SessionObservation[],
  troubleOf: (session: SessionObservation) => string | undefined,
): Pick<Routing, "sessions" | "tunnelSessions"> {
  const sessions: BgpSession[] = [];
  const tunnelSessions: TunnelSession[] = [];
  for (const session of all) {
    const { via, peer, asn, up, vrf, bfd, holdMs } = session;
    const trouble = troubleOf(session);
    const reported = { peer, up, ...(trouble === undefined ? {} : { trouble }) };
    const instance = vrf === defaultVrf ? {} : { vrf };
    if (via.kind === "port") {
      const found = { port: via.port, ...instance, ...reported };
      sessions.push(withDetection(found, { bfd, holdMs }));
    } else tunnelSessions.push({ tunnel: via.name, asn, ...reported });
  }
  return tunnelSessions.length === 0 ? { sessions } : { sessions, tunnelSessions };
}

/**
 * Finds the sessions of one port or tunnel, as `drain` and `restore` move them.
 * @throws LinksealError as `readRouting` does
 */
export async function findPort(
  frr: Frr,
  port: PortName,
  { vrfs, viaOf }: BgpScope,
  signal: AbortSignal,
): Promise<readonly BgpPort[]> {
  const found: BgpPort[] = [];
  for (const vrf of vrfs) {
    const [answer] = await ask(frr, [askNeighbours(vrf)], signal);
    const all = [...readNeighbours(answer).keys()];
    const neighbours = all.filter((address) => {
      const via = viaOf(vrf, address);
      return via !== undefined && interfaceOf(via) === port;
    });
    if (neighbours.length > 0) found.push({ port, neighbours, vrf });
  }
  return found;
}

const vrfOf = ({ vrf = defaultVrf }: BgpPort): string => vrf;

// FRR lists each neighbour by its address in the form of RFC 5952.
function addressesOf({ neighbours }: BgpPort): readonly string[] {
  return neighbours.map((address) => canonicalAddress(addressWord(address)));
}

interface Instance {
  readonly neighbours: ReadonlyMap<string, FrrNeighbour>;
  readonly routes: readonly (FrrRoutes | undefined)[];
}

async function askInstance(frr: Frr, vrf: string, signal: AbortSignal): Promise<Instance> {
  const queries = [askNeighbours(vrf), ...families.map((family) => askRoutes(vrf, family))];
  const [neighbours, ...routes] = await ask(frr, queries, signal);
  return { neighbours: readNeighbours(neighbours), routes: routes.map(readRoutes) };
}

interface InstanceObservation extends Pick<Routing, "routes" | "drains"> {
  readonly sessions: readonly SessionObservation[];
}

function observationOf(
  vrf: string,
  { neighbours, routes }: Instance,
  viaOf: (address: string) => Route["via"] | undefined,
): InstanceObservation {
  const ours = [...neighbours].flatMap(([peer, answer]) => {
    const via = viaOf(peer);
    return via === undefined ? [] : { via, peer, answer };
  });
  const owner = new Map(ours.map(({ peer, via }) => [peer, via]));
  const paths = routes.flatMap((answer) => answer?.paths ?? []);
  // If several paths lead over one port, the best one shows whether the port is used.
  const byOwner = new Map<string, Route>();
  for (const { prefix, from, best } of paths) {
    const via = owner.get(from);
    if (via === undefined) continue;
    const key = `${prefix} ${via.kind} ${interfaceOf(via)}`;
    byOwner.set(key, { prefix, via, best: best || byOwner.get(key)?.best === true });
  }
  return {
    sessions: ours.map(({ via, peer, answer }) => sessionOf(vrf, via, peer, answer)),
    routes: [...byOwner.values()],
    drains: [...Map.groupBy(ours, ({ via }) => interfaceOf(via))].flatMap(([port, sessions]) => {
      const means = new Set(sessions.flatMap(({ answer }) => [...drainsOf(answer)]));
      return [...means].map((one) => ({ port, means: one }));
    }),
  };
}

/** Returns the interface's name; the kernel has one list of names for ports and tunnels. */
export const interfaceOf = (via: Route["via"]): PortName =>
  via.kind === "port" ? via.port : via.name;

function sessionOf(
  vrf: string,
  via: Route["via"],
  peer: string,
  { families: reported, ...neighbour }: FrrNeighbour,
): SessionObservation {
  const families = reported.map(({ family }) => family);
  return { vrf, via, peer, ...neighbour, families, up: neighbour.state === "Established" };
}

/** Reads what this host sends over a port, as it leaves: a drain shows in path and communities. */
export async function readAdvertisements(
  frr: Frr,
  port: BgpPort,
  signal: AbortSignal,
): Promise<readonly SentRoute[]> {
  const vrf = vrfOf(port);
  const [answer] = await ask(frr, [askNeighbours(vrf)], signal);
  const neighbours = readNeighbours(answer);
  // FRR has nothing to report for a session that is not up, and answers with a failure.
  const wanted = addressesOf(port)
    .filter((address) => neighbours.get(address)?.state === "Established")
    .flatMap((address) =>
      (neighbours.get(address)?.families ?? []).map(({ family }) => ({ vrf, address, family })),
    );
  return await askSent(frr, wanted, signal);
}

interface Sent extends Session {
  readonly family: Family;
}

async function askSent(
  frr: Frr,
  wanted: readonly Sent[],
  signal: AbortSignal,
): Promise<readonly SentRoute[]> {
  if (wanted.length === 0) return [];
  const queries = wanted.map(({ family, ...session }) => askAdvertised(session, family));
  const answers = await ask(frr, queries, signal);
  return answers.flatMap((sent, index) =>
    readAdvertised(sent).map((route) => ({ ...route, peer: wanted[index]?.address ?? "" })),
  );
}

/** Reads what neighbours of another AS receive over ports, which is a way past every tunnel. */
export async function readOpenAdvertisements(
  frr: Frr,
  sessions: readonly SessionObservation[],
  signal: AbortSignal,
): Promise<readonly OpenAdvertisement[]> {
  const found: OpenAdvertisement[] = [];
  for (const { vrf, via, peer, up, isInternal, families: own } of sessions) {
    if (via.kind === "tunnel" || !up || isInternal) continue;
    const wanted = own.map((family) => ({ vrf, address: peer, family }));
    const sent = await askSent(frr, wanted, signal);
    found.push(...sent.map(({ prefix }) => ({ port: via.port, peer, prefix })));
  }
  return found;
}

/** The commands of a drain or of its end; none = there is nothing to do. */
export interface DrainTurn {
  readonly port: PortName;
  readonly commands: readonly string[];
}

/** Leads traffic off the port in both directions, or back to what the operator had. */
export type Way = "drain" | "restore";

/**
 * Reads, and changes nothing. A drain lasts until it is restored, or until FRR starts again: the
 * saved configuration stays the operator's.
 * @throws LinksealError `device.rejected` if FRR lacks a neighbour; otherwise as `readRouting` does
 */
export async function planTurn(
  frr: Frr,
  port: BgpPort,
  way: Way,
  means: DrainMeans,
  signal: AbortSignal,
): Promise<DrainTurn> {
  const vrf = vrfOf(port);
  const addresses = addressesOf(port);
  const queries = [askNeighbours(vrf), askRoutes(vrf, "ipv4"), askRouteMaps];
  const [neighbours, routes, routeMaps] = await ask(frr, queries, signal);
  const known = readNeighbours(neighbours);
  const as = readRoutes(routes)?.as;
  const missing = addresses.filter((address) => !known.has(address));
  if (as === undefined || addresses.length === 0 || missing.length > 0) {
    const text = `FRR has no such neighbour in ${vrf}: ${missing.join(", ") || "none is named"}`;
    throw failed("device.rejected", text, "none", port.port);
  }
  const plan = { as, neighbours: known, routeMaps: readRouteMaps(routeMaps) };
  const commands =
    means === "peeringShutdown"
      ? shutdownCommands(vrf, addresses, way === "drain", plan)
      : softCommands(vrf, addresses, way === "drain" ? means : undefined, plan);
  return { port: port.port, commands };
}

/**
 * Carries out a drain or its end. It plans anew and is idempotent: FRR is not sent what it has
 * already. An abort may leave some commands carried out.
 * @throws LinksealError `device.rejected` with effect "unknown" if FRR complains; otherwise as
 * `planTurn` does
 */
export async function takeTurn(
  frr: Frr,
  port: BgpPort,
  way: Way,
  means: DrainMeans,
  signal: AbortSignal,
): Promise<void> {
  const { commands } = await planTurn(frr, port, way, means, signal);
  if (commands.length === 0) return;
  const output = new TextDecoder().decode(await run(frr, commands, "unknown", signal));
  // FRR's complaints begin with a per cent sign, whatever its shell's status is.
  const complaint = output.indexOf("% ");
  if (complaint >= 0) {
    const text = `FRR complains: ${foreignText(output.slice(complaint))}`;
    throw failed("device.rejected", text, "unknown", port.port);
  }
}

async function ask(
  frr: Frr,
  queries: readonly string[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  return documentsIn(await run(frr, queries, "none", signal), queries.length);
}

async function run(
  frr: Frr,
  commands: readonly string[],
  effect: Effect,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const argv = [...frr.shell, ...shellWords(commands)];
  const { status, stdout, stderr } = await frr.exec(argv, nothing, signal);
  if (status === 0) return stdout;
  const output = [stderr, stdout].map((octets) => new TextDecoder().decode(octets.slice(0, 1000)));
  const text = foreignText(output.join(" "));
  if (text.includes("locked")) {
    throw failed("device.locked", `another session configures FRR: ${text}`, effect, "FRR");
  }
  if (/is not running|failed to connect/.test(text)) {
    throw failed("transport.unreachable", `FRR does not run: ${text}`, effect, "FRR");
  }
  throw failed("device.rejected", `FRR refuses (status ${status}): ${text}`, effect, "FRR");
}

function failed(
  code: "device.rejected" | "device.locked" | "transport.unreachable",
  text: string,
  effect: Effect,
  where: string,
): LinksealError {
  return new LinksealError(code, text, { effect, where, next: "linkseal doctor" });
}
