// Every query to IOS XE: what it is sent for, the reader of its reply, and the source of its
// layout.

import type { Command } from "#hal/secret.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { readClock, readInterfaces, readPing } from "../platform/cisco-system.ts";
import { defineReader } from "../platform/define-reader.ts";
import {
  asIpv6,
  countMark,
  joined,
  named,
  namesLike,
  type ReadResult,
  routesOf,
  type TableRow,
  timeText,
  unparsed,
  whole,
  withEntries,
  withFields,
} from "../platform/query-table.ts";
import { cliForm } from "../platform/reader-forms.ts";
import {
  type CommandName,
  command,
  familiesOf,
  ping,
  received,
  routeMap,
  routeTo,
} from "./commands.ts";
import {
  type ConfigTexts,
  filteredLines,
  portOf,
  readConfig,
  readPolicies,
  readRouteMap,
} from "./config.ts";
import { grammar } from "./grammar.ts";
import { dialect } from "./iosxe.ts";
import { readFrames, readMkpdus, readNextPn } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import {
  readAccounting,
  readArchive,
  readLock,
  readMark,
  readPeers,
  readRouteTo,
  readSoftware,
  readTimer,
} from "./system-parsers.ts";
import { terminal } from "./terminal.ts";
import { readTunnels, type TunnelTexts } from "./tunnel-config.ts";
import { readIkeSas, readIpsecSas, readTunnelRoutes } from "./tunnel-parsers.ts";

type Row = TableRow<Command, string>;

const genie = "CiscoTestAutomation/genieparser, iosxe tests:";
const guide = "cisco.com, Security Configuration Guide for Catalyst 9500: MACsec, WAN MACsec";
const flexVpn = "cisco.com, FlexVPN and IKEv2 Configuration Guide";

const once = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: () => command(name),
  over: "once",
});
const perPort = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: ({ port }) => command(name, port),
  over: "ports",
});

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

function bgpConfig(text: string): ReadResult | undefined {
  const config = configOf("bgp", text);
  return config && { value: { localAs: config.localAs, neighbours: config.neighbours } };
}

function softwareOf(text: string): ReadResult | undefined {
  const value = readSoftware(text);
  const isDated = value?.restartedAt !== undefined || value?.uptimeMs !== undefined;
  return value && { value, gaps: isDated ? [] : [unparsed("restartedAt")] };
}

const counters = [
  ...["txTooLong", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci"],
  ...["rxNotUsingSa", "rxUnusedSa"],
] as const;

const stateRows = {
  clock: {
    ...once("clock"),
    purpose: "Gives the router's time, against which the lifetimes of keys count.",
    standing: "confirmed",
    source: `${genie} ShowClock`,
    read: (text) => named("time", timeText(readClock(text))),
  },
  version: {
    ...once("version"),
    purpose: "Names platform and release, and the moment of the last boot.",
    standing: "confirmed",
    source: `${genie} ShowVersion`,
    read: softwareOf,
  },
  archive: {
    ...once("archive"),
    purpose: "Shows whether the router keeps a copy from which a timer can revert a change.",
    standing: "confirmed",
    source: `${genie} ShowArchive`,
    read: (text) => named("hasArchive", readArchive(text)),
  },
  rollbackTimer: {
    ...once("rollbackTimer"),
    purpose: "Shows whether a change waits for its confirm.",
    standing: "confirmed",
    source: "napalm, test/ios: `commit_confirm` against a router",
    read: (text) => named("timer", readTimer(text)),
  },
  lock: {
    ...once("lock"),
    purpose: "Shows whether another session has locked the configuration.",
    standing: "confirmed",
    source: `${genie} ShowConfigurationLock`,
    read: (text) => named("isLocked", readLock(text)),
  },
  interfaces: {
    ...once("interfaces"),
    purpose: "Gives link state and rates of every port.",
    standing: "confirmed",
    source: `${genie} ShowInterfaces; networktocode/ntc-templates, cisco_ios_show_interfaces`,
    read: (text) => withEntries("ports", readInterfaces(text, isPort), ["linkUp", "rate"], "one"),
  },
  mkaSessions: {
    ...once("mkaSessions"),
    purpose: "Gives the MKA session of each key of each port, with live peers and SAKs.",
    standing: "confirmed",
    source: `${genie} ShowMkaSessionDetail`,
    read: (text) => named("pages", readSessions(text)),
  },
  mkaStatistics: {
    ...perPort("mkaStatistics"),
    purpose: "Counts the MKPDUs of a port, summed over its keys.",
    standing: "inferred",
    source: `${genie} ShowMkaStatistics, which is the page of the whole router`,
    read: (text) => withFields(readMkpdus(text), "sent", "received"),
  },
  secyStatus: {
    ...perPort("secyStatus"),
    purpose: "Gives the next packet number of the SA that transmits.",
    standing: "confirmed",
    source: `${genie} ShowMacsecStatusInterface`,
    read: (text) => withFields(readNextPn(text), "nextPn"),
  },
  secyStatistics: {
    ...perPort("secyStatistics"),
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    standing: "confirmed",
    source: `${genie} ShowMacsecStatisticsInterface`,
    read: (text, { port }) =>
      isPageOf(port, text)
        ? withFields(readFrames(text, undefined, undefined), ...counters)
        : undefined,
  },
  neighbours: {
    ...once("neighbours"),
    purpose: "Gives the state of every BGP session.",
    standing: "confirmed",
    source: `${genie} ShowBgpAllNeighbors`,
    read: (text) => withEntries("peers", readPeers(text)),
  },
  ikeSas: {
    ...once("ikeSas"),
    needs: "ipsec",
    purpose: "Gives the state of the IKE SAs.",
    standing: "confirmed",
    source: `${genie} ShowCryptoIkev2Sa`,
    read: (text) => named("ikeSas", readIkeSas(text)),
  },
  ipsecSas: {
    ...once("ipsecSas"),
    needs: "ipsec",
    purpose: "Gives the IPsec SAs of each tunnel and the packets that passed them.",
    standing: "confirmed",
    source: `${genie} ShowCryptoIpsecSaDetail`,
    read: (text) => withEntries("flows", readIpsecSas(text), ["sas"]),
  },
  staticRoutes: {
    ...once("staticRoutes"),
    needs: "ipsec",
    purpose: "Lists the static routes in use that lead into tunnels.",
    standing: "confirmed",
    source: `${genie} ShowIpRoute; networktocode/ntc-templates, cisco_ios_show_ip_route`,
    read: (text) => named("routes", readTunnelRoutes(text, namesLike(/^Tunnel\d{1,10}$/))),
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const configRows = {
  mark: {
    ...once("mark"),
    reply: "configuration",
    purpose: "Shows who changed the configuration last, and which change of linkseal's waits.",
    standing: "documented",
    source: "cisco.com, Embedded Event Manager Command Reference: event manager environment",
    read(text) {
      const own = filteredLines(text);
      return own === undefined ? undefined : whole({ mark: readMark(own) });
    },
  },
  accounting: {
    ...once("accounting"),
    reply: "configuration",
    purpose: "Shows whether commands, and the keys in them, are recorded elsewhere.",
    standing: "documented",
    source: "cisco.com, Security Command Reference: aaa accounting; archive, log config, hidekeys",
    read: (text) => named("isAccounted", readAccounting(text)),
  },
  macsecConfig: {
    ...once("macsecConfig"),
    reply: "configuration",
    purpose: "Gives the MACsec settings of each port, MKA policies, and key chains without keys.",
    standing: "documented",
    source: guide,
    read: macsecConfig,
  },
  policies: {
    ...once("policies"),
    reply: "configuration",
    purpose: "Gives all lines of the MKA policies, among which `doctor` finds those of others.",
    standing: "documented",
    source: guide,
    read: (text) => named("policies", readPolicies(text)),
  },
  bgpConfig: {
    ...once("bgpConfig"),
    reply: "configuration",
    purpose: "Gives the BGP neighbours, their families and route maps.",
    standing: "documented",
    source: "cisco.com, IP Routing: BGP Configuration Guide",
    read: bgpConfig,
  },
  tunnelInterfaces: {
    ...once("tunnelInterfaces"),
    needs: "ipsec",
    reply: "configuration",
    purpose: "Gives the tunnel interfaces and the routes into them.",
    standing: "documented",
    source: flexVpn,
    read: (text) => tunnelsOf("interfaces", text),
  },
  ikeConfig: {
    ...once("ikeConfig"),
    needs: "ipsec",
    reply: "configuration",
    purpose: "Gives proposals, policies, keyrings and profiles of IKE, without pre-shared keys.",
    standing: "documented",
    source: flexVpn,
    read: (text) => tunnelsOf("ike", text),
  },
  ipsecConfig: {
    ...once("ipsecConfig"),
    needs: "ipsec",
    reply: "configuration",
    purpose: "Gives transform sets and IPsec profiles.",
    standing: "documented",
    source: flexVpn,
    read: (text) => tunnelsOf("ipsec", text),
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const toAddress = {
  over: "peers",
  purpose: "Gives the interfaces to an address: the management path of the agent.",
  read: (text: string) => named("interfaces", readRouteTo(text)),
} as const;
const routes = {
  over: "peers",
  purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
  read: (text: string) => routesOf(readRoutes(text, "")),
} as const;
const probe = {
  over: "onDemand",
  purpose: "Sends packets to the far end's peering address, and counts the replies.",
  standing: "confirmed",
  source: `${genie} Ping`,
  read: (text: string, { peer }: { readonly peer?: string }) =>
    whole(readPing(text, { address: peer, count: undefined })),
} as const;
const neighbourRoutes = `${genie} ShowBgpAllNeighborsRoutes, which has the same table`;

const argumentRows: readonly Row[] = [
  ...[false, true].flatMap((inVrf): readonly Row[] => [
    {
      ...toAddress,
      ask: ({ address, vrf }) => routeTo(address, inVrf ? vrf : undefined),
      standing: "confirmed",
      source: `${genie} ShowIpCef`,
    },
    {
      ...toAddress,
      ask: ({ address, vrf }) => routeTo(asIpv6(address), inVrf ? vrf : undefined),
      standing: "confirmed",
      source: `${genie} ShowIpv6Cef`,
    },
  ]),
  ...(["ipv4", "ipv6"] as const).flatMap((family): readonly Row[] =>
    [false, true].map((inVrf) => ({
      ...routes,
      ask: ({ peer, vrf }) => received(family, peer, inVrf ? vrf : undefined),
      standing: family === "ipv4" && !inVrf ? "confirmed" : "inferred",
      source: neighbourRoutes,
    })),
  ),
  { ...probe, ask: ({ peer }) => ping(peer, undefined, countMark) },
  { ...probe, ask: ({ peer, vrf }) => ping(peer, vrf, countMark) },
  {
    ask: ({ name }) => routeMap(name),
    over: "onDemand",
    reply: "configuration",
    purpose: "Gives a route map that a drain replaces, to put its statements behind our own.",
    standing: "documented",
    source: "cisco.com, IP Routing: Protocol-Independent Configuration Guide",
    read: (text, { name = "" }) => named("entries", readRouteMap(text, name)),
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
      const config = readConfig(texts, true);
      const ours = config?.neighbours.filter((one) => portOf(config, one) !== undefined) ?? [];
      return ours.flatMap((one) => [
        routeTo(one.address, one.vrf),
        ...familiesOf(one).map((family) => received(family, one.address, one.vrf)),
      ]);
    },
  },
);
