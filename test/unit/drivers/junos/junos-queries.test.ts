import { beforeAll, describe, expect, it } from "vitest";
import { junosReader } from "#drivers/junos/queries.ts";
import { cknOf, configText, read } from "../junos-kit.ts";
import { octets, type SavedCase, tryRows } from "../query-kit.ts";

const reply = (...inside: readonly string[]): string => `<rpc-reply>${inside.join("")}</rpc-reply>`;
const leaves = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join("");
const never = "the whole reply: unparsed";

const sak = "AABBCCDDEEFF001122334455/9";
const session = reply(
  "<mka-session-information><interface-name>et-0/0/0</interface-name>",
  leaves({
    ...{ "interface-state": "Secured - Primary", "cak-name": cknOf(7), "key-server": "no" },
    ...{ "key-server-priority": 16, "latest-sak-an": 1, "latest-sak-key-identifier": sak },
  }),
  "<peer-list><member-identifier>010203</member-identifier><status>live</status></peer-list>",
  "</mka-session-information>",
);
const mkpdus = {
  ...{ "received-packets": 40, "sent-packets": 41, "cak-error": 1 },
  ...{ "integrity-check-value-mismatch": 2, "duplicate-message-number": 3 },
};
const sent = { "encrypted-packets": 9, "toolong-packets": 0 };
const got = {
  ...{ "ok-packets": 7, "badtag-packets": 0, "unknown-sci-packets": 0, "no-sci-packets": 0 },
  ...{ "notusing-sa-packets": 0, "unused-sa-packets": 0, "late-packets": 0, "notvalid-packets": 1 },
};
const statistics = (received: Readonly<Record<string, number>>): string =>
  reply(
    "<macsec-statistics><interface-name>et-0/0/0</interface-name>",
    `<secure-channel-sent>${leaves(sent)}</secure-channel-sent>`,
    `<secure-channel-received>${leaves(received)}</secure-channel-received></macsec-statistics>`,
  );

const rates = { "input-bps": 1, "input-pps": 2, "output-bps": 3, "output-pps": 4 };
const port = (speed: string): string =>
  reply(
    "<interface-information><physical-interface>",
    leaves({ name: "et-0/0/0", "admin-status": "up", "oper-status": "up", speed }),
    `<traffic-statistics>${leaves(rates)}</traffic-statistics>`,
    "</physical-interface></interface-information>",
  );

const routeTable = (prefix: string, via: string): string =>
  reply(
    "<route-information><route-table><table-name>inet.0</table-name><rt>",
    `<rt-destination>${prefix}</rt-destination><rt-entry><active-tag>*</active-tag>`,
    `<nh><via>${via}</via></nh></rt-entry></rt></route-table></route-information>`,
  );

const peer = (state: string): string =>
  `<bgp-peer>${leaves({ "peer-address": "192.0.2.2+179", "peer-state": state })}</bgp-peer>`;

const cases: readonly SavedCase[] = [
  {
    query: "show version | display xml",
    reply: reply(
      `<software-information>${leaves({ "product-model": "ptx10008", "junos-version": "23.4R2" })}`,
      "</software-information>",
    ),
    shows: { model: "ptx10008", version: "23.4R2" },
  },
  {
    query: "get-software-information",
    reply: reply(
      "<software-information><product-model>mx80</product-model></software-information>",
    ),
    unknown: [never],
  },
  {
    query: "get-software-information",
    reply: reply("<rpc-error><error-severity>error</error-severity></rpc-error>"),
    unknown: ["the whole reply: queryFailed"],
  },
  { query: "get-software-information", reply: "<rpc-reply>", unknown: [never] },
  {
    query: "show chassis routing-engine",
    reply: reply(
      "<route-engine-information><route-engine><status>OK</status></route-engine>",
      "</route-engine-information>",
    ),
    shows: { engines: "alone" },
  },
  {
    query: "get-route-engine-information",
    reply: reply("<route-engine-information></route-engine-information>"),
    unknown: [never],
  },
  {
    query: "show system uptime",
    reply: reply(
      "<system-uptime-information><current-time><date-time seconds='1795629600'>now</date-time>",
      "</current-time><system-booted-time><date-time seconds='1795000000'>then</date-time>",
      "</system-booted-time></system-uptime-information>",
    ),
    shows: { time: "2026-11-25T18:00:00.000Z", boot: "1795000000" },
  },
  {
    query: "show system commit",
    reply: reply(
      "<commit-information><commit-history>",
      leaves({ "sequence-number": 0, user: "ops", log: "linkseal a1b2" }),
      "</commit-history></commit-information>",
    ),
    shows: { commits: [{ note: "linkseal a1b2" }] },
  },
  {
    query: "show interfaces",
    reply: port("100Gbps"),
    shows: { ports: { "et-0/0/0": { admin: "up", linkUp: true, rate: { lineBps: 1e11 } } } },
  },
  {
    query: "show interfaces",
    reply: port("Auto"),
    shows: { ports: { "et-0/0/0": { rate: null } } },
    unknown: ["ports et-0/0/0 rate: unparsed"],
  },
  {
    query: "show security mka sessions detail",
    reply: session,
    shows: { sessions: { "et-0/0/0": { isSecured: true, livePeers: 1, principalCkn: cknOf(7) } } },
  },
  {
    query: "show security mka sessions detail",
    reply: session.replace("Secured - Primary", "Glowing"),
    shows: { sessions: { "et-0/0/0": null } },
    unknown: ["sessions et-0/0/0: unparsed"],
  },
  {
    query: "show security mka statistics",
    reply: reply(
      `<mka-statistics><mka-interface-statistics><interface-name>et-0/0/0</interface-name>`,
      `${leaves(mkpdus)}</mka-interface-statistics></mka-statistics>`,
    ),
    shows: { mkpdus: { "et-0/0/0": { sent: "41", received: "40", replayed: "3" } } },
  },
  {
    query: "show security macsec connections",
    reply: reply(
      "<macsec-connection-information><macsec-interface-common-information>",
      leaves({ "interface-name": "et-0/0/0", "cipher-suite": "GCM-AES-XPN-256" }),
      "</macsec-interface-common-information></macsec-connection-information>",
    ),
    shows: { channels: { "et-0/0/0": { transmits: [], receives: [] } } },
  },
  {
    query: "show security macsec statistics detail",
    reply: statistics(got),
    shows: { frames: { "et-0/0/0": { txProtected: "9", rxOk: "7", rxNotValid: "1" } } },
  },
  {
    query: "show security macsec statistics detail",
    reply: statistics({ ...got, "late-packets": -1 }),
    shows: { frames: { "et-0/0/0": { rxLate: null } } },
    unknown: ["frames et-0/0/0 rxLate: unparsed"],
  },
  {
    query: "show bgp neighbor",
    reply: `<bgp-information>${peer("Established")}</bgp-information>`,
    shows: { peers: { "192.0.2.2": { state: "Established" } } },
  },
  {
    query: "show bgp neighbor",
    reply: reply(`<bgp-information>${peer("Established")}${peer("Active")}</bgp-information>`),
    shows: { peers: { "192.0.2.2": "ambiguous" } },
    unknown: ["peers 192.0.2.2: unparsed"],
  },
  {
    query: "show interfaces st0",
    reply: reply(
      "<interface-information><logical-interface><name>st0.3</name><traffic-statistics>",
      leaves({ "input-packets": 5, "output-packets": 6 }),
      "</traffic-statistics></logical-interface></interface-information>",
    ),
    shows: { passed: { 3: { received: "5", sent: "6" } } },
  },
  {
    query: "show security ike security-associations detail",
    reply: reply(
      "<ike-security-associations-information><ike-security-associations-block>",
      leaves({ "ike-sa-remote-address": "203.0.113.1", "ike-sa-state": "UP" }),
      "</ike-security-associations-block></ike-security-associations-information>",
    ),
    shows: { ikeSas: [{ remoteAddress: "203.0.113.1", isUp: true }] },
  },
  {
    query: "show security ipsec security-associations detail",
    reply: reply(
      "<ipsec-security-associations-information><ipsec-security-associations-block>",
      "<sa-vpn-name>hub-1</sa-vpn-name><ipsec-security-associations>",
      leaves({
        ...{ "sa-direction": "inbound", "sa-spi": "1f" },
        "sa-encryption-algorithm": "aes-gcm (256 bits)",
      }),
      "</ipsec-security-associations></ipsec-security-associations-block>",
      "</ipsec-security-associations-information>",
    ),
    shows: { sas: { "hub-1": [{ spi: 31, direction: "in" }] } },
  },
  {
    query: "show route protocol static",
    reply: routeTable("10.100.0.0/16", "st0.3"),
    shows: { routes: [{ prefix: "10.100.0.0/16", via: { kind: "tunnel", name: "st0.3" } }] },
  },
  {
    query: "show route receive-protocol bgp 192.0.2.2",
    reply: routeTable("10.3.0.0/16", "et-0/0/0.0"),
    shows: { routes: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  {
    query: "get-route-information destination 192.0.2.10",
    reply: routeTable("0.0.0.0/0", "et-0/0/1.0"),
    shows: { interfaces: ["et-0/0/1.0"] },
  },
  {
    query: "get-config of ports",
    reply: configText,
    shows: { bindings: { "et-0/0/2": { association: "BY-HAND" } }, policies: ["to-azure"] },
    unknown: ["associations NEWER: unparsed"],
  },
  {
    query: "get-config of lines",
    reply: configText,
    shows: { bindings: { "et-0/0/2": { association: "BY-HAND" } } },
    unknown: ["associations NEWER: unparsed"],
  },
  {
    query: "get-config of tunnels",
    reply: reply("<data><configuration><security/></configuration></data>"),
    shows: { tunnels: {}, gateways: {} },
  },
  {
    query: "ping host 192.0.2.2 routing-instance blue interface et-0/0/0.0 count 5 rapid",
    reply: reply("<ping-results/>"),
    unknown: [never],
  },
  {
    query: "ping host 192.0.2.2 interface et-0/0/0.0 count 5 rapid",
    reply: reply(
      "<ping-results><target-host>192.0.2.2</target-host><probe-results-summary>",
      leaves({ "probes-sent": 5, "responses-received": 4 }),
      "</probe-results-summary></ping-results>",
    ),
    shows: { sent: 5, answered: 4 },
  },
];

beforeAll(async () => {
  await read("<warm/>");
});

tryRows("Junos", junosReader, cases);

describe("a saved reply in XML", () => {
  it("a reply that declares entities is not understood", async () => {
    const text = `<!DOCTYPE a [<!ENTITY b "c">]>${reply("<software-information/>")}`;
    const got = await junosReader.read("show version", octets(text));
    expect(got?.unknown).toEqual([{ what: "the whole reply", why: "unparsed" }]);
  });
});
