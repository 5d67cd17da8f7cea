// Which addresses are behind an interface, found without asking every interface for each question.

import { isIP } from "node:net";

type Holds = (address: string) => boolean;

const bitsOf = { 4: 32, 6: 128 } as const;
const groupsOfV6 = 8;

interface Address {
  readonly version: 4 | 6;
  readonly value: bigint;
}

/** Returns the number of an address; undefined = the text is not an address. */
function addressOf(text: string): Address | undefined {
  const version = isIP(text);
  if (version === 4) return { version, value: numberOf(text.split(".").map(Number), 8n) };
  if (version !== 6) return undefined;
  // RFC 4291 2.2: `::` replaces the groups that are missing; the last two may be an IPv4 address.
  const [head = [], tail] = text.replace(/%.*$/, "").split("::").map(groupsIn);
  const missing = groupsOfV6 - head.length - (tail?.length ?? 0);
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])];
  return { version, value: numberOf(groups, 16n) };
}

function groupsIn(text: string): readonly number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

const numberOf = (parts: readonly number[], bits: bigint): bigint =>
  parts.reduce((sum, part) => (sum << bits) | BigInt(part), 0n);

/** A reader asks about one address at many interfaces. */
let last: { readonly text: string; readonly address: Address | undefined } | undefined;

function lastAddressOf(text: string): Address | undefined {
  if (last?.text !== text) last = { text, address: addressOf(text) };
  return last.address;
}

function within(network: string, length: number, version: 4 | 6): Holds | undefined {
  const own = addressOf(network);
  const bits = bitsOf[version];
  if (own?.version !== version || !(length >= 0 && length <= bits)) return undefined;
  const shift = BigInt(bits - length);
  const prefix = own.value >> shift;
  return (text) => {
    const address = lastAddressOf(text);
    return address?.version === version && address.value >> shift === prefix;
  };
}

/** Returns a test for the addresses of a prefix; undefined = the text is not a prefix. */
export function subnetOf(prefix: string): Holds | undefined {
  const [, address = "", digits = ""] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(prefix) ?? [];
  const version = isIP(address);
  return version === 4 || version === 6 ? within(address, Number(digits), version) : undefined;
}

/** An address and the length of its prefix; undefined = there is none. */
type Subnet = readonly [address: string, bits: number, kind: "ipv4" | "ipv6"] | undefined;

/**
 * Returns a test for all subnets of an interface. No neighbour is behind a text that is not an
 * address of a subnet.
 */
export function subnetsOf(subnets: readonly Subnet[]): Holds {
  const all = subnets.flatMap((subnet) => {
    if (subnet === undefined) return [];
    const [address, bits, kind] = subnet;
    return within(address, bits, kind === "ipv4" ? 4 : 6) ?? [];
  });
  return (address) => all.some((holds) => holds(address));
}

/** More than the largest routers have: interfaces with their units, and BGP neighbours. */
const most = { interfaces: 8_192, neighbours: 2_048 };

/**
 * Returns whether a configuration is one of a router. Each neighbour is looked for at each
 * interface, so a device that lists very many of both could hold the event loop.
 */
export function isOfRouter(interfaces: number, neighbours: number): boolean {
  return interfaces <= most.interfaces && neighbours <= most.neighbours;
}

/** Returns the function with a memory: it looks once for each neighbour of a configuration. */
export function onceForEach<C extends object, N extends object, T>(
  find: (config: C, one: N) => T,
): (config: C, one: N) => T {
  const known = new WeakMap<C, WeakMap<N, { readonly found: T }>>();
  return (config, one) => {
    const ofConfig = known.get(config) ?? new WeakMap<N, { readonly found: T }>();
    known.set(config, ofConfig);
    const before = ofConfig.get(one) ?? { found: find(config, one) };
    ofConfig.set(one, before);
    return before.found;
  };
}
