// Every query to Junos: what it is sent for, the reader of its reply, and the source of the layout.

import { defineReader } from "../platform/define-reader.ts";
import {
  countMark,
  joined,
  named,
  namesLike,
  probeIn,
  type ReadResult,
  routesOf,
  type TableRow,
  timeText,
  whole,
  withEntries,
} from "../platform/query-table.ts";
import { netconfForm } from "../platform/reader-forms.ts";
import type { XmlElement, XmlOut } from "../transport/xml.ts";
import { getConfig, getLines, portOf, readConfig } from "./config.ts";
import { grammar } from "./grammar.ts";
import { dialect } from "./junos.ts";
import {
  byInterface,
  type ReportedElements,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "./macsec-parsers.ts";
import { type OperationName, operation, ping } from "./operations.ts";
import {
  readCommits,
  readEngines,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
  readSoftware,
  readUptime,
} from "./system-parsers.ts";
import { getTunnels, readTunnels } from "./tunnel-config.ts";
import { readIkeSas, readIpsecSas, readPassed, readTunnelRoutes } from "./tunnel-parsers.ts";

type Row = TableRow<XmlOut, XmlElement>;

const napalm = "napalm, junos mocked data of";
const exporter = "czerwonk/junos_exporter, replies of 23.2R2:";
const yang = "Juniper/yang, junos-conf modules of 23.4R2";
const reference = "juniper.net, Junos CLI Reference:";

const once = (name: OperationName): Pick<Row, "ask" | "over"> => ({
  ask: () => operation(name),
  over: "once",
});

/** Reads what belongs to each interface in a reply. */
function perPort<T>(
  name: string,
  reply: XmlElement,
  parent: string,
  read: (elements: ReportedElements) => T | undefined,
  fields: readonly string[] = [],
): ReadResult | undefined {
  const reported = byInterface(reply, parent);
  if (reported === undefined) return undefined;
  const ports = new Map([...reported].map(([port, elements]) => [port, read(elements)]));
  return withEntries(name, ports, fields);
}

function configuration(reply: XmlElement): ReadResult | undefined {
  const config = readConfig(reply);
  if (config === undefined) return undefined;
  const { associations, bindings, chains, interfaces, neighbours, policies } = config;
  // Chains of other protocols have keys of other kinds.
  const used = [...associations.values(), ...bindings.values()].map((one) => one?.chain);
  const ours = new Map([...chains].filter(([name]) => used.includes(name)));
  return joined(
    withEntries("associations", associations),
    withEntries("chains", ours),
    whole({ bindings, interfaces, neighbours, policies }),
  );
}

function tunnels(reply: XmlElement): ReadResult | undefined {
  const read = readTunnels(reply);
  return read && { value: { tunnels: read.tunnels, gateways: read.gateways } };
}

/** The values of a session that no other reply changes. */
function sessionOf(elements: ReportedElements) {
  const session = readSession(elements, undefined, undefined);
  if (session === undefined) return undefined;
  const { controlledPort, principalCkn, participants, livePeers, keyServer } = session;
  const { keyServerPriority, latestSak, oldSak } = session;
  const sakOf = (sak: typeof latestSak) => sak && { an: sak.an, keyId: sak.keyId };
  return {
    isSecured: controlledPort === "secured",
    ...{ principalCkn, participants, livePeers, keyServer, keyServerPriority },
    ...{ latestSak: sakOf(latestSak), oldSak: sakOf(oldSak) },
  };
}

const counters = [
  ...["txTooLong", "rxBadTag", "rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci"],
  ...["rxNotUsingSa", "rxUnusedSa"],
];

const operationRows = {
  software: {
    ...once("software"),
    alias: "show version",
    purpose: "Names model and release.",
    standing: "confirmed",
    source: `${napalm} get-software-information`,
    read: (reply) => whole(readSoftware(reply)),
  },
  uptime: {
    ...once("uptime"),
    alias: "show system uptime",
    purpose: "Gives the router's time and the moment of the last boot.",
    standing: "confirmed",
    source: "published reply of 23.2R1; Juniper/py-junos-eznc, unit data get-system-uptime",
    read(reply) {
      const read = readUptime(reply);
      return read && { value: { time: timeText(read.wall), boot: read.bootId } };
    },
  },
  commits: {
    ...once("commits"),
    alias: "show system commit",
    purpose: "Lists the last commits, and shows whether one waits for its confirm.",
    standing: "confirmed",
    source: "published reply of a vSRX 24.4",
    read: (reply) => named("commits", readCommits(reply)),
  },
  engines: {
    ...once("engines"),
    alias: "show chassis routing-engine",
    purpose: "Shows whether a second routing engine takes part in each commit.",
    standing: "confirmed",
    source: "Juniper/py-junos-eznc, unit data of facts: get-route-engine-information",
    read: (reply) => named("engines", readEngines(reply)),
  },
  interfaces: {
    ...once("interfaces"),
    alias: "show interfaces",
    purpose: "Gives link state and rates of every port.",
    standing: "confirmed",
    source: `${napalm} get-interface-information`,
    read: (reply) =>
      withEntries("ports", readInterfaces(reply), ["admin", "linkUp", "rate"], "one"),
  },
  mkaSessions: {
    ...once("mkaSessions"),
    alias: "show security mka sessions detail",
    purpose: "Gives the MKA session of each port, with its keys, peers and SAKs.",
    standing: "inferred",
    source: "sonic-net/sonic-mgmt, names of the JSON form; the peers are in none",
    read: (reply) => perPort("sessions", reply, "mka-session-information", sessionOf),
  },
  mkaStatistics: {
    ...once("mkaStatistics"),
    alias: "show security mka statistics",
    purpose: "Counts the MKPDUs of each port, and those that were dropped, by reason.",
    standing: "documented",
    source: `${reference} show security mka statistics`,
    read: (reply) =>
      perPort("mkpdus", reply, "mka-statistics", readMkpdus, [
        "icvFailed",
        "unknownCkn",
        "replayed",
      ]),
  },
  connections: {
    ...once("connections"),
    alias: "show security macsec connections",
    purpose: "Gives the cipher suite and the association numbers in use of each port.",
    standing: "confirmed",
    source: `${exporter} get-macsec-connection-information`,
    read: (reply) => perPort("channels", reply, "macsec-connection-information", readChannels),
  },
  statistics: {
    ...once("statistics"),
    alias: "show security macsec statistics detail",
    purpose: "Counts protected frames and frames that were dropped, by reason.",
    standing: "confirmed",
    source: `${exporter} get-macsec-statistics`,
    read: (reply) =>
      perPort(
        "frames",
        reply,
        "macsec-statistics",
        (elements) => readFrames(elements, undefined),
        counters,
      ),
  },
  neighbours: {
    ...once("neighbours"),
    alias: "show bgp neighbor",
    purpose: "Gives the state of every BGP session, and the own AS.",
    standing: "confirmed",
    source: `${napalm} get-bgp-neighbor-information`,
    read: (reply) => withEntries("peers", readPeers(reply)),
  },
  tunnelInterfaces: {
    ...once("tunnelInterfaces"),
    needs: "ipsec",
    alias: "show interfaces st0",
    purpose: "Counts the packets that passed each tunnel.",
    standing: "inferred",
    source: `${napalm} get-interface-information, of other interfaces`,
    read: (reply) => withEntries("passed", readPassed(reply)),
  },
  ikeSas: {
    ...once("ikeSas"),
    needs: "ipsec",
    alias: "show security ike security-associations detail",
    purpose: "Gives the state of the IKE SAs.",
    standing: "confirmed",
    source: "published reply of a vSRX 24",
    read: (reply) => named("ikeSas", readIkeSas(reply)),
  },
  ipsecSas: {
    ...once("ipsecSas"),
    needs: "ipsec",
    alias: "show security ipsec security-associations detail",
    purpose: "Gives the IPsec SAs of each tunnel.",
    standing: "confirmed",
    source: "published reply of an SRX",
    read: (reply) => withEntries("sas", readIpsecSas(reply)),
  },
  staticRoutes: {
    ...once("staticRoutes"),
    needs: "ipsec",
    alias: "show route protocol static",
    purpose: "Lists the static routes in use that lead into tunnels.",
    standing: "confirmed",
    source: `${napalm} get-route-information`,
    read: (reply) => named("routes", readTunnelRoutes(reply, namesLike(/^st0\.\d{1,5}$/))),
  },
  received: {
    ask: ({ peer }) => operation("received", peer),
    over: "peers",
    alias: "show route receive-protocol bgp <peer>",
    purpose: "Lists the routes from one neighbour, which shows whether a link is drained.",
    standing: "confirmed",
    source: "published `show route receive-protocol` of a vMX",
    // The tables of the router itself; those of an instance are read with its name.
    read: (reply) => routesOf(readRoutes(reply, "", undefined)),
  },
  routeTo: {
    ask: ({ address }) => operation("routeTo", address),
    over: "peers",
    alias: "show route <address>",
    purpose: "Gives the interfaces to an address: the management path of the agent.",
    standing: "confirmed",
    source: `${napalm} get-route-information`,
    read: (reply) => named("interfaces", readRouteTo(reply)),
  },
} as const satisfies Readonly<Record<OperationName, Row>>;

const otherRows: readonly Row[] = [
  {
    ask: getConfig,
    name: "get-config of ports",
    over: "once",
    reply: "configuration",
    purpose: "Gives MACsec, key chains without keys, addresses of ports, and BGP neighbours.",
    standing: "documented",
    source: yang,
    read: configuration,
  },
  {
    ask: getLines,
    name: "get-config of lines",
    over: "once",
    reply: "configuration",
    purpose:
      "Gives all other lines of the same objects, among which `doctor` finds those of others.",
    standing: "documented",
    source: yang,
    read: configuration,
  },
  {
    ask: getTunnels,
    name: "get-config of tunnels",
    needs: "ipsec",
    over: "once",
    reply: "configuration",
    purpose: "Gives IKE and IPsec without pre-shared keys, st0, zones and static routes.",
    standing: "documented",
    source: yang,
    read: tunnels,
  },
  ...[false, true].map(
    (inInstance): Row => ({
      ask: (own) => {
        const instance = inInstance ? own.vrf : undefined;
        return ping({ address: own.peer, instance }, own.interface, countMark);
      },
      over: "onDemand",
      purpose: "Sends packets to the far end's peering address, and counts the replies.",
      standing: "confirmed",
      source: `${napalm} ping`,
      read: (reply, values) => whole(readPing(reply, probeIn(values))),
    }),
  ),
];

export const junosReader = defineReader(
  { form: netconfForm, rows: [...Object.values(operationRows), ...otherRows], grammar },
  {
    dialect,
    send: (session, query, signal) => session.call(query, "none", signal),
    peers(replyTo) {
      const reply = replyTo(getConfig());
      const config = reply && readConfig(reply);
      const ours = config?.neighbours.filter((one) => portOf(config, one)) ?? [];
      return ours.flatMap(({ address }) => [
        operation("routeTo", address),
        operation("received", address),
      ]);
    },
  },
);
