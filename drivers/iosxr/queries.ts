// Every query to IOS XR: what it is sent for, the reader of its reply, and the source of its
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
  named,
  rowsBy,
  type TableRow,
  whole,
  withEntries,
} from "../platform/query-table.ts";
import { cliForm } from "../platform/reader-forms.ts";
import { type CommandName, command, ping, received, routeTo } from "./commands.ts";
import { type ConfigTexts, readConfig } from "./config.ts";
import { grammar } from "./grammar.ts";
import { dialect } from "./iosxr.ts";
import { readFrames, readMkpdus } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import { nodeOf, router } from "./requests.ts";
import * as system from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

type Row = TableRow<Command, string>;

/** The mode in which commands are worded for the running router. */
const exec = "#";
const genie = "CiscoTestAutomation/genieparser, iosxr tests:";
const reference = "cisco.com, IOS XR System Security Command Reference";

/** A part of the configuration is read with the other parts empty. */
function configOf(texts: Partial<ConfigTexts>): ReturnType<typeof readConfig> {
  const none = "% No such configuration item(s)";
  const empty = { interfaces: none, policies: none, chains: none, bgp: none };
  return readConfig({ ...empty, ...texts }, true);
}

const { once, onceConfig, perPort } = rowsBy((name: CommandName, argument?: string) =>
  command(name, exec, argument),
);

const commandRows = {
  clock: { ...once("clock"), ...rows.clockRow, ...confirmed(`${genie} ShowClock`) },
  version: {
    ...{ ...once("version"), ...confirmed(`${genie} ShowVersion`) },
    purpose: "Names platform and release.",
    read: (text) => whole(system.readSoftware(text)),
  },
  reboots: {
    ask: ({ node }) => command("reboots", exec, node),
    over: "once",
    purpose: "Gives the moment of the last boot.",
    standing: "unknown",
    source: "none found that shows the rows",
    read: (text) => named("boot", system.readBoot(text)),
  },
  editors: {
    ...once("editors"),
    ...confirmed("published notes of an XRv9k with 24.3.1, on sessions and trials"),
    purpose: "Shows what edits the configuration, and whether a commit waits for its confirm.",
    read: (text) => named("clients", system.clientsOf(text)),
  },
  commits: {
    ...once("commits"),
    ...confirmed("xrdocs, pages on ZTP with `show configuration commit list detail` of 6.4.1"),
    purpose: "Lists the last commits, in which linkseal finds its own by their labels.",
    read: (text) => named("commits", system.readCommits(text, "")),
  },
  interfaces: {
    ...{ ...once("interfaces"), ...confirmed(`${genie} ShowInterfaces`) },
    ...rows.portsRow((text) => readInterfaces(text, isPort)),
  },
  mkaSessions: {
    ...{ ...once("mkaSessions"), ...rows.sessionsRow(readSessions) },
    ...documented(
      "cisco.com, System Security Configuration Guide: Verifying MACsec Encryption on IOS XR",
    ),
  },
  mkaStatistics: {
    ...perPort("mkaStatistics"),
    ...rows.mkpdusRow((text, port) => (isPageOf(port, text) ? readMkpdus(text) : undefined)),
    ...documented(
      "ChartinoLabs/Muninn, cisco_iosxr show macsec mka statistics interface: its labels",
    ),
  },
  secyStatistics: {
    ...perPort("secyStatistics"),
    ...rows.framesRow((text) => readFrames(text, undefined), "rxUnusedSa"),
    ...documented("cisco.com, System Security Configuration Guide: show macsec secy stats"),
  },
  neighbours: {
    ...{ ...once("neighbours"), ...rows.peersRow(system.readPeers) },
    ...confirmed(`${genie} ShowBgpNeighbors`),
  },
  accounting: {
    ...{ ...onceConfig("accounting"), ...documented(`${reference}: aaa accounting`) },
    purpose: "Shows whether commands, and the keys in them, are sent to an accounting server.",
    read: (text) => named("isAccounted", system.readAccounting(text)),
  },
  interfaceConfig: {
    ...{ ...onceConfig("interfaceConfig"), ...documented(`${reference}: macsec psk-keychain`) },
    ...rows.interfacesRow((text) => configOf({ interfaces: text })),
  },
  policies: {
    ...{ ...onceConfig("policies"), ...documented(`${reference}: macsec-policy`) },
    purpose: "Gives the MACsec settings.",
    read: (text) => withEntries("policies", configOf({ policies: text })?.policies),
  },
  chains: {
    ...{ ...onceConfig("chains"), ...documented(`${reference}: key chain NAME macsec`) },
    purpose: "Gives the names and lifetimes of keys; the router leaves out the keys.",
    read: (text) => withEntries("chains", configOf({ chains: text })?.chains),
  },
  bgpConfig: {
    ...{ ...onceConfig("bgpConfig"), ...documented("cisco.com, IOS XR BGP Command Reference") },
    ...rows.bgpRow(" and their families; the router leaves out passwords", (text) =>
      configOf({ bgp: text }),
    ),
  },
  vrfNeighbours: {
    ...{ ...once("vrfNeighbours"), ...rows.peersRow(system.readPeers) },
    ...confirmed(`${genie} ShowBgpInstanceNeighborsDetail, for an instance with VRFs`),
    purpose: "Gives the state of the BGP sessions in VRFs; the agent asks where one is configured.",
  },
} as const satisfies Readonly<Record<CommandName, Row>>;

const argumentRows = [false, true].flatMap((inVrf) =>
  rows.neighbourRows<Command>(
    {
      routeTo: (address, vrf) => routeTo(address, vrf, exec),
      received: (family, one) => received(family, one, exec),
      ...{ ping, readRouteTo: system.readRouteTo, readRoutes, readPing, pings: ["ipv4"] },
      way: () => documented("cisco.com, IOS XR Routing Command Reference: show route"),
      routes(family) {
        const source = `${genie} ShowBgpInstanceNeighborsRoutes, ShowBgpInstanceAllAll`;
        return family === "ipv4" && !inVrf ? confirmed(source) : inferred(source);
      },
      probe: confirmed(`${genie} Ping`),
    },
    inVrf,
  ),
);

/** The reader of IOS XR. */
export const iosxrReader = defineReader(
  { form: cliForm(terminal), rows: [...Object.values(commandRows), ...argumentRows], grammar },
  {
    ...{ dialect, nodeOf },
    send: (cli, query, signal) => cli.run([query], "none", signal),
    peers(replyTo) {
      const textOf = (name: CommandName): string => replyTo(command(name, exec)) ?? "";
      const [policies, chains] = [textOf("policies"), textOf("chains")];
      const texts = { interfaces: textOf("interfaceConfig"), bgp: textOf("bgpConfig") };
      return router.queriesAbout(readConfig({ ...texts, policies, chains }, true));
    },
  },
);
