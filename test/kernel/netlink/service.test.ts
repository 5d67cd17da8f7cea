import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientOf } from "#agent/host/clients.ts";
import { limitUnread } from "#agent/host/listener.ts";
import { logLineOf } from "#agent/host/log-line.ts";
import { serveUnix } from "#agent/host/unix-server.ts";
import type { Client } from "#agent/model/client.ts";
import type { WallTime } from "#hal/world.ts";
import { native, netlinkFamilies } from "../lab.ts";

const unprivilegedId = 65_534;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-service-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

// Node has no documented name for the descriptor of a socket.
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } };
  return handle.fd;
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

describe("a local socket", { timeout: 60_000 }, () => {
  it("a local socket has the credentials of its other end", async () => {
    const path = `\0linkseal-${process.pid}`;
    const server = createServer().listen(path);
    const code = `require("node:net").connect(${JSON.stringify(path)})`;
    const client = spawn(process.execPath, ["-e", code], {
      uid: unprivilegedId,
      gid: unprivilegedId,
      cwd: "/",
    });
    const [socket] = (await once(server, "connection")) as [Socket];
    expect(native.peerCredentials(descriptorOf(socket))).toEqual({
      pid: client.pid,
      uid: unprivilegedId,
      gid: unprivilegedId,
    });
    socket.destroy();
    client.kill();
    server.close();
  });

  it("a descriptor that is not a connected local socket is refused", () => {
    const file = openSync(join(folder, "file"), "w");
    expect(() => native.peerCredentials(file)).toThrow(expect.objectContaining({ errno: 88 }));
    closeSync(file);
    const listening = native.listenNotices(join(folder, "notices"));
    expect(() => native.peerCredentials(listening)).toThrow(
      expect.objectContaining({ code: "SO_PEERCRED" }),
    );
    closeSync(listening);
  });

  it("a socket of another kind is refused, whatever its credentials seem to be", async () => {
    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const { port } = tcp.address() as AddressInfo;
    const client = connect(port, "127.0.0.1");
    const [socket] = (await once(tcp, "connection")) as [Socket];
    // EPROTOTYPE
    const wrong = expect.objectContaining({ code: "SO_PEERCRED", errno: 91 });
    expect(() => native.peerCredentials(descriptorOf(socket))).toThrow(wrong);
    const datagrams = native.listenNotices(join(folder, "datagrams"));
    expect(() => native.peerCredentials(datagrams)).toThrow(wrong);
    closeSync(datagrams);
    client.destroy();
    socket.destroy();
    tcp.close();
  });

  it("accepted sockets keep few octets, and no other kind of socket is changed", async () => {
    const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    limitUnread(server, native);
    const { port } = server.address() as AddressInfo;
    const client = connect(port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket];
    client.write(Buffer.alloc(1_000_000));
    let first = 0;
    socket.once("data", (octets: Buffer) => {
      first = octets.length;
    });
    // By now the kernel has taken what it takes.
    await rest(500);
    socket.resume();
    await expect.poll(() => first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(8_192);
    client.destroy();
    socket.destroy();
    server.close();
    const datagrams = native.listenNotices(join(folder, "unlimited"));
    const refused = expect.objectContaining({ code: "SO_RCVBUF" });
    for (const octets of [4_096, 2 ** 31]) {
      expect(() => native.limitReceive(datagrams, octets)).toThrow(refused);
    }
    closeSync(datagrams);
  });

  it("the agent's sockets know the process that connected", async () => {
    const path = join(folder, "view.sock");
    const seen: Client[] = [];
    const server = await serveUnix({
      ...{ path, requestBytesMax: 0, broken: () => undefined },
      refused: () => ({ status: 413, body: "" }),
      identify: (socket) => clientOf(native, "view", socket),
      async answer({ client }) {
        if (client !== undefined) seen.push(client);
        return { status: 200, body: "{}" };
      },
    });
    const socket = connect(path);
    socket.write("GET /v1/status HTTP/1.1\r\nhost: l\r\n\r\n");
    await once(socket.resume(), "close");
    await server.close();
    const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
    expect(seen).toMatchObject([{ socket: "view", pid: process.pid, uid, gid }]);
  });
});

describe("a log of this host", () => {
  it.each(["journald", "syslog"] as const)("a line reaches %s as one datagram", (to) => {
    const path = join(folder, "log");
    const log = native.listenNotices(path);
    const wall = (): WallTime => Date.now() as WallTime;
    logLineOf(native, { wall }, { journald: path, syslog: path })(to, "linkseal-head record=1");
    expect(native.takeNotice(log).text).toContain("linkseal-head record=1");
    closeSync(log);
  });
});

describe("the service manager", () => {
  it.each([
    ["at a path", () => join(folder, "notify")],
    ["in the abstract namespace", () => `@linkseal-notify-${process.pid}`],
  ])("a service manager %s receives a notice with its descriptors", (_name, addressOf) => {
    const address = addressOf();
    const manager = native.listenNotices(address);
    const file = openSync(join(folder, "kept"), "w");
    native.notify(address, "READY=1\nSTATUS=two links", []);
    native.notify(address, "FDSTORE=1\nFDNAME=port", [file]);
    expect(native.takeNotice(manager)).toEqual({
      text: "READY=1\nSTATUS=two links",
      descriptors: [],
    });
    const { text, descriptors } = native.takeNotice(manager);
    expect(text).toBe("FDSTORE=1\nFDNAME=port");
    expect(descriptors.map((fd) => fstatSync(fd).ino)).toEqual([fstatSync(file).ino]);
    for (const fd of [manager, file, ...descriptors]) closeSync(fd);
  });

  it("an absent service manager is an error, and a deaf one blocks no process", () => {
    const address = join(folder, "gone");
    expect(() => native.notify(address, "READY=1", [])).toThrow(
      expect.objectContaining({ code: "notify", errno: 2 }),
    );
    const manager = native.listenNotices(address);
    const fill = (): void => {
      for (let count = 0; count < 100_000; count += 1) native.notify(address, "WATCHDOG=1", []);
    };
    expect(fill).toThrow(expect.objectContaining({ errno: 11 }));
    closeSync(manager);
  });
});

describe("the addon", { timeout: 60_000 }, () => {
  it.each<[string, () => unknown]>([
    ["too few arguments", () => (native.openNetlink as () => unknown)()],
    ["a negative family", () => native.openNetlink(-1, 1, () => undefined)],
    ["a family of 33 bits", () => native.openNetlink(2 ** 32, 1, () => undefined)],
    ["a family that is not there", () => native.openNetlink(200, 1, () => undefined)],
    ["something that is no socket", () => native.receive({} as never, new Uint8Array(1))],
    ["text as octets", () => native.openFrames(1, 0x888e, "abc" as never, () => undefined)],
    ["wide octets", () => native.openFrames(1, 0x888e, new Uint16Array(6) as never, () => 0)],
    ["an address with NUL", () => native.notify("/a\0b", "x", [])],
    ["a long address", () => native.notify(`/${"a".repeat(200)}`, "x", [])],
    ["a relative address", () => native.notify("run/notify", "x", [])],
    [
      "too many descriptors",
      () =>
        native.notify(
          "/a",
          "x",
          Array.from({ length: 17 }, () => 1),
        ),
    ],
    ["descriptors that are none", () => native.notify("/a", "x", ["1" as never])],
  ])("the addon refuses %s", (_name, call) => {
    expect(call).toThrow(/^expected |^wrong number|not supported$/);
  });

  it("the addon leaves no descriptor open, and a closed socket stays closed", async () => {
    const before = openDescriptors();
    for (let count = 0; count < 500; count += 1) {
      const socket = native.openNetlink(netlinkFamilies.route, 65_536, () => undefined);
      native.close(socket);
      native.close(socket);
      expect(native.receive(socket, new Uint8Array(65_536))).toBe(-9);
      expect(native.send(socket, new Uint8Array(16))).toBe(-9);
      expect(() => native.joinGroup(socket, 1)).toThrow(expect.objectContaining({ errno: 9 }));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it("the addon receives into no room whose size would let a message pass its end", () => {
    const socket = native.openNetlink(netlinkFamilies.route, 65_536, () => undefined);
    // EINVAL; with room for it there would be no message: EAGAIN.
    for (const size of [65_535, 65_537, 65_539]) {
      expect(native.receive(socket, new Uint8Array(size))).toBe(-22);
    }
    expect(native.receive(socket, new Uint8Array(65_540))).toBe(-11);
    native.close(socket);
  });

  it("the addon survives a thread that ends with its sockets open", async () => {
    const file = join(import.meta.dirname, "..", "..", "..", "dist/native/linkseal.node");
    const code = `
      const native = require(${JSON.stringify(file)});
      for (let i = 0; i < 20; i += 1) native.openNetlink(0, 65536, () => {});
      if ("enterNamespace" in native) throw new Error("the shipped addon has what only tests may");
      require("node:worker_threads").parentPort.postMessage("open");`;
    const before = openDescriptors();
    for (let count = 0; count < 5; count += 1) {
      const worker = new Worker(code, { eval: true });
      const [output] = await once(worker, "message");
      expect(output).toBe("open");
      await worker.terminate();
    }
    expect(openDescriptors()).toBeLessThan(before + 10);
  });
});
