// Every query to IOS XR: what it is sent for, the reader of its reply, and the source of its
// layout.

import type { Command } from "#hal/secret.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { readClock, readInterfaces, readPing } from "../platform/cisco-system.ts";
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
import { cliForm } from "../platform/reader-forms.ts";
import { type CommandName, command, ping, received, routeTo } from "./commands.ts";
import { type ConfigTexts, portOf, readConfig } from "./config.ts";
import { grammar } from "./grammar.ts";
import { dialect } from "./iosxr.ts";
import { readFrames, readMkpdus } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import {
  holdersOf,
  readAccounting,
  readBoot,
  readCommits,
  readPeers,
  readRouteTo,
  readSoftware,
} from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

type Row = TableRow<Command, string>;

/** The mode in which commands are worded for the running router. */
const exec = "#";
const genie = "CiscoTestAutomation/genieparser, iosxr tests:";
const reference = "cisco.com, IOS XR System Security Command Reference";

const once = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: () => command(name, exec),
  over: "once",
});
const perPort = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: ({ port }) => command(name, exec, port),
  over: "ports",
});

/** A part of the configuration is read with the other parts empty. */
function configOf(texts: Partial<ConfigTexts>): ReturnType<typeof readConfig> {
  const none = "% No such configuration item(s)";
  const empty = { interfaces: none, policies: none, chains: none, bgp: none };
  return readConfig({ ...empty, ...texts }, true);
}

function interfaceConfig(text: string): ReadResult | undefined {
  const interfaces = configOf({ interfaces: text })?.interfaces;
  if (interfaces === undefined) return undefined;
  const unread = [...interfaces].filter(([, { macsec }]) => macsec === "unread");
  return {
    value: { interfaces },
    gaps: unread.map(([name]) => unparsed(`interfaces ${name} macsec`)),
  };
}

function bgpConfig(text: string): ReadResult | undefined {
  const config = configOf({ bgp: text });
  return config && { value: { localAs: config.localAs, neighbours: config.neighbours } };
}

const counters = [
  ...["txTooLong", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci"],
  ...["rxNotUsingSa", "rxUnusedSa"],
] as const;

const commandRows = {
  clock: {
    ...once("clock"),
    purpose: "Gives the router's time, against which the lifetimes of keys count.",
    standing: "confirmed",
    source: `${genie} ShowClock`,
    read: (text) => named("time", timeText(readClock(text))),
  },
  version: {
    ...once("version"),
    purpose: "Names platform and release.",
    standing: "confirmed",
    source: `${genie} ShowVersion`,
    read: (text) => whole(readSoftware(text)),
  },
  reboots: {
    ask: ({ node }) => command("reboots", exec, node),
    over: "once",
    purpose: "Gives the moment of the last boot.",
    standing: "unknown",
    source: "none found that shows the rows",
    read: (text) => named("boot", readBoot(text)),
  },
  editors: {
    ...once("editors"),
    purpose: "Shows who edits the configuration, and whether a commit waits for its confirm.",
    standing: "documented",
    source: "cisco.com, IOS XR System Management Command Reference: show configuration sessions",
    read: (text) => named("linesWithLock", holdersOf(text)),
  },
  commits: {
    ...once("commits"),
    purpose: "Lists the last commits, in which linkseal finds its own by their labels.",
    standing: "confirmed",
    source: "xrdocs, pages on ZTP with `show configuration commit list detail` of 6.4.1",
    read: (text) => named("commits", readCommits(text, "")),
  },
  interfaces: {
    ...once("interfaces"),
    purpose: "Gives link state and rates of every port.",
    standing: "confirmed",
    source: `${genie} ShowInterfaces`,
    read: (text) => withEntries("ports", readInterfaces(text, isPort), ["linkUp", "rate"], "one"),
  },
  mkaSessions: {
    ...once("mkaSessions"),
    purpose: "Gives the MKA session of each key of each port, with live peers and SAKs.",
    standing: "documented",
    source: "cisco.com, System Security Configuration Guide: Verifying MACsec Encryption on IOS XR",
    read: (text) => named("pages", readSessions(text)),
  },
  mkaStatistics: {
    ...perPort("mkaStatistics"),
    purpose: "Counts the MKPDUs of a port, and those that were dropped, by reason.",
    standing: "documented",
    source: "ChartinoLabs/Muninn, cisco_iosxr show macsec mka statistics interface: its labels",
    read: (text, { port }) =>
      isPageOf(port, text)
        ? withFields(readMkpdus(text), "sent", "received", "icvFailed", "unknownCkn", "replayed")
        : undefined,
  },
  secyStatistics: {
    ...perPort("secyStatistics"),
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    standing: "documented",
    source: "cisco.com, System Security Configuration Guide: show macsec secy stats",
    read: (text) => withFields(readFrames(text, undefined), ...counters),
  },
  neighbours: {
    ...once("neighbours"),
    purpose: "Gives the state of every BGP session.",
    standing: "confirmed",
    source: `${genie} ShowBgpNeighbors`,
    read: (text) => withEntries("peers", readPeers(text)),
  },
  accounting: {
    ...once("accounting"),
    reply: "configuration",
    purpose: "Shows whether commands, and the keys in them, are sent to an accounting server.",
    standing: "documented",
    source: `${reference}: aaa accounting`,
    read: (text) => named("isAccounted", readAccounting(text)),
  },
  interfaceConfig: {
    ...once("interfaceConfig"),
    reply: "configuration",
    purpose: "Gives the addresses of interfaces and the MACsec that is attached to them.",
    standing: "documented",
    source: `${reference}: macsec psk-keychain`,
    read: interfaceConfig,
  },
  policies: {
    ...once("policies"),
    reply: "configuration",
    purpose: "Gives the MACsec settings.",
    standing: "documented",
    source: `${reference}: macsec-policy`,
    read: (text) => withEntries("policies", configOf({ policies: text })?.policies),
  },
  chains: {
    ...once("chains"),
    reply: "configuration",
    purpose: "Gives the names and lifetimes of keys; the router leaves out the keys.",
    standing: "documented",
    source: `${reference}: key chain NAME macsec`,
    read: (text) => withEntries("chains", configOf({ chains: text })?.chains),
  },
  bgpConfig: {
    ...once("bgpConfig"),
    reply: "configuration",
    purpose: "Gives the BGP neighbours and their families; the router leaves out passwords.",
    standing: "documented",
    source: "cisco.com, IOS XR BGP Command Reference",
    read: bgpConfig,
  },
  vrfNeighbours: {
    ...once("vrfNeighbours"),
    purpose: "Gives the state of the BGP sessions in VRFs; the agent asks where one is configured.",
    standing: "confirmed",
    source: `${genie} ShowBgpInstanceNeighborsDetail, for an instance with VRFs`,
    read: (text) => withEntries("peers", readPeers(text)),
  },
} as const satisfies Readonly<Record<CommandName, Row>>;

const inTable = [false, true];

const argumentRows: readonly Row[] = [
  ...inTable.flatMap((inVrf): readonly Row[] =>
    [(address: string) => address, asIpv6].map((worded) => ({
      ask: ({ address, vrf }) => routeTo(worded(address), inVrf ? vrf : undefined, exec),
      over: "peers",
      purpose: "Gives the interfaces to an address: the management path of the agent.",
      standing: "documented",
      source: "cisco.com, IOS XR Routing Command Reference: show route",
      // A hop without an interface is looked up in the configuration, which is in another reply.
      read: (text) =>
        named(
          "interfaces",
          readRouteTo(text, (hop) => `to ${hop}`),
        ),
    })),
  ),
  ...(["ipv4", "ipv6"] as const).flatMap((family): readonly Row[] =>
    inTable.map((inVrf) => ({
      ask: ({ peer, vrf }) =>
        received(family, { address: peer, vrf: inVrf ? vrf : undefined }, exec),
      over: "peers",
      purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
      standing: family === "ipv4" && !inVrf ? "confirmed" : "inferred",
      source: `${genie} ShowBgpInstanceNeighborsRoutes, ShowBgpInstanceAllAll`,
      read: (text) => routesOf(readRoutes(text, "")),
    })),
  ),
  ...inTable.map(
    (inVrf): Row => ({
      ask: ({ peer, vrf }) => ping({ address: peer, vrf: inVrf ? vrf : undefined }, countMark),
      over: "onDemand",
      purpose: "Sends packets to the far end's peering address, and counts the replies.",
      standing: "confirmed",
      source: `${genie} Ping`,
      read: (text, { peer }) => whole(readPing(text, { address: peer, count: undefined })),
    }),
  ),
];

/** The reader of IOS XR. */
export const iosxrReader = defineReader(
  { form: cliForm(terminal), rows: [...Object.values(commandRows), ...argumentRows], grammar },
  {
    dialect,
    send: (cli, query, signal) => cli.run([query], "none", signal),
    // The prompt begins with the node that the history belongs to.
    nodeOf: ({ host }) => host.replace(/^RP\//, "").split(":")[0] ?? "",
    peers(replyTo) {
      const textOf = (name: CommandName): string => replyTo(command(name, exec)) ?? "";
      const config = readConfig(
        {
          interfaces: textOf("interfaceConfig"),
          policies: textOf("policies"),
          chains: textOf("chains"),
          bgp: textOf("bgpConfig"),
        },
        true,
      );
      const ours = config?.neighbours.filter((one) => portOf(config, one)) ?? [];
      return ours.flatMap((one) => [
        routeTo(one.address, one.vrf, exec),
        ...one.families.map((family) => received(family, one, exec)),
      ]);
    },
  },
);
