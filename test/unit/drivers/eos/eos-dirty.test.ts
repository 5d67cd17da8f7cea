// Answers of EOS, changed row by row: JSON as `| json` prints it, and the two tables that have
// none.

import { readByPort, readFrames, readMkpdus, readSession } from "#drivers/eos/macsec-parsers.ts";
import { messageOfSyslog } from "#drivers/eos/syslog.ts";
import {
  readBootTime,
  readClock,
  readInterfaces,
  readPeers,
  readResetTime,
  readRoutes,
  readSessions,
  readSoftware,
} from "#drivers/eos/system-parsers.ts";
import { readConnections } from "#drivers/eos/tunnel-parsers.ts";
import type { JsonRecord } from "#drivers/platform/json.ts";
import type { MacsecSettings, MkaSession } from "#hal/model.ts";
import { healthierPorts, healthierRoutes } from "../cisco-dirt.ts";
import { type DirtyReader, tryDirtyAnswers } from "../dirty-answers.ts";
import { fewerErrors, grown, healthierMka, healthierOf, otherState } from "../dirty-judges.ts";
import { cknOf } from "../junos-kit.ts";
import { connectionText } from "./eos-tunnel-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "eos-dirty";
const port = "Ethernet1/1";
const message =
  "edge-a Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet9, changed state to up";
const noise = [
  `Nov 28 22:03:31 ${message}`,
  `Nov  8 02:03:31 2026 ${message}`,
  `2026-11-28T22:03:31.123456+00:00 ${message}`,
  "Nov 28 22:03:31 edge-a ConfigAgent: 35: %SYS-5-CONFIG_I: Configured from console by admin",
];
/** Neither an indent nor the end of a row means anything. */
const harmless: DirtyReader<unknown>["harmless"] = ["rowShifted", "rowsJoined"];

/** The terminal drops messages of syslog before an answer is read. */
const heard = (text: string): string =>
  text
    .split("\n")
    .filter((row) => !messageOfSyslog.test(row))
    .join("\n");

/** Tries a reader of one kind of answer. */
function tryAnswers<T>({ read, ...told }: Omit<DirtyReader<T>, "noise">): void {
  tryDirtyAnswers<T>("EOS", seed, { ...told, read: (text) => read(heard(text)), noise });
}

const printed = (value: unknown): string => JSON.stringify(value, undefined, 4);

const settings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
};

const securityOf = (controlledPort: boolean, traffic: string, keyMsgId: string): object => ({
  address: "02:00:00:00:00:02",
  controlledPort,
  keyNum: 7,
  keyMsgId,
  details: {
    keyServerPriority: 16,
    traffic,
    latestKeyMsgId: keyMsgId,
    latestKeyMsgNum: 7,
    latestKeyReceiving: true,
    latestKeyTransmitting: true,
    oldKeyMsgId: "",
    oldKeyMsgNum: 0,
    oldKeyReceiving: false,
    oldKeyTransmitting: false,
  },
});

const actorOf = (principalActor: boolean, ...livePeerList: readonly string[]): object => ({
  msgId: "b".repeat(24),
  success: livePeerList.length > 0,
  principalActor,
  defaultActor: !principalActor,
  electedSelf: false,
  details: { keyNum: 7, sakTransmit: principalActor, livePeerList, potentialPeerList: ["d9"] },
});

const security = printed({
  interfaces: {
    "Ethernet1/1": securityOf(true, "Protected", "a".repeat(24)),
    "Ethernet2/1": securityOf(false, "Protected", "a".repeat(24)),
    "Ethernet3/1": securityOf(true, "Unprotected", "a".repeat(24)),
    "Ethernet4/1": securityOf(true, "Protected", ""),
  },
});

const participants = printed({
  interfaces: {
    "Ethernet1/1": {
      participants: { [cknOf(1)]: actorOf(true, "c1"), [cknOf(2)]: actorOf(false, "c2") },
    },
    "Ethernet2/1": { participants: { [cknOf(3)]: actorOf(true), [cknOf(4)]: actorOf(false) } },
    "Ethernet3/1": { participants: { [cknOf(5)]: actorOf(false, "c1", "c2") } },
  },
});

const wholeOf = (text: string): ReadonlyMap<string, JsonRecord> => {
  const read = readByPort(text);
  if (read === undefined) throw new Error("a whole answer is not understood");
  return read;
};
/** The other of the two answers about a port is that of a port that is secured. */
const securedSecurity = wholeOf(security).get(port);
const securedParticipants = wholeOf(participants).get(port);

type Sessions = ReadonlyMap<string, MkaSession | undefined>;

function sessionsIn(
  text: string,
  reportedBy: (own: JsonRecord) => Parameters<typeof readSession>[0],
): Sessions | undefined {
  const ports = readByPort(text);
  return (
    ports && new Map([...ports].map(([at, own]) => [at, readSession(reportedBy(own), settings)]))
  );
}

tryAnswers<Sessions>({
  about: "MACsec interfaces",
  layouts: [security],
  read: (text) => sessionsIn(text, (own) => ({ security: own, participants: securedParticipants })),
  healthier: healthierMka,
  foreign: [
    '            "controlledPort": true,',
    '                "traffic": "Protected",',
    `            "keyMsgId": "${"a".repeat(24)}",`,
    "edge-a#",
  ],
  harmless,
});

tryAnswers<Sessions>({
  about: "MKA participants",
  layouts: [participants],
  read: (text) => sessionsIn(text, (own) => ({ security: securedSecurity, participants: own })),
  healthier: healthierMka,
  foreign: [
    '                    "principalActor": true,',
    '                        "livePeerList": ["e1"],',
    '            "participants": {',
  ],
  harmless,
});

const countersOf = (passed: number, bad: number): object => ({
  outPktsEncrypted: passed,
  outOctetsEncrypted: passed * 400,
  inPktsDecrypted: passed,
  countersDetail: { inPktsOK: passed, inPktsNotUsingSA: bad, inPktsNotValid: bad, inPktsLate: 0 },
});

tryAnswers({
  about: "counters of frames",
  layouts: [
    printed({
      interfaces: {
        "Ethernet1/1": countersOf(118_455_438_940, 0),
        "Ethernet2/1": countersOf(0, 7),
      },
    }),
  ],
  read: (text) => {
    const ports = readByPort(text);
    return ports && new Map([...ports].map(([at, own]) => [at, readFrames(own)]));
  },
  healthier: (dirty, whole) =>
    healthierOf(
      dirty,
      whole,
      (one, own) =>
        grown(one.txProtected, own.txProtected, "protected frames") ??
        grown(one.rxOk, own.rxOk, "valid frames") ??
        fewerErrors([one.rxNotValid, one.rxNotUsingSa], [own.rxNotValid, own.rxNotUsingSa]),
    ),
  foreign: ['            "outPktsEncrypted": 999,', '                "inPktsNotValid": 0,'],
  harmless,
});

tryAnswers({
  about: "counters of MKPDUs",
  layouts: [
    [
      "Interface       Rx Success      Rx Failure      Tx Success      Tx Failure",
      "Ethernet1/1     0               0               79858           0",
      "Ethernet2/1     79788           12              79854           0",
      "Ethernet3/1     68225           0               68188           0",
    ].join("\n"),
  ],
  read: readMkpdus,
  healthier: (dirty, whole) =>
    healthierOf(dirty, whole, (one, own) => grown(one.received, own.received, "received MKPDUs")),
  foreign: ["Ethernet1/1     999             0               999             0", "edge-a#"],
});

const interfaceOf = (lineProtocolStatus: string, rate: number): object => ({
  name: "x",
  lineProtocolStatus,
  bandwidth: 100_000_000_000,
  interfaceStatistics: {
    inBitsRate: rate * 4000,
    inPktsRate: rate,
    outBitsRate: rate * 4000,
    outPktsRate: rate,
    // A number that ends an object is a number as well when its last digits are lost.
    updateInterval: 5,
  },
});

tryAnswers({
  about: "interfaces",
  layouts: [
    printed({
      interfaces: {
        "Ethernet1/1": interfaceOf("up", 250_000),
        "Ethernet2/1": interfaceOf("lowerLayerDown", 0),
        Management1: interfaceOf("up", 1),
      },
    }),
  ],
  read: readInterfaces,
  healthier: healthierPorts,
  foreign: ['            "lineProtocolStatus": "up",', '                "inPktsRate": 0,'],
  harmless,
});

tryAnswers({
  about: "BGP peers",
  layouts: [
    printed({
      vrfs: {
        default: {
          vrf: "default",
          peers: {
            "192.0.2.2": { peerState: "Established", peerAsn: "12076" },
            "192.0.2.6": { peerState: "Idle", peerStateIdleReason: "Admin" },
          },
        },
        BLUE: { peers: { "192.0.2.6": { peerState: "Established", peerAsn: "64999" } } },
      },
    }),
  ],
  read: readPeers,
  healthier: (dirty, whole) =>
    healthierOf(dirty, whole, (one, own) => otherState(one.state, own.state)),
  foreign: ['                    "peerState": "Established",', '            "peers": {'],
  harmless,
});

const pathOf = (active: boolean, ecmp: boolean): object => ({
  nextHop: "192.0.2.2",
  routeType: { valid: true, active, ecmp, ecmpHead: false, ecmpContributor: ecmp },
});

tryAnswers({
  about: "routes",
  layouts: [
    printed({
      vrfs: {
        default: {
          bgpRouteEntries: {
            "10.0.0.0/8": { bgpRoutePaths: [pathOf(false, false), pathOf(true, false)] },
          },
        },
      },
    }),
    printed({
      vrfs: {
        default: {
          bgpRouteEntries: { "10.0.0.0/8": { bgpRoutePaths: [pathOf(false, true)] } },
        },
      },
    }),
  ],
  read: (text) => readRoutes(text, "default", port),
  healthier: healthierRoutes,
  foreign: ['                                    "active": false,', '        "default": {'],
  harmless,
});

tryAnswers({
  about: "configuration sessions",
  layouts: [
    printed({
      sessions: {
        "linkseal-00ff": { state: "pendingCommitTimer", commitBy: 12.5, instances: {} },
        other: { state: "completed", instances: {} },
      },
      maxOpenSessions: 5,
    }),
    printed({
      sessions: { other: { state: "completed", instances: {} } },
      commitTimerSessionName: "linkseal-00ff",
      commitTimerExpireTime: 12.5,
    }),
  ],
  read: readSessions,
  healthier: ([first]) =>
    first?.state === "pendingCommitTimer" ? undefined : "no commit waits for its confirm",
  foreign: ['            "state": "completed",', '    "commitTimerSessionName": "",'],
  harmless,
});

tryAnswers({
  about: "release, clock and boot",
  layouts: [
    printed({
      modelName: "DCS-7280CR3K-32P4-F",
      version: "4.34.1F",
      bootupTimestamp: 1_700_729_434.5,
      utcTime: 1_795_514_400.25,
      resetCauses: [{ description: "Reload requested by the user.", timestamp: 1_700_729_400 }],
    }),
  ],
  read: (text) => {
    const software = readSoftware(text);
    const read = [readBootTime(text), readClock(text), readResetTime(text)];
    return software && { software, read: read.map(String) };
  },
  healthier: ({ software }) => (software.version === "" ? "an empty release" : undefined),
  foreign: ['    "version": "4.35.0F",'],
  harmless,
});

tryAnswers({
  about: "IPsec connections",
  layouts: [connectionText("idle"), connectionText("established")],
  read: readConnections,
  healthier: (dirty, whole) => {
    const isUp = (all: typeof whole): boolean =>
      (all.get("Tunnel3") ?? []).some(
        ({ remoteAddress, isEstablished }) => remoteAddress === "203.0.113.1" && isEstablished,
      );
    return isUp(dirty) && !isUp(whole) ? "the tunnel is up" : undefined;
  },
  foreign: ["  State: established", "Tunnel3:", "  State: policyBasedTunnel"],
});
