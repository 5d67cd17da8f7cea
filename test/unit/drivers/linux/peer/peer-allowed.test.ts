// What `linkseal peer` passes on: all that the driver sends, and nothing beside it.

import { describe, expect, it } from "vitest";
import { CharonGate, isNetPath, isPortName, isProgram } from "#drivers/linux/peer/allowed.ts";
import { shutdownCommands, softCommands } from "#drivers/linux/routing/frr-commands.ts";
import { readNeighbours, readRouteMaps } from "#drivers/linux/routing/frr-parsers.ts";
import { packets, writePacket } from "#drivers/transport/vici-wire.ts";
import { Malformed } from "#hal/decoder.ts";
import { bytesOf } from "../../../kit/vici-peer.ts";
import { PretendFrr } from "../frr-kit.ts";

const shell = (...lines: readonly string[]): readonly string[] => [
  "vtysh",
  ...lines.flatMap((line) => ["-c", line]),
];

describe("programs of another host", () => {
  it("every line of every drain and restore is passed on", () => {
    const frr = new PretendFrr();
    const neighbours = readNeighbours(frr.neighbours);
    const routeMaps = readRouteMaps(frr.routeMaps);
    const addresses = [...neighbours.keys()];
    for (const vrf of ["default", "azure:blue"]) {
      const plan = { as: "65010", neighbours, routeMaps };
      const all = [
        ...(["prepend", "gracefulShutdown", undefined] as const).map((means) =>
          softCommands(vrf, addresses, means, plan),
        ),
        ...[true, false].map((on) => shutdownCommands(vrf, addresses, on, plan)),
      ].filter((commands) => commands.length > 0);
      expect(all.length).toBeGreaterThan(2);
      for (const commands of all)
        expect([commands, isProgram(shell(...commands))]).toEqual([commands, true]);
    }
  });

  it.each([
    ["nothing", []],
    ["another program", ["sh", "-c", "id"]],
    ["a path of a program", ["/usr/bin/vtysh", "--help"]],
    ["vtysh without a command", ["vtysh"]],
    ["a shell out of vtysh", shell("start-shell")],
    ["a file of commands", ["vtysh", "-f", "/etc/passwd"]],
    ["another option behind a command", ["vtysh", "-c", "show route-map json", "-d", "bgpd"]],
    ["the configuration with its passwords", shell("show running-config")],
    [
      "a new neighbour",
      shell("configure terminal", "router bgp 65010", "neighbor 192.0.2.9 remote-as 1"),
    ],
    [
      "a password",
      shell("configure terminal", "router bgp 65010", "neighbor 192.0.2.9 password x"),
    ],
    ["the end of the operator's route map", shell("configure terminal", "no route-map customers")],
    ["a saved configuration", shell("write memory")],
    ["two lines in one", shell("exit\nwrite memory")],
    ["a line that only begins so", shell("exit ; write memory")],
    ["a pathspace with a path", ["vtysh", "-N", "../etc", "-c", "exit"]],
    ["a flood", ["ping", "-f", "192.0.2.1"]],
    [
      "a ping of a name",
      [
        ...["ping", "-n", "-q", "-I", "eth1", "-c", "5", "-i", "0.200"],
        ...["-W", "1", "-w", "5", "evil.example"],
      ],
    ],
    [
      "a ping with an option as its address",
      [
        ...["ping", "-n", "-q", "-I", "eth1", "-c", "5", "-i", "0.200"],
        ...["-W", "1", "-w", "5", "-R"],
      ],
    ],
    [
      "a pattern out of an interface's name",
      [
        ...["ping", "-n", "-q", "-I", "-p", "-c", "5", "-i", "0.200"],
        ...["-W", "1", "-w", "5", "192.0.2.1"],
      ],
    ],
    ["another file", ["cat", "/etc/shadow"]],
    ["two files", ["cat", "/proc/net/netstat", "/etc/shadow"]],
  ])("%s is refused", (_what, argv) => {
    expect(isProgram(argv)).toBe(false);
  });
});

describe("processes of another host", () => {
  it("linkseal-net has these paths and no others", () => {
    const paths = ["", "/observe", "/recall", "/transactions/a%2Fb/apply"];
    for (const path of paths) expect(isNetPath(`/devices/edge${path}`)).toBe(true);
    const others = ["/", "/devices", "/devices/edge/delete", "/devices/../x/observe/y"];
    // Node sends no path with a blank or a control character: it throws.
    const unsendable = ["edge b", "edge\n", "é"].map((name) => `/devices/${name}/observe`);
    for (const path of [...others, ...unsendable]) {
      expect([path, isNetPath(path)]).toEqual([path, false]);
    }
    expect(isNetPath("/devices/edge/observe?x")).toBe(false);
  });

  it("a port is a name and no path", () => {
    for (const name of ["eth1", "enp1s0f0np0", "eth1.100"]) expect(isPortName(name)).toBe(true);
    for (const name of ["", ".", "..", "../net", "a/b", "a b", "x".repeat(16)]) {
      expect([name, isPortName(name)]).toEqual([name, false]);
    }
  });

  it("charon gets the commands of the driver, in pieces too, and no others", () => {
    const gate = new CharonGate();
    const packet = Buffer.from(bytesOf(writePacket(packets.request, "list-sas", [])));
    expect(gate.pass(packet.subarray(0, 6).slice() as Buffer)).toEqual([]);
    const rest = Buffer.from(bytesOf(writePacket(packets.request, "list-sas", []))).subarray(6);
    expect(gate.pass(rest).map((one) => one.toString("latin1"))).toEqual([
      "\0\0\0\x0a\0\x08list-sas",
    ]);
    for (const command of ["reload-settings", "clear-creds", "unload-authority", "load-pool"]) {
      const other = Buffer.from(bytesOf(writePacket(packets.request, command, [])));
      expect(() => new CharonGate().pass(other)).toThrow(Malformed);
    }
    for (const type of [packets.response, packets.event, 99]) {
      const other = Buffer.from(bytesOf(writePacket(type, "list-sas", [])));
      expect(() => new CharonGate().pass(other)).toThrow(Malformed);
    }
    expect(() => new CharonGate().pass(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(Malformed);
  });
});
