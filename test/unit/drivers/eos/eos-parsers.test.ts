// What answers of an EOS router mean, and what is not made of them.

import { describe, expect, it } from "vitest";
import { readConfig } from "#drivers/eos/config.ts";
import {
  readByPort,
  readFrames,
  readLicence,
  readMkpdus,
  readSession,
} from "#drivers/eos/macsec-parsers.ts";
import { planOf } from "#drivers/eos/plan.ts";
import {
  bgpSession,
  readBootTime,
  readClock,
  readInterfaces,
  readPeers,
  readResetTime,
  readRoutes,
  readRouteTo,
  readSessions,
  readSoftware,
} from "#drivers/eos/system-parsers.ts";
import { readPing } from "#drivers/platform/ping.ts";
import type { MkaSession } from "#hal/model.ts";
import { cknOf } from "../junos-kit.ts";
import { actor, commands, configLines, configOf, participants, security } from "./eos-kit.ts";

const port = "Ethernet2";
const peer = ["c".repeat(24)];

function sessionOf(reported: string, actors: string): MkaSession | undefined {
  return readSession(
    { security: readByPort(reported)?.get(port), participants: readByPort(actors)?.get(port) },
    planOf(configOf(), port).settings,
  );
}

describe("a session", () => {
  const both = participants(actor(peer, true), actor(peer, false));
  const failed = { ...actor(peer, true), success: false };

  it("a session is secured by a live peer, a principal and a key in use", () => {
    expect(sessionOf(security(), both)).toEqual({
      controlledPort: "secured",
      principalCkn: cknOf(1),
      participants: [
        { ckn: cknOf(1), state: "live", livePeers: 1, potentialPeers: 0 },
        { ckn: cknOf(2), state: "live", livePeers: 1, potentialPeers: 0 },
      ],
      livePeers: 1,
      respondedPeers: 1,
      keyServer: "peer",
      keyServerPriority: 20,
      latestSak: { an: undefined, keyId: `${"a".repeat(24)}/7`, receive: true, transmit: true },
      oldSak: undefined,
    });
  });

  it("a session has its key in use although the details call it the old one", () => {
    const details = {
      latestKeyMsgId: "",
      latestKeyMsgNum: 0,
      latestKeyReceiving: false,
      latestKeyTransmitting: false,
      oldKeyMsgId: "A".repeat(24),
      oldKeyMsgNum: 7,
      oldKeyReceiving: true,
      oldKeyTransmitting: true,
    };
    const session = sessionOf(security({}, details), both);
    expect(session?.controlledPort).toBe("secured");
    expect(session?.latestSak?.keyId).toBe(`${"a".repeat(24)}/7`);
    expect(session?.oldSak).toBeUndefined();
  });

  it("a session is read if its keys are in objects of their own", () => {
    const nested = { msgId: "b".repeat(24), keyNum: 8, rxInstalled: true, txInstalled: false };
    const details = {
      latestKeyMsgId: undefined,
      latestKeyMsgNum: undefined,
      latestKeyReceiving: undefined,
      latestKeyTransmitting: undefined,
      latestKey: nested,
    };
    const reported = security({ keyMsgId: "b".repeat(24), keyNum: 8 }, details);
    expect(sessionOf(reported, both)?.latestSak).toMatchObject({ receive: true, transmit: false });
  });

  it.each([
    ["without a live peer", security(), participants(actor([], true), actor([], false))],
    ["whose port is closed", security({ controlledPort: false }), both],
    ["whose traffic is dropped", security({}, { traffic: "Dropped" }), both],
    ["whose participant has no success", security(), participants(failed, actor(peer, false))],
    ["without a key in use", security({ keyMsgId: "", keyNum: 0 }), both],
    ["without a principal", security(), participants(actor(peer, false), actor(peer, false))],
  ])("a session %s is blocked, whatever else the reply says", (_, reported, actors) => {
    expect(sessionOf(reported, actors)?.controlledPort).toBe("blocked");
  });

  it.each(["Unprotected", "Fallback unprotected"])(
    "an open port whose traffic is %s is not protected, whatever keys it has",
    (traffic) => {
      expect(sessionOf(security({}, { traffic }), both)?.controlledPort).toBe("unprotected");
    },
  );

  it("a participant without success is no live session, whatever peers are listed", () => {
    const session = sessionOf(security(), participants(failed, actor(peer, false)));
    expect(session).toMatchObject({ livePeers: 0, principalCkn: undefined });
    expect(session?.participants[0]).toMatchObject({ state: "active", livePeers: 0 });
  });

  it("a principal that does not transmit under the SAK has a SAK in one direction", () => {
    const own = actor(peer, true);
    const details = { ...(own as { readonly details: object }).details, sakTransmit: false };
    const session = sessionOf(security(), participants({ ...own, details }, actor(peer, false)));
    expect(session?.latestSak).toMatchObject({ receive: true, transmit: false });
  });

  it.each([
    ["an open port and no word about its traffic", security({}, { traffic: undefined }), both],
    ["an open port and another word", security({}, { traffic: "Mostly" }), both],
    ["a port that does not say whether it is open", security({ controlledPort: "yes" }), both],
    ["a participant without its list of peers", security(), participants({}, actor(peer, true))],
    [
      "peers that are not names",
      security(),
      participants(actor([7 as never], true), actor([], false)),
    ],
  ])("a session with %s is not understood", (_, reported, actors) => {
    expect(sessionOf(reported, actors)).toBeUndefined();
  });
});

describe("counters", () => {
  it("counters are read, except those of single SAs and of mixed traffic", () => {
    const reported = {
      outPktsEncrypted: 118,
      inPktsDecrypted: 56,
      countersDetail: {
        ...{ inPktsOK: 56, inPktsNotValid: 1, inPktsLate: 2, inPktsNotUsingSA: 3 },
        ...{ inPktsNoTag: 4, inPktsBadTag: 5, inPktsNoSCI: 6, outPktsUntagged: 7 },
        outPktsTooLong: 8,
      },
    };
    expect(readFrames(reported)).toEqual({
      txProtected: 118n,
      txClear: undefined,
      txTooLong: 8n,
      rxOk: 56n,
      rxClear: 4n,
      rxBadTag: 5n,
      rxNotValid: 1n,
      rxLate: 2n,
      rxNoSci: 6n,
      rxUnknownSci: undefined,
      rxNotUsingSa: 3n,
      rxUnusedSa: undefined,
      nextPn: undefined,
    });
    expect(readFrames({ ...reported, outPktsEncrypted: -1 })).toBeUndefined();
    expect(readFrames({ countersDetail: reported.countersDetail })).toBeUndefined();
  });

  it("counters of MKPDUs are read from a table", () => {
    const head = "Interface       Rx Success      Rx Failure      Tx Success      Tx Failure\n";
    const reported = readMkpdus(
      `${head}Ethernet4/15/1  79688           12              79858     0\n`,
    );
    expect(reported?.get("Ethernet4/15/1")).toMatchObject({ sent: 79858n, received: 79700n });
    expect(readMkpdus(`${head}Ethernet1 1 2 3\n`)).toBeUndefined();
    expect(readMkpdus("Interface  Tx Success  Rx Success\nEthernet1 1 2 3 4\n")).toBeUndefined();
  });
});

describe("a configuration", () => {
  it("a configuration gives profiles, keys and roles", () => {
    expect(planOf(configOf(), "Ethernet2")).toMatchObject({
      profile: "TWO",
      admin: "up",
      settings: {
        suite: "gcm-aes-xpn-256",
        policy: "mustSecure",
        includeSci: true,
        keyServerPriority: 20,
        replayWindow: 64,
        sakRekeyMs: 1_800_000,
      },
      keys: [
        { ckn: cknOf(1), role: "primary" },
        { ckn: cknOf(2), role: "fallback" },
      ],
    });
    expect(planOf(configOf(), "Ethernet3").settings).toMatchObject({
      suite: "gcm-aes-128",
      policy: "shouldSecure",
      replayWindow: undefined,
      keyServerPriority: 16,
    });
    expect(planOf(configOf(), "Ethernet7").admin).toBe("down");
    expect(configOf().profiles.get("CHAIN")).toBeUndefined();
  });

  it("a configuration keeps nothing of a key that a router prints against the request", () => {
    const key = "0123456789ABCDEF";
    const leaky = {
      ...configLines,
      "mac security": { "profile TWO": { [`key ${cknOf(1)} 7 ${key} fallback`]: null } },
      [`username operator privilege 15 secret sha512 ${key}`]: null,
    };
    const other = JSON.parse(JSON.stringify(leaky).replaceAll(key, "FEDCBA9876543210"));
    const [one, two] = [leaky, other].map((lines) =>
      readConfig(JSON.stringify({ cmds: commands(lines) })),
    );
    expect(one?.id).toBe(two?.id);
    expect(one?.profiles.get("TWO")?.keys).toEqual([{ ckn: cknOf(1), role: "fallback" }]);
    expect(one?.id).not.toBe(configOf().id);
  });

  it("a configuration has one id, whatever its header says", () => {
    const other = JSON.stringify({ header: ["! later\n"], cmds: commands(configLines) });
    expect(readConfig(other)?.id).toBe(configOf().id);
  });

  it("a configuration that is nested without end is not understood", () => {
    let lines: object = {};
    for (let depth = 0; depth < 20; depth += 1) lines = { x: { cmds: lines } };
    expect(readConfig(JSON.stringify({ cmds: lines }))).toBeUndefined();
  });
});

describe("sessions", () => {
  const rows = (state: string): object => ({
    "linkseal-1": { state },
    operator: { state: "pending" },
  });

  it("sessions name the one that waits, by its row or beside the rows", () => {
    const waits = { name: "linkseal-1", state: "pendingCommitTimer" };
    const beside = { commitTimerSessionName: "linkseal-1", commitTimerExpireTime: 7 };
    expect(readSessions(JSON.stringify({ sessions: rows("pendingCommitTimer") }))?.[0]).toEqual(
      waits,
    );
    expect(readSessions(JSON.stringify({ sessions: rows("completed"), ...beside }))?.[0]).toEqual(
      waits,
    );
    expect(readSessions(JSON.stringify({ sessions: {}, ...beside }))).toEqual([waits]);
    const none = { ...beside, commitTimerSessionName: "" };
    expect(readSessions(JSON.stringify({ sessions: {}, ...none }))).toEqual([]);
    expect(readSessions(JSON.stringify({}))).toBeUndefined();
  });

  it("sessions that were aborted change nothing, and one that is committed is complete", () => {
    const sessions = {
      "linkseal-00ff": { state: "aborted" },
      "linkseal-11ff": { state: "committed" },
      s1: { state: "aborted" },
    };
    const complete = { name: "linkseal-11ff", state: "completed" };
    expect(readSessions(JSON.stringify({ sessions }))).toEqual([complete]);
    // The one whose timer runs has the same word, and is named beside the list.
    const beside = { commitTimerSessionName: "linkseal-11ff", commitTimerExpireTime: 7 };
    expect(readSessions(JSON.stringify({ sessions, ...beside }))).toEqual([
      { ...complete, state: "pendingCommitTimer" },
    ]);
    const inRow = { ...sessions, "linkseal-11ff": { state: "committed", commitBy: 7 } };
    expect(readSessions(JSON.stringify({ sessions: inRow }))).toEqual([
      { ...complete, state: "pendingCommitTimer" },
    ]);
  });

  it("sessions of ours in another state, or a timer without a session, are not understood", () => {
    for (const state of ["", "waiting", "constructor", 7, undefined]) {
      const ours = JSON.stringify({ sessions: { "linkseal-00ff": { state } } });
      expect(readSessions(ours)).toBeUndefined();
      // What others edit and do not commit is nothing to us.
      const others = JSON.stringify({ sessions: { operator: { state } } });
      expect(readSessions(others)).toEqual([]);
    }
    const timer = JSON.stringify({ sessions: {}, commitTimerExpireTime: 7 });
    expect(readSessions(timer)).toBeUndefined();
  });
});

describe("the rest", () => {
  it("the other replies are read by their fields", () => {
    expect(readClock('{"utcTime": 1795514400.25}')).toBe(1_795_514_400_250);
    expect(readClock('{"utcTime": "now"}')).toBeUndefined();
    expect(readLicence('{"licenseEnabled": false}')).toBe("missing");
  });

  it("a probe with too many replies, or of another target or count, is not believed", () => {
    const asked = { address: "192.0.2.2", count: 5 };
    const text = (sent: number, answered: number, target = asked.address): string =>
      `--- ${target} ping statistics ---\n` +
      `${sent} packets transmitted, ${answered} received, 20% packet loss\n`;
    expect(readPing(text(5, 4), asked)).toEqual({ sent: 5, answered: 4 });
    expect(readPing(text(5, 6), asked)).toBeUndefined();
    expect(readPing(text(3, 3), asked)).toBeUndefined();
    expect(readPing(text(5, 4, "192.0.2.6"), asked)).toBeUndefined();
    expect(readPing(text(5, 4) + text(5, 5), asked)).toBeUndefined();
    expect(readPing("5 packets transmitted, 4 received", asked)).toBeUndefined();
  });

  it("a boot is known by the newest reset, or else by the boot of the software", () => {
    expect(readResetTime('{"resetCauses":[{"timestamp": 17.5},{"timestamp": 9}]}')).toBe("17");
    expect(readResetTime('{"resetCauses":[]}')).toBe("none");
    expect(readResetTime('{"resetCauses":[{"description": "Reload requested"}]}')).toBe("none");
    expect(readResetTime("{}")).toBeUndefined();
    expect(readBootTime('{"version": "4.30.5M", "bootupTimestamp": 1700729434.5}')).toBe(
      "boot 1700729434",
    );
    for (const text of ['{"version": "4.30.5M"}', '{"bootupTimestamp": 0}', "Arista vEOS\n"]) {
      expect(readBootTime(text)).toBeUndefined();
    }
  });

  it("a reply in which a name comes twice is not understood: it would hide the first", () => {
    const once = '{"interfaces": {"Ethernet1": {"lineProtocolStatus": "down", "note": "a:b"}}}';
    expect(readInterfaces(once)?.get("Ethernet1")?.linkUp).toBe(false);
    const twice = once.replace('"note": "a:b"', '"lineProtocolStatus": "up"');
    expect(readInterfaces(twice)).toBeUndefined();
    expect(readInterfaces(once.replace('"a:b"', '"\\":"'))).toBeDefined();
    const rows = '{"interfaces": {"Ethernet1": {}, "Ethernet1": {"lineProtocolStatus": "up"}}}';
    expect(readInterfaces(rows)).toBeUndefined();
    expect(readByPort(rows)).toBeUndefined();
  });

  it("a reply that is cut, empty or text is not understood", () => {
    const whole = JSON.stringify({
      version: "4.30.5M",
      interfaces: { Ethernet1: { lineProtocolStatus: "up" } },
      vrfs: { default: { peers: {}, bgpRouteEntries: {} } },
      sessions: {},
    });
    const readers = [readInterfaces, readPeers, readSessions, readSoftware, readByPort];
    for (const reader of readers) {
      expect(reader(whole)).toBeDefined();
      for (let length = 0; length < whole.length; length += 1) {
        expect(reader(whole.slice(0, length))).toBeUndefined();
      }
      for (const text of ["{}", "[]", "null", "Arista vEOS\n"])
        expect(reader(text)).toBeUndefined();
    }
    expect(readInterfaces('{"interfaces": {}}')).toBeUndefined();
  });

  it("a link is up, down, or unknown, by the word for its line protocol", () => {
    const linkUp = (lineProtocolStatus: unknown): unknown =>
      readInterfaces(JSON.stringify({ interfaces: { Ethernet1: { lineProtocolStatus } } }))?.get(
        "Ethernet1",
      )?.linkUp;
    expect(linkUp("up")).toBe(true);
    for (const word of ["down", "lowerLayerDown", "notPresent"]) expect(linkUp(word)).toBe(false);
    for (const word of ["testing", "unknown", "dormant", "Up", 1, undefined]) {
      expect(linkUp(word)).toBeUndefined();
    }
  });

  it("a port without a line rate has no rate", () => {
    const statistics = { inBitsRate: 1, inPktsRate: 2, outBitsRate: 3, outPktsRate: 4 };
    const lineBps = (bandwidth: unknown): unknown =>
      readInterfaces(
        JSON.stringify({
          interfaces: { Ethernet1: { bandwidth, interfaceStatistics: statistics } },
        }),
      )?.get("Ethernet1")?.rate?.lineBps;
    expect(lineBps(100e9)).toBe(100e9);
    // A virtual router has ports with a bandwidth of 0.
    for (const bandwidth of [0, -1, "100", undefined]) expect(lineBps(bandwidth)).toBeUndefined();
  });

  it("a port whose rate was not measured is reported without one", () => {
    const reported = readInterfaces(
      JSON.stringify({
        interfaces: {
          Ethernet1: { lineProtocolStatus: "up", bandwidth: 100e9 },
          "Ethernet1.100": { lineProtocolStatus: "up" },
          Management1: { lineProtocolStatus: "up" },
        },
      }),
    );
    expect([...(reported ?? [])]).toEqual([["Ethernet1", { linkUp: true, rate: undefined }]]);
  });

  it("peers are reported by VRF, with the reason why one is idle", () => {
    const reported = readPeers(
      JSON.stringify({
        vrfs: {
          BLUE: {
            peers: { "192.0.2.10": { peerState: "Idle", peerStateIdleReason: "Admin\u001b" } },
          },
        },
      }),
    );
    const place = { port, peer: "192.0.2.10" };
    expect(bgpSession(place, reported?.get("BLUE 192.0.2.10"))).toEqual({
      port,
      peer: "192.0.2.10",
      up: false,
      trouble: "the session is idle: Admin",
    });
    expect(bgpSession(place, reported?.get("default 192.0.2.10")).up).toBe(false);
  });

  it("a peer, a prefix or a path that is not understood makes the whole reply unknown", () => {
    const peers = (one: unknown): unknown =>
      readPeers(JSON.stringify({ vrfs: { default: { peers: { "192.0.2.2": one } } } }));
    expect(peers({ peerState: "Active" })).toBeDefined();
    for (const one of [{}, { peerState: 7 }, "down", null]) expect(peers(one)).toBeUndefined();
    expect(readPeers(JSON.stringify({ vrfs: { default: {} } }))).toBeUndefined();
    const routes = (entries: unknown): unknown =>
      readRoutes(
        JSON.stringify({ vrfs: { default: { bgpRouteEntries: entries } } }),
        "default",
        port,
      );
    const path = { routeType: { active: false } };
    expect(routes({})).toEqual([]);
    expect(routes({ "10.0.0.0/8": { bgpRoutePaths: [path] } })).toHaveLength(1);
    for (const [prefix, entry] of [
      ["nonsense", { bgpRoutePaths: [path] }],
      ["10.0.0.0/8", { bgpRoutePaths: [] }],
      ["10.0.0.0/8", { bgpRoutePaths: [path, { routeType: {} }] }],
      ["10.0.0.0/8", { bgpRoutePaths: [path, "x"] }],
      ["10.0.0.0/8", {}],
      ["10.0.0.0/8", null],
    ] as const) {
      expect(routes({ [prefix]: entry })).toBeUndefined();
    }
    const beside = { routeType: { active: false, ecmp: true, ecmpContributor: true } };
    expect(routes({ "10.0.0.0/8": { bgpRoutePaths: [beside] } })).toMatchObject([{ best: true }]);
  });

  it("a neighbour's routes are read for each family in which it is active", () => {
    const families = (family: object): unknown =>
      readConfig(
        JSON.stringify({
          cmds: {
            "router bgp 64512": {
              cmds: {
                "neighbor AZURE peer group": null,
                "neighbor 192.0.2.2 peer group AZURE": null,
                "address-family ipv6": { cmds: family },
              },
            },
          },
        }),
      )?.neighbours.map((one) => one.families);
    expect(families({})).toEqual([["ipv4"]]);
    expect(families({ "neighbor AZURE activate": null })).toEqual([["ipv4", "ipv6"]]);
    expect(families({ "neighbor 192.0.2.2 activate": null })).toEqual([["ipv4", "ipv6"]]);
    expect(families({ "no neighbor 192.0.2.2 activate": null })).toEqual([["ipv4"]]);
  });

  it.each([
    ["no line", {}, { bfd: "off", holdMs: undefined }],
    ["a line of its own", { "neighbor 192.0.2.2 bfd": null }, { bfd: undefined }],
    ["a line of its peer group", { "neighbor AZURE bfd": null }, { bfd: undefined }],
    ["timers of its own", { "neighbor 192.0.2.2 timers 3 9": null }, { holdMs: 9_000 }],
    ["timers of its peer group", { "neighbor AZURE timers 3 10": null }, { holdMs: 10_000 }],
    ["timers of all neighbours", { "timers bgp 20 60": null }, { holdMs: 60_000 }],
  ])("a neighbour's BFD and hold time are read from %s", (_what, lines, detection) => {
    const bgp = {
      "neighbor AZURE peer group": null,
      "neighbor 192.0.2.2 peer group AZURE": null,
      ...lines,
    };
    const read = readConfig(JSON.stringify({ cmds: { "router bgp 64512": { cmds: bgp } } }));
    expect(read?.neighbours).toMatchObject([{ detection }]);
  });

  it("routes are reported, and the port that leads to an address", () => {
    const entries = {
      "10.0.0.0/8": {
        bgpRoutePaths: [{ routeType: { active: false } }, { routeType: { active: true } }],
      },
      "10.1.0.0/16": { bgpRoutePaths: [{ routeType: { active: false } }] },
    };
    const reported = JSON.stringify({ vrfs: { BLUE: { bgpRouteEntries: entries } } });
    const via = { kind: "port", port };
    expect(readRoutes(reported, "BLUE", port)).toEqual([
      { prefix: "10.0.0.0/8", via, best: true },
      { prefix: "10.1.0.0/16", via, best: false },
    ]);
    expect(readRoutes(reported, "default", port)).toBeUndefined();
    const way = (out: string): string =>
      JSON.stringify({
        vrfs: { default: { routes: { "0.0.0.0/0": { vias: [{ interface: out }] } } } },
      });
    expect(readRouteTo(way("Ethernet2.100"))).toEqual(["Ethernet2.100"]);
    expect(readRouteTo(way("Management1"))).toEqual(["Management1"]);
    expect(readRouteTo(way(""))).toBeUndefined();
    expect(readRouteTo("% nothing")).toBeUndefined();
    const routes = (...names: readonly string[]) => ({
      routes: { "0.0.0.0/0": { vias: names.map((name) => ({ interface: name })) } },
    });
    const vrfs = { MGMT: routes("Management1"), BLUE: routes("Ethernet1", "Ethernet2") };
    const all = ["Management1", "Ethernet1", "Ethernet2"];
    expect(readRouteTo(JSON.stringify({ vrfs }))).toEqual(all);
    const none = { ...vrfs, BLUE: { routes: {} } };
    expect(readRouteTo(JSON.stringify({ vrfs: none }))).toEqual(["Management1"]);
    const unread = { ...vrfs, BLUE: {} };
    expect(readRouteTo(JSON.stringify({ vrfs: unread }))).toBeUndefined();
  });
});
