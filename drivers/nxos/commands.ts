// The only queries that are ever sent to NX-OS. Commands that print keys are not among them, such
// as `show key chain`, `show running-config` as a whole, `show checkpoint NAME`, `show accounting
// log` and `show tech-support`. Only configuration lines that begin with named words are printed,
// and never one with `key-octet-string` or `password`.

import { isIP } from "node:net";
import type { Command } from "#hal/secret.ts";
import type { CiscoNeighbour, Family } from "../platform/cisco-config.ts";
import { line } from "../transport/cli.ts";

/** The line with the release is in every configuration, above all blocks. */
const filtered = (which: string, ...beginnings: readonly string[]): Command => [
  `show running-config ${which}| egrep '${["^version ", ...beginnings].join("|")}'`,
];

/** Returns the instance as commands name it. */
const instanceOf = (vrf: string | undefined): string => vrf ?? "default";

const asJson = (command: Command): Command => [...command, " | json-pretty"];

const commands = {
  clock: () => line`show clock`,
  version: () => line`show version`,
  interfaces: () => asJson(line`show interface`),
  checkpoints: () => line`show checkpoint summary`,
  // A key of another kind begins as ours does, and so do the lines of another policy: the heads of
  // their blocks keep them apart.
  macsecConfig: () =>
    filtered(
      "",
      "^feature ",
      "^aaa accounting default",
      "^macsec ",
      "^tunnel-encryption policy",
      "^  (cipher-suite|key-server-priority|conf-offset|security-policy|window-size)",
      "^  (sak-expiry-time|(no )?include-sci|ppk)",
      "^key chain ",
      "^  key [0-9A-Fa-f]+ *$",
      "^    send-lifetime",
    ),
  interfaceConfig: () =>
    filtered(
      "interface ",
      "^interface ",
      "^  (macsec|shutdown|no shutdown|no switchport|vrf member|channel-group)",
      "^  ip(v6)? address",
    ),
  // A policy contains no key, so all of its lines can be shown.
  policies: () => line`show running-config | section '^macsec policy '`,
  bgpConfig: () => line`show running-config bgp | exclude password`,
  mkaSessions: () => asJson(line`show macsec mka session details`),
  mkaStatistics: (port) => asJson(line`show macsec mka statistics interface ${port}`),
  secyStatistics: (port) => asJson(line`show macsec secy statistics interface ${port}`),
} as const satisfies Record<string, (argument: string) => Command>;

export type CommandName = keyof typeof commands;

export const allCommands = Object.keys(commands) as readonly CommandName[];

export function command(name: CommandName, argument = "none"): Command {
  return commands[name](argument);
}

/** One address may be in several instances, and the reply does not name its own. */
export function neighbours(vrf: string | undefined): Command {
  return asJson(line`show bgp vrf ${instanceOf(vrf)} all neighbors`);
}

type Peer = Pick<CiscoNeighbour, "address" | "vrf">;

export function received(family: Family, { address, vrf }: Peer): Command {
  const instance = instanceOf(vrf);
  return asJson(line`show bgp vrf ${instance} ${family} unicast neighbors ${address} routes`);
}

export function ping({ address, vrf }: Peer, count: number): Command {
  const verb = address.includes(":") ? "ping6" : "ping";
  return [verb, ...line` ${address} vrf ${instanceOf(vrf)} count ${count} timeout 1`];
}

/** It contains no key; the word behind the name excludes longer names. */
export function routeMap(name: string): Command {
  return line`show running-config rpm | section '^route-map ${name} '`;
}

export function routeTo(address: string, vrf: string | undefined): Command {
  const ip = address.includes(":") ? "ipv6" : "ip";
  return asJson(line`show ${ip} route ${address} vrf ${instanceOf(vrf)}`);
}

/** Exchanges routes again. */
export function refresh({ address, vrf }: Peer): Command {
  const family = `ipv${isIP(address)}`;
  return line`clear bgp vrf ${instanceOf(vrf)} ${family} unicast ${address} soft`;
}
