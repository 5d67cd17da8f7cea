// Makes the state of a port from the replies of a Cisco router, alike for its platforms.

import {
  known,
  type MacsecPort,
  type MacsecSettings,
  type PortName,
  type Reading,
  unknown,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { type ChainPlan, keysOf, slotsOf } from "./cisco-chains.ts";
import { asConfigured, type Page, pagesOf, sessionOf } from "./cisco-mka.ts";
import type { Physical } from "./cisco-system.ts";
import { type Aggregates, aggregateReading } from "./egress.ts";
import { failed } from "./query.ts";
import { type QueryResult, reading } from "./query-result.ts";
import { portsIn } from "./router-observation.ts";

type Known<K extends "mkpdus" | "frames"> =
  MacsecPort[K] extends Reading<infer T> ? NonNullable<T> : never;

interface Counted {
  readonly mkpdus: QueryResult<Known<"mkpdus">>;
  readonly frames: QueryResult<Known<"frames">>;
}

/**
 * The counters of a port without MACsec: no counter runs there, and a zero would be a measurement.
 */
const uncounted: Counted = {
  mkpdus: { why: "notSupported" },
  frames: { why: "notSupported" },
};

type Plan = ChainPlan & { readonly settings: MacsecSettings | undefined };

interface QueryResults {
  /** The configuration of the port. */
  readonly plan: QueryResult<Plan>;
  /** The port has configuration that is not understood. */
  readonly isUnread: boolean;
  readonly physical: QueryResult<ReadonlyMap<PortName, Physical>>;
  readonly clock: QueryResult<WallTime>;
  readonly pages: QueryResult<readonly Page[]>;
}

/** The data that a platform reports about its ports; `config` is its parsed configuration. */
export interface Ports<C> {
  /** The device, for errors. */
  readonly where: string;
  readonly config: QueryResult<C>;
  readonly physical: QueryResults["physical"];
  readonly clock: QueryResult<WallTime>;
  readonly pages: QueryResult<readonly Page[]>;
  /** The ports that have MACsec in the configuration, whether they exist or not. */
  readonly portsWithMacsec: (config: C) => readonly PortName[];
  readonly planOf: (config: C, port: PortName) => Plan;
  readonly isUnread: (config: C, port: PortName) => boolean;
  readonly countersOf: (port: PortName) => Promise<Counted>;
}

/** More ports with MACsec, and MKA sessions, than the largest routers have. */
const securedMax = 1_024;

/**
 * Reads the state of each port; counters are read port by port, only where MACsec is configured. A
 * port that is configured and not among the interfaces has a state that is not known.
 */
export async function portStates<C extends { readonly aggregates: Aggregates }>(
  { where, config, portsWithMacsec, planOf, isUnread, countersOf, ...results }: Ports<C>,
  at: Instant,
): Promise<readonly MacsecPort[]> {
  const { physical } = results;
  const configured = new Set("value" in config ? portsWithMacsec(config.value) : []);
  const ports = [...new Set([...portsIn(physical, where), ...configured])];
  const pages = "value" in results.pages ? results.pages.value.length : 0;
  if (Math.max(configured.size, pages) > securedMax) {
    throw failed("device.unparsed", "it reports more MKA sessions than a router has", where);
  }
  const states: MacsecPort[] = [];
  for (const port of ports) {
    const isRead = "value" in config;
    const counted = configured.has(port) ? await countersOf(port) : uncounted;
    const plan = isRead ? { value: planOf(config.value, port) } : config;
    const isOdd = isRead && isUnread(config.value, port);
    const state = portState(port, ports, { ...results, plan, isUnread: isOdd }, counted, at);
    states.push({ ...state, ...aggregateReading(config, port, at) });
  }
  return states;
}

/** Makes the state of one port; `ports` are all ports of the router. */
function portState(
  port: PortName,
  ports: readonly PortName[],
  { plan, isUnread, physical, clock, pages }: QueryResults,
  { mkpdus, frames }: Counted,
  at: Instant,
): MacsecPort {
  const keys = "value" in plan ? keysOf(plan.value) : [];
  const own = "value" in pages ? asConfigured(pagesOf(pages.value, port, ports), keys) : undefined;
  const session = own && "value" in plan ? sessionOf(own, plan.value.settings) : undefined;
  const used = own?.find(({ ckn }) => ckn === session?.principalCkn);
  const ofPlan = <T>(read: (value: Plan) => T): Reading<T> => {
    if ("why" in plan) return unknown(plan.why, at, plan.query);
    return isUnread ? unknown("unparsed", at) : known(read(plan.value), at);
  };
  return {
    port,
    admin: reading(plan, at, ({ admin }) => admin),
    linkUp: reading(physical, at, (all) => all.get(port)?.linkUp),
    settings: ofPlan(({ settings }) => settings),
    liveSuite: "why" in pages ? unknown(pages.why, at, pages.query) : known(used?.suite, at),
    keys:
      "why" in clock
        ? unknown(("why" in plan ? plan : clock).why, at, ("why" in plan ? plan : clock).query)
        : ofPlan((chains) => slotsOf(chains, clock.value)),
    session: isUnread ? unknown("unparsed", at) : reading(pages, at, () => session),
    mkpdus: reading(mkpdus, at, (value) => value),
    frames: reading(frames, at, (value) => value),
    rate: reading(physical, at, (all) => all.get(port)?.rate),
  };
}
