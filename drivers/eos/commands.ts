// The only queries that are ever sent to EOS. Commands that print keys are not among them:
// running-config as it is, startup-config, session-config and its differences, and the secrets of
// management security.

import type { Command } from "#hal/secret.ts";
import { line } from "../transport/cli.ts";
import type { Family } from "./config.ts";
import { defaultVrf } from "./names.ts";

const commands = {
  version: line`show version | json`,
  clock: line`show clock | json`,
  reloads: line`show reload cause | json`,
  sessions: line`show configuration sessions detail | json`,
  config: line`show running-config sanitized | json`,
  interfaces: line`show interfaces | json`,
  security: line`show mac security interface detail | json`,
  participants: line`show mac security participants detail | json`,
  counters: line`show mac security counters detail | json`,
  mkaCounters: line`show mac security mka counters`,
  securityStatus: line`show mac security status | json`,
  peers: line`show bgp summary vrf all | json`,
  connections: line`show ip security connection detail`,
  staticRoutes: line`show ip route static | json`,
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

export function command(name: CommandName): Command {
  return commands[name];
}

export function received(family: Family, address: string, vrf: string): Command {
  const isDefault = vrf === defaultVrf;
  if (family === "ipv6") {
    return isDefault
      ? line`show ipv6 bgp peers ${address} routes | json`
      : line`show ipv6 bgp peers ${address} routes vrf ${vrf} | json`;
  }
  return isDefault
    ? line`show ip bgp neighbors ${address} routes | json`
    : line`show ip bgp neighbors ${address} routes vrf ${vrf} | json`;
}

export function routeTo(address: string): Command {
  return address.includes(":")
    ? line`show ipv6 route vrf all ${address} | json`
    : line`show ip route vrf all ${address} | json`;
}

export function ping(address: string, vrf: string, unit: string, count: number): Command {
  return vrf === defaultVrf
    ? line`ping ${address} interface ${unit} repeat ${count}`
    : line`ping vrf ${vrf} ${address} interface ${unit} repeat ${count}`;
}
