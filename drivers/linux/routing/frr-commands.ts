// The commands for FRR's shell. Every value is one word of the line, and a drain leaves the
// operator's own policy in force.

import { isIP } from "node:net";
import { LinksealError } from "#hal/error.ts";
import type { DrainMeans } from "#hal/model.ts";
import type { Family, Filter, FrrNeighbour, FrrRouteMap } from "./frr-parsers.ts";

export type SoftMeans = Exclude<DrainMeans, "peeringShutdown">;

/** A session, by its instance and neighbour. */
export interface Session {
  readonly vrf: string;
  readonly address: string;
}

function refused(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", text, {
    effect: "none",
    where,
    next: "linkseal doctor",
  });
}

/** A word in which nothing ends a word, a line or a command, opens a comment or asks for help. */
const oneWord = /^[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,127}$/;

/** Returns the name itself, if the shell reads it as exactly one word. */
export function nameWord(name: string): string {
  if (!oneWord.test(name)) {
    throw refused("a name cannot be written as one word of FRR's shell", JSON.stringify(name));
  }
  return name;
}

export function vrfWord(name: string): string {
  // The word would query all instances at once.
  if (name === "all") throw refused("a VRF of this name cannot be asked alone", name);
  return nameWord(name);
}

export function addressWord(address: string): string {
  if (isIP(address) === 0 || address.includes("%")) {
    throw refused("a neighbour is named by its peering address", JSON.stringify(address));
  }
  return address;
}

const isLine = (command: string): boolean => /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(command);

/**
 * Builds the arguments that make the shell run these commands one after the other, up to a failure.
 */
export function shellWords(commands: readonly string[]): readonly string[] {
  const odd = commands.find((command) => !isLine(command));
  if (odd !== undefined) throw refused("a command is not one line", JSON.stringify(odd));
  return commands.flatMap((command) => ["-c", command]);
}

/** Builds the query for the neighbours of an instance. */
export const askNeighbours = (vrf: string): string => `show bgp vrf ${vrfWord(vrf)} neighbors json`;

/** Builds the query for the paths of an instance. */
export const askRoutes = (vrf: string, family: Family): string =>
  `show bgp vrf ${vrfWord(vrf)} ${family} unicast json`;

/** The query for all route maps. */
export const askRouteMaps = "show route-map json";

export function askAdvertised({ vrf, address }: Session, family: Family): string {
  const session = `vrf ${vrfWord(vrf)} ${family} unicast neighbors ${addressWord(address)}`;
  return `show bgp ${session} advertised-routes detail json`;
}

function routerLine(as: string, vrf: string): string {
  return vrf === "default" ? `router bgp ${as}` : `router bgp ${as} vrf ${vrfWord(vrf)}`;
}

const ourMark = "linkseal-";
const softMeans = {
  prepend: `${ourMark}prepend`,
  gracefulShutdown: `${ourMark}graceful-shutdown`,
} as const satisfies Record<SoftMeans, string>;

/** Returns the drain means of a route map of ours; undefined = it is the operator's map. */
export function meansOf(routeMap: string | undefined): SoftMeans | undefined {
  const all = Object.keys(softMeans) as SoftMeans[];
  return all.find((means) => routeMap?.startsWith(`${softMeans[means]}.`) === true);
}

type Direction = "in" | "out";

interface Place extends Session {
  readonly family: Family;
  readonly direction: Direction;
}

function ourMap(means: SoftMeans, { vrf, address, family, direction }: Place): string {
  return nameWord(
    `${softMeans[means]}.${vrfWord(vrf)}.${family}.${addressWord(address)}.${direction}`,
  );
}

const prependTimes = 3;
/** Below FRR's own 100 and above what RFC 8326 asks of a receiver. */
const localPreference = 50;

function settingsOf(means: SoftMeans, direction: Direction, as: string): readonly string[] {
  if (means === "prepend") {
    const path = Array.from({ length: prependTimes }, () => as).join(" ");
    return direction === "out"
      ? [`set as-path prepend ${path}`]
      : [`set local-preference ${localPreference}`];
  }
  // RFC 8326 4.1 and 4.2: the initiator marks what it sends and is its own receiver.
  return direction === "out"
    ? ["set community graceful-shutdown additive"]
    : ["set local-preference 0"];
}

/**
 * Writes a map that first calls the operator's map, if there is one, and denies what that denies.
 * FRR carries out the settings of an entry before those of the map it calls, so ours are in an
 * entry of their own behind it.
 */
function writeMap(name: string, calls: string | undefined, settings: readonly string[]) {
  const first = [`route-map ${name} permit 10`, `call ${calls}`, "on-match next", "exit"];
  const second = [`route-map ${name} permit 20`, ...settings, "exit"];
  return calls === undefined ? second : [...first, ...second];
}

export interface DrainPlan {
  readonly as: string;
  readonly neighbours: ReadonlyMap<string, FrrNeighbour>;
  readonly routeMaps: ReadonlyMap<string, FrrRouteMap>;
}

interface Turn {
  readonly place: Place;
  readonly attached: string | undefined;
  readonly wanted: string | undefined;
  readonly write: readonly string[];
}

/** Returns the means that a session is drained by, as its maps and its state show. */
export function drainsOf(neighbour: FrrNeighbour): ReadonlySet<DrainMeans> {
  const maps = neighbour.families.flatMap((family) => [family.in.routeMap, family.out.routeMap]);
  const soft = maps.map(meansOf).filter((means) => means !== undefined);
  return new Set<DrainMeans>([...soft, ...(neighbour.shut ? (["peeringShutdown"] as const) : [])]);
}

function turnOf(place: Place, filter: Filter, plan: DrainPlan, means: SoftMeans | undefined): Turn {
  const attached = filter.routeMap;
  const ours = meansOf(attached) !== undefined;
  const calls = ours ? plan.routeMaps.get(attached ?? "")?.calls : attached;
  if (ours && !plan.routeMaps.has(attached ?? "")) {
    throw refused(
      "the route map of a drain is gone, and with it what was there before",
      place.address,
    );
  }
  const own = calls === undefined ? undefined : nameWord(calls);
  if (means === undefined) return { place, attached, wanted: own, write: [] };
  const wanted = ourMap(means, place);
  if (attached === wanted) return { place, attached, wanted, write: [] };
  // A map that a crash left unfinished is written anew.
  const left = plan.routeMaps.has(wanted) ? [`no route-map ${wanted}`] : [];
  const settings = settingsOf(means, place.direction, plan.as);
  return { place, attached, wanted, write: [...left, ...writeMap(wanted, own, settings)] };
}

function attachLines({ place, attached, wanted }: Turn): readonly string[] {
  if (attached === wanted) return [];
  const { address, family, direction } = place;
  const line =
    wanted === undefined
      ? `no neighbor ${addressWord(address)} route-map ${attached} ${direction}`
      : `neighbor ${addressWord(address)} route-map ${wanted} ${direction}`;
  return [`address-family ${family} unicast`, line, "exit-address-family"];
}

/**
 * Builds the commands that lead the traffic of these sessions away by `means`, or back to what was
 * there before; an empty list means that nothing is to be done. New maps are complete before a
 * session refers to them, and old ones go after no session refers to them.
 */
export function softCommands(
  vrf: string,
  addresses: readonly string[],
  means: SoftMeans | undefined,
  plan: DrainPlan,
): readonly string[] {
  const turns = addresses.flatMap((address) =>
    (plan.neighbours.get(address)?.families ?? []).flatMap((answer) =>
      (["in", "out"] as const)
        // A map of ours would let through what RFC 8212 blocks.
        .filter((direction) => !answer[direction].closed)
        .map((direction) => {
          const place = { vrf, address, family: answer.family, direction };
          return turnOf(place, answer[direction], plan, means);
        }),
    ),
  );
  const attach = turns.flatMap(attachLines);
  const kept = new Set(turns.map((turn) => turn.wanted));
  const drop = turns
    .flatMap(({ place }) => [ourMap("prepend", place), ourMap("gracefulShutdown", place)])
    .filter((name) => plan.routeMaps.has(name) && !kept.has(name));
  if (attach.length === 0 && drop.length === 0) return [];
  const session = attach.length === 0 ? [] : [routerLine(plan.as, vrf), ...attach, "exit"];
  return [
    "configure terminal",
    ...turns.flatMap((turn) => turn.write),
    ...session,
    ...drop.map((name) => `no route-map ${name}`),
  ];
}

/** RFC 9003: the far end receives the reason. */
const shutdownMessage = "linkseal drains this link";

export function shutdownCommands(
  vrf: string,
  addresses: readonly string[],
  on: boolean,
  plan: DrainPlan,
): readonly string[] {
  const lines = addresses
    .filter((address) => plan.neighbours.get(address)?.shut === !on)
    .map((address) => `neighbor ${addressWord(address)} shutdown`)
    .map((line) => (on ? `${line} message ${shutdownMessage}` : `no ${line}`));
  return lines.length === 0 ? [] : ["configure terminal", routerLine(plan.as, vrf), ...lines];
}
