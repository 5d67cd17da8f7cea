// Every query to NX-OS: what it is sent for, the reader of its reply, and the source of its layout.

import type { Command } from "#hal/secret.ts";
import * as rows from "../platform/cisco-rows.ts";
import { defineReader } from "../platform/define-reader.ts";
import { readPing } from "../platform/ping.ts";
import {
  confirmed,
  documented,
  named,
  type ReadResult,
  rowsBy,
  type TableRow,
  unparsed,
  whole,
  withEntries,
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
import { type ConfigTexts, instancesIn, readConfig, readPolicies, readRouteMap } from "./config.ts";
import { grammar } from "./grammar.ts";
import { readFrames, readMkpdus, readSessions } from "./macsec-parsers.ts";
import { dialect } from "./nxos.ts";
import { router } from "./requests.ts";
import * as system from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

type Row = TableRow<Command, string>;

const genie = "CiscoTestAutomation/genieparser, nxos tests:";
const shows = "cisco.com, Nexus 9000 Series NX-OS Command Reference (Show Commands), 9.3(x):";
const configures = "cisco.com, Nexus 9000 Series NX-OS Command Reference (Configuration), 9.3(x):";

/** Reads one part of the configuration. */
const configOf = (part: keyof ConfigTexts, text: string): ReturnType<typeof readConfig> =>
  readConfig({ macsec: undefined, interfaces: undefined, bgp: undefined, [part]: text }, true);

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

const { once, onceConfig, perPort } = rowsBy(command);

const commandRows = {
  clock: {
    ...{ ...once("clock"), ...rows.clockRow },
    ...confirmed("networktocode/ntc-templates, cisco_nxos show_clock"),
  },
  version: {
    ...{ ...once("version"), ...confirmed(`${genie} ShowVersion`) },
    purpose: "Names platform and release, and the moment of the last boot.",
    read: (text) => whole(system.readSoftware(text)),
  },
  interfaces: {
    ...{ ...once("interfaces"), ...rows.portsRow(system.readInterfaces) },
    ...confirmed("napalm-automation/napalm, test/nxos: show interface as JSON"),
  },
  checkpoints: {
    ...{ ...once("checkpoints"), ...confirmed(`${genie} ShowCheckpointSummary`) },
    purpose: "Shows whether a session that died has left a checkpoint of linkseal's.",
    read: (text) => named("checkpoints", system.readCheckpoints(text)),
  },
  mkaSessions: {
    ...{ ...once("mkaSessions"), ...rows.sessionsRow(readSessions) },
    ...documented(
      `${shows} show macsec mka session; ${genie} ShowMacSecMkaSessionDetails, as text`,
    ),
    alias: "show macsec mka session details",
  },
  mkaStatistics: {
    ...{ ...perPort("mkaStatistics"), ...rows.mkpdusRow(readMkpdus) },
    ...documented(`${shows} show macsec mka statistics; ${genie} ShowMacSecMkaStatsIntf, as text`),
  },
  secyStatistics: {
    ...perPort("secyStatistics"),
    ...rows.framesRow((text, port) => readFrames(text, port, undefined)),
    ...documented(
      `${shows} show macsec secy statistics; ${genie} ShowMacSecSecyStatistics, as text`,
    ),
  },
  macsecConfig: {
    ...onceConfig("macsecConfig"),
    ...documented(
      `${configures} macsec policy, key chain macsec; CiscoTestAutomation/genielibs, nxos`,
    ),
    purpose:
      "Gives features, MACsec policies, key chains without keys, and whether commands leave.",
    read: macsecConfig,
  },
  policies: {
    ...{ ...onceConfig("policies"), ...documented(`${configures} macsec policy`) },
    ...rows.policiesRow(readPolicies),
  },
  interfaceConfig: {
    ...{ ...onceConfig("interfaceConfig") },
    ...rows.interfacesRow((text) => configOf("interfaces", text)),
    ...documented(`${configures} macsec keychain; ${genie} ShowRunningConfigInterface`),
  },
  bgpConfig: {
    ...{ ...onceConfig("bgpConfig"), ...confirmed(`${genie} ShowRunningConfigBgp`) },
    ...rows.bgpRow(", their families and route maps", (text) => configOf("bgp", text)),
  },
} as const satisfies Readonly<Record<CommandName, Row>>;

/** The name of an instance is a word of each command, also that of the default one. */
const argumentRows: readonly Row[] = [
  {
    ...{ ask: ({ vrf }) => neighbours(vrf), over: "peers" },
    ...documented(`${shows} show bgp neighbors`),
    purpose: "Gives the state of every BGP session of an instance.",
    read: (text, { vrf }) => withEntries("peers", system.readPeers(text, vrf)),
  },
  ...rows.neighbourRows<Command>(
    {
      ...{ routeTo, received, ping, readPing, pings: ["ipv4", "ipv6"] },
      ...{ readRouteTo: system.readRouteTo, readRoutes: system.readRoutes },
      way: () => confirmed("allenrobel/nxapi_netbox, show ip route as JSON"),
      routes: () => documented(`${shows} show bgp neighbors routes`),
      probe: confirmed(`${genie} Ping`),
    },
    true,
  ),
  {
    ask: ({ name }) => routeMap(name),
    ...{ ...rows.routeMapRow(readRouteMap), ...documented(`${configures} route-map`) },
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
      const textOf = (name: CommandName) => replyTo(command(name));
      const [macsec, interfaces] = [textOf("macsecConfig"), textOf("interfaceConfig")];
      const config = readConfig({ macsec, interfaces, bgp: textOf("bgpConfig") }, true);
      const instances = config === undefined ? [] : instancesIn(config);
      return [...instances.map(neighbours), ...router.queriesAbout(config)];
    },
  },
);
