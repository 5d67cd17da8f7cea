// Rules for the ends of a tunnel: addresses that no end can have, prefixes that can only be
// mistakes, and keys that charon could not tell apart.

import { BlockList, isIP } from "node:net";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";

type Tunnel = Config["tunnels"][number];

export const tunnelEndRules: readonly Rule[] = [
  {
    says:
      "The ends of a tunnel are addresses of one host each: none is unspecified (charon would " +
      "take any peer for it), loopback, multicast or broadcast.",
    find: impossibleEnds,
  },
  {
    says:
      "No protected prefix is of loopback or multicast addresses, and `bgp.peer` is an address " +
      "inside of the tunnel, never the gateway's outer one.",
    find: impossiblePrefixes,
  },
  {
    says:
      "On one Linux host each pair of identities has one PSK: charon finds the key by them, so " +
      "of two keys the one that was loaded last would serve both tunnels.",
    find: onePskForIdentities,
  },
];

const family = (address: string): "ipv4" | "ipv6" => (address.includes(":") ? "ipv6" : "ipv4");

function listOf(...prefixes: readonly string[]): BlockList {
  const list = new BlockList();
  for (const prefix of prefixes) add(list, prefix);
  return list;
}

function add(list: BlockList, prefix: string): void {
  const [address = "", length] = prefix.split("/");
  const bits = length ?? (family(address) === "ipv6" ? "128" : "32");
  list.addSubnet(address, Number(bits), family(address));
}

const loopback = listOf("127.0.0.0/8", "::1/128");
const multicast = listOf("224.0.0.0/4", "ff00::/8");
const noHost = listOf("0.0.0.0/8", "255.255.255.255/32", "::/128");

/** Returns what is wrong with an address as the end of a tunnel; undefined = nothing. */
function faultOf(address: string): string | undefined {
  if (isIP(address) === 0) return undefined;
  const kind = family(address);
  if (noHost.check(address, kind)) return "it is no address of a host, and charon takes any for it";
  if (loopback.check(address, kind)) return "it is a loopback address";
  return multicast.check(address, kind) ? "it is a multicast address" : undefined;
}

function* impossibleEnds({ tunnels }: Config): Generator<Finding> {
  for (const [i, tunnel] of tunnels.entries()) {
    for (const end of ["local", "remote"] as const) {
      const { address } = tunnel[end];
      const fault = faultOf(address);
      if (fault === undefined) continue;
      const write = "name the address that the end has";
      yield finding(["tunnels", i, end, "address"], `is ${address}`, fault, write);
    }
  }
}

function* impossiblePrefixes({ tunnels }: Config): Generator<Finding> {
  for (const [i, { protects, remote, bgp }] of tunnels.entries()) {
    for (const side of ["local", "remote"] as const) {
      for (const [j, prefix] of protects[side].entries()) {
        const odd = [loopback, multicast].some((list) =>
          list.check(networkOf(prefix), family(prefix)),
        );
        if (!odd) continue;
        const why = "no packet of another host has such an address";
        yield finding(["tunnels", i, "protects", side, j], `is ${prefix}`, why, "remove it");
      }
    }
    if (bgp === undefined || bgp.peer !== remote.address) continue;
    const why = "the gateway's outer address is outside of the tunnel";
    yield finding(["tunnels", i, "bgp", "peer"], `is ${bgp.peer}`, why, "name its BGP address");
  }
}

const networkOf = (prefix: string): string => prefix.split("/")[0] ?? "";

function* onePskForIdentities({ devices, tunnels }: Config): Generator<Finding> {
  const hosts = new Set(devices.filter(({ driver }) => driver === "linux").map(({ name }) => name));
  const taken = new Map<string, Tunnel>();
  for (const [i, tunnel] of tunnels.entries()) {
    const { device, local, remote, auth } = tunnel;
    if (!hosts.has(device) || auth.psk === undefined) continue;
    const [ours, theirs] = [local.id ?? local.address, remote.id ?? remote.address];
    const key = JSON.stringify([device, ours, theirs]);
    const other = taken.get(key);
    taken.set(key, other ?? tunnel);
    if (other === undefined || other.auth.psk === auth.psk) continue;
    const same = `${other.name} has the same identities (${ours} and ${theirs})`;
    const why = `${same} and the PSK ${other.auth.psk}`;
    const write = "give the ends other identities, or both tunnels one PSK";
    yield finding(["tunnels", i, "auth", "psk"], `is ${auth.psk}`, why, write);
  }
}

/** Finds prefixes that are allowed and probably not meant: of our own side, or of the path. */
export function* oddPrefixes({ tunnels }: Config): Generator<Finding> {
  for (const [i, { local, protects, name }] of tunnels.entries()) {
    for (const [j, prefix] of protects.remote.entries()) {
      const path = ["tunnels", i, "protects", "remote", j];
      const theirs = listOf(prefix);
      if (theirs.check(local.address, family(local.address))) {
        const own = `it has our own outer address ${local.address}`;
        const why = `${own}; its neighbours would be blocked`;
        yield finding(path, `is ${prefix}`, why, "correct it, if it is not meant");
      }
      const own = tunnels.find((other) => other.protects.local.some((one) => overlap(one, prefix)));
      if (own === undefined) continue;
      const whose = own.name === name ? "its own" : `${own.name}'s`;
      const why = `it overlaps with ${whose} protects.local: what is ours would be blocked`;
      yield finding(path, `is ${prefix}`, why, "correct it, if it is not meant");
    }
  }
}

function overlap(a: string, b: string): boolean {
  if (family(a) !== family(b)) return false;
  const kind = family(a);
  return listOf(a).check(networkOf(b), kind) || listOf(b).check(networkOf(a), kind);
}
