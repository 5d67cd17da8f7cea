// linkseal-net as a process: whom it answers, what it keeps over a crash, and what it leaves alone.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addNetwork, ip, ipBatch, leaveNetworks, until } from "../lab.ts";
import { Programs } from "./programs.ts";

let folder = "";
let network = "";
let socket = "";
let programs: Programs;
let net: ChildProcess;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-net-"));
  network = addNetwork();
  socket = join(folder, "run", "net.sock");
  ipBatch(
    [
      "link add wire type veth peer name far",
      "link add red type vrf table 10",
      "link set red up",
      "link set far up",
      "link add link wire name wire.7 type vlan id 7",
      "link set wire.7 master red",
      "link set wire up",
      "link set wire.7 up",
      "addr add 192.0.2.1/30 dev wire",
      "addr add 2001:db8::1/64 dev wire nodad",
      "addr add 198.51.100.1/30 dev wire.7",
      "route add 203.0.113.0/25 via 192.0.2.2 dev wire",
      "route add 203.0.113.9/32 via 203.0.113.1 dev wire onlink",
      "route add 10.9.0.0/16 via 198.51.100.2 dev wire.7 table 10",
      "route add 2001:db8:9::/48 via 2001:db8::2 dev wire",
    ],
    "-n",
    network,
  );
  programs = new Programs(folder, network);
  net = await programs.serve("net");
}, 120_000);
afterEach(() => {
  programs[Symbol.dispose]();
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

interface Reply {
  readonly status: number | undefined;
  readonly body: Record<string, unknown>;
}

function ask(path: string, body: object = {}, method = "POST"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, path: `/devices/edge${path}`, method });
    call.once("error", reject);
    call.once("response", (response) => {
      const chunks: string[] = [];
      response.on("data", (chunk) => chunks.push(String(chunk)));
      response.once("end", () => {
        const text = JSON.parse(chunks.join("")) as Record<string, unknown>;
        resolve({ status: response.statusCode, body: text });
      });
    });
    call.end(JSON.stringify(body));
  });
}

async function prepared(kind: "port.shut" | "port.open"): Promise<string> {
  const { body } = await ask("/prepare", { change: [{ kind, port: "wire" }] });
  return `/transactions/${String(body["token"])}`;
}

async function final(kind: "port.shut" | "port.open"): Promise<void> {
  const { status } = await ask(`${await prepared(kind)}/apply`, { within: "final" });
  expect(status).toBe(200);
}

const isUp = (): boolean => ip("-n", network, "link", "show", "wire").includes(",UP");

/** All that an administrator has set on the ports, as `ip` tells it. */
function configured(): readonly string[] {
  const show = (...argv: string[]): string[] => ip("-n", network, ...argv).split("\n");
  return [
    ...show("-br", "addr", "show", "dev", "wire"),
    ...show("-br", "addr", "show", "dev", "wire.7"),
    ...show("route", "show", "table", "all"),
    ...show("-6", "route", "show", "table", "all"),
  ]
    .filter((line) => !/fe80|fe00|ff00|multicast/.test(line))
    .map((line) => line.replace(/ (dead|linkdown|pref medium)/g, "").trim())
    .sort();
}

async function restart(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
  net.kill(signal);
  const [status] = (await once(net, "close")) as [number | null];
  net = await programs.serve("net");
  return status;
}

describe("linkseal-net", { timeout: 120_000 }, () => {
  it("brings back with a port all that the kernel forgot, also after a crash between", async () => {
    const before = configured();
    await final("port.shut");
    expect(isUp()).toBe(false);
    expect(configured()).not.toEqual(before);
    await restart("SIGKILL");
    await final("port.open");
    await until(() => (isUp() ? true : undefined));
    expect(configured()).toEqual(before);
    expect(ip("-n", network, "-d", "link", "show", "wire.7")).toContain("master red");
  });

  it("undoes what was not confirmed, also as its own successor", async () => {
    const token = await prepared("port.shut");
    await ask(`${token}/apply`, { within: 8_000 });
    expect(isUp()).toBe(false);
    await restart("SIGKILL");
    const { body } = await ask("/recall", { token: token.split("/").at(-1) });
    expect(body).toMatchObject({ kind: "pending" });
    const locked = await ask(`${await prepared("port.open")}/apply`, { within: "final" });
    expect(locked.body).toMatchObject({ code: "device.locked", effect: "none" });
    await until(() => (isUp() ? true : undefined));
    const late = await ask(`${token}/confirm`);
    expect(late.body).toMatchObject({ code: "device.commitExpired" });
  });

  it("leaves what was confirmed, and everything when it is told to end", async () => {
    const token = await prepared("port.shut");
    await ask(`${token}/apply`, { within: 3_000 });
    expect((await ask(`${token}/confirm`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(isUp()).toBe(false);
    expect(await restart("SIGTERM")).toBe(0);
    expect(isUp()).toBe(false);
  });

  it("tells of a change as it happens", async () => {
    const { body } = await ask("/changes", { after: 0, waitMs: 0 });
    const next = ask("/changes", { after: body["count"], waitMs: 50_000 });
    ip("-n", network, "link", "set", "far", "down");
    expect(Number((await next).body["count"])).toBeGreaterThan(Number(body["count"]));
  });

  // In one process: in an emulator each costs seconds.
  const refused: readonly (readonly [string, object])[] = [
    ["/prepare", { change: [{ kind: "macsec.addKey", port: "wire" }] }],
    ["/prepare", { change: [{ kind: "port.shut" }] }],
    ["/prepare", { change: "port.shut" }],
    ["/transactions/x/burn", {}],
    ["/transactions/x/apply", { within: -1 }],
    ["/exec", { argv: ["id"] }],
    ["/observe/more", {}],
  ];
  it("refuses what is not in its list, and nothing has changed", async () => {
    const before = configured();
    for (const [path, asked] of refused) {
      const { status, body } = await ask(path, asked);
      expect([path, status]).toEqual([path, 400]);
      expect(body).toMatchObject({ code: "device.rejected", effect: "none" });
    }
    expect(configured()).toEqual(before);
  });

  it("answers nobody whom it does not know, whatever the socket lets through", async () => {
    net.kill("SIGKILL");
    await once(net, "close");
    net = await programs.serve("net", "--client", "4321");
    const asking = async (uid: number): Promise<string> => {
      const code = [
        `const call = require("node:http").request({ socketPath: process.argv[1], path: "/devices/e" });`,
        `call.on("response", (r) => console.log(r.statusCode)).on("error", (e) => console.log(e.code));`,
        "call.end();",
      ].join("\n");
      const child = spawn(process.execPath, ["-e", code, socket], { uid, gid: uid, cwd: "/" });
      let said = "";
      child.stdout.on("data", (chunk) => (said += String(chunk)));
      await once(child, "close");
      return said.trim();
    };
    for (const path of [folder, join(folder, "run")]) chmodSync(path, 0o755);
    chmodSync(socket, 0o666);
    expect(await asking(4321)).toBe("200");
    expect(await asking(65_534)).toMatch(/^(ECONNRESET|EPIPE)$/);
  });

  it("is one for each network", async () => {
    const { status, err } = await programs.run("net");
    expect(status).not.toBe(0);
    expect(err).toContain("another");
  });
});
