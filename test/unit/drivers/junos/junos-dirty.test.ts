// Replies of Junos, changed row by row. XML is read as a whole, so most changes end in the parser;
// those that leave it well-formed must not make a reading healthier.

import {
  byInterface,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "#drivers/junos/macsec-parsers.ts";
import {
  commitsAt,
  readCommits,
  readInterfaces,
  readPeers,
  readRoutes,
  readSoftware,
  readUptime,
} from "#drivers/junos/system-parsers.ts";
import { readIkeSas, readIpsecSas } from "#drivers/junos/tunnel-parsers.ts";
import type { XmlElement } from "#drivers/transport/xml.ts";
import type { MacsecSettings, MkaSession } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { parseXml } from "#sim/emulators/xml-text.ts";
import { healthierPorts, healthierRoutes } from "../cisco-dirt.ts";
import { type Dirt, tryDirtyAnswers } from "../dirty-answers.ts";
import { fewerErrors, grown, healthierMka, healthierOf, otherState } from "../dirty-judges.ts";
import { cknOf } from "../junos-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "junos-dirty";
/** White space between elements means nothing. */
const noise = ["", "    "];
/** Neither an indent nor the end of a row means anything. */
const harmless: readonly Dirt[] = ["rowShifted", "rowsJoined"];

const settings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
};

/** The driver's parser loads asynchronously; this one reads the same elements at once. */
function parsed(text: string): XmlElement | undefined {
  try {
    return parseXml(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const reading =
  <T>(read: (reply: XmlElement) => T | undefined) =>
  (text: string): T | undefined => {
    const reply = parsed(text);
    return reply && read(reply);
  };

/** Reads each port of a reply. */
const byPort =
  <T>(name: string, read: (elements: readonly XmlElement[]) => T) =>
  (reply: XmlElement): ReadonlyMap<string, T> | undefined => {
    const ports = byInterface(reply, name);
    return ports && new Map([...ports].map(([port, elements]) => [port, read(elements)]));
  };

const cakRows = (n: number, status: string, ...peers: readonly string[]): readonly string[] => [
  "      <session-cak>",
  `        <cak-name>${cknOf(n)}</cak-name>`,
  "        <cak-type>primary</cak-type>",
  `        <cak-status>${status}</cak-status>`,
  `        <member-identifier>D${n}D0D0D0D0D0D0D0D0D0D0D0</member-identifier>`,
  "        <message-number>179</message-number>",
  ...peers,
  "      </session-cak>",
];

const peerRows = (mi: string, status: string): readonly string[] => [
  "        <peer-list>",
  `          <member-identifier>${mi}</member-identifier>`,
  `          <peer-status>${status}</peer-status>`,
  "          <hold-time>6000</hold-time>",
  "          <sci>02:00:5E:00:00:02/1</sci>",
  "        </peer-list>",
];

interface Written {
  readonly port: string;
  readonly state: string;
  readonly used: number;
  readonly rows: readonly string[];
}

const sessionRows = ({ port, state, used, rows }: Written): readonly string[] => [
  '    <mka-session-information xmlns="http://xml.juniper.net/junos/23.4R2/junos-dot1xd">',
  `      <interface-name>${port}</interface-name>`,
  `      <interface-state>${state}</interface-state>`,
  "      <member-identifier>D7D0D0D0D0D0D0D0D0D0D0D0</member-identifier>",
  `      <cak-name>${cknOf(used)}</cak-name>`,
  "      <key-server>no</key-server>",
  "      <key-server-priority>16</key-server-priority>",
  "      <latest-sak-an>1</latest-sak-an>",
  "      <latest-sak-key-identifier>AABBCCDDEEFF001122334455/9</latest-sak-key-identifier>",
  ...rows,
  "    </mka-session-information>",
];

const replyRows = (...rows: readonly string[]): string =>
  [
    '<rpc-reply xmlns:junos="http://xml.juniper.net/junos/23.4R2/junos">',
    ...rows,
    "</rpc-reply>",
  ].join("\n");

const live = (n: number): readonly string[] => [
  "      <session-live>",
  `        <cak-name>${cknOf(n)}</cak-name>`,
  "      </session-live>",
];

// One port is secured, one has no live peer, one is not secured, and one has a fallback alone.
const sessions = replyRows(
  ...sessionRows({
    ...{ port: "et-0/0/0", state: "Secured - Primary", used: 7 },
    rows: [
      ...live(7),
      ...cakRows(7, "live", ...peerRows("A1", "live")),
      ...cakRows(8, "active", ...peerRows("B1", "live")),
    ],
  }),
  ...sessionRows({
    ...{ port: "et-0/0/1", state: "Secured - Primary", used: 9 },
    rows: [...live(9), ...cakRows(9, "live", ...peerRows("A2", "potential"))],
  }),
  ...sessionRows({
    ...{ port: "et-0/0/2", state: "Unsecured - Init", used: 10 },
    rows: cakRows(10, "in-progress", "        <peer-list/>"),
  }),
  ...sessionRows({
    ...{ port: "et-0/0/3", state: "Secured - Primary", used: 11 },
    rows: [
      ...cakRows(11, "live", "        <peer-list/>"),
      ...cakRows(12, "active", ...peerRows("B3", "live")),
    ],
  }),
);

const flatSessions = replyRows(
  ...sessionRows({
    ...{ port: "et-0/0/0", state: "Secured - Preceding", used: 7 },
    rows: [...peerRows("A1", "live"), ...live(7), ...cakRows(7, "live"), ...cakRows(8, "active")],
  }),
  ...sessionRows({
    ...{ port: "et-0/0/1", state: "Unsecured - Init", used: 9 },
    rows: [...peerRows("A2", "potential"), ...cakRows(9, "in-progress")],
  }),
);

tryDirtyAnswers<ReadonlyMap<string, MkaSession | undefined>>("Junos", seed, {
  about: "MKA sessions",
  layouts: [sessions, flatSessions],
  read: reading(
    byPort("mka-session-information", (elements) => readSession(elements, settings, undefined)),
  ),
  healthier: healthierMka,
  foreign: [
    "      <interface-state>Secured - Primary</interface-state>",
    "      <interface-name>et-0/0/1</interface-name>",
    "        <cak-status>live</cak-status>",
    "          <peer-status>live</peer-status>",
    `      <session-live><cak-name>${cknOf(8)}</cak-name></session-live>`,
    "  <banner>{master}</banner>",
  ],
  ...{ noise, harmless },
});

const connectionRows = (port: string, status: string): readonly string[] => [
  "    <macsec-interface-common-information>",
  `      <interface-name>${port}</interface-name>`,
  "      <connectivity-association-name>ca-1</connectivity-association-name>",
  "      <cipher-suite>GCM-AES-XPN-256</cipher-suite>",
  "    </macsec-interface-common-information>",
  '    <create-time junos:seconds="1300258">2w1d 01:10:58</create-time>',
  "    <outbound-secure-channel>",
  "      <sci>02:00:5E:00:00:01/1</sci>",
  "      <outgoing-packet-number>29462517698</outgoing-packet-number>",
  "      <outbound-secure-association>",
  "        <association-number>1</association-number>",
  `        <association-number-status>${status}</association-number-status>`,
  "      </outbound-secure-association>",
  "    </outbound-secure-channel>",
  "    <inbound-secure-channel>",
  "      <inbound-secure-association>",
  "        <association-number>1</association-number>",
  `        <association-number-status>${status}</association-number-status>`,
  "      </inbound-secure-association>",
  "    </inbound-secure-channel>",
];

tryDirtyAnswers("Junos", seed, {
  about: "secure channels",
  layouts: [
    replyRows(
      "  <macsec-connection-information>",
      ...connectionRows("et-0/0/0", "inuse"),
      ...connectionRows("et-0/0/1", "standby"),
      "  </macsec-connection-information>",
    ),
  ],
  read: reading(byPort("macsec-connection-information", readChannels)),
  healthier: (dirty, whole) =>
    healthierOf(dirty, whole, (one, own) => {
      const gained = (["transmits", "receives"] as const).some((way) =>
        one[way].some((an) => !own[way].includes(an)),
      );
      return gained ? "an SA came into use" : grown(one.nextPn, own.nextPn, "packet numbers");
    }),
  foreign: [
    "        <association-number-status>inuse</association-number-status>",
    "      <outgoing-packet-number>99999999999</outgoing-packet-number>",
    "    <outbound-secure-channel/>",
    "      <interface-name>et-0/0/1</interface-name>",
  ],
  ...{ noise, harmless },
});

const countRows = (port: string, passed: number, bad: number): readonly string[] => [
  `    <interface-name>${port}</interface-name>`,
  "    <secure-channel-sent>",
  `      <encrypted-packets>${passed}</encrypted-packets>`,
  "      <encrypted-bytes>2000000</encrypted-bytes>",
  "      <protected-packets>3</protected-packets>",
  "    </secure-channel-sent>",
  "    <secure-association-sent>",
  "      <encrypted-packets>5</encrypted-packets>",
  "    </secure-association-sent>",
  "    <secure-channel-received>",
  `      <ok-packets>${passed}</ok-packets>`,
  `      <notvalid-packets>${bad}</notvalid-packets>`,
  `      <late-packets>${bad}</late-packets>`,
  "    </secure-channel-received>",
];

tryDirtyAnswers("Junos", seed, {
  about: "counters of frames",
  layouts: [
    replyRows(
      "  <macsec-statistics>",
      ...countRows("et-0/0/0", 0, 77),
      ...countRows("et-0/0/1", 123_456, 0),
      ...countRows("et-0/0/2", 5, 5),
      "  </macsec-statistics>",
    ),
  ],
  read: reading(byPort("macsec-statistics", (elements) => readFrames(elements, undefined))),
  healthier: (dirty, whole) =>
    healthierOf(
      dirty,
      whole,
      (one, own) =>
        grown(one.txProtected, own.txProtected, "protected frames") ??
        grown(one.rxOk, own.rxOk, "valid frames") ??
        fewerErrors([one.rxNotValid, one.rxLate], [own.rxNotValid, own.rxLate]),
    ),
  foreign: [
    "      <encrypted-packets>999999</encrypted-packets>",
    "      <ok-packets>999999</ok-packets>",
    "      <notvalid-packets>0</notvalid-packets>",
    "    <interface-name>et-0/0/1</interface-name>",
  ],
  ...{ noise, harmless },
});

tryDirtyAnswers("Junos", seed, {
  about: "counters of MKPDUs",
  layouts: [
    replyRows(
      "  <mka-statistics>",
      ...[0, 1].flatMap((n) => [
        "    <mka-interface-statistics>",
        `      <interface-name>et-0/0/${n}</interface-name>`,
        `      <received-packets>${n * 1000}</received-packets>`,
        `      <sent-packets>${n * 2000}</sent-packets>`,
        "      <cak-error>7</cak-error>",
        "    </mka-interface-statistics>",
      ]),
      "  </mka-statistics>",
    ),
  ],
  read: reading(byPort("mka-statistics", readMkpdus)),
  healthier: (dirty, whole) =>
    healthierOf(
      dirty,
      whole,
      (one, own) =>
        grown(one.received, own.received, "received MKPDUs") ??
        fewerErrors([one.unknownCkn], [own.unknownCkn]),
    ),
  foreign: ["      <received-packets>999</received-packets>", "      <cak-error>0</cak-error>"],
  ...{ noise, harmless },
});

const physicalRows = (name: string, state: string, pps: number): readonly string[] => [
  "    <physical-interface>",
  `      <name>${name}</name>`,
  '      <admin-status junos:format="Enabled">up</admin-status>',
  `      <oper-status>${state}</oper-status>`,
  "      <speed>100Gbps</speed>",
  '      <traffic-statistics junos:style="brief">',
  `        <input-bps>${pps * 4000}</input-bps>`,
  `        <input-pps>${pps}</input-pps>`,
  `        <output-bps>${pps * 4000}</output-bps>`,
  `        <output-pps>${pps}</output-pps>`,
  "      </traffic-statistics>",
  "    </physical-interface>",
];

tryDirtyAnswers("Junos", seed, {
  about: "interfaces",
  layouts: [
    replyRows(
      "  <interface-information>",
      ...physicalRows("et-0/0/0", "up", 250_000),
      ...physicalRows("et-0/0/1", "down", 0),
      ...physicalRows("fxp0", "up", 1),
      "  </interface-information>",
    ),
  ],
  read: reading(readInterfaces),
  healthier: healthierPorts,
  foreign: [
    "      <oper-status>up</oper-status>",
    "        <input-pps>0</input-pps>",
    "      <name>et-0/0/0</name>",
  ],
  ...{ noise, harmless },
});

const commitRows = (number: number, ...rows: readonly string[]): readonly string[] => [
  "    <commit-history>",
  `      <sequence-number>${number}</sequence-number>`,
  "      <user>netops</user>",
  `      <date-time junos:seconds="${1_795_514_400 - number}">2026-11-24</date-time>`,
  ...rows,
  "    </commit-history>",
];
const trialRows = [
  "      <comment>commit confirmed, rollback in 5mins</comment>",
  "      <log>linkseal 0011</log>",
  "      <commit-confirmed>rollback pending</commit-confirmed>",
];

tryDirtyAnswers("Junos", seed, {
  about: "clock and boot",
  layouts: [
    replyRows(
      "  <system-uptime-information>",
      "    <current-time>",
      '      <date-time junos:seconds="1795514400">2026-11-24 10:00:00 UTC</date-time>',
      "    </current-time>",
      "    <system-booted-time>",
      '      <date-time junos:seconds="1790000000">2026-09-21</date-time>',
      "    </system-booted-time>",
      "  </system-uptime-information>",
    ),
  ],
  read: reading(readUptime),
  healthier: (dirty, whole) =>
    dirty.wall === whole.wall && dirty.bootId === whole.bootId ? undefined : "another boot or time",
  foreign: ['      <date-time junos:seconds="1790000001">x</date-time>'],
  ...{ noise, harmless },
});

tryDirtyAnswers("Junos", seed, {
  about: "commits",
  layouts: [
    replyRows(
      "  <commit-information>",
      ...commitRows(0, ...trialRows),
      ...commitRows(1, "      <log>earlier</log>"),
      "  </commit-information>",
    ),
  ],
  read: reading((reply) => {
    const commits = readCommits(reply);
    return commits && commitsAt(commits, (1_795_514_460 * 1000) as WallTime);
  }),
  healthier: ([newest], [own]) =>
    newest?.id === own?.id && own?.isPending === true && newest?.isPending === false
      ? "a trial waits no longer"
      : undefined,
  foreign: ["      <sequence-number>0</sequence-number>", "      <log>other</log>"],
  ...{ noise, harmless },
});

tryDirtyAnswers("Junos", seed, {
  about: "the release",
  layouts: [
    replyRows(
      "  <software-information>",
      "    <host-name>edge</host-name>",
      "    <product-model>srx4600</product-model>",
      "    <junos-version>23.4R2.13</junos-version>",
      "  </software-information>",
    ),
    replyRows(
      "  <software-information>",
      "    <product-model>srx3600</product-model>",
      "    <package-information>",
      "      <name>junos</name>",
      "      <comment>JUNOS Software Release [12.3X48-D40.5]</comment>",
      "    </package-information>",
      "  </software-information>",
    ),
  ],
  read: reading(readSoftware),
  healthier: ({ version, model }) =>
    version === "" || model === "" ? "an empty release or model" : undefined,
  foreign: ["    <junos-version>25.2R1</junos-version>"],
  ...{ noise, harmless },
});

const routeRows = (prefix: string, tag: string): readonly string[] => [
  "      <rt>",
  `        <rt-destination>${prefix}</rt-destination>`,
  "        <rt-entry>",
  `          <active-tag>${tag}</active-tag>`,
  ...(tag === "*" ? ["          <current-active/>"] : []),
  "          <protocol-name>BGP</protocol-name>",
  "        </rt-entry>",
  "      </rt>",
];

tryDirtyAnswers("Junos", seed, {
  about: "routes",
  layouts: [
    replyRows(
      "  <route-information>",
      "    <route-table>",
      "      <table-name>inet.0</table-name>",
      ...routeRows("10.0.0.0/8", "*"),
      ...routeRows("192.0.2.0/24", "-"),
      "    </route-table>",
      "    <route-table>",
      "      <table-name>cust-2.inet.0</table-name>",
      ...routeRows("10.0.0.0/8", "*"),
      "    </route-table>",
      "  </route-information>",
    ),
  ],
  read: reading((reply) => readRoutes(reply, "et-0/0/0")),
  healthier: healthierRoutes,
  foreign: ["          <active-tag>-</active-tag>", "      <table-name>x.inet.0</table-name>"],
  ...{ noise, harmless },
});

const peerOfBgp = (address: string, instance: string, state: string): readonly string[] => [
  '    <bgp-peer junos:style="detail">',
  `      <peer-address>${address}</peer-address>`,
  "      <peer-as>12076</peer-as>",
  "      <local-as>64512</local-as>",
  `      <peer-cfg-rti>${instance}</peer-cfg-rti>`,
  `      <peer-fwd-rti>${instance}</peer-fwd-rti>`,
  `      <peer-state>${state}</peer-state>`,
  "    </bgp-peer>",
];

tryDirtyAnswers("Junos", seed, {
  about: "BGP peers",
  layouts: [
    replyRows(
      "  <bgp-information>",
      ...peerOfBgp("192.0.2.2+179", "master", "Established"),
      ...peerOfBgp("192.0.2.6", "master", "Active"),
      ...peerOfBgp("192.0.2.6+179", "cust-2", "Established"),
      "  </bgp-information>",
    ),
  ],
  read: reading(readPeers),
  healthier: (dirty, whole) =>
    healthierOf(dirty, whole, (one, own) =>
      one === "ambiguous" || own === "ambiguous" ? undefined : otherState(one.state, own.state),
    ),
  foreign: ["      <peer-state>Established</peer-state>", "      <peer-cfg-rti>x</peer-cfg-rti>"],
  ...{ noise, harmless },
});

tryDirtyAnswers("Junos", seed, {
  about: "IKE SAs",
  layouts: [
    replyRows(
      "  <ike-security-associations-information>",
      ...(["UP", "DOWN"] as const).flatMap((state, n) => [
        "    <ike-security-associations-block>",
        `      <ike-sa-remote-address>203.0.113.${n}</ike-sa-remote-address>`,
        `      <ike-gw-name>hub-${n}</ike-gw-name>`,
        "      <ike-security-associations>",
        `        <ike-sa-state>${state}</ike-sa-state>`,
        "      </ike-security-associations>",
        "    </ike-security-associations-block>",
      ]),
      "  </ike-security-associations-information>",
    ),
  ],
  read: reading(readIkeSas),
  healthier: (dirty, whole) => {
    const isUp = (sas: typeof whole, name: string): boolean =>
      sas.some(({ gateway, isUp: up }) => gateway === name && up);
    return isUp(dirty, "hub-1") && !isUp(whole, "hub-1") ? "hub-1 came up" : undefined;
  },
  foreign: ["        <ike-sa-state>UP</ike-sa-state>"],
  ...{ noise, harmless },
});

tryDirtyAnswers("Junos", seed, {
  about: "IPsec SAs",
  layouts: [
    replyRows(
      "  <ipsec-security-associations-information>",
      "    <total-active-tunnels>1</total-active-tunnels>",
      "    <ipsec-security-associations-block>",
      "      <sa-vpn-name>hub-1</sa-vpn-name>",
      "      <sa-pfs-group>DH-group-20</sa-pfs-group>",
      ...["inbound", "outbound"].flatMap((direction, n) => [
        "      <ipsec-security-associations>",
        `        <sa-direction>${direction}</sa-direction>`,
        `        <sa-spi>0000000${n}</sa-spi>`,
        "        <sa-encryption-algorithm>aes-gcm (256 bits)</sa-encryption-algorithm>",
        "        <sa-soft-lifetime>Expired</sa-soft-lifetime>",
        "      </ipsec-security-associations>",
      ]),
      "    </ipsec-security-associations-block>",
      "  </ipsec-security-associations-information>",
    ),
  ],
  read: reading(readIpsecSas),
  healthier: (dirty, whole) => {
    const [one, own] = [dirty.get("hub-1"), whole.get("hub-1")];
    return (one?.length ?? 0) > (own?.length ?? 0) ? "more SAs" : undefined;
  },
  foreign: ["        <sa-spi>00000009</sa-spi>", "      <sa-vpn-name>hub-2</sa-vpn-name>"],
  ...{ noise, harmless },
});
