// A drain by route maps: ours take the place of a neighbour's own ones, and repeat their entries,
// because a route map of Cisco's IOS XE and NX-OS cannot call another.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import { isToken, line } from "../transport/cli.ts";
import type { Block as ConfigBlock } from "./block.ts";
import type { CiscoNeighbour } from "./cisco-config.ts";
import { type OnPort, rejected, type Surroundings } from "./port-change.ts";
import type { QueryResult } from "./query-result.ts";
import { type Block, inModes } from "./renderer.ts";
import { drainsBy } from "./router-observation.ts";

/** The directions in which a neighbour has a route map. */
const ways = ["out", "in"] as const;
type Way = (typeof ways)[number];

/** A neighbour that may have route maps. */
export interface MappedNeighbour extends CiscoNeighbour {
  /** Its route maps of any family; undefined = it has none. */
  readonly maps: NonNullable<CiscoNeighbour["maps"]>;
  /** It takes lines of a group or a template, which may name route maps. */
  readonly inherits: boolean;
}

type Policed = Pick<MappedNeighbour, "address" | "vrf" | "maps">;

const drainPrefix = "linkseal-drain-";

/**
 * Returns the name of the route map that drains one neighbour; it contains the name of the one that
 * it replaces. Route maps belong to the whole router, and one address may be in several VRFs.
 */
function drainMap(way: Way, { address, vrf, maps }: Policed): string {
  const instance = vrf === undefined ? "" : `${vrf}-`;
  const name = `${drainPrefix}${way}-${instance}${address.replaceAll(":", "-")}`;
  return maps[way] === undefined ? name : `${name}@${maps[way]}`;
}

/** Returns whether it is the name of a route map of ours. */
const isDrainMap = (name: string | undefined): boolean => name?.startsWith(drainPrefix) === true;

/** Returns the means by which neighbours are drained. */
export function mapDrains(neighbours: readonly MappedNeighbour[]): readonly DrainMeans[] {
  return drainsBy(neighbours, {
    prepend: ({ maps }) => isDrainMap(maps.out) || isDrainMap(maps.in),
    peeringShutdown: ({ isShut }) => isShut,
  });
}

/** Returns the route maps of ours on a neighbour, and the ones that they replaced. */
function drainsOn({ maps }: Policed) {
  return ways.flatMap((way) => {
    const name = maps[way];
    if (name === undefined || !isDrainMap(name)) return [];
    const at = name.indexOf("@");
    return [{ way, name, own: at < 0 ? undefined : name.slice(at + 1) }];
  });
}

/** One entry of a route map: what it matches and sets, in its order. */
export interface MapEntry {
  /** What becomes of a route that matches. */
  readonly verb: "permit" | "deny";
  /** Its number. */
  readonly sequence: string;
  /** Its lines without descriptions, as words. */
  readonly lines: readonly (readonly string[])[];
}

/**
 * The route maps that a drain replaces, and those of ours that it makes, by their names; no entries
 * = there is no such route map, undefined = something in it is not understood.
 */
export type RouteMaps = ReadonlyMap<string, readonly MapEntry[] | undefined>;

/** Returns no entries if there is no such route map; undefined = one is not understood. */
export function entriesOf(
  blocks: readonly ConfigBlock[],
  name: string,
): readonly MapEntry[] | undefined {
  const entries = blocks.map(({ line: head, children }): MapEntry | undefined => {
    const [, own, verb, sequence = ""] =
      /^route-map (\S+) (permit|deny) (\d{1,5})$/.exec(head) ?? [];
    if (own !== name || (verb !== "permit" && verb !== "deny")) return undefined;
    const lines = children.map((one) => one.line.split(" "));
    return { verb, sequence, lines: lines.filter(([first]) => first !== "description") };
  });
  const understood = entries.filter((one) => one !== undefined);
  return understood.length === blocks.length ? understood : undefined;
}

/** Reads the route maps that a drain replaces, and what one before it has left under our names. */
export async function routeMapsFor(
  change: DeviceChange,
  neighboursOn: (port: PortName) => readonly CiscoNeighbour[],
  ask: (name: string) => Promise<QueryResult<readonly MapEntry[]>>,
): Promise<RouteMaps> {
  const routeMaps = new Map<string, readonly MapEntry[] | undefined>();
  for (const operation of change) {
    if (operation.kind !== "port.drain" || operation.means !== "prepend") continue;
    for (const { address, vrf, maps = { in: undefined, out: undefined } } of neighboursOn(
      operation.port,
    )) {
      const ours = ways.map((way) => drainMap(way, { address, vrf, maps }));
      for (const name of [maps.in, maps.out, ...ours]) {
        if (name === undefined || !isToken(name)) continue;
        const reported = await ask(name);
        routeMaps.set(name, "value" in reported ? reported.value : undefined);
      }
    }
  }
  return routeMaps;
}

/**
 * Refuses a drain by route maps that cannot be repeated; `why` returns another reason.
 * @throws LinksealError `device.rejected`, with effect "none".
 */
export function refuseMaps<N extends Policed>(
  operation: OnPort,
  neighbours: readonly N[],
  around: Pick<Surroundings<unknown>, "work"> & { readonly routeMaps: RouteMaps },
  why: (one: N) => string | undefined,
): void {
  if (operation.kind !== "port.drain" || operation.means !== "prepend") return;
  for (const one of neighbours) {
    const reason = why(one) ?? whyNotRepeated(one, around.routeMaps);
    if (reason === undefined) continue;
    throw rejected(around, operation.port, `the neighbour ${one.address} ${reason}`);
  }
}

/** Returns why a neighbour's route maps cannot be repeated; undefined = they can. */
function whyNotRepeated({ maps }: Policed, routeMaps: RouteMaps): string | undefined {
  const own = [maps.in, maps.out].filter((name) => name !== undefined && !isDrainMap(name));
  const lost = own.find((name) => !isCopied(routeMaps.get(name ?? "")));
  return lost && `has the route map ${lost}, which cannot be repeated with a prepend in it`;
}

/**
 * Returns whether each of its words can be repeated, and a prepend is the only change of a path.
 */
function isCopied(entries: readonly MapEntry[] | undefined): boolean {
  const lines = entries?.flatMap((one) => one.lines);
  return (
    entries?.length !== 0 &&
    lines?.every(
      (words) =>
        words.every(isToken) &&
        (words[1] !== "as-path" || words[0] !== "set" || words[2] === "prepend"),
    ) === true
  );
}

const lowPreference = 50;

/** A route map that a neighbour gets in one direction, or has no more. */
interface MapLine {
  readonly way: Way;
  readonly name: string;
  readonly isGone: boolean;
}

/** How a platform configures a neighbour. */
export interface Home {
  /** Shuts its session, or opens it. */
  readonly shut: (isShut: boolean) => Block;
  /** Sets its route maps, in each mode in which its routes are configured. */
  readonly maps: (lines: readonly MapLine[]) => readonly Block[];
}

interface Drains {
  readonly ends: readonly DrainMeans[];
  readonly begins: readonly DrainMeans[];
}

/** Returns the edits by which drains of a neighbour end and begin. `as`: our own AS. */
export function drainEdits(
  { ends, begins }: Drains,
  neighbour: Policed,
  { as, routeMaps }: { readonly as: string; readonly routeMaps: RouteMaps },
  { shut, maps }: Home,
): readonly Block[] {
  const drained = drainsOn(neighbour);
  const ending = (means: DrainMeans): readonly Block[] => {
    if (means === "peeringShutdown") return [shut(false)];
    const back = drained.map(({ way, name, own }) => {
      return { way, name: own ?? name, isGone: own === undefined };
    });
    return [...maps(back), inModes([], ...drained.map(({ name }) => line`no route-map ${name}`))];
  };
  const beginning = (means: DrainMeans): readonly Block[] => {
    if (means === "peeringShutdown") return [shut(true)];
    const ours = ways.map((way) => ({ way, name: drainMap(way, neighbour), isGone: false }));
    return [...drainBlocks(neighbour, as, routeMaps), ...maps(ours)];
  };
  return [...ends.flatMap(ending), ...begins.flatMap(beginning)];
}

/**
 * Returns copies of the neighbour's own route maps with the drain in each entry that permits;
 * without a route map everything is permitted. `as`: our own AS.
 */
function drainBlocks(neighbour: Policed, as: string, routeMaps: RouteMaps): Block[] {
  return ways.flatMap((way) => {
    const own = routeMaps.get(neighbour.maps[way] ?? "");
    const name = drainMap(way, neighbour);
    // No neighbour has it now, and entries of before would decide between those of now.
    const isLeftover = routeMaps.has(name) && routeMaps.get(name)?.length !== 0;
    const gone = inModes([], ...(isLeftover ? [line`no route-map ${name}`] : []));
    return [gone, ...mapBlocks(name, way, as, own)];
  });
}

function mapBlocks(
  name: string,
  way: Way,
  as: string,
  own: readonly MapEntry[] = [{ verb: "permit", sequence: "10", lines: [] }],
): readonly Block[] {
  const set = way === "out" ? ["set", "as-path", "prepend"] : ["set", "local-preference"];
  const isSet = (words: readonly string[]): boolean => set.every((word, at) => words[at] === word);
  return own.map(({ verb, sequence, lines }) => {
    const before = lines.find(isSet)?.slice(set.length) ?? [];
    const values = way === "out" ? [...before, as, as, as] : [String(lowPreference)];
    const permitted = [...lines.filter((words) => !isSet(words)), [...set, ...values]];
    // An entry without a match line decides on all routes that reach it.
    return inModes(
      [],
      line`route-map ${name} ${verb} ${sequence}`,
      ...(verb === "deny" ? lines : permitted).map(spoken),
      line`exit`,
    );
  });
}

const spoken = (words: readonly string[]): Command =>
  words.flatMap((word, index) => [...(index === 0 ? [] : [" "]), ...line`${word}`]);
