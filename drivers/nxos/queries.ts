// Every query to NX-OS: what it is sent for, the reader of its reply, and the source of its layout.

import type { Command } from "#hal/secret.ts";
import { readClock } from "../platform/cisco-system.ts";
import { defineReader } from "../platform/define-reader.ts";
import {
  asIpv6,
  countMark,
  named,
  type ReadResult,
  routesOf,
  type TableRow,
  timeText,
  unparsed,
  whole,
  withEntries,
  withFields,
} from "../platform/query-table.ts";
import { cliForm, disguisedJson } from "../platform/reader-forms.ts";
import {
  type CommandName,
  command,
  neighbours,
  ping,
  received,
  routeMap,
  routeTo,
} from "./commands.ts";
import { type ConfigTexts, portOf, readConfig, readPolicies, readRouteMap } from "./config.ts";
import { grammar } from "./grammar.ts";
import { readFrames, readMkpdus, readSessions } from "./macsec-parsers.ts";
import { dialect } from "./nxos.ts";
import {
  readCheckpoints,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
  readSoftware,
} from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

type Row = TableRow<Command, string>;

const genie = "CiscoTestAutomation/genieparser, nxos tests:";
const shows = "cisco.com, Nexus 9000 Series NX-OS Command Reference (Show Commands), 9.3(x):";
const configures = "cisco.com, Nexus 9000 Series NX-OS Command Reference (Configuration), 9.3(x):";

const once = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: () => command(name),
  over: "once",
});
const perPort = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: ({ port }) => command(name, port),
  over: "ports",
});

/** A part of the configuration is read with the other parts empty. */
const configOf = (part: keyof ConfigTexts, text: string): ReturnType<typeof readConfig> =>
  text.trim() === ""
    ? undefined
    : readConfig({ macsec: "", interfaces: "", bgp: "", [part]: text }, true);

function macsecConfig(text: string): ReadResult | undefined {
  const config = configOf("macsec", text);
  if (config === undefined) return undefined;
  const { features, isMacsecShut, isAccounted, policies, chains } = config;
  const gaps = [...policies, ...chains].filter(([, one]) => one === undefined);
  return {
    value: { features, isMacsecShut, isAccounted, policies, chains },
    gaps: gaps.map(([name]) => unparsed(name)),
  };
}

function interfaceConfig(text: string): ReadResult | undefined {
  const interfaces = configOf("interfaces", text)?.interfaces;
  const unread = [...(interfaces ?? [])].filter(([, { macsec }]) => macsec === "unread");
  return (
    interfaces && {
      value: { interfaces },
      gaps: unread.map(([name]) => unparsed(`interfaces ${name} macsec`)),
    }
  );
}

const counters = [
  ...["txTooLong", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci", "rxNotUsingSa"],
] as const;

const commandRows = {
  clock: {
    ...once("clock"),
    purpose: "Gives the switch's time, against which the lifetimes of keys count.",
    standing: "confirmed",
    source: "networktocode/ntc-templates, cisco_nxos show_clock",
    read: (text) => named("time", timeText(readClock(text))),
  },
  version: {
    ...once("version"),
    purpose: "Names platform and release, and the moment of the last boot.",
    standing: "confirmed",
    source: `${genie} ShowVersion`,
    read: (text) => whole(readSoftware(text)),
  },
  interfaces: {
    ...once("interfaces"),
    purpose: "Gives link state and rates of every port.",
    standing: "confirmed",
    source: "napalm-automation/napalm, test/nxos: show interface as JSON",
    read: (text) => withEntries("ports", readInterfaces(text), ["linkUp", "rate"], "one"),
  },
  checkpoints: {
    ...once("checkpoints"),
    purpose: "Shows whether a session that died has left a checkpoint of linkseal's.",
    standing: "confirmed",
    source: `${genie} ShowCheckpointSummary`,
    read: (text) => named("checkpoints", readCheckpoints(text)),
  },
  mkaSessions: {
    ...once("mkaSessions"),
    alias: "show macsec mka session details",
    purpose: "Gives the MKA session of each port, its fallback key, and the SAK.",
    standing: "documented",
    source: `${shows} show macsec mka session; ${genie} ShowMacSecMkaSessionDetails, as text`,
    read: (text) => named("pages", readSessions(text)),
  },
  mkaStatistics: {
    ...perPort("mkaStatistics"),
    purpose: "Counts the MKPDUs of a port, and those that were dropped, by reason.",
    standing: "documented",
    source: `${shows} show macsec mka statistics; ${genie} ShowMacSecMkaStatsIntf, as text`,
    read: (text, { port }) =>
      withFields(readMkpdus(text, port), "sent", "received", "icvFailed", "unknownCkn", "replayed"),
  },
  secyStatistics: {
    ...perPort("secyStatistics"),
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    standing: "documented",
    source: `${shows} show macsec secy statistics; ${genie} ShowMacSecSecyStatistics, as text`,
    read: (text, { port }) => withFields(readFrames(text, port, undefined), ...counters),
  },
  macsecConfig: {
    ...once("macsecConfig"),
    reply: "configuration",
    purpose:
      "Gives features, MACsec policies, key chains without keys, and whether commands leave.",
    standing: "documented",
    source: `${configures} macsec policy, key chain macsec; CiscoTestAutomation/genielibs, nxos`,
    read: macsecConfig,
  },
  policies: {
    ...once("policies"),
    reply: "configuration",
    purpose: "Gives all lines of the MACsec policies, among which `doctor` finds those of others.",
    standing: "documented",
    source: `${configures} macsec policy`,
    read: (text) => named("policies", readPolicies(text)),
  },
  interfaceConfig: {
    ...once("interfaceConfig"),
    reply: "configuration",
    purpose: "Gives the addresses of interfaces and the MACsec that is attached to them.",
    standing: "documented",
    source: `${configures} macsec keychain; ${genie} ShowRunningConfigInterface`,
    read: interfaceConfig,
  },
  bgpConfig: {
    ...once("bgpConfig"),
    reply: "configuration",
    purpose: "Gives the BGP neighbours, their families and route maps.",
    standing: "confirmed",
    source: `${genie} ShowRunningConfigBgp`,
    read: (text) => {
      const config = configOf("bgp", text);
      return config && { value: { localAs: config.localAs, neighbours: config.neighbours } };
    },
  },
} as const satisfies Readonly<Record<CommandName, Row>>;

/** The name of an instance is a word of each command, also that of the default one. */
const argumentRows: readonly Row[] = [
  {
    ask: ({ vrf }) => neighbours(vrf),
    over: "peers",
    purpose: "Gives the state of every BGP session of an instance.",
    standing: "documented",
    source: `${shows} show bgp neighbors`,
    read: (text, { vrf }) => withEntries("peers", readPeers(text, vrf)),
  },
  ...[(address: string) => address, asIpv6].map(
    (worded): Row => ({
      ask: ({ address, vrf }) => routeTo(worded(address), vrf),
      over: "peers",
      purpose: "Gives the interfaces to an address: the management path of the agent.",
      standing: "confirmed",
      source: "allenrobel/nxapi_netbox, show ip route as JSON",
      // A hop without an interface is looked up in the configuration, which is in another reply.
      read: (text) =>
        named(
          "interfaces",
          readRouteTo(text, (hop) => `to ${hop}`),
        ),
    }),
  ),
  ...(["ipv4", "ipv6"] as const).map(
    (family): Row => ({
      ask: ({ peer, vrf }) => received(family, { address: peer, vrf }),
      over: "peers",
      purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
      standing: "documented",
      source: `${shows} show bgp neighbors routes`,
      read: (text) => routesOf(readRoutes(text, "")),
    }),
  ),
  ...[(peer: string) => peer, asIpv6].map(
    (worded): Row => ({
      ask: ({ peer, vrf }) => ping({ address: worded(peer), vrf }, countMark),
      over: "onDemand",
      purpose: "Sends packets to the far end's peering address, and counts the replies.",
      standing: "confirmed",
      source: `${genie} Ping`,
      read: (text, { peer }) => whole(readPing(text, { address: peer })),
    }),
  ),
  {
    ask: ({ name }) => routeMap(name),
    over: "onDemand",
    reply: "configuration",
    purpose: "Gives a route map that a drain replaces, to put its statements behind our own.",
    standing: "documented",
    source: `${configures} route-map`,
    read: (text, { name = "" }) => named("entries", readRouteMap(text, name)),
  },
];

/** The reader of NX-OS. */
export const nxosReader = defineReader(
  {
    form: cliForm(terminal, disguisedJson),
    rows: [...Object.values(commandRows), ...argumentRows],
    grammar,
  },
  {
    dialect,
    send: ({ cli }, query, signal) => cli.run([query], "none", signal),
    peers(replyTo) {
      const textOf = (name: CommandName): string => replyTo(command(name)) ?? "";
      const texts = {
        ...{ macsec: textOf("macsecConfig"), interfaces: textOf("interfaceConfig") },
        bgp: textOf("bgpConfig"),
      };
      const config = readConfig(texts, true);
      const ours = config?.neighbours.filter((one) => portOf(config, one) !== undefined) ?? [];
      const instances = [...new Set(ours.map(({ vrf }) => vrf))];
      return [
        ...instances.map(neighbours),
        ...ours.flatMap((one) => [
          routeTo(one.address, one.vrf),
          ...one.families.map((family) => received(family, one)),
        ]),
      ];
    },
  },
);
