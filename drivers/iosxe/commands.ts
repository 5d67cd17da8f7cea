// The only queries that are ever sent to IOS XE. Commands that print keys are not among them, such
// as `show key chain`, `show running-config` as a whole, `show archive config differences` and
// `show tech-support`. Only configuration lines that begin with named words are printed, and never
// one with `key-string` or `password`.

import { isIP } from "node:net";
import type { Command } from "#hal/secret.ts";
import { type CiscoNeighbour, type Family, familiesFor } from "../platform/cisco-config.ts";
import { line } from "../transport/cli.ts";
import type { Neighbour } from "./config.ts";
import { markName } from "./names.ts";

/** The last line of every configuration shows that the answer is not cut off. */
const includes = (...beginnings: readonly string[]): Command => [
  `show running-config | include ${[...beginnings, "^end$"].join("|")}`,
];

/** It ends a block of a configuration, so that no line counts as part of the block before. */
const end = "^!";

const commands = {
  clock: () => line`show clock`,
  version: () => line`show version`,
  archive: () => line`show archive`,
  rollbackTimer: () => line`show archive config rollback timer`,
  lock: () => line`show configuration lock`,
  mark: () =>
    includes("^! (Last|No) configuration change", `^event manager environment ${markName}`),
  accounting: () => includes("^aaa accounting commands", "^  logging enable", "^  no hidekeys"),
  interfaces: () => line`show interfaces`,
  // Each command that prints the configuration makes the router write all of it, so one command
  // reads three blocks. A key of another kind begins as ours does, but with a form or more than
  // hexadecimal digits.
  macsecConfig: () =>
    includes(
      end,
      "^interface ",
      "^ (macsec|mka|shutdown|channel-group|.*vrf forwarding|ipv*6* address)",
      "^mka policy ",
      "^ (confidentiality-offset|key-server|sak-rekey|ssci-based)",
      "^key chain .* macsec",
      "^ key [0-9A-Fa-f]+$",
      "^  lifetime",
    ),
  // An MKA policy contains no key, so all of its lines can be shown.
  policies: () => line`show running-config | section ^mka policy `,
  bgpConfig: () =>
    includes(
      "^router bgp ",
      end,
      "^ address-family ",
      "^ +neighbor [^ ]+ (remote-as|activate|shutdown|route-map|peer-group|inherit)",
    ),
  // Three commands, because a line of a router has some 250 characters. A key may follow these
  // words in other lines, hence their ends.
  tunnelInterfaces: () =>
    includes(
      end,
      "^interface ",
      "^ (vrf forwarding|ip address|ip unnumbered|ip mtu|ip tcp adjust-mss)",
      "^ tunnel (source|destination|mode|protection)",
      "^ip route ",
    ),
  ikeConfig: () =>
    includes(
      end,
      "^crypto ikev2 (pro|pol|key)",
      "^ (encryption (aes|3des)|integrity (sha|md5)|prf|group|proposal|match|keyring)",
      "^ (peer|identity|lifetime) ",
      "^ authentication [a-z]+ pre-share$",
      "^  (description psk|address) ",
    ),
  ipsecConfig: () =>
    includes(
      end,
      "^crypto ipsec (transform-set|profile) ",
      "^ mode ",
      "^ set (security-association|transform-set|pfs|ikev2-profile) ",
    ),
  ikeSas: () => line`show crypto ikev2 sa`,
  ipsecSas: () => line`show crypto ipsec sa`,
  staticRoutes: () => line`show ip route static`,
  mkaSessions: () => line`show mka sessions detail`,
  mkaStatistics: (port) => line`show mka statistics interface ${port}`,
  secyStatistics: (port) => line`show macsec statistics interface ${port}`,
  secyStatus: (port) => line`show macsec status interface ${port}`,
  neighbours: () => line`show bgp all neighbors`,
} as const satisfies Record<string, (argument: string) => Command>;

export type CommandName = keyof typeof commands;

export const allCommands = Object.keys(commands) as readonly CommandName[];

export function command(name: CommandName, argument = "none"): Command {
  return commands[name](argument);
}

type Peer = Pick<CiscoNeighbour, "address" | "vrf">;

/** Returns the families whose routes a neighbour may bring; it is active in those it names. */
export function familiesOf({
  address,
  families,
}: Pick<Neighbour, "address" | "families">): readonly Family[] {
  return familiesFor(address, (family) => {
    const active = new RegExp(`^address-family ${family}(?: unicast)?(?: vrf \\S+)?$`);
    return families.some((line) => active.test(line));
  });
}

export function received(family: Family, { address, vrf }: Peer): Command {
  if (vrf === undefined) return line`show bgp ${family} unicast neighbors ${address} routes`;
  const vpn = family === "ipv6" ? "vpnv6" : "vpnv4";
  return line`show bgp ${vpn} unicast vrf ${vrf} neighbors ${address} routes`;
}

export function ping({ address, vrf }: Peer, count: number): Command {
  return vrf === undefined
    ? line`ping ${address} repeat ${count} timeout 1`
    : line`ping vrf ${vrf} ${address} repeat ${count} timeout 1`;
}

/** It contains no key; the word behind the name excludes longer names. */
export function routeMap(name: string): Command {
  return line`show running-config | section ^route-map ${name} `;
}

export function routeTo(address: string, vrf: string | undefined): Command {
  const ip = address.includes(":") ? "ipv6" : "ip";
  return vrf === undefined
    ? line`show ${ip} cef ${address}`
    : line`show ${ip} cef vrf ${vrf} ${address}`;
}

/**
 * Exchanges routes again. In a VRF the command names no neighbour, only the AS of neighbours.
 */
export function refresh({ address, vrf, asn = "" }: Neighbour): Command {
  const family = `ipv${isIP(address)}`;
  if (vrf !== undefined) return line`clear ip bgp vrf ${vrf} ${family} unicast ${asn} soft`;
  return family === "ipv6"
    ? line`clear bgp ipv6 unicast ${address} soft`
    : line`clear ip bgp ${address} soft`;
}
