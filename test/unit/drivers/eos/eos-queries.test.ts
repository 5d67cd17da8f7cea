import { describe, expect, it } from "vitest";
import { eosReader } from "#drivers/eos/queries.ts";
import { cknOf } from "../junos-kit.ts";
import { octets, type SavedCase, tryRows } from "../query-kit.ts";
import { actor, configText, participants, security } from "./eos-kit.ts";
import { tunnelText } from "./eos-tunnel-kit.ts";

const json = JSON.stringify;
const never = "the whole reply: unparsed";

const frames = {
  outPktsEncrypted: 9,
  countersDetail: {
    ...{ inPktsOK: 7, inPktsNoTag: 0, inPktsBadTag: 0, inPktsNoSCI: 0, inPktsNotValid: 1 },
    ...{ inPktsLate: 0, outPktsTooLong: 0 },
  },
};

const connection = [
  "Tunnel3:",
  "  Source address: 198.51.100.1, Destination address: 203.0.113.1",
  "  State: established",
  "  Inbound SPI: 0x1f:",
  "      Current packets: 12",
  "      SA add time: Tue Mar 19 12:11:37 2024",
].join("\n");

const port = {
  lineProtocolStatus: "up",
  bandwidth: 1e11,
  interfaceStatistics: { inPktsRate: 3, outPktsRate: 4, inBitsRate: 5, outBitsRate: 6 },
};

const routesOf = (vrf: string, prefix: string): string =>
  json({
    vrfs: {
      [vrf]: {
        bgpRouteEntries: { [prefix]: { bgpRoutePaths: [{ routeType: { active: true } }] } },
      },
    },
  });
const routeTo = json({
  vrfs: { default: { routes: { "0.0.0.0/0": { vias: [{ interface: "Ethernet2.100" }] } } } },
});
const pinged = (target: string): string =>
  `--- ${target} ping statistics ---\n5 packets transmitted, 4 received, 20% packet loss, time 4ms`;

const cases: readonly SavedCase[] = [
  {
    query: "show version | json",
    reply: json({ version: "4.32.2F", modelName: "AWE-5510-16S-F" }),
    shows: { version: "4.32.2F", model: "AWE-5510-16S-F" },
  },
  { query: "show version | json", reply: '{"version": "4.32.2F"', unknown: [never] },
  {
    query: "show version | json",
    reply: "% Invalid input",
    unknown: ["the whole reply: queryFailed"],
  },
  {
    query: "show clock | json",
    reply: json({ utcTime: 1_795_629_600.25 }),
    shows: { time: "2026-11-25T18:00:00.250Z" },
  },
  {
    query: "show reload cause | json",
    reply: json({ resetCauses: [{ timestamp: 1_795_000_000.5 }] }),
    shows: { boot: "1795000000" },
  },
  {
    query: "show reload cause | json",
    reply: json({ resetCauses: [] }),
    shows: { boot: "none" },
  },
  {
    query: "show configuration sessions detail | json",
    reply: json({ sessions: { "linkseal-a1": { state: "pendingCommitTimer" } } }),
    shows: { sessions: [{ name: "linkseal-a1", state: "pendingCommitTimer" }] },
  },
  {
    query: "show running-config sanitized | json",
    reply: configText,
    shows: { as: "64512", bindings: { Ethernet2: "TWO" } },
    unknown: ["profiles SHARED: unparsed", "profiles CHAIN: unparsed"].slice(1),
  },
  {
    query: "show interfaces | json",
    reply: json({ interfaces: { "Ethernet2/1": port } }),
    shows: { ports: { "Ethernet2/1": { linkUp: true, rate: { rxPps: 3 } } } },
  },
  {
    query: "show interfaces | json",
    reply: json({ interfaces: { "Ethernet2/1": { ...port, bandwidth: "full" } } }),
    shows: { ports: { "Ethernet2/1": { rate: null } } },
    unknown: ["ports Ethernet2/1 rate: unparsed"],
  },
  {
    query: "show mac security interface detail | json",
    reply: security(),
    shows: { ports: { Ethernet2: { isOpen: true, latestSak: { transmit: true } } } },
  },
  {
    query: "show mac security participants detail | json",
    reply: participants(actor(["b".repeat(24)], true), actor([], false)),
    shows: { sessions: { Ethernet2: { principalCkn: cknOf(1), livePeers: 1 } } },
  },
  {
    query: "show mac security counters detail | json",
    reply: json({ interfaces: { Ethernet2: frames } }),
    shows: { frames: { Ethernet2: { txProtected: "9", rxOk: "7", rxNotValid: "1" } } },
  },
  {
    query: "show mac security mka counters",
    reply:
      "Interface       Rx Success      Rx Failure      Tx Success      Tx Failure\n" +
      "Ethernet2       40              2               41              0",
    shows: { mkpdus: { Ethernet2: { received: "42", sent: "41" } } },
  },
  {
    query: "show mac security status | json",
    reply: json({ licenseEnabled: false }),
    shows: { licence: "missing" },
  },
  {
    query: "show bgp summary vrf all | json",
    reply: json({ vrfs: { default: { peers: { "192.0.2.2": { peerState: "Established" } } } } }),
    shows: { peers: { "default 192.0.2.2": { state: "Established" } } },
  },
  {
    query: "show ip security connection detail",
    reply: connection,
    shows: {
      connections: { Tunnel3: [{ isEstablished: true, sas: [{ spi: 31, packets: "12" }] }] },
    },
  },
  {
    query: "show ip security connection detail",
    reply: connection.replace("Current packets: 12", "Current packets: many"),
    shows: { connections: { Tunnel3: [{ sas: null }] } },
    unknown: ["connections Tunnel3 sas: unparsed"],
  },
  {
    query: "show ip route static | json",
    reply: json({
      vrfs: { default: { routes: { "10.100.0.0/16": { vias: [{ interface: "Tunnel3" }] } } } },
    }),
    shows: { routes: [{ prefix: "10.100.0.0/16", via: { kind: "tunnel", name: "Tunnel3" } }] },
  },
  {
    query: "show ip route vrf all 192.0.2.10 | json",
    reply: routeTo,
    shows: { interfaces: ["Ethernet2.100"] },
  },
  {
    query: "show ipv6 route vrf all 2001:db8::10 | json",
    reply: json({ vrfs: {} }),
    shows: { interfaces: [] },
  },
  {
    query: "show ip bgp neighbors 192.0.2.2 routes | json",
    reply: routesOf("default", "10.3.0.0/16"),
    shows: { routes: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  {
    query: "show ip bgp neighbors 192.0.2.2 routes vrf BLUE | json",
    reply: routesOf("BLUE", "10.3.0.0/16"),
    shows: { routes: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  {
    query: "show ip bgp neighbors 192.0.2.2 routes vrf BLUE | json",
    reply: routesOf("RED", "10.3.0.0/16"),
    unknown: [never],
  },
  {
    query: "show ipv6 bgp peers 2001:db8::2 routes | json",
    reply: routesOf("default", "2001:db8:7::/48"),
    shows: { routes: [{ prefix: "2001:db8:7::/48", best: true }] },
  },
  {
    query: "show ipv6 bgp peers 2001:db8::2 routes vrf BLUE | json",
    reply: routesOf("BLUE", "2001:db8:7::/48"),
    shows: { routes: [{ prefix: "2001:db8:7::/48", best: true }] },
  },
  {
    query: "ping 192.0.2.2 interface Ethernet2 repeat 5",
    reply: pinged("192.0.2.2"),
    shows: { sent: 5, answered: 4 },
  },
  {
    query: "ping vrf BLUE 192.0.2.10 interface Ethernet7.100 repeat 5",
    reply: pinged("192.0.2.10"),
    shows: { sent: 5, answered: 4 },
  },
];

tryRows("EOS", eosReader, cases);

describe("a saved configuration of EOS", () => {
  it("what is shown of it holds no secret, also where the router did not hide one", async () => {
    const read = await eosReader.read("show running-config sanitized | json", octets(tunnelText()));
    const text = JSON.stringify(read);
    expect(text).toContain("hub-1");
    expect(["047F0E021A70", "Quiet"].filter((secret) => text.includes(secret))).toEqual([]);
  });
});

it.each(cases.filter(({ reply }) => reply.startsWith("{")).map((one) => [one.query, one.reply]))(
  "a reply with errors beside its data is not understood: %s",
  async (query, reply) => {
    const errors = reply.replace("{", '{"errors":["The agent is not running"],');
    const isEmpty = reply.trim() === "{}";
    const read = await eosReader.read(query, octets(isEmpty ? errors.replace(",}", "}") : errors));
    expect(read?.understood).toBeNull();
  },
);
