// By which ports a logical interface sends, and by which ports a router may reach an address.

import { type Aggregate, known, type MacsecPort, type PortName } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { inTurn, type QueryResult } from "./query-result.ts";

/** Aggregates by name. */
export type Aggregates = ReadonlyMap<string, Aggregate>;

/** Collects aggregates from their members. */
export function aggregatesOf(
  members: Iterable<readonly [port: PortName, aggregate: string | undefined]>,
): Aggregates {
  const aggregates = new Map<string, PortName[]>();
  for (const [port, name] of members) {
    if (name === undefined) continue;
    const before = aggregates.get(name);
    if (before === undefined) aggregates.set(name, [port]);
    else before.push(port);
  }
  return new Map([...aggregates].map(([name, all]) => [name, { name, members: all }]));
}

/** Returns the aggregate that a port is a member of; undefined = none. */
export function aggregateWith(aggregates: Aggregates, port: PortName): Aggregate | undefined {
  return [...aggregates.values()].find(({ members }) => members.includes(port));
}

/** Returns the reading of a port's aggregate, to be spread into its state; nothing = none. */
export function aggregateReading(
  config: QueryResult<{ readonly aggregates: Aggregates }>,
  port: PortName,
  at: Instant,
): Pick<MacsecPort, "aggregate"> {
  const found = "value" in config ? aggregateWith(config.value.aggregates, port) : undefined;
  return found === undefined ? {} : { aggregate: known(found, at) };
}

/**
 * Returns the ports by which an interface sends: the members of an aggregate, and for a unit those
 * of the interface that it is on. An interface that is neither counts as a port.
 */
export function portsUnder(name: string, aggregates: Aggregates): readonly PortName[] {
  const whole = name.replace(/\.\d{1,10}$/, "");
  return aggregates.get(whole)?.members ?? [whole];
}

/** Returns the port by which alone an interface sends; undefined = none of ours, or several. */
export function onlyPortUnder(
  name: string,
  aggregates: Aggregates,
  isPort: (name: string) => name is PortName,
): PortName | undefined {
  const [port = "", ...others] = portsUnder(name, aggregates);
  return others.length === 0 && isPort(port) ? port : undefined;
}

/** A router with more routing instances is not asked for each of them. */
const instancesMax = 32;

/**
 * Returns the ports by which an address may be reached; each query returns the interfaces of one
 * routing instance, none = the instance has no route. undefined = an instance does not report its
 * route, or none of them has one.
 */
export async function portsTowards(
  queries: readonly (() => Promise<QueryResult<readonly string[]>>)[],
  aggregates: Aggregates,
): Promise<readonly PortName[] | undefined> {
  if (queries.length > instancesMax) return undefined;
  const ports = new Set<PortName>();
  for (const one of await inTurn(queries)) {
    if ("why" in one) return undefined;
    for (const port of one.value.flatMap((name) => portsUnder(name, aggregates))) ports.add(port);
  }
  return ports.size === 0 ? undefined : [...ports];
}
