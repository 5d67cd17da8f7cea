// The only queries that are ever sent to IOS XR. Commands that print keys in a readable form are
// not among them, such as `show key chain`, `show running-config` as a whole, `show configuration
// commit changes` and `show tech-support`.

import type { Command } from "#hal/secret.ts";
import type { CiscoNeighbour, Family } from "../platform/cisco-config.ts";
import { line } from "../transport/cli.ts";

const commands = {
  clock: () => line`show clock`,
  version: () => line`show version`,
  reboots: (node) => line`show reboot history location ${node}`,
  commits: () => line`show configuration commit list 20 detail`,
  editors: () => line`show configuration sessions detail`,
  accounting: () => line`show running-config aaa accounting`,
  interfaces: () => line`show interfaces`,
  interfaceConfig: () => line`show running-config interface`,
  policies: () => line`show running-config macsec-policy`,
  // The router itself omits the lines with keys.
  chains: () => line`show running-config key chain | exclude key-string`,
  bgpConfig: () => line`show running-config router bgp | exclude password`,
  mkaSessions: () => line`show macsec mka session detail`,
  mkaStatistics: (port) => line`show macsec mka statistics interface ${port}`,
  secyStatistics: (port) => line`show macsec secy stats interface ${port} sc`,
  neighbours: () => line`show bgp neighbors`,
  vrfNeighbours: () => line`show bgp vrf all neighbors`,
} as const satisfies Record<string, (argument: string) => Command>;

export type CommandName = keyof typeof commands;

export const allCommands = Object.keys(commands) as readonly CommandName[];

/**
 * Returns the command; inside the configuration `mode`, a command for the running router needs one
 * word more.
 */
export function command(name: CommandName, mode: string, argument = "none"): Command {
  return inMode(commands[name](argument), mode);
}

const inMode = (asked: Command, mode: string): Command =>
  mode === "#" ? asked : ["do ", ...asked];

type Peer = Pick<CiscoNeighbour, "address" | "vrf">;

/** Names the family, because the default is that of the session, which is normally IPv4. */
export function received(family: Family, { address, vrf }: Peer, mode: string): Command {
  return inMode(
    vrf === undefined
      ? line`show bgp ${family} unicast neighbors ${address} routes`
      : line`show bgp vrf ${vrf} ${family} unicast neighbors ${address} routes`,
    mode,
  );
}

/** Names the family for the same reason. */
export function routeTo(address: string, vrf: string | undefined, mode: string): Command {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return inMode(
    vrf === undefined
      ? line`show route ${family} ${address}`
      : line`show route vrf ${vrf} ${family} ${address}`,
    mode,
  );
}

export function ping({ address, vrf }: Peer, count: number): Command {
  return vrf === undefined
    ? line`ping ${address} count ${count} timeout 1`
    : line`ping vrf ${vrf} ${address} count ${count} timeout 1`;
}
