// Our readings of routes and rules in the format of `ip -j -d`.

import type { Route, Rule } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { routeKinds } from "#drivers/linux/netlink/rtnetlink-route.ts";
import type { NameOf } from "./links-as-ip.ts";
import { present } from "./plain.ts";

const tables: Readonly<Record<number, string>> = { 253: "default", 254: "main", 255: "local" };
const protocols: Readonly<Record<number, string>> = {
  0: "unspec",
  2: "kernel",
  3: "boot",
  4: "static",
  186: "bgp",
};
const scopes: Readonly<Record<number, string>> = {
  0: "global",
  253: "link",
  254: "host",
  255: "nowhere",
};
const preferences: Readonly<Record<number, string>> = { 0: "medium", 1: "high", 3: "low" };
const kinds = new Map(Object.entries(routeKinds).map(([name, number]) => [number as number, name]));

const tableName = (number: number | undefined): string =>
  tables[number ?? 0] ?? String(number ?? 0);

function prefix(address: string | undefined, length: number, family: number): string {
  if (address === undefined) return "default";
  return length === (family === 2 ? 32 : 128) ? address : `${address}/${length}`;
}

function viaOf(via: string | undefined): unknown {
  return via === undefined
    ? undefined
    : { family: via.includes(":") ? "inet6" : "inet", host: via };
}

function metricsOf({ metrics: m }: Route): unknown {
  if (m === undefined) return undefined;
  return [
    {
      mtu: m.mtu,
      initcwnd: m.initialCongestionWindow,
      quickack: m.quickAcknowledge,
      congestion: m.congestionControl,
    },
  ];
}

export function routeAsIp(route: Route, nameOf: NameOf): unknown {
  return present({
    type: kinds.get(route.kind),
    dst: prefix(route.destination, route.destinationLength, route.family),
    nhid: route.nextHopId,
    gateway: route.gateway,
    via: viaOf(route.via),
    dev: nameOf(route.outputLink),
    table: tableName(route.table),
    protocol: protocols[route.protocol],
    scope: scopes[route.scope],
    prefsrc: route.preferredSource,
    metric: route.priority,
    flags: [],
    metrics: metricsOf(route),
    pref: route.preference === undefined ? undefined : preferences[route.preference],
    nexthops: route.nextHops?.map((hop) => ({
      gateway: hop.gateway,
      via: viaOf(hop.via),
      dev: nameOf(hop.link),
      weight: hop.hops + 1,
      flags: [],
    })),
  });
}

const actions: Readonly<Record<number, string>> = {
  6: "blackhole",
  7: "unreachable",
  8: "prohibit",
};
const ipProtocols: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp" };
const unset = 0xffff_ffff;

function hexNumber(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `0x${value.toString(16)}`;
}

function rangeOf(
  name: string,
  range: { readonly first: number; readonly last: number } | undefined,
): object {
  if (range === undefined) return {};
  const { first, last } = range;
  return first === last ? { [name]: first } : { [`${name}_start`]: first, [`${name}_end`]: last };
}

export function ruleAsIp(rule: Rule): unknown {
  const { family, destination, source, users } = rule;
  const whole = family === 2 ? 32 : 128;
  const lengthOf = (address: string | undefined, length: number): number | undefined =>
    address === undefined || length === whole ? undefined : length;
  const looksUp = rule.action === 1 && rule.masterTable !== true;
  const { suppressPrefixLength: suppressed = unset } = rule;
  return present({
    priority: rule.priority ?? 0,
    src: source ?? "all",
    srclen: lengthOf(source, rule.sourceLength),
    dst: destination,
    dstlen: lengthOf(destination, rule.destinationLength),
    tos: rule.serviceType === 0 ? undefined : hexNumber(rule.serviceType),
    fwmark: hexNumber(rule.mark),
    fwmask: rule.markMask === unset ? undefined : hexNumber(rule.markMask),
    iif: rule.inputName,
    oif: rule.outputName,
    l3mdev: rule.masterTable === true ? null : undefined,
    uid_start: users?.first,
    uid_end: users?.last,
    ipproto: rule.ipProtocol === undefined ? undefined : ipProtocols[rule.ipProtocol],
    ...rangeOf("sport", rule.sourcePorts),
    sport_mask: hexNumber(rule.sourcePortMask),
    ...rangeOf("dport", rule.destinationPorts),
    dport_mask: hexNumber(rule.destinationPortMask),
    table: looksUp ? tableName(rule.table) : undefined,
    suppress_prefixlen: suppressed === unset ? undefined : suppressed,
    goto: rule.goto,
    action: actions[rule.action],
    protocol: protocols[rule.protocol ?? 0],
  });
}
