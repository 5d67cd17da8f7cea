// One observation of a router: its ports, its tunnels and its BGP state, whatever the vendor.

import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import {
  type BgpSession,
  type DeviceState,
  type DrainMeans,
  type IpsecTunnel,
  known,
  type MacsecPort,
  type MkaSession,
  type PortName,
  type Reading,
  type Route,
  type Routing,
  unknown,
} from "#hal/model.ts";
import type { Obstacle } from "#hal/obstacle.ts";
import type { Instant } from "#hal/world.ts";
import type { Asked } from "./define-dialect.ts";
import { type QueryResult, reading, together } from "./query-result.ts";
import type { TunnelConfig } from "./tunnel-config.ts";

/** What a probe asks for; absent = not known, as in a query with its name alone. */
export interface AskedProbe {
  /** The far end's address. */
  readonly address?: string;
  /** The number of packets. */
  readonly count?: number;
}

interface ReportedTunnels {
  readonly ipsec: readonly IpsecTunnel[];
  /** Routes that lead into tunnels. */
  readonly routes: QueryResult<readonly Route[]>;
  /** What keeps tunnels from coming up; absent = nothing was found. */
  readonly obstacles?: readonly Obstacle[];
}

const noTunnels: ReportedTunnels = { ipsec: [], routes: { value: [] } };

interface Configured {
  readonly neighbours: readonly object[];
}

type NeighbourOf<C extends Configured> = C["neighbours"][number];

/** A neighbour behind a port of ours. */
type OnPort<C extends Configured> = NeighbourOf<C> & { readonly port: PortName };

/** The data that a platform reports about BGP. */
interface Peerings<C extends Configured, P> {
  readonly config: QueryResult<C>;
  readonly peers: QueryResult<P>;
  readonly portOf: (config: C, neighbour: NeighbourOf<C>) => PortName | undefined;
  readonly drainsOf: (config: C, port: PortName) => readonly DrainMeans[];
  /** Returns the routes from each neighbour; a result that is unknown may be the last one. */
  readonly routes: (
    ours: readonly OnPort<C>[],
  ) => Promise<readonly QueryResult<readonly Route[]>[]>;
  /** Returns the neighbour's session; undefined = it is not known which one that is. */
  readonly session: (one: OnPort<C>, peers: P) => BgpSession | undefined;
}

interface ObservedRouter<C extends Configured, P> {
  readonly at: Instant;
  readonly control: DeviceState["control"];
  readonly macsec: readonly MacsecPort[];
  /** Those that concern no tunnel; absent = none was found. */
  readonly obstacles?: readonly Obstacle[];
  /** Read only where IPsec is offered: elsewhere its commands are not known. */
  readonly tunnels?: () => Promise<ReportedTunnels>;
  readonly peerings: () => Promise<Peerings<C, P>>;
}

/** More ports than the largest routers have. */
const portsMax = 4_096;

/**
 * Returns the ports that a router lists; none if their reply is not known.
 * @throws LinksealError `device.unparsed` for more ports than a router has: each is read apart
 */
export function portsIn(
  physical: QueryResult<ReadonlyMap<PortName, unknown>>,
  where: string,
): readonly PortName[] {
  const ports = "value" in physical ? [...physical.value.keys()] : [];
  if (ports.length > portsMax) throw notUnderstood(`a list of ${ports.length} ports`, where);
  return ports;
}

/** Makes the state of a router from what was read. */
export async function stateOf<C extends Configured, P>(
  { device, capabilities }: Asked,
  { at, control, macsec, obstacles = [], tunnels, peerings }: ObservedRouter<C, P>,
): Promise<DeviceState> {
  const reported =
    capabilities.ipsec === undefined ? noTunnels : ((await tunnels?.()) ?? noTunnels);
  const { ipsec, routes } = reported;
  const routing = withRoutes(await routingOf(await peerings(), at), routes, at);
  const all = [...obstacles, ...(reported.obstacles ?? [])];
  const found = all.length === 0 ? {} : { obstacles: all };
  return { device, at, control, macsec, ipsec, routing, ...found };
}

/**
 * Returns the state of the configured tunnels; `readTunnels` is called only if there is one, with
 * the tunnels' names by interface.
 * @throws LinksealError with `device.unparsed` if the configured tunnels are not known
 */
export async function tunnelsOf<T extends TunnelConfig>(
  config: QueryResult<T>,
  where: string,
  readTunnels: (tunnels: T, names: ReadonlyMap<string, string>) => Promise<ReportedTunnels>,
): Promise<ReportedTunnels> {
  // A list without them would mean that there are none.
  if ("why" in config) throw notUnderstood("which tunnels are configured", where);
  const { tunnels } = config.value;
  if (tunnels.size === 0) return noTunnels;
  const names = [...tunnels.values()].map(({ name, interface: own }) => [own, name] as const);
  return await readTunnels(config.value, new Map(names));
}

async function routingOf<C extends Configured, P>(
  { config, peers, portOf, drainsOf, routes: routesOf, session }: Peerings<C, P>,
  at: Instant,
): Promise<Reading<Routing>> {
  const reported = together({ config, peers });
  if ("why" in reported) return unknown(reported.why, at, reported.query);
  const ours = reported.value.config.neighbours.flatMap((one): readonly OnPort<C>[] => {
    const port = portOf(reported.value.config, one);
    return port === undefined ? [] : [{ ...one, port }];
  });
  const routes: Route[] = [];
  for (const one of await routesOf(ours)) {
    if ("why" in one) return unknown(one.why, at, one.query);
    routes.push(...one.value);
  }
  const found = ours.map((one) => session(one, reported.value.peers));
  const sessions = found.filter((one) => one !== undefined);
  if (sessions.length < found.length) return unknown("unparsed", at);
  const ports = [...new Set(ours.map(({ port }) => port))];
  const drains = ports.flatMap((port) =>
    drainsOf(reported.value.config, port).map((means) => ({ port, means })),
  );
  return known({ sessions, routes, drains }, at);
}

// Without the routes into its tunnels, the routes of a router would look like a way around them.
function withRoutes(
  reported: Reading<Routing>,
  routes: ReportedTunnels["routes"],
  at: Instant,
): Reading<Routing> {
  if (reported.kind === "unknown") return reported;
  return reading(routes, at, (own) => ({
    ...reported.value,
    routes: [...reported.value.routes, ...own],
  }));
}

function notUnderstood(what: string, where: string): LinksealError {
  const details = { effect: "none", where, next: "linkseal doctor" } as const;
  return new LinksealError("device.unparsed", `${what} is not understood`, details);
}

/** Returns by which means neighbours are drained; a sign reveals each. */
export function drainsBy<N>(
  neighbours: readonly N[],
  signs: Partial<Record<DrainMeans, (neighbour: N) => boolean>>,
): readonly DrainMeans[] {
  const means = ["prepend", "gracefulShutdown", "peeringShutdown"] as const;
  return means.filter((one) => neighbours.some(signs[one] ?? (() => false)));
}

/** Returns the session of a port on which MKA does nothing. */
export function emptySession(controlledPort: MkaSession["controlledPort"]): MkaSession {
  return {
    controlledPort,
    principalCkn: undefined,
    participants: [],
    livePeers: 0,
    respondedPeers: 0,
    keyServer: "none",
    keyServerPriority: undefined,
    latestSak: undefined,
    oldSak: undefined,
  };
}

/** The neighbour of a session: its port, its address, and its routing instance. */
export type SessionPlace = Pick<BgpSession, "port" | "peer" | "vrf">;

const bgpStates = /^(?:Idle|Connect|Active|OpenSent|OpenConfirm|Established)$/i;

/** Returns whether a text is the state of a BGP session; another one says nothing about it. */
export const isBgpState = (text: string): boolean => bgpStates.test(text);

/** Makes the place of a session; `vrf` undefined = the default routing instance. */
export function placeOf(port: PortName, peer: string, vrf: string | undefined): SessionPlace {
  return vrf === undefined ? { port, peer } : { port, peer, vrf };
}

/** Makes a BGP session; `remark`: why the last session ended; undefined = not known. */
export function sessionTo(
  at: SessionPlace,
  state: string | undefined,
  what: string,
  remark: string | undefined,
): BgpSession {
  const up = state === "Established";
  if (up || remark === undefined) return { ...at, up };
  return { ...at, up, trouble: `${what}: ${foreignText(remark)}` };
}
