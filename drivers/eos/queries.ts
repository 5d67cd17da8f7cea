// Every query to EOS: what it is sent for, the reader of its reply, and the source of the layout.

import type { Command } from "#hal/secret.ts";
import { defineReader } from "../platform/define-reader.ts";
import { flagIn } from "../platform/json.ts";
import { readPing } from "../platform/ping.ts";
import {
  asIpv6,
  countMark,
  joined,
  named,
  namesLike,
  probeIn,
  type ReadResult,
  routesOf,
  type TableRow,
  timeText,
  unparsed,
  type Values,
  whole,
  withEntries,
} from "../platform/query-table.ts";
import { cliForm, disguisedJson } from "../platform/reader-forms.ts";
import { type CommandName, command, ping, received, routeTo } from "./commands.ts";
import { readConfig, unitTo } from "./config.ts";
import { dialect, platform } from "./eos.ts";
import { grammar } from "./grammar.ts";
import { readByPort, readFrames, readLicence, readMkpdus, readSession } from "./macsec-parsers.ts";
import {
  readBootTime,
  readClock,
  readInterfaces,
  readPeers,
  readResetTime,
  readRoutes,
  readRouteTo,
  readSessions,
  readSoftware,
} from "./system-parsers.ts";
import { readConnections, readTunnelRoutes } from "./tunnel-parsers.ts";

type Row = TableRow<Command, string>;

const anta = "aristanetworks/anta, unit data of";
const sonic = "sonic-net/sonic-mgmt, MACsec helpers of EOS neighbours";
const avd = "aristanetworks/avd, EANTC AutoVPN device state";
const guide = "arista.com, EOS User Manual:";

const once = (name: CommandName): Pick<Row, "ask" | "over"> => ({
  ask: () => command(name),
  over: "once",
});

function config(text: string): ReadResult | undefined {
  const read = readConfig(text);
  if (read === undefined) return undefined;
  const { profiles, bindings, shut, units, as, neighbours, tunnels } = read;
  return joined(
    withEntries("profiles", profiles),
    whole({ bindings, shut, units, as, neighbours, tunnels: tunnels.tunnels }),
  );
}

function participants(text: string): ReadResult | undefined {
  const ports = readByPort(text);
  if (ports === undefined) return undefined;
  const sessions = new Map(
    [...ports].map(([port, reported]) => {
      const about = { security: { controlledPort: false }, participants: reported };
      const session = readSession(about, anySettings);
      if (session === undefined) return [port, undefined] as const;
      const { principalCkn, participants: all, livePeers, keyServer } = session;
      return [port, { principalCkn, participants: all, livePeers, keyServer }] as const;
    }),
  );
  return withEntries("sessions", sessions);
}

function security(text: string): ReadResult | undefined {
  const ports = readByPort(text);
  if (ports === undefined) return undefined;
  const sessions = new Map(
    [...ports].map(([port, reported]) => {
      const session = readSession({ security: reported, participants: undefined }, anySettings);
      if (session === undefined) return [port, undefined] as const;
      const { latestSak, oldSak, keyServerPriority } = session;
      const isOpen = flagIn(reported, "controlledPort");
      return [port, { isOpen, latestSak, oldSak, keyServerPriority }] as const;
    }),
  );
  return withEntries("ports", sessions);
}

/**
 * A session is read from two replies and the settings of its port; of one reply alone only those
 * values are shown that the others do not change.
 */
const anySettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
} as const;

function counters(text: string): ReadResult | undefined {
  const ports = readByPort(text);
  if (ports === undefined) return undefined;
  const read = new Map([...ports].map(([port, row]) => [port, readFrames(row)]));
  const fields = ["txTooLong", "rxClear", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci"];
  return withEntries("frames", read, fields);
}

const stateRows = {
  version: {
    ...once("version"),
    purpose: "Names model and release, and the moment of the last boot.",
    standing: "confirmed",
    source: `${anta} VerifyEOSVersion`,
    read(text) {
      const software = readSoftware(text);
      // The boot is read here where the router reports no reset.
      return software && whole({ ...software, boot: readBootTime(text) });
    },
  },
  clock: {
    ...once("clock"),
    purpose: "Gives the router's time.",
    standing: "documented",
    source: `${guide} show clock`,
    read: (text) => named("time", timeText(readClock(text))),
  },
  reloads: {
    ...once("reloads"),
    purpose: "Gives the moment of the last boot.",
    standing: "confirmed",
    source: `${anta} VerifyReloadCause`,
    read: (text) => named("boot", readResetTime(text)),
  },
  sessions: {
    ...once("sessions"),
    purpose: "Lists configuration sessions, and the one whose commit waits for its confirm.",
    standing: "confirmed",
    source: "napalm, eos driver: `_get_pending_commits`, for releases before and after 4.32",
    read: (text) => named("sessions", readSessions(text)),
  },
  interfaces: {
    ...once("interfaces"),
    purpose: "Gives link state and rates of every port.",
    standing: "confirmed",
    source: "napalm, eos mocked data of show interfaces",
    read: (text) => withEntries("ports", readInterfaces(text), ["linkUp", "rate"], "one"),
  },
  security: {
    ...once("security"),
    purpose: "Gives the SAK in use and the state of each controlled port.",
    standing: "confirmed",
    source: sonic,
    read: security,
  },
  participants: {
    ...once("participants"),
    purpose: "Gives the keys of each port with their live peers, and which one is in charge.",
    standing: "confirmed",
    source: sonic,
    read: participants,
  },
  counters: {
    ...once("counters"),
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    standing: "confirmed",
    source: sonic,
    read: counters,
  },
  mkaCounters: {
    ...once("mkaCounters"),
    purpose: "Counts the MKPDUs of each port.",
    standing: "confirmed",
    source: "ChartinoLabs/Muninn, arista_eos show mac security mka counters",
    read: (text) => withEntries("mkpdus", readMkpdus(text)),
  },
  securityStatus: {
    ...once("securityStatus"),
    purpose: "Shows whether a licence for MACsec is installed.",
    standing: "confirmed",
    source: sonic,
    read: (text) => named("licence", readLicence(text)),
  },
  peers: {
    ...once("peers"),
    purpose: "Gives the state of every BGP session.",
    standing: "confirmed",
    source: `${anta} VerifyBGPPeersHealth`,
    read: (text) => withEntries("peers", readPeers(text)),
  },
  connections: {
    ...once("connections"),
    needs: "ipsec",
    purpose: "Gives the IPsec connections of each tunnel, with their SAs and packets.",
    standing: "confirmed",
    source: avd,
    read(text) {
      const read = readConnections(text);
      if (read === undefined) return undefined;
      const broken = [...read].filter(([, all]) => all.some(({ sas }) => sas === undefined));
      const gaps = broken.map(([name]) => unparsed(`connections ${name} sas`));
      return { value: { connections: read }, gaps };
    },
  },
  staticRoutes: {
    ...once("staticRoutes"),
    needs: "ipsec",
    purpose: "Lists the static routes in use that lead into tunnels.",
    standing: "confirmed",
    source: `${anta} VerifyRoutingTableEntry`,
    read: (text) => named("routes", readTunnelRoutes(text, namesLike(/^Tunnel\d{1,10}$/))),
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const configRows = {
  config: {
    ...once("config"),
    reply: "configuration",
    purpose: "Gives MACsec profiles, ports, BGP neighbours and tunnels; the router hides secrets.",
    standing: "documented",
    source: `${guide} show running-config sanitized`,
    read: config,
  },
} as const satisfies Partial<Record<CommandName, Row>>;

const commandRows = { ...stateRows, ...configRows } as const satisfies Readonly<
  Record<CommandName, Row>
>;

const toAddress = {
  over: "peers",
  purpose: "Gives the interfaces to an address: the management path of the agent.",
  standing: "confirmed",
  source: `${anta} VerifyRoutingTableEntry`,
  read: (text: string) => named("interfaces", readRouteTo(text)),
} as const;
const probe = {
  over: "onDemand",
  purpose: "Sends packets to the far end's peering address, and counts the replies.",
  standing: "confirmed",
  source: "napalm, eos mocked data of ping",
  read: (text: string, values: Partial<Values>) => whole(readPing(text, probeIn(values))),
} as const;

const argumentRows: readonly Row[] = [
  { ...toAddress, ask: ({ address }) => routeTo(address) },
  { ...toAddress, ask: ({ address }) => routeTo(asIpv6(address)) },
  ...(["ipv4", "ipv6"] as const).flatMap((family): readonly Row[] =>
    ["default", undefined].map(
      (own): Row => ({
        ask: ({ peer, vrf }) => received(family, peer, own ?? vrf),
        over: "peers",
        purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
        standing: family === "ipv4" ? "confirmed" : "inferred",
        source: `${anta} VerifyBGPExchangedRoutes`,
        read: (text, { vrf = "default" }) => routesOf(readRoutes(text, vrf, "")),
      }),
    ),
  ),
  { ...probe, ask: (own) => ping(own.peer, "default", own.interface, countMark) },
  { ...probe, ask: (own) => ping(own.peer, own.vrf, own.interface, countMark) },
];

export const eosReader = defineReader(
  {
    form: cliForm(platform, disguisedJson),
    rows: [...Object.values(commandRows), ...argumentRows],
    grammar,
  },
  {
    dialect,
    send: (cli, query, signal) => cli.run([query], "none", signal),
    peers(replyTo) {
      const config = readConfig(replyTo(command("config")) ?? "");
      const ours = config?.neighbours.filter((one) => unitTo(config, one) !== undefined) ?? [];
      return ours.flatMap(({ address, vrf, families }) => [
        routeTo(address),
        ...families.map((family) => received(family, address, vrf)),
      ]);
    },
  },
);
