// linkseal-net as a process: the clients that it answers, the state that it keeps over a crash, and
// the configuration that it leaves alone.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Programs } from "../host/programs.ts";
import { addNetwork, ip, ipBatch, leaveNetworks, until } from "../lab.ts";
import { buildPort, configuredIn } from "./ports.ts";

let folder = "";
let network = "";
let socket = "";
let programs: Programs;
let net: ChildProcess;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-net-"));
  network = addNetwork();
  socket = join(folder, "run", "net.sock");
  buildPort(network);
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

const configured = (): readonly string[] => configuredIn(network);

async function restart(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
  net.kill(signal);
  const [status] = (await once(net, "close")) as [number | null];
  net = await programs.serve("net");
  return status;
}

describe("linkseal-net", { timeout: 120_000 }, () => {
  it("an opened port gets back all that the kernel forgot, also after a crash", async () => {
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

  it("an unconfirmed change is undone, also by the next process", async () => {
    const token = await prepared("port.shut");
    await ask(`${token}/apply`, { within: 30_000 });
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

  it("a confirmed change stays, and everything stays when linkseal-net is stopped", async () => {
    const token = await prepared("port.shut");
    await ask(`${token}/apply`, { within: 3_000 });
    expect((await ask(`${token}/confirm`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(isUp()).toBe(false);
    expect(await restart("SIGTERM")).toBe(0);
    expect(isUp()).toBe(false);
  });

  const secy = (more: object) => ({
    change: [
      {
        kind: "macsec.protect",
        port: "wire",
        settings: { suite: "gcm-aes-256", includeSci: true, ...more },
      },
    ],
  });
  const apply = async (change: object, within: number | "final"): Promise<string> => {
    const { body } = await ask("/prepare", change);
    const token = `/transactions/${String(body["token"])}`;
    expect((await ask(`${token}/apply`, { within })).body).toEqual({});
    return token;
  };
  interface SecyLink {
    readonly ifindex: number;
    readonly mtu: number;
    readonly linkinfo: { readonly info_data: Record<string, unknown> };
  }
  const secyByIp = (): SecyLink => {
    const [link] = JSON.parse(ip("-n", network, "-d", "-j", "link", "show", "ms-wire"));
    return link as SecyLink;
  };

  it("a SecY is made with all settings of the port, and removed if not confirmed", async () => {
    const before = configured();
    const own = ip("-n", network, "-br", "addr", "show", "dev", "wire");
    const token = await apply(secy({ replayWindow: 64 }), 60_000);
    const { mtu, linkinfo } = secyByIp();
    expect(mtu).toBe(1468);
    expect(linkinfo.info_data).toMatchObject({
      ...{ cipher_suite: "GCM-AES-256", validation: "strict", encrypt: true, protect: true },
      ...{ inc_sci: true, replay_protect: true, window: 64 },
    });
    const rest = (lines: readonly string[]): readonly string[] =>
      lines
        .map((line) => line.replaceAll("ms-wire", "wire"))
        .filter((line) => !/^wire\W/.test(line));
    expect(rest(configured())).toEqual(rest(before));
    const ownNow = (): string => ip("-n", network, "-br", "addr", "show", "dev", "wire");
    const linkLocal = /fe80\S+/.exec(own)?.[0];
    expect(linkLocal).toBeDefined();
    expect(ownNow()).not.toMatch(/192|2001|fe80/);
    const moved = ip("-n", network, "-br", "addr", "show", "dev", "ms-wire");
    expect(moved).toContain("192.0.2.1/30 203.0.113.129/26 203.0.113.130/26 2001:db8::1/64");
    expect(ip("-n", network, "link", "show", "wire.7")).toMatch(/wire.7@ms-wire.* master red/);
    expect((await ask(`${token}/rollback`)).status).toBe(200);
    expect(configured()).toEqual(before);
    expect(ownNow()).toContain(linkLocal);
  });

  it("a SecY changes while it works, and is made anew only for another suite", async () => {
    await apply(secy({ replayWindow: 64 }), "final");
    const [first, was] = [secyByIp(), configured()];
    await apply(secy({ includeSci: false }), "final");
    const second = secyByIp();
    expect(second.ifindex).toBe(first.ifindex);
    expect(second.linkinfo.info_data).toMatchObject({ inc_sci: false, replay_protect: false });
    ipBatch(["link set ms-wire type macsec validate check encrypt off"], "-n", network);
    await apply(secy({ includeSci: false }), "final");
    expect(secyByIp().linkinfo.info_data).toMatchObject({ validation: "strict", encrypt: true });
    await apply(secy({ suite: "gcm-aes-xpn-128" }), "final");
    const third = secyByIp();
    expect(third.ifindex).not.toBe(first.ifindex);
    expect(third.linkinfo.info_data).toMatchObject({ cipher_suite: "GCM-AES-XPN-128" });
    expect(configured()).toEqual(was);
  });

  it("the SAs of an xfrm interface are reported without their keys", async () => {
    const key = "c0ffee".repeat(12);
    const aead = `aead 'rfc4106(gcm(aes))' 0x${key} 128 if_id 42`;
    const state = (from: string, to: string, spi: string): string =>
      `xfrm state add src ${from} dst ${to} proto esp spi ${spi} reqid 1 mode tunnel ${aead}`;
    ipBatch(
      [
        "link add hub-1 type xfrm dev wire if_id 42",
        state("192.0.2.1", "192.0.2.2", "0x2001"),
        state("192.0.2.2", "192.0.2.1", "0x2002"),
      ],
      "-n",
      network,
    );
    const { body } = await ask("/observe");
    const [tunnel] = body["ipsec"] as { name: string; sas: { value: Record<string, unknown>[] } }[];
    expect(tunnel?.name).toBe("hub-1");
    expect(tunnel?.sas.value.map(({ spi, direction }) => [spi, direction]).toSorted()).toEqual([
      [0x2001, "out"],
      [0x2002, "in"],
    ]);
    expect(tunnel?.sas.value[0]?.["transforms"]).toMatchObject({ encryption: "aes-256-gcm" });
    expect(JSON.stringify(body)).not.toContain(key.slice(0, 16));
  });

  it("a change is reported as it happens", async () => {
    const { body } = await ask("/changes", { after: 0, waitMs: 0 });
    const next = ask("/changes", { after: body["count"], waitMs: 50_000 });
    ip("-n", network, "link", "set", "far", "down");
    expect(Number((await next).body["count"])).toBeGreaterThan(Number(body["count"]));
  });

  // All requests use one process: in an emulator each process costs seconds.
  const refused: readonly (readonly [string, object])[] = [
    ["/prepare", { change: [{ kind: "macsec.addKey", port: "wire" }] }],
    ["/prepare", { change: [{ kind: "port.shut" }] }],
    ["/prepare", { change: "port.shut" }],
    ["/transactions/x/burn", {}],
    ["/transactions/x/apply", { within: -1 }],
    ["/exec", { argv: ["id"] }],
    ["/observe/more", {}],
  ];
  it("a change that is not in the list is refused, and nothing changes", async () => {
    const before = configured();
    for (const [path, asked] of refused) {
      const { status, body } = await ask(path, asked);
      expect([path, status]).toEqual([path, 400]);
      expect(body).toMatchObject({ code: "device.rejected", effect: "none" });
    }
    expect(configured()).toEqual(before);
  });

  it("an unknown user gets no answer, whatever the socket's mode allows", async () => {
    net.kill("SIGKILL");
    await once(net, "close");
    net = await programs.serve("net", "--client", "4321");
    const asking = async (uid: number): Promise<string> => {
      const code = [
        "const options = { socketPath: process.argv[1], path: '/devices/e' };",
        "const call = require('node:http').request(options);",
        "call.on('response', (reply) => console.log(reply.statusCode));",
        "call.on('error', (error) => console.log(error.code)).end();",
      ].join("\n");
      const child = spawn(process.execPath, ["-e", code, socket], { uid, gid: uid, cwd: "/" });
      let output = "";
      child.stdout.on("data", (chunk) => (output += String(chunk)));
      await once(child, "close");
      return output.trim();
    };
    for (const path of [folder, join(folder, "run")]) chmodSync(path, 0o755);
    chmodSync(socket, 0o666);
    expect(await asking(4321)).toBe("200");
    expect(await asking(65_534)).toMatch(/^(ECONNRESET|EPIPE)$/);
  });

  it("a second linkseal-net in one network is refused", async () => {
    const { status, err } = await programs.run("net");
    expect(status).not.toBe(0);
    expect(err).toContain("another");
  });
});
