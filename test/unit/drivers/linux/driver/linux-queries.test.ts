import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { linuxReader } from "#drivers/linux/driver/queries.ts";
import { octets, type SavedCase, tryRows } from "../../query-kit.ts";

const recorded = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../../recorded", name), "utf8");
const json = JSON.stringify;
const some = (row: object): unknown => expect.arrayContaining([expect.objectContaining(row)]);
const never = "the whole reply: unparsed";

const sas = `list-sa event {
  hub-1 {
    uniqueid = 7
    state = ESTABLISHED
    remote-id = C=CH, O=Example of two, CN=gw
    vips = [
    ]
    child-sas {
      net-1 {
        name = net
        uniqueid = 9
        state = INSTALLED
        spi-in = c1
        spi-out = c2
        local-ts = [
          10.1.0.0/16
          10.2.0.0/16
        ]
      }
    }
  }
}
list-sas reply {
}
`;

const connections = `list-conn event {
  hub-1 {
    children {
      net {
        mode = TUNNEL
      }
    }
  }
}
list-conns reply {
}
`;

/** RTM_NEWADDR: 192.0.2.1/24 of link 2. */
const address = "20000000 1400 0200 00000000 00000000 02 18 00 00 02000000 0800 0100 c0000201";
/** RTM_NEWROUTE: default by link 2. */
const route =
  "24000000 1800 0200 00000000 00000000 02 00 00 00 fe 04 00 01 00000000 0800 0400 02000000";

const frr = { "192.0.2.2": { bgpState: "Established", remoteAs: 12_076 } };
const sent = json({
  advertisedRoutes: {
    "10.1.0.0/16": { paths: [{ aspath: { string: "64512 64512" }, community: { string: "" } }] },
  },
});

const cases: readonly SavedCase[] = [
  {
    query: "show bgp vrf default neighbors json",
    reply: json(frr),
    shows: { peers: { "192.0.2.2": { state: "Established", asn: 12_076 } } },
  },
  { query: "show bgp vrf default neighbors json", reply: json(frr).slice(0, -1), unknown: [never] },
  {
    query: "show bgp vrf default ipv4 unicast json",
    reply: json({ localAS: 64_512, routes: { "10.3.0.0/16": [{ bestpath: true, peerId: "p" }] } }),
    shows: { as: "64512", paths: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  { query: "show bgp vrf blue ipv6 unicast json", reply: "{}", unknown: [never] },
  {
    query: "show bgp vrf default ipv4 unicast neighbors 192.0.2.2 advertised-routes detail json",
    reply: sent,
    shows: { sent: [{ prefix: "10.1.0.0/16", path: ["64512", "64512"] }] },
  },
  {
    query: "show bgp vrf default ipv6 unicast neighbors 2001:db8::2 advertised-routes detail json",
    reply: sent.replace("10.1.0.0/16", "2001:db8:7::/48"),
    shows: { sent: [{ prefix: "2001:db8:7::/48" }] },
  },
  {
    query: "show route-map json",
    reply: json({ bgpd: { own: { rules: [{ callClause: "theirs" }] } } }),
    shows: { maps: { own: { calls: "theirs" } } },
  },
  {
    query: "cat /proc/net/netstat",
    reply: "TcpExt: TCPMD5Failure TCPMD5NotFound TCPMD5Unexpected\nTcpExt: 1 2 3\n",
    shows: { failed: "1", missing: "2", unexpected: "3" },
  },
  {
    query: "swanctl --list-sas --pretty",
    reply: sas,
    shows: { ikeSas: [{ name: "hub-1", state: "established", children: [{ spiIn: 0xc1 }] }] },
  },
  {
    query: "swanctl --list-sas --pretty",
    reply: sas.replace("list-sas reply {\n}\n", ""),
    unknown: [never],
  },
  {
    query: "swanctl --list-sas --pretty",
    reply: sas.replace("spi-in = c1", "spi-in = many"),
    unknown: [never],
  },
  { query: "swanctl --list-sas --pretty", reply: "list-sas reply {\n}\n", shows: { ikeSas: [] } },
  {
    query: "swanctl --list-conns --pretty",
    reply: connections,
    shows: { connections: { "hub-1": ["net"] } },
  },
  {
    query: "netlink RTM_GETLINK",
    reply: recorded("links.hex"),
    shows: { links: some({ name: "lo" }) },
  },
  {
    query: "netlink RTM_GETADDR",
    reply: address,
    shows: { addresses: [{ address: "192.0.2.1", prefixLength: 24, link: 2 }] },
  },
  { query: "netlink RTM_GETADDR", reply: "not hexadecimal", unknown: [never] },
  { query: "netlink RTM_GETADDR", reply: address.slice(0, 30), unknown: [never] },
  { query: "netlink RTM_GETROUTE", reply: route, shows: { routes: [{}] } },
  {
    query: "netlink RTM_GETROUTE",
    reply: `${route}\n${address}`,
    shows: { routes: [{}] },
    unknown: ["messages of type 20: unparsed"],
  },
  {
    query: "netlink MACSEC_CMD_GET_TXSC",
    reply: recorded("macsec.hex"),
    shows: { secys: some({ link: 4 }) },
  },
  {
    query: "netlink ETHTOOL_MSG_LINKMODES_GET",
    // Link 2 with 10 Gbit/s.
    reply:
      "28000000 1500 0200 00000000 00000000 04 01 00 00" +
      "0c00 0180 0800 0100 02000000 0800 0500 10270000",
    shows: { speeds: [{ link: 2, bitsPerSecond: 1e10 }] },
  },
];

tryRows("Linux", linuxReader, cases);

describe("netlink messages as text", () => {
  const digits = address.replaceAll(" ", "");
  const rows = digits.match(/.{1,32}/g) ?? [];
  it.each([
    ["tcpdump -x", rows.map((row, n) => `\t0x00${n}0:  ${row.replaceAll(/(.{4})/g, "$1 ")}`)],
    [
      "xxd",
      rows.map((row, n) => `000000${n}0: ${row.replaceAll(/(.{4})/g, "$1 ").trim()}  ....q.\\`),
    ],
    ["one line", [`# a comment`, digits]],
  ])("octets as %s prints them are read", async (_tool, lines) => {
    const read = await linuxReader.read("netlink RTM_GETADDR", octets(lines.join("\n")));
    expect(read).toMatchObject({ understood: { addresses: [{ link: 2 }] }, unknown: [] });
  });
});
