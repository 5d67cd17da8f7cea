import { describe, expect, it } from "vitest";
import { readConfig } from "#drivers/iosxr/config.ts";
import { readFrames, readMkpdus } from "#drivers/iosxr/macsec-parsers.ts";
import { isPort } from "#drivers/iosxr/names.ts";
import { planOf } from "#drivers/iosxr/plan.ts";
import {
  readAccounting,
  readBoot,
  readCommits,
  readPeers,
  readRouteTo,
  readSoftware,
} from "#drivers/iosxr/system-parsers.ts";
import { pagesOf, readSessions, sessionOf } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { bgpSession, peerKey, readClock, readInterfaces } from "#drivers/platform/cisco-system.ts";
import { tryPing, trySessions } from "../cisco-suite.ts";
import { configOf, page, port } from "../iosxr-kit.ts";
import { cknOf } from "../junos-kit.ts";
import { editorsOf } from "./iosxr-layouts.ts";

const { settings } = planOf(configOf(), port(1));

function session(...pages: readonly string[]) {
  return sessionOf(readSessions(pages.join("\n\n")) ?? [], settings);
}

describe("an MKA session", () => {
  trySessions({
    ...{ page, settings, searching: "Init - Searching for Peer" },
    fallback: { "CA Authentication Mode": "FALLBACK-PSK" },
    blocked: [["that is active", page({ Status: "Active - Marked Peer as Live" })]],
  });

  it("an MKA session keeps a ready fallback apart from the key in use", () => {
    const ready = page({ Status: "Active - Marked Peer as Live", "CAK Name (CKN)": cknOf(2) });
    expect(session(page(), ready).principalCkn).toBe(cknOf(1));
  });

  it("an MKA session with a page that is not understood is not understood", () => {
    expect(readSessions(page({ Status: "Wonderful" }))).toBeUndefined();
    expect(readSessions("MKA is not what it was")).toBeUndefined();
    // Pages that were lost are not "none".
    for (const text of ["", "\n"]) expect(readSessions(text)).toBeUndefined();
    expect(readSessions("% There are no active MKA sessions")).toEqual([]);
  });

  it("an MKA session belongs to the port with its short name, and to no other", () => {
    const pages = readSessions(page()) ?? [];
    const ports = [port(1), port(11), "TwentyFiveGigE0/0/0/1"];
    expect(pagesOf(pages, port(1), ports)).toHaveLength(1);
    expect(pagesOf(pages, port(11), ports)).toHaveLength(0);
    expect(pagesOf(pages, "TwentyFiveGigE0/0/0/1", ports)).toHaveLength(0);
    const two = readSessions(page({ "Interface Name": "T0/0/0/1" })) ?? [];
    expect(pagesOf(two, "TenGigE0/0/0/1", ["TenGigE0/0/0/1", "TwoHundredGigE0/0/0/1"])).toEqual([]);
  });
});

describe("counters", () => {
  const mkpdus = [
    "MKPDU Statistics",
    "   MKPDUs Transmitted................... 62",
    "   MKPDUs Validated & Rx................ 60",
    '      "Distributed SAK"................. 1',
    "MKA IDB Statistics",
    "   MKPDUs Rx Invalid CKN................ 3",
    "MKPDU Failures",
    "   MKPDU Rx Validation (ICV)............ 4",
    "   MKPDU Rx Bad Peer MN................. 5",
  ].join("\n");
  const frames = [
    "Interface Stats",
    "    InPktsUntagged     :  7",
    "    InPktsBadTag       :  1",
    "    OutPktsTooLong     :  2",
    "SC Stats",
    "  TxSC Stats",
    "    OutPktsProtected   :  10",
    "    OutPktsEncrypted   :  90",
    "    TxSA Stats",
    "      TxSA 0:",
    "       OutPktsEncrypted :  80",
    "       NextPN          :  101",
    "  RxSC Stats",
    "    RxSC 1: 10000742d968a00",
    "      InPktsOK         :  40",
    "      InPktsNotValid   :  1",
    "      InPktsInvalid    :  2",
    "      RxSA Stats",
    "        RxSA 0:",
    "         InPktsOK      :  40",
    "    RxSC 2: 20000742d968a00",
    "      InPktsOK         :  2",
    "      InPktsNotValid   :  0",
    "      InPktsInvalid    :  0",
  ].join("\n");

  it("counters of MKPDUs are read by their labels", () => {
    expect(readMkpdus(mkpdus)).toEqual({
      sent: 62n,
      received: 60n,
      icvFailed: 4n,
      unknownCkn: 3n,
      replayed: 5n,
    });
    expect(readMkpdus("% No MKA statistics")).toBeUndefined();
  });

  it("counters of frames are those of the channels, each once", () => {
    expect(readFrames(frames, readMkpdus(mkpdus))).toMatchObject({
      txProtected: 90n,
      txTooLong: 2n,
      rxOk: 42n,
      rxClear: 7n,
      rxNotValid: 3n,
      rxLate: undefined,
      nextPn: 101n,
    });
  });

  it("a counter of clear frames that may include MKPDUs is left undefined", () => {
    expect(readFrames(frames, undefined)?.rxClear).toBeUndefined();
    const few = readMkpdus(mkpdus.replace("Rx................ 60", "Rx................ 7"));
    expect(readFrames(frames, few)?.rxClear).toBeUndefined();
  });

  it.each([
    ["    OutPktsProtected   :  10\n", "    OutPktsProtected   :  1O\n"],
    ["    OutPktsProtected   :  10\n", "    OutPktsProtected   :  -5\n"],
    ["    OutPktsProtected   :  10\n", `    OutPktsProtected   :  ${"9".repeat(23)}\n`],
    ["      InPktsOK         :  2\n", "      InPktsOK         :  -10\n"],
    ["    OutPktsProtected   :  10\n", ""],
    ["      InPktsOK         :  2\n", ""],
  ])("a counter that is garbled or lost is not 0: %s, %s", (whole, broken) => {
    expect(frames).toContain(whole);
    expect(readFrames(frames.replace(whole, broken), undefined)).toBeUndefined();
  });

  it("a SecY without a receive channel has received nothing", () => {
    const [none = ""] = frames.split("    RxSC 1");
    expect(readFrames(none, undefined)).toMatchObject({ txProtected: 90n, rxOk: 0n });
  });

  it.each([
    ["is cut off before the receive channels", frames.split("  RxSC Stats")[0] ?? ""],
    ["has a channel twice", `${frames}\n${frames.slice(frames.indexOf("    RxSC 2"))}`],
    ["has a heading and a channel in one row", frames.replace("RxSC Stats\n", "RxSC Stats")],
    ["has its channels twice", `${frames}\n${frames.slice(frames.indexOf("SC Stats"))}`],
  ])("a page of counters that %s is not understood", (_what, text) => {
    expect(readFrames(frames, undefined)?.rxOk).toBe(42n);
    expect(readFrames(text, undefined)).toBeUndefined();
  });

  it("a counter whose row was wrapped inside its digits is not read", () => {
    const wrapped = mkpdus.replace("................... 62", "................... 6\n2");
    expect(readMkpdus(wrapped)).toBeUndefined();
  });

  it("counters that are not printed are left undefined", () => {
    expect(readFrames("Interface Stats\nSC Stats\n  TxSC Stats\n  RxSC Stats", undefined)).toBe(
      undefined,
    );
  });
});

describe("the router", () => {
  it("a router's clock is read in UTC, or not at all", () => {
    expect(readClock("18:00:00.250 UTC Wed Nov 25 2026")).toBe(
      Date.UTC(2026, 10, 25, 18, 0, 0, 250),
    );
    expect(readClock("*18:00:00.250 UTC Wed Nov 25 2026")).toBeUndefined();
    expect(readClock("18:00:00.250 CEST Wed Nov 25 2026")).toBeUndefined();
  });

  it("a router reports its newest boot", () => {
    const table = "  No  Time   Cause\n  01  Tue Oct 16 02:14:21 2026   0x08  reload\n  02  x";
    expect(readBoot(table)).toBe("Tue Oct 16 02:14:21 2026");
    expect(readBoot("nothing")).toBeUndefined();
  });

  const list =
    "\n   1) CommitId: 1000000024                 Label: ls-0123456789abcdef\n" +
    "      UserId:   linkseal             Line:  vty1:node0_RP0_CPU0\n" +
    "      Client:   CLI                  Time:  Wed Nov 25 18:00:00 2026\n" +
    "      Comment:  NONE\n" +
    "\n   2) CommitId: 1000000023                 Label: NONE\n" +
    "      UserId:   operator             Line:  con0\n" +
    "      Client:   CLI                  Time:  Wed Nov 25 17:00:00 2026\n" +
    "      Comment:  NONE\n";

  it("a commit waits as long as its trial has a session, with no lock beside it", () => {
    const pending = (editors: string) =>
      readCommits(list, editors)?.map(({ isPending }) => isPending);
    const trial = editorsOf("CLI", "commit-confirm");
    expect(trial).not.toContain("*");
    expect(pending(trial)).toEqual([true, false]);
    // The connection that made it was cut, and its row is gone.
    expect(pending(editorsOf("commit-confirm"))).toEqual([true, false]);
    expect(pending(editorsOf("CLI", "netconf"))).toEqual([false, false]);
    // The router prints nothing at all where there is no session.
    expect(readCommits(list, "")?.[0]).toEqual({
      id: "1000000024 linkseal 0123456789abcdef",
      note: "linkseal 0123456789abcdef",
      isPending: false,
    });
    const old = list.slice(list.indexOf("   2) CommitId"));
    expect(readCommits(old, "")).toBeUndefined();
    expect(readCommits("sysmgr: no output", "")).toBeUndefined();
  });

  it("a list of sessions that is not whole tells nothing of a commit", () => {
    const trial = editorsOf("CLI", "commit-confirm");
    expect(readCommits(list, "sysmgr: no output")).toBeUndefined();
    expect(readCommits(list, `sysmgr: no output\n${trial}`)).toBeUndefined();
    expect(readCommits(list, trial.slice(0, trial.indexOf("commit-confirm")))).toBeUndefined();
    expect(readCommits(list, trial.replace("  1) ", "  2) "))).toBeUndefined();
    expect(readCommits(list, trial.replace(/^ +User.*$/m, ""))).toBeUndefined();
  });

  it("a trial that its timer ended is behind an entry of its own, and waits no longer", () => {
    const rollback =
      "\n   1) CommitId: 1000000025                 Label: NONE\n" +
      "      UserId:   linkseal             Line:  vty1:node0_RP0_CPU0\n" +
      "      Client:   Rollback             Time:  Wed Nov 25 18:05:02 2026\n" +
      "      Comment:  NONE\n";
    const numbered = list.replace("   2) ", "   3) ").replace("   1) ", "   2) ");
    expect(readCommits(rollback + numbered, "")).toMatchObject([
      { note: "NONE", isPending: false },
      { note: "linkseal 0123456789abcdef", isPending: false },
      { note: "NONE", isPending: false },
    ]);
    // It ended between the two replies.
    expect(readCommits(rollback + numbered, editorsOf("commit-confirm"))).toBeUndefined();
  });

  it("a router reports its ports, their state and their rates", () => {
    const reported = readInterfaces(
      "HundredGigE0/0/0/0 is up, line protocol is up \n" +
        "  MTU 1514 bytes, BW 100000000 Kbit (Max)\n" +
        "  30 second input rate 1000 bits/sec, 2 packets/sec\n" +
        "  30 second output rate 3000 bits/sec, 4 packets/sec\n" +
        "HundredGigE0/0/0/1 is administratively down, line protocol is administratively down\n" +
        "Bundle-Ether1 is up, line protocol is up\n",
      isPort,
    );
    expect([...(reported?.keys() ?? [])]).toEqual(["HundredGigE0/0/0/0", "HundredGigE0/0/0/1"]);
    expect(reported?.get("HundredGigE0/0/0/0")).toEqual({
      linkUp: true,
      rate: { rxBps: 1000, rxPps: 2, txBps: 3000, txPps: 4, lineBps: 100e9 },
    });
    expect(reported?.get("HundredGigE0/0/0/1")).toEqual({ linkUp: false, rate: undefined });
    expect(readInterfaces("", isPort)).toBeUndefined();
  });

  it.each([
    ["is up", "  BFD enabled (session up): mininterval: 300 multiplier: 3\n", "up"],
    ["is starting", "  BFD enabled (session initializing): mininterval: 300\n", "down"],
    ["is not named", "", "off"],
    ["is named in other words", "  BFD disabled by policy\n", undefined],
  ])("a page in which BFD %s", (_what, row, bfd) => {
    const peers = readPeers(
      `\nBGP neighbor is 198.51.100.2\n  BGP state = Established, up for 1d\n${row}` +
        "  Hold time is 10, keepalive interval is 3 seconds\n" +
        "  Configured hold time: 180, keepalive: 60, min acceptable hold time: 3\n",
    );
    const place = { port: "p", peer: "198.51.100.2" };
    expect(bgpSession(place, peers?.get(peerKey(undefined, "198.51.100.2")))).toEqual({
      ...{ ...place, up: true, holdMs: 10_000 },
      ...(bfd === undefined ? {} : { bfd }),
    });
  });

  it("a neighbour whose row ends before its VRF is not that of another instance", () => {
    const page = (head: string): string => `BGP neighbor is ${head}\n  BGP state = Established\n`;
    expect(readPeers(page("198.51.100.2, vrf AZURE"))?.size).toBe(1);
    for (const head of ["198.51.100.2, ", "198.51.100.2, vr\nf AZURE", "198.51.100.2 x"]) {
      expect(readPeers(page(head))).toBeUndefined();
    }
  });

  it("a configuration with an address family that is not known is not understood", () => {
    const none = "% No such configuration item(s)";
    const bgp = (family: string): string =>
      `router bgp 64512\n neighbor 198.51.100.2\n  address-family ${family}\n  !\n !\n!\n`;
    const read = (family: string) =>
      readConfig({ interfaces: none, policies: none, chains: none, bgp: bgp(family) }, true);
    expect(read("ipv6 unicast")?.neighbours[0]?.families).toEqual(["ipv4", "ipv6"]);
    expect(read("l2vpn evpn")?.neighbours).toHaveLength(1);
    expect(read("%pv6 unicast")).toBeUndefined();
  });

  it("a configuration whose broken row takes a family from its neighbour is not understood", () => {
    const bgpOf = (policy: string): string =>
      `router bgp 64512\n neighbor 198.51.100.2\n  address-family ipv4 unicast\n${policy}  !\n` +
      "  address-family ipv6 unicast\n  !\n !\n!\n";
    const read = (policy: string) =>
      readConfig({ interfaces: "!", policies: "!", chains: "!", bgp: bgpOf(policy) }, true);
    const [neighbour] = read("   route-policy azure in\n")?.neighbours ?? [];
    expect(neighbour?.families).toEqual(["ipv4", "ipv6"]);
    expect(read("   route-policy azure\n in\n")).toBeUndefined();
  });

  it("a router reports its neighbours and why one of them is lost", () => {
    const peers = readPeers(
      "\nBGP neighbor is 198.51.100.2\n  BGP state = Established, up for 1d\n" +
        "\nVRF: AZURE\n----------\nBGP neighbor is 198.51.100.2, vrf AZURE\n" +
        "  BGP state = Idle\n" +
        "\nBGP neighbor is 2001:db8::2\n  BGP state = Active\n" +
        "  Last reset 00:01:12, due to hold timer\x07expired\n",
    );
    const session = (peer: string, vrf?: string) =>
      bgpSession({ port: "p", peer }, peers?.get(peerKey(vrf, peer)));
    expect(session("198.51.100.2")?.up).toBe(true);
    expect(session("198.51.100.2", "AZURE")?.up).toBe(false);
    expect(session("2001:db8::2")).toEqual({
      port: "p",
      peer: "2001:db8::2",
      up: false,
      trouble: "the last session ended with: hold timer expired",
    });
  });

  it("a router reports routes, and which of them are in use", () => {
    const table =
      "   Network            Next Hop            Metric LocPrf Weight Path\n" +
      "*> 10.0.0.0/16        198.51.100.2             0 12076 i\n" +
      "*  10.1.0.0/16        198.51.100.2             0 12076 i\n" +
      "s  10.2.0.0/16        198.51.100.2             0 12076 i\n" +
      "\nProcessed 3 prefixes, 3 paths\n";
    expect(readRoutes(table, port(0))?.map(({ prefix, best }) => [prefix, best])).toEqual([
      ["10.0.0.0/16", true],
      ["10.1.0.0/16", false],
    ]);
    expect(readRoutes("sysmgr", port(0))).toBeUndefined();
    const way = "Routing entry for 0.0.0.0/0\n    192.0.2.254, via HundredGigE0/0/0/1.100\n";
    const none = () => undefined;
    expect(readRouteTo(way, none)).toEqual(["HundredGigE0/0/0/1.100"]);
    expect(readRouteTo("% Network not in table", none)).toEqual([]);
    expect(readRouteTo("sysmgr", none)).toBeUndefined();
    // A next hop of BGP has no interface: it is in a subnet of ours, or its way is not known.
    const recursive = `${way}    198.51.100.2, from 198.51.100.2, BGP external\n`;
    expect(readRouteTo(recursive, none)).toBeUndefined();
    expect(readRouteTo(recursive, (hop) => `to ${hop}`)).toEqual([
      ...["HundredGigE0/0/0/1.100", "to 198.51.100.2"],
    ]);
    const backup =
      "    192.0.2.250, from 192.0.2.250, via HundredGigE0/0/0/2, Backup (Local-LFA)\n";
    expect(readRouteTo(`${way}${backup}`, none)).toEqual(["HundredGigE0/0/0/1.100"]);
  });

  tryPing();

  it("a router reports its platform, and whether it sends commands to an accounting server", () => {
    const text = "Cisco IOS XR Software, Version 7.11.2 LNT\n\ncisco 8201-32FH\n";
    expect(readSoftware(text)).toEqual({ platform: "8201-32fh", version: "7.11.2" });
    expect(readSoftware("Cisco IOS Software")).toBeUndefined();
    expect(readAccounting("aaa accounting commands default start-stop group tacacs+")).toBe(true);
    expect(readAccounting("aaa accounting exec default start-stop none")).toBe(false);
    expect(readAccounting("% No such configuration item(s)")).toBe(false);
    for (const text of ["", "sysmgr: no output", "aaa acc"]) {
      expect(readAccounting(text)).toBeUndefined();
    }
  });
});
