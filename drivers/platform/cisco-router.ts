// A Cisco router at its command line: what is asked of it for an observation, a path, a probe and a
// change, alike for all platforms.

import { createHash } from "node:crypto";
import type { DeviceChange, PortChange, WantedPort } from "#hal/device.ts";
import type {
  ControlPlane,
  DeviceState,
  DrainMeans,
  MacsecFrames,
  MacsecSettings,
  MkpduCounters,
  PortName,
  Route,
} from "#hal/model.ts";
import { type Command, preview } from "#hal/secret.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import type { Cli } from "../transport/cli.ts";
import type { Block } from "./block.ts";
import { keysOf } from "./cisco-chains.ts";
import {
  type CiscoConfig,
  type CiscoInterface,
  type CiscoNeighbour,
  type Family,
  vrfsFor,
} from "./cisco-config.ts";
import { type MapEntry, type RouteMaps, routeMapsFor } from "./cisco-drain.ts";
import { chainLines } from "./cisco-lines.ts";
import { asConfigured, type Page, pagesOf, sessionOf } from "./cisco-mka.ts";
import { type Ports, portStates } from "./cisco-observation.ts";
import type { CiscoPlan, CiscoSurroundings } from "./cisco-plan.ts";
import { bgpSession, type Peer, type Physical, peerKey, readClock } from "./cisco-system.ts";
import type { Reported } from "./cisco-texts.ts";
import type { Asked, Session, Work } from "./define-dialect.ts";
import { portsTowards } from "./egress.ts";
import type { Changed, OperationOf } from "./port-change.ts";
import type { PortLines } from "./port-lines.ts";
import { failed, type Query } from "./query.ts";
import { inTurn, type QueryResult, reading, readOf } from "./query-result.ts";
import { joined, type RenderedChange, textsOf } from "./renderer.ts";
import { placeOf, stateOf, type tunnelsOf } from "./router-observation.ts";
import { finish, inForce, pingFarEnd, principals, unrefreshed } from "./stage.ts";

type Config = CiscoConfig<Partial<MacsecSettings>, CiscoInterface, CiscoNeighbour>;
type NeighbourOf<C extends Config> = C["neighbours"][number];
type Place = Pick<CiscoNeighbour, "address" | "vrf">;

/** Queries of a platform, by their names. */
type Asks<N extends string> = Query<N | "clock", Command, string>;

/** Returns an id that other texts of a configuration do not have. */
export const configIdOf = (...texts: readonly string[]): string =>
  createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 24);

/**
 * Asks for the counters of a port: those of MKPDUs, and then those of frames, for which they are
 * needed.
 */
export async function countersFrom(
  query: Query<"mkaStatistics" | "secyStatistics", Command, string>,
  port: PortName,
  readMkpdus: (text: string, port: PortName) => MkpduCounters | undefined,
  readFrames: (
    text: string,
    port: PortName,
    mkpdus: MkpduCounters | undefined,
  ) => MacsecFrames | undefined,
): ReturnType<Ports<never>["countersOf"]> {
  const mkpdus = await query.result("mkaStatistics", (text) => readMkpdus(text, port), port);
  const counted = "value" in mkpdus ? mkpdus.value : undefined;
  const read = (text: string) => readFrames(text, port, counted);
  return { mkpdus, frames: await query.result("secyStatistics", read, port) };
}

/** A plan, and its settings in the words of the contract. */
type Plan = CiscoPlan & { readonly settings: MacsecSettings | undefined };

type Around<C> = CiscoSurroundings<C> & { readonly routeMaps: RouteMaps };

/** A change as it is sent. */
export interface RenderedWork<P> extends RenderedChange<Command> {
  /** Commands for the running router, which are sent afterwards. */
  readonly operations: readonly Command[];
  /** The ports as they are to be. */
  readonly planned: readonly P[];
  /** How the device commits. */
  readonly commit: Work["capabilities"]["commit"]["kind"];
}

/**
 * What a platform provides. `N`: the names of its queries, `C`: its configuration, `T`: the texts
 * of that, `P`: the plan of a port, `F`: what else a change depends on.
 */
interface Platform<S extends Session, N extends string, C extends Config, T, P extends Plan, F> {
  readonly cliOf: (session: S) => Cli;
  readonly queryOf: (cli: Cli, signal: AbortSignal) => Asks<N>;
  /**
   * Asks for boot and commits; returns a function that makes the reading of them, the clock and the
   * configuration.
   */
  readonly askControl: (
    query: Asks<N>,
    session: S,
  ) => Promise<
    (all: {
      readonly clock: QueryResult<WallTime>;
      readonly reported: QueryResult<Reported<C, T>>;
    }) => QueryResult<ControlPlane>
  >;
  readonly askPorts: (query: Asks<N>) => Promise<QueryResult<ReadonlyMap<PortName, Physical>>>;
  readonly askConfig: (
    query: Asks<N>,
    clock: QueryResult<WallTime>,
  ) => Promise<QueryResult<Reported<C, T>>>;
  /** Reads all lines of policies, key chains, ports and BGP. */
  readonly askBlocks: (query: Asks<N>, texts: T) => Promise<QueryResult<readonly Block[]>>;
  readonly askSessions: (
    query: Asks<N>,
    config: QueryResult<C>,
  ) => Promise<QueryResult<readonly Page[]>>;
  readonly askPeers: (
    query: Asks<N>,
    config: QueryResult<C>,
  ) => Promise<QueryResult<ReadonlyMap<string, Peer>>>;
  readonly askCounters: (query: Asks<N>, port: PortName) => ReturnType<Ports<C>["countersOf"]>;
  /** Absent = the platform ends no tunnel. */
  readonly askTunnels?: (query: Asks<N>, cli: Cli, at: Instant) => ReturnType<typeof tunnelsOf>;
  readonly askFacts: (query: Asks<N>) => Promise<F>;
  /** Returns why a change must not contain a key; undefined = it may. */
  readonly whyNoKey: (query: Asks<N>, config: C) => Promise<string | undefined>;
  /** Asks for a route map that a drain replaces; absent = it replaces none. */
  readonly routeMap?: (name: string) => Command;
  readonly readRouteMap?: (text: string, name: string) => readonly MapEntry[] | undefined;
  /** Returns when a new key begins; absent = it is always valid. */
  readonly beginningAt?: (clock: WallTime) => WallTime;
  readonly portsWithMacsec: (config: C) => readonly PortName[];
  readonly portOf: (config: C, one: Place) => PortName | undefined;
  readonly neighboursOn: (config: C, port: PortName) => readonly NeighbourOf<C>[];
  readonly interfaceTo: (config: C, one: Place) => string | undefined;
  /** Returns the families in which a neighbour may have routes; `peer`: what is known of it. */
  readonly familiesOf: (one: NeighbourOf<C>, peer: Peer | undefined) => readonly Family[];
  readonly drainsOf: (config: C, port: PortName) => readonly DrainMeans[];
  readonly planOf: (config: C, port: PortName) => P;
  readonly isUnread: (config: C, port: PortName) => boolean;
  readonly ownName: (port: PortName) => string | undefined;
  readonly protect: (plan: P, settings: WantedPort["settings"], own: () => string) => P;
  readonly planChange: (change: DeviceChange, around: Around<C>, facts: F) => readonly Changed<P>[];
  readonly render: (
    before: P,
    after: P,
    around: Pick<Around<C>, "config" | "routeMaps">,
    facts: F,
  ) => RenderedChange<Command>;
  /**
   * Makes the router exchange routes again: a changed route map would otherwise affect only routes
   * that arrive or leave later. Absent = a commit does so.
   */
  readonly refresh?: (one: NeighbourOf<C>) => Command;
  /** Renders what of a change concerns no port; absent = there is no such change. */
  readonly renderOthers?: (work: Work, query: Asks<N>) => Promise<RenderedChange<Command>>;
  readonly routeTo: (address: string, vrf: string | undefined, mode: string) => Command;
  readonly readRouteTo: (
    text: string,
    interfaceTo: (address: string) => string | undefined,
  ) => readonly string[] | undefined;
  readonly received: (family: Family, one: NeighbourOf<C>, mode: string) => Command;
  readonly readRoutes: (text: string, port: PortName) => readonly Route[] | undefined;
  readonly ping: (one: Place, count: number) => Command;
  readonly readPing: (
    text: string,
    asked: { readonly address: string | undefined; readonly count: number | undefined },
  ) => { readonly sent: number; readonly answered: number } | undefined;
}

const movesByMaps = (part: PortChange): part is OperationOf<"port.drain" | "port.restore"> =>
  (part.kind === "port.drain" || part.kind === "port.restore") && part.means === "prepend";

/** The mode in which commands are for the running router. */
const running = "#";

/** The requests that all platforms have alike, in the words of one; a dialect takes them over. */
export class CiscoRouter<
  S extends Session,
  N extends string,
  C extends Config,
  T,
  P extends Plan,
  F,
> {
  readonly #platform: Platform<S, N, C, T, P, F>;

  constructor(platform: Platform<S, N, C, T, P, F>) {
    this.#platform = platform;
  }

  /** Those of its requests that a dialect has under the same names. */
  get requests() {
    const { observe, routesTo, probe, preview, lines } = this;
    return { observe, routesTo, probe, preview, lines };
  }

  /** Reads one consistent state: one command after another, each reply known or unknown. */
  readonly observe = async (
    session: S,
    about: Asked,
    signal: AbortSignal,
  ): Promise<DeviceState> => {
    const platform = this.#platform;
    const at = about.clock.now();
    const { cli, query } = this.#begun(session, signal);
    const clock = await query.result("clock", readClock);
    const controlOf = await platform.askControl(query, session);
    const physical = await platform.askPorts(query);
    const reported = await platform.askConfig(query, clock);
    const config = readOf(reported, (all) => all.config);
    const withPeerings = peeringsIn(reported);
    const pages = await platform.askSessions(query, config);
    const peers = await platform.askPeers(query, withPeerings);
    const { portsWithMacsec, planOf, isUnread, portOf, drainsOf, askTunnels } = platform;
    const countersOf = (port: PortName) => platform.askCounters(query, port);
    const peerOf = ({ address, vrf }: Place): Peer | undefined =>
      "value" in peers ? peers.value.get(peerKey(vrf, address)) : undefined;
    const ports = {
      ...{ where: cli.where, config, physical, clock, pages },
      ...{ portsWithMacsec, planOf, isUnread, countersOf },
    };
    return await stateOf<C, unknown>(about, {
      at,
      control: reading(controlOf({ clock, reported }), at, (control) => control),
      macsec: await portStates(ports, at),
      ...(askTunnels && { tunnels: () => askTunnels(query, cli, at) }),
      peerings: async () => ({
        ...{ config: withPeerings, peers, portOf, drainsOf },
        routes: (ours) =>
          inTurn(
            ours.flatMap((one) =>
              platform.familiesOf(one, peerOf(one)).map((family) => () => {
                const asked = platform.received(family, one, cli.mode);
                return query.result(asked, (text) => platform.readRoutes(text, one.port));
              }),
            ),
          ),
        session: (one) => bgpSession(placeOf(one.port, one.address, one.vrf), peerOf(one)),
      }),
    });
  };

  /** Returns the ports by which traffic to an address may leave; undefined = not known. */
  readonly routesTo = async (session: S, address: string, signal: AbortSignal) => {
    const { cli, query } = this.#begun(session, signal);
    const clock = await query.result("clock", readClock);
    const { config } = await query.needed(this.#platform.askConfig(query, clock));
    const { routeTo, readRouteTo, interfaceTo } = this.#platform;
    const queries = vrfsFor(address, config.interfaces).map((vrf) => () => {
      const to = (hop: string) => interfaceTo(config, { address: hop, vrf });
      return query.result(routeTo(address, vrf, cli.mode), (text) => readRouteTo(text, to));
    });
    return await portsTowards(queries, config.aggregates);
  };

  /** Sends packets from a port to the far end's peering address. */
  readonly probe = async (session: S, port: PortName, count: number, signal: AbortSignal) => {
    const { query } = this.#begun(session, signal);
    const { config } = await this.#configFor(query);
    const { neighboursOn, ping, readPing } = this.#platform;
    const [one] = neighboursOn(config, port);
    const read = (text: string) => readPing(text, { address: one?.address, count });
    return await pingFarEnd(query, port, one && ping(one, count), read);
  };

  /** Returns the texts that a change would send. */
  readonly preview = async (session: S, work: Work, signal: AbortSignal) => {
    const { sent, operations } = await this.render(session, work, signal);
    return textsOf([...sent, ...operations]);
  };

  /** Returns the lines of each port, and those that the driver would write for it. */
  readonly lines = async (
    session: S,
    wanted: readonly WantedPort[],
    signal: AbortSignal,
  ): Promise<readonly PortLines[]> => {
    const platform = this.#platform;
    const { query } = this.#begun(session, signal);
    const { config, texts, begins } = await this.#configFor(query);
    const blocks = await query.needed(platform.askBlocks(query, texts));
    const facts = await platform.askFacts(query);
    const drains = wanted.flatMap(
      ({ port, drain }): DeviceChange =>
        drain === undefined ? [] : [{ kind: "port.drain", port, means: drain }],
    );
    const around = { config, routeMaps: await this.#routeMaps(query, drains, config) };
    const render = (before: P, after: P) => platform.render(before, after, around, facts).sent;
    const { planOf, protect, ownName } = platform;
    const own = { config, blocks, planOf, protect, ownName, begins: await begins(), render };
    return wanted.map((one) => chainLines(one, own));
  };

  /**
   * Reads what a change depends on, and renders it.
   * @throws LinksealError `device.*`, with effect "none".
   */
  readonly render = async (
    session: S,
    work: Work,
    signal: AbortSignal,
  ): Promise<RenderedWork<P>> => {
    const platform = this.#platform;
    const { planOf, renderOthers } = platform;
    const { cli, query } = this.#begun(session, signal);
    const { config, begins } = await this.#configFor(query);
    const why = work.secrets.size > 0 ? await platform.whyNoKey(query, config) : undefined;
    if (why !== undefined) throw failed("device.rejected", why, cli.where);
    const facts = await platform.askFacts(query);
    const ports = [...(await query.needed(platform.askPorts(query))).keys()];
    const principal = await principals(
      work,
      () => query.needed(platform.askSessions(query, { value: config })),
      (pages, port, settings) => {
        const keys = keysOf(planOf(config, port));
        return sessionOf(asConfigured(pagesOf(pages, port, ports), keys), settings);
      },
    );
    const around: Around<C> = {
      ...{ config, work, ports: new Set(ports), begins: await begins() },
      principal: (port) => principal(port, planOf(config, port).settings),
      routeMaps: await this.#routeMaps(query, work.change, config),
    };
    const changed = platform.planChange(work.change, around, facts);
    const rendered = changed.map(({ before, after }) =>
      platform.render(before, after, around, facts),
    );
    const others = renderOthers === undefined ? [] : [await renderOthers(work, query)];
    return {
      ...joined([...rendered, ...others]),
      operations: this.#refreshing(work.change, config),
      planned: changed.map(({ after }) => after),
      commit: work.capabilities.commit.kind,
    };
  };

  /**
   * Exchanges the routes again that a change in force moves by route maps, also where it has found
   * nothing to change: the session of the one before may have ended in between.
   * @throws LinksealError with effect "applied" or "unknown".
   */
  readonly refresh = async (
    session: S,
    change: DeviceChange,
    signal: AbortSignal,
  ): Promise<void> => {
    const { cli, query } = this.#begun(session, signal);
    if (!change.some(movesByMaps)) return;
    const asked = () => this.#configFor(query);
    const { config } = await inForce(cli.where, unrefreshed, asked);
    await finish(cli, this.#refreshing(change, config), signal, unrefreshed);
  };

  /** Reads the whole configuration. */
  readonly configIn = (session: S, signal: AbortSignal) =>
    this.#configFor(this.#begun(session, signal).query);

  #refreshing(change: DeviceChange, config: C): readonly Command[] {
    const { neighboursOn, refresh } = this.#platform;
    if (refresh === undefined) return [];
    const ports = change.filter(movesByMaps).map(({ port }) => port);
    const drained = ports.flatMap((port) => neighboursOn(config, port));
    // Each command is sent once: neighbours may share it.
    return [...new Map(drained.map(refresh).map((one) => [preview(one), one])).values()];
  }

  /** Returns the queries about the neighbours on ports, in the words for the running router. */
  readonly queriesAbout = (config: C | undefined): readonly Command[] => {
    const { portOf, routeTo, familiesOf, received } = this.#platform;
    const ours = config?.neighbours.filter((one) => portOf(config, one) !== undefined) ?? [];
    return ours.flatMap((one: NeighbourOf<C>) => [
      routeTo(one.address, one.vrf, running),
      ...familiesOf(one, undefined).map((family) => received(family, one, running)),
    ]);
  };

  #begun(session: S, signal: AbortSignal) {
    const cli = this.#platform.cliOf(session);
    return { cli, query: this.#platform.queryOf(cli, signal) };
  }

  async #routeMaps(query: Asks<N>, change: DeviceChange, config: C): Promise<RouteMaps> {
    const { neighboursOn, routeMap, readRouteMap } = this.#platform;
    if (routeMap === undefined || readRouteMap === undefined) return new Map();
    return await routeMapsFor(
      change,
      (port) => neighboursOn(config, port),
      (name) => query.result(routeMap(name), (text) => readRouteMap(text, name)),
    );
  }

  /** Reads the whole configuration; `begins`: when a new key begins, which needs the clock. */
  async #configFor(query: Asks<N>) {
    const { askConfig, beginningAt } = this.#platform;
    const clock = await query.result("clock", readClock);
    const begins = async () => beginningAt?.(await query.needed(Promise.resolve(clock)));
    const reported = await query.needed(askConfig(query, clock));
    await query.needed(Promise.resolve(peeringsIn({ value: reported })));
    return { begins, ...reported };
  }
}

/** Returns the configuration where all of it is known, its neighbours too. */
function peeringsIn<C>(reported: QueryResult<Reported<C, unknown>>): QueryResult<C> {
  if ("why" in reported) return reported;
  return reported.value.noPeerings ?? { value: reported.value.config };
}
