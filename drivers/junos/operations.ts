// The only operational queries that are ever sent to Junos. Those that print keys are not among
// them, such as get-configuration without a filter.

import { element, type XmlOut } from "../transport/xml.ts";
import type { Neighbour } from "./config.ts";

const operations = {
  software: () => element("get-software-information"),
  uptime: () => element("get-system-uptime-information"),
  commits: () => element("get-commit-information"),
  engines: () => element("get-route-engine-information"),
  interfaces: () => element("get-interface-information"),
  mkaSessions: () => element("get-mka-session-information", element("detail")),
  mkaStatistics: () => element("get-mka-statistics"),
  connections: () => element("get-macsec-connection-information"),
  statistics: () => element("get-macsec-statistics", element("detail")),
  neighbours: () => element("get-bgp-neighbor-information"),
  received: (peer) =>
    element(
      "get-route-information",
      element("receive-protocol-name", "bgp"),
      element("peer", peer),
    ),
  tunnelInterfaces: () => element("get-interface-information", element("interface-name", "st0")),
  ikeSas: () => element("get-ike-security-associations-information", element("detail")),
  ipsecSas: () => element("get-security-associations-information", element("detail")),
  staticRoutes: () => element("get-route-information", element("protocol", "static")),
  routeTo: (address) => element("get-route-information", element("destination", address)),
} as const satisfies Record<string, (argument: string) => XmlOut>;

export type OperationName = keyof typeof operations;

export function operation(name: OperationName, argument = ""): XmlOut {
  return operations[name](argument);
}

export function ping(
  { address, instance }: Pick<Neighbour, "address" | "instance">,
  unit: string,
  count: number,
): XmlOut {
  return element(
    "ping",
    element("host", address),
    ...(instance === undefined ? [] : [element("routing-instance", instance)]),
    element("interface", unit),
    element("count", String(count)),
    element("rapid"),
  );
}
