// What the driver makes of the answers of a switch with NX-OS.

import { describe, expect, it } from "vitest";
import { allCommands, command, routeMap } from "#drivers/nxos/commands.ts";
import { neighboursOn, readConfig, readRouteMap } from "#drivers/nxos/config.ts";
import { readFrames, readMkpdus, readSessions } from "#drivers/nxos/macsec-parsers.ts";
import { checkpointOf, isOwnCheckpoint, isPort, ownName } from "#drivers/nxos/names.ts";
import { nxos } from "#drivers/nxos/nxos.ts";
import { drainsOf, isUnread, planOf } from "#drivers/nxos/plan.ts";
import { nxosReader } from "#drivers/nxos/queries.ts";
import { capabilitiesOf } from "#drivers/nxos/quirks.ts";
import {
  isRolledBack,
  readCheckpoints,
  readInterfaces,
  readPeers,
  readRoutes,
  readRouteTo,
  readSoftware,
} from "#drivers/nxos/system-parsers.ts";
import { bootOf } from "#drivers/platform/cisco-boot.ts";
import { readPing } from "#drivers/platform/ping.ts";
import { line } from "#drivers/transport/cli.ts";
import { preview } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { configOf, port, session, sessionsOf, textHead, textPage, texts } from "./nxos-kit.ts";

const initializing = "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)";
const noSak = { sak_status: "No RX-Tx", sak_ki: "0".repeat(32), sak_kn: "0", sak_an: "0" };

describe("MKA sessions of NX-OS", () => {
  it("a session in use has its SAK from two rows", () => {
    expect(readSessions(sessionsOf(session()))).toMatchObject([
      {
        ...{ interfaceName: port(1), ckn: "0a01", status: "secured", livePeers: 1 },
        latestSak: { an: 1, keyId: `${"a1".repeat(12)}/3`, receive: true, transmit: true },
      },
    ]);
  });

  it("a session that waits for its first peer has none, whatever it counts and matches", () => {
    const [page] = readSessions(sessionsOf(session({ status: initializing, ...noSak }))) ?? [];
    expect(page).toMatchObject({ status: "pending", livePeers: 0, potentialPeers: 1 });
    expect(page?.latestSak).toBeUndefined();
  });

  it("the page without JSON says the same, and begins at the name of an interface", () => {
    const text = `${textHead}${textPage()}\n${textPage({ "Interface Name": port(2) })}`;
    const json = sessionsOf(session(), session({ ifname: port(2) }));
    expect(readSessions(text)).toEqual(readSessions(json));
    const waits = textPage({
      ...{ "Session Status": initializing, "Latest SAK Status": "No RX-Tx" },
      ...{ "Latest SAK KI": "0".repeat(32), "Latest SAK KN": "0" },
    });
    expect(readSessions(`${textHead}${waits}`)).toMatchObject([
      { livePeers: 0, status: "pending" },
    ]);
  });

  it("the fallback key is heard and not in use", () => {
    const peer = { fallback_peer_mi: "C3".repeat(12), fallback_icv_status: "Match" };
    const fallback = {
      ...{ fallback_ckn: "0A02", fallback_mi: "D4".repeat(12) },
      TABLE_mka_fallback_peer: { ROW_mka_fallback_peer: peer },
    };
    const own = session({ TABLE_mka_fallback: { ROW_mka_fallback: fallback } });
    expect(readSessions(sessionsOf(own))?.map(({ ckn, livePeers }) => [ckn, livePeers])).toEqual([
      ["0a01", 1],
      ["0a02", 0],
    ]);
  });

  it.each([
    ["a SAK that is used one way", { sak_status: "Rx & No TX" }],
    ["a SAK without its number", { sak_kn: undefined }],
    ["a SAK without a key in use", noSak.sak_status === "" ? {} : { sak_ki: "0".repeat(32) }],
    ["more peers than are listed", { peer_count: "2" }],
    ["a status that no source shows", { status: "SECURE" }],
    ["a peer without its check", { TABLE_mka_peer_status: { ROW_mka_peer_status: {} } }],
  ])("%s is not understood", (_, over) => {
    expect(readSessions(sessionsOf(session(over)))).toBeUndefined();
  });

  it.each([
    ["MACsec that is shut", "-----\nMacsec is shutdown\n-----"],
    ["a table under another name", JSON.stringify({ TABLE_other: { ROW_other: {} } })],
    ["two sessions with one key on a port", sessionsOf(session(), session())],
  ])("%s is not understood", (_, text) => {
    expect(readSessions(text)).toBeUndefined();
  });

  it("a command with nothing to print prints nothing", () => {
    expect(readSessions("")).toEqual([]);
  });
});

describe("counters of NX-OS", () => {
  const table = (name: string, row: object) => ({ [`TABLE_${name}`]: { [`ROW_${name}`]: row } });
  const receive = {
    ...{ in_pkts_ok: "7", in_pkts_invalid: "1", in_pkts_not_valid: "2", in_pkts_late: "3" },
    in_pkts_not_using_sa: "0",
  };
  const own = {
    ...{ ifname: port(1), in_pkts_untagged: "N/A (N9K-X9736C-FX not supported)" },
    ...table("rx_sa_an", receive),
    ...table("tx_sa_an", { out_pkts_encrypted_protected: "9" }),
  };
  const text = (row: object): string => JSON.stringify(table("statistics", row));

  it("a counter that the card does not have is unknown", () => {
    expect(readFrames(text(own), port(1), undefined)).toMatchObject({
      ...{ txProtected: 9n, rxOk: 7n, rxNotValid: 3n, rxLate: 3n },
      ...{ rxClear: undefined, txTooLong: undefined, rxBadTag: undefined, nextPn: undefined },
    });
  });

  it("the counters of another port, or without valid frames, are not understood", () => {
    expect(readFrames(text(own), port(2), undefined)).toBeUndefined();
    expect(
      readFrames(text({ ...own, ...table("rx_sa_an", {}) }), port(1), undefined),
    ).toBeUndefined();
    expect(readMkpdus(JSON.stringify(table("mka_intf_stats", {})), port(1))).toBeUndefined();
  });
});

describe("the configuration of NX-OS", () => {
  const config = configOf();

  it("a port has its policy, its keys and their roles", () => {
    expect(planOf(config, port(1))).toMatchObject({
      admin: "up",
      policy: "ls-Eth1-1",
      settings: {
        policy: "mustSecure",
        keyServerPriority: 20,
        replayWindow: 64,
        sakRekeyMs: 600_000,
      },
      primary: { keys: [{ ckn: "0a01", startsAt: undefined }] },
    });
    const { primary, fallback } = planOf(config, port(2));
    expect([primary?.name, fallback?.name]).toEqual(["ls-Eth1-2-a", "ls-Eth1-2-b"]);
    expect(isUnread(config, port(2))).toBe(false);
  });

  it("what is attached in another way is not understood, and no port while MACsec is shut", () => {
    expect(isUnread(config, port(3))).toBe(true);
    const shut = configOf({ macsec: `${texts.macsec}macsec shutdown\n` });
    expect(isUnread(shut, port(1))).toBe(true);
  });

  it("a port of layer 3 is shut unless it is opened", () => {
    expect(planOf(config, port(4)).admin).toBe("down");
  });

  it("a neighbour is behind a port, also over an aggregate of a VRF", () => {
    expect(neighboursOn(config, port(1)).map(({ address }) => address)).toEqual(["198.51.100.2"]);
    const [one] = neighboursOn(config, port(5));
    expect(one).toMatchObject({ vrf: "azure", isShut: true, inherits: true });
    expect(drainsOf(config, port(1))).toEqual(["prepend"]);
    expect(drainsOf(config, port(5))).toEqual(["peeringShutdown"]);
  });

  it("an accounting server is seen, and the switch's own log is none", () => {
    const with_ = (words: string) =>
      configOf({ macsec: `${texts.macsec}aaa accounting ${words}\n` });
    expect(with_("default group TAC").isAccounted).toBe(true);
    expect(with_("default local").isAccounted).toBe(false);
  });

  it("a text that does not begin with a release is no configuration", () => {
    expect(readConfig({ ...texts, macsec: "feature macsec" }, true)).toBeUndefined();
    expect(readConfig({ ...texts, bgp: "Service not responding" }, true)).toBeUndefined();
  });

  const beside =
    "evpn\n  vni 8100 l2\n    rd auto\n    route-target import auto\n" +
    "vrf context azure\n  rd 64512:7\n  address-family ipv4 unicast\n" +
    "    route-target import 64512:7\n    export map ALL\n";

  it("blocks of other features behind that of BGP are left alone", () => {
    expect(configOf({ bgp: texts.bgp + beside }).neighbours).toEqual(config.neighbours);
    const other = "segment-routing mpls\n  global-block 1 2\n";
    expect(configOf({ bgp: texts.bgp + other }).neighbours).toEqual(config.neighbours);
  });

  it("a line of BGP itself outside of its block was broken, and is not left alone", () => {
    const read = (bgp: string) => readConfig({ ...texts, bgp }, true);
    const shifted = (line: string) => texts.bgp.replace(`  ${line}`, line);
    for (const line of ["neighbor 198.51.100.2", "vrf azure", "address-family ipv4 unicast"]) {
      expect(shifted(line)).not.toBe(texts.bgp);
      expect(read(shifted(line)), line).toBeUndefined();
    }
    // What it cuts off is a neighbour too.
    const cut = texts.bgp.replace("  vrf azure", "log-neighbor-changes\n  vrf azure");
    expect(read(cut)).toBeUndefined();
  });

  it("a tab in front of a line is as wide as a terminal shows it", async () => {
    const deep = "        allowas-in 3\n";
    const reply =
      `${texts.bgp}  vrf other\n    neighbor 203.0.113.2\n      remote-as 1\n` +
      `      address-family ipv4 unicast\n${deep.replace("        ", "\t")}${beside}`;
    const query = "show running-config bgp | exclude password";
    const found = await nxosReader.read(query, Buffer.from(reply));
    expect(found?.unknown).toEqual([]);
    expect(JSON.stringify(found?.understood)).toContain("203.0.113.2");
  });

  it("no query prints a key", () => {
    const sent = allCommands.map((name) => preview(command(name, port(1))));
    expect(
      sent.filter((one) => /key-octet|show key chain|checkpoint (?!summary)/.test(one)),
    ).toEqual([]);
    expect(sent.filter((one) => one === "show running-config")).toEqual([]);
    expect(preview(routeMap("OPS"))).toContain("'^route-map OPS '");
    expect(() => line`show running-config rpm | section '^route-map ${"a b"} '`).toThrow(
      "is not one word",
    );
  });

  it("a route map that is not understood is not repeated", () => {
    const map = "route-map OPS permit 10\n  match ip address prefix-list A\n";
    expect(readRouteMap(map, "OPS")).toHaveLength(1);
    expect(readRouteMap(map, "OTHER")).toBeUndefined();
  });
});

describe("the system of NX-OS", () => {
  const version =
    "Software\n  NXOS: version 9.3(6)\nHardware\n  cisco Nexus9000 C9336C-FX2 Chassis \n" +
    "\nLast reset at 402034 usecs after Wed Nov 25 18:00:00 2026\n";

  it("model, release and boot are read, also of a modular switch", () => {
    const restartedAt = "Wed Nov 25 18:00:00 2026";
    expect(readSoftware(version)).toEqual({
      platform: "c9336c-fx2",
      version: "9.3.6",
      restartedAt,
      uptimeMs: undefined,
    });
    const modular = version.replace("C9336C-FX2 Chassis", "C9508 (8 Slot) Chassis");
    expect(readSoftware(modular)?.platform).toBe("c9508");
    expect(readSoftware(version.replace("NXOS", "IOS"))).toBeUndefined();
  });

  it("a switch that does not know why it booted keeps the boot that its uptime gives", () => {
    // Regression: the whole reply was unknown, so nothing was offered after a loss of power.
    const up = "Kernel uptime is 2 day(s), 7 hour(s), 11 minute(s), 59 second(s)\n";
    const last = /Last reset.*\n/;
    const software = readSoftware(version.replace(last, `${up}\nLast reset \n  Reason: Unknown\n`));
    const uptimeMs = ((2 * 24 + 7) * 60 + 11) * 60_000;
    expect(software).toMatchObject({ version: "9.3.6", restartedAt: undefined, uptimeMs });
    if (software === undefined) return;
    const at = (seconds: number) => (uptimeMs + 1_000_000_000 + seconds * 1_000) as WallTime;
    const first = bootOf(software, at(0), undefined);
    expect(first?.id).toBe("about 1970-01-12T13:46");
    expect(bootOf(software, at(61), first)?.id).toBe(first?.id);
    expect(bootOf({ ...software, uptimeMs: 0 }, at(0), first)?.id).not.toBe(first?.id);
    expect(readSoftware(version.replace(last, ""))).toBeUndefined();
  });

  it("MACsec is offered on the switches that a guide names, with the feature turned on", () => {
    const of = (platform: string, isOn: boolean, release = "9.3.6") =>
      capabilitiesOf(
        nxos.offers,
        { platform, version: release, restartedAt: "", uptimeMs: undefined },
        isOn,
      ).macsec;
    expect(of("c9336c-fx2", true)?.overlap).toBe("fallback");
    expect(of("c9336c-fx2", false)).toBeUndefined();
    expect(of("c9336c-fx2", true, "7.0.3")).toBeUndefined();
    expect(of("c9300v", true)).toBeUndefined();
    expect(nxos.offers.ipsec).toBeUndefined();
    expect(nxos.offers.commit).toEqual({ kind: "immediate" });
  });

  it("a port that MACsec keeps closed has a link", () => {
    const row = (state: string, reason?: string) => ({
      ...{ interface: port(1), state, admin_state: "up", state_rsn_desc: reason },
    });
    const linkOf = (one: object) =>
      readInterfaces(JSON.stringify({ TABLE_interface: { ROW_interface: one } }))?.get(port(1))
        ?.linkUp;
    expect(linkOf(row("up"))).toBe(true);
    expect(linkOf(row("down", "Authorization pending"))).toBe(true);
    expect(linkOf(row("down", "Link not connected"))).toBe(false);
    expect(linkOf(row("down"))).toBeUndefined();
    expect(isPort("mgmt0") || isPort("Ethernet1/1.100")).toBe(false);
    expect(ownName(port(1))).toBe("ls-Eth1-1");
  });

  it("our checkpoints are told from those of others", () => {
    const own = checkpointOf("linkseal 0123456789abcdef");
    const text = `1) ${own}:\nCreated by linkseal\n\n2) system-fm-bfd:\nCreated by admin\n`;
    expect(readCheckpoints(text)?.filter(isOwnCheckpoint)).toEqual([own]);
    expect(readCheckpoints("")).toEqual([]);
    expect(readCheckpoints("Service not responding")).toBeUndefined();
    expect(isRolledBack("Rollback completed successfully.\n")).toBe(true);
    expect(isRolledBack("Rollback Failed.")).toBe(false);
  });

  it("a neighbour whose two leaves disagree is not understood", () => {
    const text = (row: object) => JSON.stringify({ TABLE_neighbor: { ROW_neighbor: row } });
    const row = { neighbor: "198.51.100.2", state: "Established", up: "true", holdtime: "180" };
    expect(readPeers(text(row), "azure")?.get("azure 198.51.100.2")).toMatchObject({
      ...{ state: "Established", bfd: undefined, holdMs: 180_000 },
    });
    expect(readPeers(text({ ...row, up: "false" }), undefined)).toBeUndefined();
    expect(readPeers(text({ ...row, state: "Established!" }), undefined)).toBeUndefined();
  });

  it("a route is best by its code, and an instance without routes has its families", () => {
    const table = (name: string, row: object) => ({ [`TABLE_${name}`]: { [`ROW_${name}`]: row } });
    const reply = (inside: object) =>
      JSON.stringify(table("vrf", table("afi", table("safi", { safi: "1", ...inside }))));
    const prefix = (bestcode: string) =>
      table("prefix", {
        ipprefix: "198.18.0.0/16",
        ...table("path", { statuscode: "*", bestcode }),
      });
    expect(readRoutes(reply(prefix(">")), port(1))).toMatchObject([{ best: true }]);
    expect(readRoutes(reply(table("rd", prefix(" "))), port(1))).toMatchObject([{ best: false }]);
    expect(readRoutes(reply({}), port(1))).toEqual([]);
    expect(readRoutes(reply(prefix("?")), port(1))).toBeUndefined();
    expect(readRoutes("{}", port(1))).toBeUndefined();
    const way = (inside: object) => JSON.stringify(table("vrf", table("addrf", inside)));
    const path = table("prefix", table("path", { ipnexthop: "192.0.2.254" }));
    expect(readRouteTo(way(path), (hop) => `to ${hop}`)).toEqual(["to 192.0.2.254"]);
    expect(readRouteTo(way({ addrf: "ipv4" }), () => undefined)).toEqual([]);
    expect(readRouteTo(way(path), () => undefined)).toBeUndefined();
  });

  it("the sums of a ping must agree", () => {
    const text = (sent: number, got: number, loss: string) =>
      "--- 198.51.100.2 ping statistics ---\n" +
      `${sent} packets transmitted, ${got} packets received, ${loss}% packet loss`;
    expect(readPing(text(3, 2, "33.33"), { count: 3 })).toEqual({ sent: 3, answered: 2 });
    expect(readPing(text(3, 2, "0.00"), { count: 3 })).toBeUndefined();
    expect(readPing(text(3, 3, "0.00"), { count: 4 })).toBeUndefined();
    expect(readPing(text(3, 3, "0.00"), { address: "198.51.100.6" })).toBeUndefined();
  });
});
