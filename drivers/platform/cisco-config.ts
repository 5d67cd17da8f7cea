// Reads the lines of a Cisco configuration and nests them by their indentation.

import { isIP } from "node:net";
import { type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { Block } from "./block.ts";
import type { ChainKey } from "./cisco-chains.ts";
import { bitsOf, type Lifetime } from "./cisco-text.ts";
import { type Aggregates, aggregatesOf, onlyPortUnder } from "./egress.ts";
import { isOfRouter, onceForEach, subnetsOf } from "./subnet.ts";

/**
 * The parts of a Cisco configuration. `P`: a policy, `I`: an interface, `N`: a neighbour of BGP.
 */
export interface CiscoConfig<P = Partial<MacsecSettings>, I = unknown, N = object> {
  /** MKA policies by name; undefined = a policy that is not understood. */
  readonly policies: ReadonlyMap<string, P | undefined>;
  /** Key chains by name; undefined = a chain with a key that is not understood. */
  readonly chains: ReadonlyMap<string, readonly ChainKey[] | undefined>;
  /** Interfaces by name. */
  readonly interfaces: ReadonlyMap<string, I>;
  /** Aggregates, by name. */
  readonly aggregates: Aggregates;
  /** Neighbours of BGP. */
  readonly neighbours: readonly N[];
  /** The AS number of `router bgp`; undefined = BGP is not configured. */
  readonly localAs: string | undefined;
}

/** An interface, as far as all platforms have it alike. */
export interface CiscoInterface {
  /** It is shut by a line. */
  readonly isShut: boolean;
  /** Its routing instance; undefined = the default one. */
  readonly vrf: string | undefined;
  /** The aggregate that it is a member of; undefined = none. */
  readonly aggregate: string | undefined;
  /** The families of which it has an address, in whatever form. */
  readonly families: ReadonlySet<string>;
  /** Returns whether an address is in one of its subnets. */
  readonly holds: (address: string) => boolean;
}

/** A family of routes. */
export type Family = "ipv4" | "ipv6";

/** A neighbour of BGP, as far as all platforms have it alike. */
export interface CiscoNeighbour {
  /** Its address. */
  readonly address: string;
  /** Its routing instance; undefined = the default one. */
  readonly vrf: string | undefined;
  /** Its session is shut. */
  readonly isShut: boolean;
  /** Its route maps of any family; absent = the platform needs none of them. */
  readonly maps?: { readonly in: string | undefined; readonly out: string | undefined };
}

type Peer = Pick<CiscoNeighbour, "address" | "vrf">;

/** Returns the families of the address lines of an interface, in whatever form they are. */
export function familiesIn(lines: readonly string[]): ReadonlySet<string> {
  const found = lines.map((line) => /^ip(v[46])? (?:address|unnumbered|enable)\b/.exec(line));
  return new Set(found.flatMap((one) => (one === null ? [] : [`ip${one[1] ?? "v4"}`])));
}

/** Returns what the address lines of an interface contain. */
export function addressesIn(lines: readonly string[]): Pick<CiscoInterface, "families" | "holds"> {
  return { families: familiesIn(lines), holds: subnetsOf(lines.map(subnetIn)) };
}

function subnetIn(line: string) {
  const [, v4, bits, mask = ""] =
    /^ip(?:v4)? address ([\d.]+)(?:\/(\d{1,2})| ([\d.]+))(?: .*)?$/.exec(line) ?? [];
  if (v4 !== undefined) {
    return [v4, bits === undefined ? bitsOf(mask) : Number(bits), "ipv4"] as const;
  }
  const [, v6, length] =
    /^ipv6 address ([0-9a-fA-F:.]+)\/(\d{1,3})(?: secondary)?$/.exec(line) ?? [];
  return v6 === undefined ? undefined : ([v6, Number(length), "ipv6"] as const);
}

/**
 * Returns the VRFs in which the router may forward to an address: the global table (undefined), and
 * those with an interface that has an address of the family.
 */
export function vrfsFor(
  address: string,
  interfaces: ReadonlyMap<string, Pick<CiscoInterface, "vrf" | "families">>,
): readonly (string | undefined)[] {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  const own = [...interfaces.values()].filter(({ families }) => families.has(family));
  return [...new Set([undefined, ...own.map(({ vrf }) => vrf)])];
}

/** Returns the text behind the words in the first child line that begins with them. */
export function restOf(block: Block | undefined, words: string): string | undefined {
  const found = block?.children.find(({ line }) => line.startsWith(`${words} `));
  return found?.line.slice(words.length + 1);
}

/** Returns blocks by name; the group of `pattern` is the name of a block. */
export function named<T>(
  blocks: readonly Block[],
  pattern: RegExp,
  read: (block: Block) => T,
): ReadonlyMap<string, T> {
  return new Map(
    blocks.flatMap((block): readonly (readonly [string, T])[] => {
      const name = pattern.exec(block.line)?.[1];
      return name === undefined ? [] : [[name, read(block)]];
    }),
  );
}

/**
 * Nests the lines; undefined = they are nested deeper than a configuration is. `isFiltered`: the
 * text has only some lines, and a line whose own block is missing is dropped.
 */
export function blocksOf(
  text: string,
  depthMax: number,
  isFiltered: boolean,
): readonly Block[] | undefined {
  const root: Block[] = [];
  let open: { readonly indent: number; readonly children: Block[] }[] = [];
  for (const row of text.split("\n")) {
    const line = row.trim();
    if (isFiltered && row.startsWith("!")) open = [];
    if (line === "" || line.startsWith("!")) continue;
    const indent = row.length - row.trimStart().length;
    while (open.length > 0 && indent <= (open.at(-1)?.indent ?? 0)) open.pop();
    if (open.length > depthMax) return undefined;
    if (isFiltered && indent > 0 && open.length === 0) continue;
    const children: Block[] = [];
    (open.at(-1)?.children ?? root).push({ line, children });
    open.push({ indent, children });
  }
  return root;
}

/**
 * Makes a configuration of its parts; `router`: the block of BGP. undefined = there is more of them
 * than a router has.
 */
export function configIn<P, I extends CiscoInterface, N extends CiscoNeighbour>(
  parts: Omit<CiscoConfig<P, I, N>, "aggregates" | "localAs">,
  router: Block | undefined,
): CiscoConfig<P, I, N> | undefined {
  const { interfaces, neighbours } = parts;
  if (!isOfRouter(interfaces.size, neighbours.length)) return undefined;
  return {
    ...parts,
    aggregates: aggregatesOf([...interfaces].map(([name, { aggregate }]) => [name, aggregate])),
    localAs: /^router bgp (\d{1,10}(?:\.\d{1,5})?)$/.exec(router?.line ?? "")?.[1],
  };
}

/**
 * Reads the neighbours of BGP itself and of each of its VRFs; `router`: the block of BGP, `head`:
 * the line of a neighbour, with the address in its group.
 */
export function neighboursIn<N>(
  router: Block | undefined,
  head: RegExp,
  read: (block: Block, address: string, vrf: string | undefined, router: Block) => N,
): readonly N[] {
  if (router === undefined) return [];
  const among = (blocks: readonly Block[], vrf: string | undefined): readonly N[] =>
    blocks.flatMap((one) => {
      const [, address = ""] = head.exec(one.line) ?? [];
      return familyOf(address) === undefined ? [] : [read(one, address, vrf, router)];
    });
  const inVrfs = router.children.flatMap((one) => {
    const vrf = /^vrf (\S+)$/.exec(one.line)?.[1];
    return vrf === undefined ? [] : among(one.children, vrf);
  });
  return [...among(router.children, undefined), ...inVrfs];
}

/** Returns the family of an address; undefined = it is none. */
function familyOf(address: string): Family | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `ipv${version === 4 ? 4 : 6}`;
}

/**
 * Returns the families whose routes a neighbour may bring: that of its address, and those it is
 * configured for.
 */
export function familiesFor(
  address: string,
  isConfigured: (family: Family) => boolean,
): readonly Family[] {
  const own = familyOf(address);
  return (["ipv4", "ipv6"] as const).filter((one) => one === own || isConfigured(one));
}

/** Returns functions that find the neighbours behind a port; `isPort` accepts names of ports. */
export function neighbourFinder<
  N extends Peer,
  C extends CiscoConfig<unknown, Pick<CiscoInterface, "vrf" | "holds">, N>,
>(isPort: (name: string) => name is PortName) {
  const interfaceTo = onceForEach(
    ({ interfaces }: C, { address, vrf }: Peer): string | undefined => {
      for (const [name, one] of interfaces) if (one.vrf === vrf && one.holds(address)) return name;
      return undefined;
    },
  );
  const portOf = (config: C, one: Peer): PortName | undefined =>
    onlyPortUnder(interfaceTo(config, one) ?? "", config.aggregates, isPort);
  return {
    /** Returns the interface in whose subnet an address of an instance is; undefined = none. */
    interfaceTo,
    /**
     * Returns the port behind which a neighbour is, by its subnet in its instance; units of a port,
     * and an aggregate with no other member, count as the port.
     */
    portOf,
    /** Returns the neighbours behind a port. */
    neighboursOn: (config: C, port: PortName): readonly N[] =>
      config.neighbours.filter((one) => portOf(config, one) === port),
    /** Returns the neighbours behind any port. */
    neighboursOnPorts: (config: C): readonly N[] =>
      config.neighbours.filter((one) => portOf(config, one) !== undefined),
  };
}

/** Reads the keys of a chain; undefined = `lifeOf` does not understand one of them. */
export function keysIn(
  blocks: readonly Block[],
  lifeOf: (block: Block) => Lifetime | undefined,
): readonly ChainKey[] | undefined {
  const keys: ChainKey[] = [];
  for (const one of blocks) {
    const word = /^key ([0-9A-Fa-f]{2,64})$/.exec(one.line)?.[1];
    const ckn = parseCkn(word ?? "");
    const life = lifeOf(one);
    if (word === undefined || ckn === undefined || life === undefined) return undefined;
    keys.push({ ckn, word, ...life });
  }
  return keys.toSorted((a, b) => (a.startsAt ?? 0) - (b.startsAt ?? 0));
}

/** The longest name of a policy. */
const policyMax = 16;

/**
 * Returns functions for port names; `kinds` has the interface types of ports that can face a
 * provider, with the letters of each.
 */
export function portNames(kinds: Readonly<Record<string, string>>, pattern: RegExp) {
  return {
    /** Accepts an Ethernet port without a logical unit; no other interface is a link. */
    isPort: (name: string): name is PortName => kinds[pattern.exec(name)?.[1] ?? ""] !== undefined,
    /**
     * Returns the name of our policy and key chains for a port; undefined = it would be too long.
     */
    ownName: (port: PortName): string | undefined => {
      const [, kind = "", place = ""] = pattern.exec(port) ?? [];
      const name = `ls-${kinds[kind] ?? kind}${place.replaceAll("/", "-")}`;
      return name.length <= policyMax ? name : undefined;
    },
  };
}
