// The queries to this host whose answers have a form that an operator can save: FRR's shell, charon
// and the kernel. The dump of IPsec SAs is not among them, because the kernel puts their keys into
// it; what linkseal-net and linkseal-mka answer is in linkseal's own words.

import type { NetlinkMessage } from "#hal/netlink.ts";
import { defineReader, type ReplyForm } from "../../platform/define-reader.ts";
import {
  named,
  type ReadResult,
  type TableRow,
  unparsed,
  whole,
  withEntries,
} from "../../platform/query-table.ts";
import { controlTypes } from "../../transport/netlink-wire.ts";
import { readConnections, readIkeSas } from "../ipsec/parsers.ts";
import { messagesIn } from "../ipsec/swanctl-text.ts";
import { readMacsec } from "../macsec/macsec.ts";
import { readSpeed } from "../netlink/ethtool.ts";
import { messagesOfHex } from "../netlink/hex-text.ts";
import { readAddress } from "../netlink/rtnetlink-address.ts";
import { readLink } from "../netlink/rtnetlink-link.ts";
import { readRoute } from "../netlink/rtnetlink-route.ts";
import { askNeighbours, askRouteMaps, askRoutes } from "../routing/frr-commands.ts";
import {
  documentsIn,
  readAdvertised,
  readMd5Counters,
  readNeighbours,
  readRouteMaps,
  readRoutes,
} from "../routing/frr-parsers.ts";

type Row = TableRow<string, Uint8Array>;

const frr = "FRR 10, its own answers as recorded";
const kernel = "Linux 6.12, its own messages as recorded, beside the output of ip";
const charon = "strongSwan's swanctl 6.0 and charon 6.0";

const document = (octets: Uint8Array): unknown => documentsIn(octets, 1)[0];

const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);

/** Reads a dump; a message that is of another kind is a gap. */
function dump<T>(
  octets: Uint8Array,
  name: string,
  readerFor: (type: number) => (message: NetlinkMessage) => T | undefined,
): ReadResult | undefined {
  const control: readonly number[] = Object.values(controlTypes);
  const messages = messagesOfHex(text(octets));
  const all = messages?.filter(({ type }) => !control.includes(type));
  const [first] = all ?? [];
  if (all === undefined || first === undefined) return undefined;
  const read = readerFor(first.type);
  const objects = all.map((message) => ({ type: message.type, object: read(message) }));
  const others = objects.filter(({ object }) => object === undefined);
  return {
    value: { [name]: objects.flatMap(({ object }) => object ?? []) },
    gaps: [...new Set(others.map(({ type }) => type))].map((type) =>
      unparsed(`messages of type ${type}`),
    ),
  };
}

const bgp = {
  over: "onDemand",
  standing: "confirmed",
  source: frr,
} as const;
const sentRoutes = (family: "ipv4" | "ipv6"): Row => ({
  ...bgp,
  ask: () => "",
  name: `show bgp vrf <vrf> ${family} unicast neighbors <peer> advertised-routes detail json`,
  purpose: "Lists what this host sends to a neighbour: path and communities of a drain.",
  read: (octets) => named("sent", readAdvertised(document(octets))),
});

const rows: readonly Row[] = [
  {
    ...bgp,
    ask: ({ vrf }) => askNeighbours(vrf),
    purpose: "Gives the state of every BGP session, its families and route maps.",
    read: (octets) => withEntries("peers", readNeighbours(document(octets))),
  },
  ...(["ipv4", "ipv6"] as const).map(
    (family): Row => ({
      ...bgp,
      ask: ({ vrf }) => askRoutes(vrf, family),
      purpose: "Gives the own AS and the paths of each prefix, with their neighbours.",
      read: (octets) => whole(readRoutes(document(octets))),
    }),
  ),
  sentRoutes("ipv4"),
  sentRoutes("ipv6"),
  {
    ...bgp,
    ask: () => askRouteMaps,
    purpose: "Gives the route maps that a drain calls.",
    read: (octets) => withEntries("maps", readRouteMaps(document(octets))),
  },
  {
    ask: () => "cat /proc/net/netstat",
    over: "onDemand",
    purpose: "Counts TCP segments with a wrong or a missing MD5 signature.",
    standing: "confirmed",
    source: kernel,
    read: (octets) => whole(readMd5Counters(octets)),
  },
  {
    ask: () => "swanctl --list-sas --pretty",
    over: "onDemand",
    purpose: "Gives the IKE SAs and their child SAs.",
    standing: "confirmed",
    source: charon,
    read: (octets) =>
      named("ikeSas", messagesIn(text(octets), "list-sa event")?.flatMap(readIkeSas)),
  },
  {
    ask: () => "swanctl --list-conns --pretty",
    over: "onDemand",
    reply: "configuration",
    purpose: "Gives the connections that charon has, with the names of their children.",
    standing: "confirmed",
    source: charon,
    read(octets) {
      const events = messagesIn(text(octets), "list-conn event");
      return named("connections", events && new Map(events.flatMap(readConnections)));
    },
  },
  {
    ask: () => "netlink RTM_GETLINK",
    over: "onDemand",
    purpose: "Gives the links of this host, and the settings of the SecYs among them.",
    standing: "confirmed",
    source: kernel,
    read: (octets) => dump(octets, "links", () => readLink),
  },
  {
    ask: () => "netlink RTM_GETADDR",
    over: "onDemand",
    purpose: "Gives the addresses of this host.",
    standing: "confirmed",
    source: kernel,
    read: (octets) => dump(octets, "addresses", () => readAddress),
  },
  {
    ask: () => "netlink RTM_GETROUTE",
    over: "onDemand",
    purpose: "Gives the routes of this host.",
    standing: "confirmed",
    source: kernel,
    read: (octets) => dump(octets, "routes", () => readRoute),
  },
  {
    ask: () => "netlink MACSEC_CMD_GET_TXSC",
    over: "onDemand",
    purpose: "Gives SAs, packet numbers and counters of each SecY.",
    standing: "confirmed",
    source: kernel,
    read: (octets) => dump(octets, "secys", readMacsec),
  },
  {
    ask: () => "netlink ETHTOOL_MSG_LINKMODES_GET",
    over: "onDemand",
    purpose: "Gives the speed of each port.",
    standing: "documented",
    source: "Linux, Documentation/networking/ethtool-netlink.rst",
    read: (octets) => dump(octets, "speeds", readSpeed),
  },
];

const form: ReplyForm<string, Uint8Array> = {
  textOf: (query) => query,
  decode: async (octets) => ({ kind: "reply", reply: octets }),
  encode: text,
  // Nothing of this host is put into a bundle: it is not asked over a session.
  disguise: () => "",
};

/** The reader of this host's answers. */
export const linuxReader = defineReader<never, string, Uint8Array>({ form, rows, grammar: "" });
