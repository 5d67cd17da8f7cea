// Every query to IOS XE: what it is sent for, the reader of its reply, and the source of its
// layout.

import type { Command } from "#hal/secret.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import * as rows from "../platform/cisco-rows.ts";
import { readInterfaces, readPing } from "../platform/cisco-system.ts";
import { defineReader } from "../platform/define-reader.ts";
import {
  confirmed,
  documented,
  inferred,
  joined,
  named,
  namesLike,
  type ReadResult,
  rowsBy,
  type TableRow,
  unparsed,
  whole,
  withEntries,
  withFields,
} from "../platform/query-table.ts";
import { cliForm } from "../platform/reader-forms.ts";
import { type CommandName, command, ping, received, routeMap, routeTo } from "./commands.ts";
import {
  type ConfigTexts,
  filteredLines,
  readConfig,
  readPolicies,
  readRouteMap,
} from "./config.ts";
import { grammar } from "./grammar.ts";
import { dialect } from "./iosxe.ts";
import { readFrames, readMkpdus, readNextPn } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import { router } from "./requests.ts";
import * as system from "./system-parsers.ts";
import { terminal } from "./terminal.ts";
import { readTunnels, type TunnelTexts } from "./tunnel-config.ts";
import { readIkeSas, readIpsecSas, readTunnelRoutes } from "./tunnel-parsers.ts";

type Row = TableRow<Command, string>;

const genie = "CiscoTestAutomation/genieparser, iosxe tests:";
const guide = "cisco.com, Security Configuration Guide for Catalyst 9500: MACsec, WAN MACsec";
const flexVpn = "cisco.com, FlexVPN and IKEv2 Configuration Guide";

/** A part of the configuration is read with the other parts empty. */
function configOf(part: keyof ConfigTexts, text: string): ReturnType<typeof readConfig> {
  const own = filteredLines(text);
  return own === undefined ? undefined : readConfig({ macsec: "", bgp: "", [part]: own }, true);
}

function tunnelsOf(part: keyof TunnelTexts, text: string): ReadResult | undefined {
  const own = filteredLines(text);
  if (own === undefined) return undefined;
  const read = readTunnels({ interfaces: "", ike: "", ipsec: "", [part]: own });
  return read && { value: { tunnels: read.tunnels, policies: read.policies } };
}

function macsecConfig(text: string): ReadResult | undefined {
  const config = configOf("macsec", text);
  if (config === undefined) return undefined;
  const { interfaces, policies, chains } = config;
  const unread = [...interfaces].filter(([, { macsec }]) => macsec.isUnread);
  const read = joined(
    withEntries("policies", policies),
    withEntries("chains", chains),
    whole({ interfaces }),
  );
  const gaps = [...(read?.gaps ?? []), ...unread.map(([name]) => unparsed(`interfaces ${name}`))];
  return read && { ...read, gaps };
}

function softwareOf(text: string): ReadResult | undefined {
  const value = system.readSoftware(text);
  const isDated = value?.restartedAt !== undefined || value?.uptimeMs !== undefined;
  return value && { value, gaps: isDated ? [] : [unparsed("restartedAt")] };
}

const { once, onceConfig, perPort } = rowsBy(command);

const stateRows = {
  clock: { ...once("clock"), ...rows.clockRow, ...confirmed(`${genie} ShowClock`) },
  version: {
    ...{ ...once("version"), ...confirmed(`${genie} ShowVersion`) },
    purpose: "Names platform and release, and the moment of the last boot.",
    read: softwareOf,
  },
  archive: {
    ...{ ...once("archive"), ...confirmed(`${genie} ShowArchive`) },
    purpose: "Shows whether the router keeps a copy from which a timer can revert a change.",
    read: (text) => named("hasArchive", system.readArchive(text)),
  },
  rollbackTimer: {
    ...once("rollbackTimer"),
    ...confirmed("napalm, test/ios: `commit_confirm` against a router"),
    purpose: "Shows whether a change waits for its confirm.",
    read: (text) => named("timer", system.readTimer(text)),
  },
  lock: {
    ...{ ...once("lock"), ...confirmed(`${genie} ShowConfigurationLock`) },
    purpose: "Shows whether another session has locked the configuration.",
    read: (text) => named("isLocked", system.readLock(text)),
  },
  interfaces: {
    ...{ ...once("interfaces"), ...rows.portsRow((text) => readInterfaces(text, isPort)) },
    ...confirmed(`${genie} ShowInterfaces; networktocode/ntc-templates, cisco_ios_show_interfaces`),
  },
  mkaSessions: {
    ...{ ...once("mkaSessions"), ...rows.sessionsRow(readSessions) },
    ...confirmed(`${genie} ShowMkaSessionDetail`),
  },
  mkaStatistics: {
    ...perPort("mkaStatistics"),
    ...inferred(`${genie} ShowMkaStatistics, which is the page of the whole router`),
    purpose: "Counts the MKPDUs of a port, summed over its keys.",
    read: (text) => withFields(readMkpdus(text), "sent", "received"),
  },
  secyStatus: {
    ...{ ...perPort("secyStatus"), ...confirmed(`${genie} ShowMacsecStatusInterface`) },
    purpose: "Gives the next packet number of the SA that transmits.",
    read: (text) => withFields(readNextPn(text), "nextPn"),
  },
  secyStatistics: {
    ...{ ...perPort("secyStatistics"), ...confirmed(`${genie} ShowMacsecStatisticsInterface`) },
    ...rows.framesRow((text, port) => {
      return isPageOf(port, text) ? readFrames(text, undefined, undefined) : undefined;
    }, "rxUnusedSa"),
  },
  neighbours: {
    ...{ ...once("neighbours"), ...rows.peersRow(system.readPeers) },
    ...confirmed(`${genie} ShowBgpAllNeighbors`),
  },
  ikeSas: {
    ...{ ...once("ikeSas"), needs: "ipsec", ...confirmed(`${genie} ShowCryptoIkev2Sa`) },
    purpose: "Gives the state of the IKE SAs.",
    read: (text) => named("ikeSas", readIkeSas(text)),
  },
  ipsecSas: {
    ...{ ...once("ipsecSas"), needs: "ipsec", ...confirmed(`${genie} ShowCryptoIpsecSaDetail`) },
    purpose: "Gives the IPsec SAs of each tunnel and the packets that passed them.",
    read: (text) => withEntries("flows", readIpsecSas(text), ["sas"]),
  },
  staticRoutes: {
    ...{ ...once("staticRoutes"), needs: "ipsec" },
    ...confirmed(`${genie} ShowIpRoute; networktocode/ntc-templates, cisco_ios_show_ip_route`),
    purpose: "Lists the static routes in use that lead into tunnels.",
    read: (text) => named("routes", readTunnelRoutes(text, namesLike(/^Tunnel\d{1,10}$/))),
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const configRows = {
  mark: {
    ...onceConfig("mark"),
    ...documented("cisco.com, Embedded Event Manager Command Reference: event manager environment"),
    purpose: "Shows who changed the configuration last, and which change of linkseal's waits.",
    read(text) {
      const own = filteredLines(text);
      return own === undefined ? undefined : whole({ mark: system.readMark(own) });
    },
  },
  accounting: {
    ...onceConfig("accounting"),
    ...documented(
      "cisco.com, Security Command Reference: aaa accounting; archive, log config, hidekeys",
    ),
    purpose: "Shows whether commands, and the keys in them, are recorded elsewhere.",
    read: (text) => named("isAccounted", system.readAccounting(text)),
  },
  macsecConfig: {
    ...{ ...onceConfig("macsecConfig"), ...documented(guide) },
    purpose: "Gives the MACsec settings of each port, MKA policies, and key chains without keys.",
    read: macsecConfig,
  },
  policies: {
    ...{ ...onceConfig("policies"), ...rows.policiesRow(readPolicies), ...documented(guide) },
    purpose: "Gives all lines of the MKA policies, among which `doctor` finds those of others.",
  },
  bgpConfig: {
    ...onceConfig("bgpConfig"),
    ...documented("cisco.com, IP Routing: BGP Configuration Guide"),
    ...rows.bgpRow(", their families and route maps", (text) => configOf("bgp", text)),
  },
  tunnelInterfaces: {
    ...{ ...onceConfig("tunnelInterfaces"), needs: "ipsec", ...documented(flexVpn) },
    purpose: "Gives the tunnel interfaces and the routes into them.",
    read: (text) => tunnelsOf("interfaces", text),
  },
  ikeConfig: {
    ...{ ...onceConfig("ikeConfig"), needs: "ipsec", ...documented(flexVpn) },
    purpose: "Gives proposals, policies, keyrings and profiles of IKE, without pre-shared keys.",
    read: (text) => tunnelsOf("ike", text),
  },
  ipsecConfig: {
    ...{ ...onceConfig("ipsecConfig"), needs: "ipsec", ...documented(flexVpn) },
    purpose: "Gives transform sets and IPsec profiles.",
    read: (text) => tunnelsOf("ipsec", text),
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const neighbourRoutes = `${genie} ShowBgpAllNeighborsRoutes, which has the same table`;

const argumentRows: readonly Row[] = [
  ...[false, true].flatMap((inVrf) =>
    rows.neighbourRows<Command>(
      {
        ...{ routeTo, received, ping, readRouteTo: system.readRouteTo, readRoutes, readPing },
        way: (family) => confirmed(`${genie} ${family === "ipv4" ? "ShowIpCef" : "ShowIpv6Cef"}`),
        routes: (family) =>
          family === "ipv4" && !inVrf ? confirmed(neighbourRoutes) : inferred(neighbourRoutes),
        ...{ probe: confirmed(`${genie} Ping`), pings: ["ipv4"] },
      },
      inVrf,
    ),
  ),
  {
    ...{ ask: ({ name }) => routeMap(name), ...rows.routeMapRow(readRouteMap) },
    ...documented("cisco.com, IP Routing: Protocol-Independent Configuration Guide"),
  },
];

const commandRows = { ...stateRows, ...configRows } as const satisfies Readonly<
  Record<CommandName, Row>
>;

/** The reader of IOS XE. */
export const iosxeReader = defineReader(
  { form: cliForm(terminal), rows: [...Object.values(commandRows), ...argumentRows], grammar },
  {
    dialect,
    send: ({ cli }, query, signal) => cli.run([query], "none", signal),
    peers(replyTo) {
      const textOf = (name: CommandName): string =>
        filteredLines(replyTo(command(name)) ?? "") ?? "";
      const texts = { macsec: textOf("macsecConfig"), bgp: textOf("bgpConfig") };
      return router.queriesAbout(readConfig(texts, true));
    },
  },
);
