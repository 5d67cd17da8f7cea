// Replies of Junos about MACsec, changed row by row.

import {
  byInterface,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "#drivers/junos/macsec-parsers.ts";
import type { XmlElement } from "#drivers/transport/xml.ts";
import type { MacsecSettings, MkaSession } from "#hal/model.ts";
import { fewerErrors, grown, healthierMka, healthierOf } from "../dirty-judges.ts";
import { cknOf } from "../junos-kit.ts";
import { replyRows, tryReplies } from "./junos-dirty-kit.ts";

const settings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
};

/** Reads each port of a reply. */
function byPort<T>(
  reply: XmlElement,
  name: string,
  read: (elements: readonly XmlElement[]) => T,
): ReadonlyMap<string, T> | undefined {
  const ports = byInterface(reply, name);
  return ports && new Map([...ports].map(([port, elements]) => [port, read(elements)]));
}

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

tryReplies<ReadonlyMap<string, MkaSession | undefined>>({
  about: "MKA sessions",
  layouts: [sessions, flatSessions],
  read: (reply) =>
    byPort(reply, "mka-session-information", (elements) =>
      readSession(elements, settings, undefined),
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

tryReplies({
  about: "secure channels",
  layouts: [
    replyRows(
      "  <macsec-connection-information>",
      ...connectionRows("et-0/0/0", "inuse"),
      ...connectionRows("et-0/0/1", "standby"),
      "  </macsec-connection-information>",
    ),
  ],
  read: (reply) => byPort(reply, "macsec-connection-information", readChannels),
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

tryReplies({
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
  read: (reply) =>
    byPort(reply, "macsec-statistics", (elements) => readFrames(elements, undefined)),
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
});

tryReplies({
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
  read: (reply) => byPort(reply, "mka-statistics", readMkpdus),
  healthier: (dirty, whole) =>
    healthierOf(
      dirty,
      whole,
      (one, own) =>
        grown(one.received, own.received, "received MKPDUs") ??
        fewerErrors([one.unknownCkn], [own.unknownCkn]),
    ),
  foreign: ["      <received-packets>999</received-packets>", "      <cak-error>0</cak-error>"],
});
