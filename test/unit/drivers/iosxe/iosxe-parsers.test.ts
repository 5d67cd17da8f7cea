import { describe, expect, it } from "vitest";
import { filteredLines } from "#drivers/iosxe/config.ts";
import { readFrames, readMkpdus, readNextPn } from "#drivers/iosxe/macsec-parsers.ts";
import { isPort } from "#drivers/iosxe/names.ts";
import { planOf } from "#drivers/iosxe/plan.ts";
import {
  commitsOf,
  readAccounting,
  readArchive,
  readLock,
  readMark,
  readPeers,
  readRouteTo,
  readSoftware,
  readTimer,
} from "#drivers/iosxe/system-parsers.ts";
import { bootOf } from "#drivers/platform/cisco-boot.ts";
import { pagesOf, readSessions } from "#drivers/platform/cisco-mka.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { bgpSession, peerKey, readClock, readInterfaces } from "#drivers/platform/cisco-system.ts";
import type { WallTime } from "#hal/world.ts";
import { tryPing, trySessions } from "../cisco-suite.ts";
import { configOf, page, port } from "./iosxe-kit.ts";

const { settings } = planOf(configOf(), port(1));

describe("an MKA session", () => {
  const searching = "INITIALIZING - Searching for Peer";
  trySessions({
    ...{ page, settings, searching },
    blocked: [
      ["that calls itself secured without a peer", page({ Status: "Secured, no peer" })],
      ["that searches", page({ Status: searching })],
    ],
  });

  it("an MKA session with a page that is not understood is not understood", () => {
    expect(readSessions(page({ "CAK Name (CKN)": "none" }))).toBeUndefined();
    expect(readSessions("MKA is not what it was")).toBeUndefined();
    // Pages that were lost are not "none".
    for (const text of ["", "\n"]) expect(readSessions(text)).toBeUndefined();
    expect(readSessions("% There are no active MKA sessions")).toEqual([]);
  });

  it("an MKA session belongs to the port with its name, shortened or not, and to no other", () => {
    const ports = [port(1), port(11), "TwentyFiveGigE0/0/1"];
    expect(pagesOf(readSessions(page()) ?? [], port(1), ports)).toHaveLength(1);
    const short = readSessions(page({ "Interface Name": "Te0/0/1" })) ?? [];
    expect(pagesOf(short, port(1), ports)).toHaveLength(1);
    expect(pagesOf(short, port(11), ports)).toHaveLength(0);
    const two = readSessions(page({ "Interface Name": "T0/0/1" })) ?? [];
    expect(pagesOf(two, port(1), ports)).toHaveLength(0);
    const unit = readSessions(page({ "Interface Name": `${port(1)}.100` })) ?? [];
    expect(pagesOf(unit, port(1), ports)).toHaveLength(0);
  });
});

describe("counters", () => {
  const mkpdus = [
    "MKA Statistics for Session",
    "SA Statistics",
    "   SAKs Generated............. 1",
    "MKPDU Statistics",
    "   MKPDUs Validated & Rx...... 60",
    '      "Distributed SAK"..... 1',
    "   MKPDUs Transmitted......... 62",
  ].join("\n");
  const frames = [
    `MACsec Statistics for ${port(1)}`,
    " SecY Counters",
    "  Ingress Untag Pkts:       7",
    "  Ingress Bad Tag Pkts:     1",
    "  Egress Too Long Pkts:     2",
    "",
    " Controlled Port Counters",
    "  IF In Packets:            999",
    "",
    " Transmit SC Counters (SCI: 44881699B510001C)",
    "  Out Pkts Protected:       10",
    "  Out Pkts Encrypted:       90",
    "",
    " Receive SA Counters (SCI: A44C119DF89C001E  AN 0)",
    "  In Pkts OK:               40",
    "  In Pkts Invalid:          2",
    "  In Pkts Not Valid:        1",
    "",
    " Receive SA Counters (SCI: 70708BBA4696005A  AN 0)",
    "  In Pkts OK:               2",
    "  In Pkts Invalid:          0",
    "  In Pkts Not Valid:        0",
  ].join("\n");

  it("counters of MKPDUs are those of all keys of the port", () => {
    expect(readMkpdus(`${mkpdus}\n\n${mkpdus}`)).toEqual({
      sent: 124n,
      received: 120n,
      icvFailed: undefined,
      unknownCkn: undefined,
      replayed: undefined,
    });
    expect(readMkpdus("% There are no statistics")).toBeUndefined();
  });

  it("a part of a page of MKPDUs that is there twice hides no clear frames", () => {
    const [, part = ""] = mkpdus.split(/^(?=SA Statistics)/m);
    expect(readMkpdus(`${mkpdus}\n${part}`)).toBeUndefined();
    // Releases may print another heading.
    expect(readMkpdus(part)).toEqual(readMkpdus(mkpdus));
    expect(readMkpdus(`${part}\n${part}`)).toBeUndefined();
  });

  it("counters of frames are those of the channels, each once", () => {
    expect(readFrames(frames, 101n, readMkpdus(mkpdus))).toMatchObject({
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
    expect(readFrames(frames, 1n, undefined)?.rxClear).toBeUndefined();
    const few = readMkpdus(mkpdus.replace("Rx...... 60", "Rx...... 7"));
    expect(readFrames(frames, 1n, few)?.rxClear).toBeUndefined();
  });

  it.each([
    ["Out Pkts Protected:       10", "Out Pkts Protected:       1O"],
    ["Out Pkts Protected:       10", "Out Pkts Protected:       -5"],
    ["In Pkts OK:               40", "In Pkts OK:               -10"],
    ["In Pkts OK:               2\n", `In Pkts OK:               ${"9".repeat(23)}\n`],
    ["  Out Pkts Protected:       10\n", ""],
    ["  In Pkts OK:               2\n", ""],
  ])("a counter that is garbled or lost is not 0: %s, %s", (whole, broken) => {
    expect(frames).toContain(whole);
    expect(readFrames(frames.replace(whole, broken), 1n, undefined)).toBeUndefined();
  });

  it("two sections of frames with one heading are not summed", () => {
    const [, section = ""] = /^( *Transmit SC[\s\S]*?)(?=^ *Receive SA)/m.exec(frames) ?? [];
    expect(section).toContain("Out Pkts Encrypted");
    expect(readFrames(frames.replace(section, section + section), 1n, undefined)).toBeUndefined();
  });

  it("a SecY without a receive channel has received nothing", () => {
    const [cut = ""] = frames.split(" Receive SA");
    const none = cut.replace("IF In Packets:            999", "IF In Packets:            0");
    expect(readFrames(none, 1n, undefined)).toMatchObject({ txProtected: 90n, rxOk: 0n });
  });

  it("a page whose receive channels are lost is not understood: frames came in", () => {
    const [cut = ""] = frames.split(" Receive SA");
    expect(readFrames(cut, 1n, undefined)).toBeUndefined();
  });

  it("a counter whose row was wrapped inside its digits is not read", () => {
    const status = (pn: string): string => ` Capabilities:\n Transmit SA:\n  Next PN:    ${pn}\n`;
    expect(readNextPn(status("180821"))).toEqual({ nextPn: 180_821n });
    expect(readNextPn(status("180\n821"))).toEqual({ nextPn: undefined });
  });

  it("counters that are not printed are left undefined", () => {
    expect(readFrames(" MACsec is disabled", undefined, undefined)).toBeUndefined();
    expect(readNextPn(" MACsec is disabled")).toBeUndefined();
  });

  it("counters include the next packet number of the SA that transmits", () => {
    const status =
      " Capabilities:\n  Cipher:   GCM-AES-128\n\n Transmit SC:\n  Transmitting:   TRUE\n" +
      " Transmit SA:\n  Next PN:         23427\n\n Receive SC:\n Receive SA:\n  Next PN:  615\n";
    expect(readNextPn(status)).toEqual({ nextPn: 23427n });
    const none = status.replace("  Next PN:         23427\n", "");
    expect(readNextPn(none)).toEqual({ nextPn: undefined });
    // An older layout, and one that has lost a heading.
    expect(readNextPn(status.replace("Capabilities:", "Capabilities\n"))).toEqual({
      nextPn: 23427n,
    });
    expect(readNextPn(status.replace(" Receive SC:\n", ""))).toEqual({ nextPn: undefined });
  });
});

describe("a commit", () => {
  const timer =
    "Time configured(or reconfigured): 22:50:48 UTC Sat Feb 21 2009\n" +
    "Timer type: absolute timer\nTimer value: 2 min\nUser: operator\n";

  it("a commit waits as long as the timer runs, and only its mark makes it ours", () => {
    expect(readTimer(timer)).toBe("running");
    expect(readTimer("%No Rollback Confirmed Change pending")).toBe("none");
    expect(readTimer("Unable to get data")).toBeUndefined();
    const ours = readMark("event manager environment linkseal_commit 00ff");
    const settled = readMark("event manager environment linkseal_commit 00ff.settled");
    expect(commitsOf("running", ours)).toEqual([{ note: "linkseal 00ff", isPending: true }]);
    for (const mark of [settled, undefined]) {
      expect(commitsOf("running", mark)).toEqual([{ note: "unknown", isPending: true }]);
    }
    expect(commitsOf("none", settled).map(({ note }) => note)).toEqual([
      "linkseal confirms 00ff",
      "linkseal 00ff",
    ]);
    // Its timer may have begun to take it back: that nothing waits is no confirm.
    expect(commitsOf("none", ours)).toEqual([{ note: "linkseal 00ff", isPending: false }]);
    expect(commitsOf("none", readMark("! Last configuration change at x"))).toEqual([]);
  });

  it.each([
    ["bootflash:archive-<timestamp>-1", true],
    ["flash:/archive/config-3", true],
    ["flash-1:archive-3", true],
    ["harddisk:archive-0", true],
    ["tftp://192.0.2.7/archive-1", false],
    ["sftp://name@[2001:db8::7]/archive-<timestamp>-2", false],
    ["https://192.0.2.7/archive-1", false],
    ["nowhere:archive-1", undefined],
    ["archive-1", undefined],
    ["", undefined],
  ])("a commit can be reverted from the file %j of an archive: %s", (name, has) => {
    const head = "The maximum archive configurations allowed is 10.\n";
    const text = `${head}The next archive file will be named ${name}\n Archive #  Name\n`;
    expect(readArchive(text)).toBe(has);
  });

  it("a commit can be reverted if there is an archive", () => {
    expect(readArchive("The maximum archive configurations allowed is 10.\nThere are")).toBe(
      undefined,
    );
    expect(readArchive(" Archive feature not enabled")).toBe(false);
    expect(readArchive("Unable to get data")).toBeUndefined();
  });

  it("a commit waits for the session that has locked the configuration", () => {
    expect(readLock("Type              : EXCLUSIVE\nState             : LOCKED")).toBe(true);
    expect(readLock("Type : NO LOCK\nState : FREE")).toBe(false);
    expect(readLock("Config Session Lock\n-----\nOwner PID   : 578")).toBe(true);
    expect(readLock("Unable to get data")).toBeUndefined();
  });
});

describe("the router", () => {
  it("a router's clock is read in UTC, or not at all", () => {
    const at = Date.UTC(2026, 10, 25, 18, 0, 0, 250);
    expect(readClock("18:00:00.250 UTC Wed Nov 25 2026")).toBe(at);
    // NTP is not synchronised, and the time is authoritative; a star means that it is not.
    expect(readClock(".18:00:00.250 UTC Wed Nov 25 2026")).toBe(at);
    expect(readClock("*18:00:00.250 UTC Wed Nov 25 2026")).toBeUndefined();
    expect(readClock("18:00:00.250 CEST Wed Nov 25 2026")).toBeUndefined();
  });

  it("a router reports its platform, its release and its last boot", () => {
    const text =
      "Cisco IOS XE Software, Version 17.09.04a\nCisco IOS Software [Cupertino], ASR1000\n" +
      "System restarted at 10:02:03 UTC Wed Nov 25 2026\n\n" +
      "cisco ASR1006-X (RP2) processor (revision RP2) with 4160K/6147K bytes of memory.\n";
    expect(readSoftware(text)).toEqual({
      platform: "asr1006-x",
      version: "17.9.4",
      restartedAt: "10:02:03 UTC Wed Nov 25 2026",
      ...{ uptimeMs: undefined, licence: undefined },
    });
    const licensed = (row: string) => readSoftware(`${text}\n${row}\n`)?.licence;
    expect(licensed("network-advantage   \tSmart License  \t network-advantage")).toBe("advantage");
    expect(licensed("network-essentials  Smart License  network-advantage")).toBe("essentials");
    expect(licensed("network-premium  Smart License  network-premium")).toBeUndefined();
    expect(readSoftware("Cisco IOS XR Software, Version 7.11.2")).toBeUndefined();
  });

  const built = (name: string, line: string) =>
    readSoftware(
      `Cisco IOS XE Software, Version ${name}\nCisco IOS Software [Everest], ${line} SOFTWARE\n` +
        "edge-a uptime is 1 year, 2 weeks, 1 day, 3 hours, 4 minutes\n",
    );

  it("a router with a build that has a name reports the release that it is built from", () => {
    const line = "ISR Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), Version 16.9.5, RELEASE";
    expect(built("V169_5_SR6893", line)?.version).toBe("16.9.5");
    expect(built("17.03.03 - SMU-PATCHED", line)?.version).toBe("17.3.3");
    // It may be older than the first release with its number.
    const experimental = "C9K Software (CAT9K_IOSXE), Experimental Version 17.6.20210302:012459";
    expect(built("BLD_POLARIS_DEV_LATEST_2021", experimental)?.version).toBe("17.6.0");
    expect(built("BLD_POLARIS_DEV_LATEST_2021", "ISR Software")).toBeUndefined();
  });

  it("a router that does not report when it booted keeps the boot that its uptime gives", () => {
    const software = built("17.05.01a", "ISR Software, Version 17.5.1a, RELEASE");
    const minutes = (((365 + 15) * 24 + 3) * 60 + 4) * 60_000;
    expect(software).toMatchObject({ restartedAt: undefined, uptimeMs: minutes });
    if (software === undefined) return;
    const at = (seconds: number) => (minutes + 1_000_000_000 + seconds * 1_000) as WallTime;
    const first = bootOf(software, at(0), undefined);
    expect(first?.id).toBe("about 1970-01-12T13:46");
    // The clock runs on by a minute before the uptime does, and is corrected by a few seconds.
    const second = bootOf(software, at(63), first);
    expect(second?.id).toBe(first?.id);
    expect(bootOf(software, at(3), second)?.id).toBe(first?.id);
    const later = bootOf({ ...software, uptimeMs: 60_000 }, at(600), second);
    expect(later?.id).not.toBe(first?.id);
    expect(bootOf({ ...software, uptimeMs: undefined }, at(0), first)).toBeUndefined();
    const known = { ...software, restartedAt: "10:02:03 UTC Wed Nov 25 2026" };
    expect(bootOf(known, at(0), first)?.id).toBe("10:02:03 UTC Wed Nov 25 2026");
  });

  it("a router's configuration without its last line is not understood", () => {
    expect(filteredLines("interface A\n shutdown\nend\n")).toBe("interface A\n shutdown");
    expect(filteredLines("end")).toBe("");
    for (const text of ["", "interface A\n shutdown\n", "interface A\nend\n shutdown"]) {
      expect(filteredLines(text)).toBeUndefined();
    }
  });

  it("a router reports whether it records commands", () => {
    const line = "aaa accounting commands 15 default start-stop group tacacs+\n";
    expect(readAccounting(`${line}end`)).toBe(true);
    expect(readAccounting("  logging enable\n  no hidekeys\nend")).toBe(true);
    expect(readAccounting("  logging enable\nend\n")).toBe(false);
    expect(readAccounting("end")).toBe(false);
    // An answer that is cut off would mean that nothing is recorded.
    for (const text of ["", "  logging enable\n", line]) {
      expect(readAccounting(text)).toBeUndefined();
    }
  });

  it("a router reports its ports, their state and their rates", () => {
    const reported = readInterfaces(
      `${port(0)} is up, line protocol is up \n` +
        "  MTU 1600 bytes, BW 10000000 Kbit/sec, DLY 10 usec, \n" +
        "  5 minute input rate 1000 bits/sec, 2 packets/sec\n" +
        "  5 minute output rate 3000 bits/sec, 4 packets/sec\n" +
        `${port(1)} is administratively down, line protocol is down \n` +
        "TwentyFiveGigE1/0/1 is down, line protocol is down (notconnect)\n" +
        "GigabitEthernet0 is up, line protocol is up \n",
      isPort,
    );
    expect([...(reported?.keys() ?? [])]).toEqual([port(0), port(1), "TwentyFiveGigE1/0/1"]);
    expect(reported?.get(port(0))).toEqual({
      linkUp: true,
      rate: { rxBps: 1000, rxPps: 2, txBps: 3000, txPps: 4, lineBps: 10e9 },
    });
    expect(reported?.get(port(1))).toEqual({ linkUp: false, rate: undefined });
    expect(readInterfaces("", isPort)).toBeUndefined();
  });

  it("a rate that lost its first digit is not read", () => {
    const page = (pps: string): string =>
      `${port(0)} is up, line protocol is up \n  MTU 1600 bytes, BW 10000000 Kbit/sec\n` +
      `  5 minute input rate 1000 bits/sec, 2 packets/sec\n` +
      `  5 minute output rate 3000 bits/sec, ${pps} packets/sec\n`;
    const rate = (pps: string) => readInterfaces(page(pps), isPort)?.get(port(0))?.rate?.txPps;
    expect([rate("500"), rate("0"), rate("00")]).toEqual([500, 0, undefined]);
  });

  it("a link is up only if its line protocol is, and in no state that is not known", () => {
    const link = (words: string) =>
      readInterfaces(`${port(0)} is ${words}\n`, isPort)?.get(port(0))?.linkUp;
    expect(link("up, line protocol is up (connected) ")).toBe(true);
    expect(link("up, line protocol is down (suspended)")).toBe(false);
    expect(link("up, line protocol is down (notconnect) ")).toBe(false);
    expect(link("deleted, line protocol is down")).toBe(false);
    expect(link("up, line protocol is up (looped)")).toBeUndefined();
    expect(link("up, line protocol is upwards")).toBeUndefined();
    const two = `${port(0)} is up, line protocol is up\n`;
    expect(readInterfaces(`${two}${two}`, isPort)?.get(port(0))?.linkUp).toBeUndefined();
  });

  it("a neighbour without a page is not known, rather than down", () => {
    const place = { port: "p", peer: "198.51.100.2" };
    expect(bgpSession(place, readPeers("")?.get("x"))).toBeUndefined();
    const cut = "BGP neighbor is 198.51.100.2,  remote AS 12076\n  BGP state = Establ\n";
    expect(readPeers(cut)).toBeUndefined();
  });

  it("a neighbour whose page is cut off behind its state is not understood", () => {
    const page = "BGP neighbor is 198.51.100.2,  remote AS 12076\n  BGP state = Established\n";
    const whole = `${page}  Last reset never\n`;
    expect(readPeers(whole)?.size).toBe(1);
    expect(readPeers(page)).toBeUndefined();
    expect(readPeers(`${whole}${page.replace("100.2", "100.6")}`)).toBeUndefined();
  });

  it("a neighbour whose head is cut off before its VRF is not that of the global table", () => {
    const rest = "  BGP state = Established\n  Last reset never\n";
    const head = (end: string): string => `BGP neighbor is 198.51.100.2${end}\n${rest}`;
    expect(readPeers(head(",  vrf OTHER,  remote AS 64999"))?.has("OTHER 198.51.100.2")).toBe(true);
    expect(readPeers(head("\n,  vrf OTHER,  remote AS 64999"))).toBeUndefined();
  });

  it.each([
    ["is up", "  BFD is configured. BFD peer is Up. Using BFD to detect fast fallover\n", "up"],
    ["is down", "  BFD is configured. BFD peer is Down. Using BFD to detect fallover\n", "down"],
    ["is not named", "", "off"],
    ["is named in other words", "  BFD hold-off is active\n", undefined],
  ])("a page in which BFD %s", (_what, row, bfd) => {
    const peers = readPeers(
      `For address family: IPv4 Unicast\nBGP neighbor is 198.51.100.2,  remote AS 12076\n${row}` +
        "  BGP state = Established, up for 1d\n" +
        "  Last read 00:00:12, hold time is 180, keepalive interval is 60 seconds\n" +
        "  Last reset never\n",
    );
    const place = { port: "p", peer: "198.51.100.2" };
    expect(bgpSession(place, peers?.get(peerKey(undefined, "198.51.100.2")))).toEqual({
      ...{ ...place, up: true, holdMs: 180_000 },
      ...(bfd === undefined ? {} : { bfd }),
    });
  });

  it("a router reports its neighbours by VRF, and why one of them is lost", () => {
    const peers = readPeers(
      "For address family: IPv4 Unicast\nBGP neighbor is 198.51.100.2,  remote AS 12076\n" +
        "  BGP state = Established, up for 1d\n  Last reset never\n" +
        "\nBGP neighbor is 198.51.100.2,  vrf AZURE,  remote AS 12076, external link\n" +
        "  BGP state = Active\n  Last reset 00:01:12, due to hold timer\x07expired\n",
    );
    const reported = (vrf: string | undefined) =>
      bgpSession({ port: "p", peer: "198.51.100.2" }, peers?.get(peerKey(vrf, "198.51.100.2")));
    expect(reported(undefined)?.up).toBe(true);
    expect(reported("AZURE")).toMatchObject({
      up: false,
      trouble: "the last session ended with: hold timer expired",
    });
    expect(readPeers("Unable to get data")).toBeUndefined();
  });

  it("a router reports routes, those in use, and long ones whose row is broken", () => {
    const table =
      "     Network          Next Hop            Metric LocPrf Weight Path\n" +
      " *>   10.0.0.0/16      198.51.100.2             0 12076 i\n" +
      " *    10.1.0.0/16      198.51.100.2             0 12076 i\n" +
      " s>   10.2.0.0/16      198.51.100.2             0 12076 i\n" +
      " *>   172.16.0.0       198.51.100.2             0 12076 i\n" +
      " *>   2001:DB8:1:2:3:4::/96\n                       2001:DB8::2   0 12076 i\n" +
      "\nTotal number of prefixes 5 \n";
    expect(readRoutes(table, port(0))?.map(({ prefix, best }) => [prefix, best])).toEqual([
      ["10.0.0.0/16", true],
      ["10.1.0.0/16", false],
      // Suppressed behind an aggregate, and used all the same.
      ["10.2.0.0/16", true],
      ["172.16.0.0/16", true],
      ["2001:DB8:1:2:3:4::/96", true],
    ]);
    expect(readRoutes("Total number of prefixes 0 ", port(0))).toEqual([]);
    expect(readRoutes("Unable to get data", port(0))).toBeUndefined();
  });

  it("a router reports the port that leads to an address, or none", () => {
    const way = `0.0.0.0/0\n  nexthop 192.0.2.254 ${port(1)}.100\n`;
    expect(readRouteTo(way)).toEqual([`${port(1)}.100`]);
    const attached = "192.0.2.0/24\n  attached to GigabitEthernet0\n";
    expect(readRouteTo(attached)).toEqual(["GigabitEthernet0"]);
    expect(readRouteTo("0.0.0.0/0\n  no route\n")).toEqual([]);
    expect(readRouteTo("192.0.2.1/32\n  receive for GigabitEthernet0\n")).toEqual([]);
    const both =
      `10.0.0.0/8\n  nexthop 198.51.100.2 ${port(0)}.100\n` +
      "  nexthop 198.51.100.6 Port-channel2.7\n";
    expect(readRouteTo(both)).toEqual([`${port(0)}.100`, "Port-channel2.7"]);
    expect(readRouteTo("Unable to get data")).toBeUndefined();
    // A path that waits for the loss of the other one is not in use.
    const labelled = `${way.trimEnd()} label 16063(elc)-(local:17063)\n`;
    const repair = `        repair: attached-nexthop 192.0.2.250 ${port(2)}\n`;
    const waiting = `  nexthop 192.0.2.1 ${port(3)}, repair\n`;
    expect(readRouteTo(`${labelled}${repair}${waiting}`)).toEqual([`${port(1)}.100`]);
  });

  tryPing();
});
