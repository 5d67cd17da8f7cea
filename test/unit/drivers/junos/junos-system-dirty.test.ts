// Replies of Junos about interfaces, commits, routing and tunnels, changed row by row.

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
import type { WallTime } from "#hal/world.ts";
import { healthierPorts, healthierRoutes } from "../cisco-dirt.ts";
import { healthierOf, otherState } from "../dirty-judges.ts";
import { replyRows, tryReplies } from "./junos-dirty-kit.ts";

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

tryReplies({
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
  read: readInterfaces,
  healthier: healthierPorts,
  foreign: [
    "      <oper-status>up</oper-status>",
    "        <input-pps>0</input-pps>",
    "      <name>et-0/0/0</name>",
  ],
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

tryReplies({
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
  read: readUptime,
  healthier: (dirty, whole) =>
    dirty.wall === whole.wall && dirty.bootId === whole.bootId ? undefined : "another boot or time",
  foreign: ['      <date-time junos:seconds="1790000001">x</date-time>'],
});

tryReplies({
  about: "commits",
  layouts: [
    replyRows(
      "  <commit-information>",
      ...commitRows(0, ...trialRows),
      ...commitRows(1, "      <log>earlier</log>"),
      "  </commit-information>",
    ),
  ],
  read: (reply) => {
    const commits = readCommits(reply);
    return commits && commitsAt(commits, (1_795_514_460 * 1000) as WallTime);
  },
  healthier: ([newest], [own]) =>
    own?.isPending === true && newest?.isPending !== true ? "a trial waits no longer" : undefined,
  foreign: ["      <sequence-number>0</sequence-number>", "      <log>other</log>"],
});

tryReplies({
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
  read: readSoftware,
  healthier: ({ version, model }) =>
    version === "" || model === "" ? "an empty release or model" : undefined,
  foreign: ["    <junos-version>25.2R1</junos-version>"],
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

tryReplies({
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
  read: (reply) => readRoutes(reply, "et-0/0/0", undefined),
  healthier: healthierRoutes,
  foreign: ["          <active-tag>-</active-tag>", "      <table-name>x.inet.0</table-name>"],
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

tryReplies({
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
  read: readPeers,
  healthier: (dirty, whole) =>
    healthierOf(dirty, whole, (one, own) =>
      one === "ambiguous" || own === "ambiguous" ? undefined : otherState(one.state, own.state),
    ),
  foreign: ["      <peer-state>Established</peer-state>", "      <peer-cfg-rti>x</peer-cfg-rti>"],
});

tryReplies({
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
  read: readIkeSas,
  healthier: (dirty, whole) => {
    const isUp = (sas: typeof whole, name: string): boolean =>
      sas.some(({ gateway, isUp: up }) => gateway === name && up);
    return isUp(dirty, "hub-1") && !isUp(whole, "hub-1") ? "hub-1 came up" : undefined;
  },
  // A second SA of a gateway is its rekey.
  exempt: ["blockTwice"],
  foreign: ["        <ike-sa-state>UP</ike-sa-state>"],
});

tryReplies({
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
  read: readIpsecSas,
  healthier: (dirty, whole) => {
    const [one, own] = [dirty.get("hub-1"), whole.get("hub-1")];
    return (one?.length ?? 0) > (own?.length ?? 0) ? "more SAs" : undefined;
  },
  // A second SA of a direction is its rekey.
  exempt: ["blockTwice"],
  foreign: ["        <sa-spi>00000009</sa-spi>", "      <sa-vpn-name>hub-2</sa-vpn-name>"],
});
