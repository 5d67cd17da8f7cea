// The tunnels of a configuration, read alike for all vendors. A tunnel is ours, and may be written,
// if all that it consists of has its name.

import { isIPv4 } from "node:net";
import {
  isPrefix,
  type PlannedLife,
  pskOfRemark,
  type TunnelPlan,
  type TunnelWords,
  wordFor,
} from "./tunnel-change.ts";

/** A tunnel of a configuration, whether it is ours or not. */
export interface StandingTunnel {
  /** The tunnel's name. */
  readonly name: string;
  /** Its interface. */
  readonly interface: string;
  /** Our outer address; undefined = not configured. */
  readonly localAddress: string | undefined;
  /** The gateway's outer address; undefined = not configured. */
  readonly remoteAddress: string | undefined;
  /** undefined = not ours, or not understood. */
  readonly plan: TunnelPlan | undefined;
}

/** The tunnels, and the configuration around them. */
export interface TunnelConfig<T extends StandingTunnel = StandingTunnel> {
  /** Tunnels by name. */
  readonly tunnels: ReadonlyMap<string, T>;
  /** Interfaces of the global table, by their addresses. */
  readonly homes: ReadonlyMap<string, string>;
  /** Numbers of tunnel interfaces. */
  readonly numbers: ReadonlySet<number>;
  /** Next hops of static routes of the global table, by prefix. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** Names that objects of tunnels already have. */
  readonly names: ReadonlySet<string>;
  /** Tunnels of ours that a change was cut off in; absent = the platform leaves none. */
  readonly remains?: ReadonlyMap<string, unknown>;
}

/**
 * Groups of IKE that strongSwan and these platforms have, by strongSwan's names, with their numbers
 * (IANA, IKEv2 parameters, Transform Type 4).
 */
export const groupNumbers = {
  "ecp-384": "20",
  "ecp-256": "19",
  "modp-2048": "14",
  "modp-2048-256": "24",
  "modp-1024": "2",
};

/** Digests by strongSwan's names. */
export const digests = { sha384: "sha384", sha256: "sha256", sha1: "sha1" };

/** Returns the model's words for a platform's; undefined = one of them has none. */
export function wordsFor<K extends keyof TunnelWords>(
  words: TunnelWords,
  theirs: Readonly<Record<K, string | undefined>>,
): Readonly<Record<K, string>> | undefined {
  const kinds = Object.keys(theirs) as K[];
  const found = kinds.map((kind) => [kind, wordFor(words[kind], theirs[kind])] as const);
  if (found.some(([, word]) => word === undefined)) return undefined;
  return Object.fromEntries(found) as Record<K, string>;
}

/** Returns the words for ESP and its group. */
export function espFor(
  words: TunnelWords,
  theirs: Readonly<Record<"espEncryption" | "espIntegrity" | "pfsGroup", string | undefined>>,
): TunnelPlan["transforms"] | undefined {
  const found = wordsFor(words, theirs);
  return (
    found && {
      encryption: found.espEncryption,
      integrity: found.espIntegrity,
      dhGroup: found.pfsGroup,
    }
  );
}

type Optional<T> = { readonly [K in keyof T]: T[K] | undefined };

interface ReadTunnel
  extends Optional<Omit<TunnelPlan, "name" | "remotePrefixes" | "psk" | "life"> & PlannedLife>,
    Pick<StandingTunnel, "name" | "interface"> {
  /** All that it consists of has its name. */
  readonly isOurs: boolean;
  /** The text that names the version of its PSK. */
  readonly remark: string | undefined;
}

/** Returns the plan of a tunnel; undefined = it is not ours, or a part of it is not understood. */
export function planFrom(
  { name, interface: at, isOurs, remark, ...read }: ReadTunnel,
  routes: TunnelConfig["routes"],
): TunnelPlan | undefined {
  const { localAddress = "", remoteAddress = "", ike, transforms, mtu, seconds, kilobytes } = read;
  if (!isOurs || !isIPv4(localAddress) || !isIPv4(remoteAddress) || mtu === undefined) {
    return undefined;
  }
  if (ike === undefined || transforms === undefined) return undefined;
  if (seconds === undefined || kilobytes === undefined) return undefined;
  const remotePrefixes = [...routes]
    .flatMap(([prefix, hops]) => (isPrefix(prefix) && hops.includes(at) ? [prefix] : []))
    .toSorted();
  const life = { seconds, kilobytes };
  const psk = pskOfRemark(remark);
  return { name, localAddress, remoteAddress, remotePrefixes, ike, transforms, life, mtu, psk };
}

interface Bound {
  readonly interface: string;
  /** Profile of IPsec that protects what passes the interface. */
  readonly profile: string;
}

/**
 * Returns tunnels by the names of their profiles; a profile that several interfaces share names
 * none of them.
 */
export function tunnelsBy<
  B extends Bound,
  E extends Omit<StandingTunnel, keyof Bound | "name" | "plan">,
>(
  bound: readonly B[],
  read: (one: B) => E,
  planOf: (one: B) => TunnelPlan | undefined,
): ReadonlyMap<string, E & StandingTunnel> {
  return new Map(
    bound.map((one) => {
      const isAlone = bound.filter(({ profile }) => profile === one.profile).length === 1;
      const name = isAlone ? one.profile : one.interface;
      const plan = isAlone ? planOf(one) : undefined;
      return [name, { ...read(one), name, interface: one.interface, plan }] as const;
    }),
  );
}

/** Returns interfaces by their addresses; other addresses than IPv4 are left out. */
export function homesOf(pairs: Iterable<readonly [string, string]>): TunnelConfig["homes"] {
  return new Map([...pairs].filter(([address]) => isIPv4(address)));
}

/** Returns next hops by prefix; a prefix may occur several times. */
export function routesOf(pairs: Iterable<readonly [string, string]>): TunnelConfig["routes"] {
  const routes = new Map<string, string[]>();
  for (const [prefix, hop] of pairs) routes.set(prefix, [...(routes.get(prefix) ?? []), hop]);
  return routes;
}

/** Returns the numbers in names; the group of `pattern` is the number. */
export function numbersIn(names: Iterable<string>, pattern: RegExp): ReadonlySet<number> {
  const digits = [...names].map((name) => pattern.exec(name)?.[1]);
  return new Set(digits.filter((one) => one !== undefined).map(Number));
}
