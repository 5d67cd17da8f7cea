// `linkseal peer` behind Debian's sshd: what the agent's login can do over it, and that its key can
// do nothing else, whatever OpenSSH's clients ask for.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hostClock } from "#agent/host/clock.ts";
import { type HostDialer, peerDialer } from "#drivers/linux/peer/peer-dialer.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer } from "#hal/world.ts";
import { Program } from "../process/program.ts";
import { type LoginTry, loginTries, protections, type TryPlace } from "./login-tries.ts";
import { run } from "./run.ts";

const root = join(import.meta.dirname, "../..");
const bin = join(root, "agent/bin.js");
const folder = mkdtempSync(join(tmpdir(), "linkseal-peer-"));
const at = (name: string): string => join(folder, name);
const key = at("key");
const never = new AbortController().signal;
const canary = "5e".repeat(16);

/** Counts connections; the key must not bring one about. */
class Lure {
  count = 0;
  readonly server: Server = createServer((socket) => {
    this.count += 1;
    // What reached it may be gone by now.
    socket.on("error", () => undefined);
    socket.end("reached\n");
  });

  async listen(where: string | { host: string; port: number }): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(where, resolve));
    const address = this.server.address();
    return typeof address === "object" ? ((address as AddressInfo).port ?? 0) : 0;
  }
}

let port = 0;
let sshd: Program;
let server: Program;
const lure = new Lure();
const socketLure = new Lure();
/** The requests that the MKA process of eth1 would get. */
const framed: string[] = [];
const mka = createServer((socket) => {
  let received = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (octets) => {
    received = Buffer.concat([received, octets]);
    if (received.length < 4 + received.readUInt32BE()) return;
    framed.push(received.subarray(4).toString("hex"));
    socket.end(Buffer.from([0, 0, 0, 3, 0, 0x7b, 0x7d]));
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port: found } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return found;
}

function spawned(program: string, ...words: readonly string[]): Program {
  return new Program(spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] }));
}

beforeAll(async () => {
  execFileSync(process.execPath, [join(root, ".ci/addon.ts")], { stdio: "ignore" });
  for (const name of ["key", "host", "command", "restrict", "script"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
  }
  mkdirSync(at("mka"));
  await new Promise<void>((resolve) => mka.listen(at("mka/eth1.sock"), resolve));
  lure.count = 0;
  await lure.listen({ host: "127.0.0.1", port: 0 });
  await socketLure.listen(at("lure.sock"));
  writeLogin();
  port = await freePort();
  const lines = [
    ...[`Port ${port}`, "ListenAddress 127.0.0.1", `HostKey ${at("host")}`, "PidFile none"],
    ...[`AuthorizedKeysFile ${at("authorized_keys")}`, "StrictModes no", "UsePAM no"],
    // What the key's own options forbid is allowed here, so that they alone stop it.
    ...["AllowTcpForwarding yes", "AllowStreamLocalForwarding yes", "AllowAgentForwarding yes"],
    ...["PermitTunnel yes", "X11Forwarding yes", "GatewayPorts yes", "PermitTTY yes"],
    ...["PermitUserEnvironment yes", "AcceptEnv *", "Subsystem sftp internal-sftp"],
    ...["Subsystem netconf /bin/echo reached", `XAuthLocation ${at("xauth")}`],
    ...["PermitRootLogin prohibit-password", "PasswordAuthentication no"],
  ];
  writeFileSync(at("sshd_config"), `${lines.join("\n")}\n`);
  // sshd as root needs this folder, which its service makes at boot.
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  sshd = spawned("/usr/sbin/sshd", "-D", "-e", "-f", at("sshd_config"));
  await sshd.until("listening on");
  const places = ["--socket", at("peer.sock"), "--net", at("net.sock")];
  server = await spawned(process.execPath, bin, "peer", "--serve", ...places).ready();
});
afterAll(async () => {
  for (const program of [sshd, server]) {
    program.child.kill("SIGTERM");
    await program.ended;
  }
  for (const { server: listening } of [lure, socketLure]) listening.close();
  mka.close();
  rmSync(folder, { recursive: true });
});

/** Writes an executable script. */
function script(name: string, ...lines: readonly string[]): string {
  writeFileSync(at(name), `${["#!/bin/sh", ...lines].join("\n")}\n`, { mode: 0o755 });
  return at(name);
}

/**
 * Lets the agent's key in as the docs say, and three more, each of which lacks one protection. The
 * shell of the login is the shipped one, with the command of this clone in it; it and that command
 * write down their variables.
 */
function writeLogin(): void {
  const peer = `exec ${process.execPath} ${bin} peer --socket ${at("peer.sock")}`;
  const inner = script("linkseal-peer", `env >${at("inside")}`, peer);
  const shipped = readFileSync(join(root, "systemd/linkseal-peer-shell"), "utf8");
  const shell = script(
    "shell",
    `env >${at("outside")}`,
    shipped.replace(/\S*\/linkseal peer/, inner),
  );
  script("xauth", "exit 0");
  const options = {
    key: `restrict,command="${shell}"`,
    command: "restrict",
    restrict: `command="${shell}"`,
    script: `restrict,command="${inner}"`,
  };
  const lines = Object.entries(options).map(
    ([name, option]) => `${option} ${readFileSync(at(`${name}.pub`), "utf8")}`,
  );
  // sshd reads it as the user whose login it is.
  writeFileSync(at("authorized_keys"), lines.join(""), { mode: 0o644 });
  chmodSync(folder, 0o711);
}

/** The agent's side of it: our own SSH client, which accepts this host key alone. */
async function withHost<T>(use: (host: HostDialer) => Promise<T>): Promise<T> {
  const pin =
    execFileSync("ssh-keygen", ["-lf", at("host.pub")])
      .toString()
      .split(" ")[1] ?? "";
  await using shells = new Shells({
    key: async () => readFileSync(key),
    knownHosts: async () => "",
    agentSocket: () => undefined,
  });
  const ssh = { user: userInfo().username, port, key: "file:key", hostKey: pin };
  const target = { device: "edge-b", address: "127.0.0.1", ssh };
  const dial = { channel: shells.channel.bind(shells) } as unknown as Dialer;
  await using host = peerDialer({ dial, clock: hostClock }, target);
  return await use(host);
}

describe("an agent's login behind Debian's sshd", () => {
  it("the agent runs what it may, and knows how the host sees it", async () => {
    const [netstat, version, hello] = await withHost((host) =>
      Promise.all([
        host.exec(["cat", "/proc/net/netstat"], new Uint8Array(), never),
        host.exec(["cat", "/proc/net/netstat"], new Uint8Array(), never),
        host.hello(never),
      ]),
    );
    expect(Buffer.from(netstat.stdout).toString()).toContain("TcpExt:");
    expect(version.status).toBe(0);
    // The file of the login's own keys is another one here than sshd reads.
    expect(hello).toMatchObject({ from: "127.0.0.1", forced: "yes" });
  });

  it.each([
    ["no", {}],
    ["yes", { SSH_ORIGINAL_COMMAND: "$(id) linkseal peer" }],
  ])(
    "a login says whether sshd forced its command (%s), and no word of it",
    (forced, variables) => {
      const env = { ...variables, SSH_CONNECTION: "192.0.2.1 5 192.0.2.2 22" };
      const { stdout, stderr } = spawnSync(at("shell"), { input: "", env, encoding: "utf8" });
      expect(JSON.parse(stdout)).toMatchObject({ kind: "hello", from: "192.0.2.1", forced });
      expect(stdout + stderr).not.toContain("id");
    },
  );

  it("a key passes to an MKA process, and is in no argument, environment or output", async () => {
    const seen: string[] = [];
    using cak = Secret.take("cak", Buffer.from(canary, "hex"));
    await withHost(async (host) => {
      const asked = { path: "/run/linkseal-mka/eth1.sock", octets: [cak], replyBytesMax: 100 };
      await host.framed({ ...asked, effect: "unknown" }, never);
      for (const { pid } of [server, sshd]) {
        for (const name of ["cmdline", "environ"]) {
          seen.push(readFileSync(`/proc/${pid}/${name}`, "latin1"));
        }
      }
    });
    expect(framed.join()).toContain(canary);
    const raw = Buffer.from(canary, "hex").toString("latin1");
    for (const text of [...seen, server.output, sshd.output]) {
      expect(text.includes(raw) || text.toLowerCase().includes(canary)).toBe(false);
    }
  });

  it("without the server of that host the login says what to start", async () => {
    const error: unknown = await withHost(async (host) => {
      server.child.kill("SIGTERM");
      await server.ended;
      return await host
        .exec(["cat", "/proc/net/netstat"], new Uint8Array(), never)
        .catch((caught: unknown) => caught);
    });
    // The login prints its error where nothing reads it: the agent knows that no session came up.
    if (!(error instanceof LinksealError)) throw new Error("it was answered");
    expect([error.code, error.effect]).toEqual(["transport.closed", "none"]);
    expect(error.message).toContain("`linkseal peer` does not answer there");
    const places = ["--socket", at("peer.sock"), "--net", at("net.sock")];
    server = await spawned(process.execPath, bin, "peer", "--serve", ...places).ready();
  });
});

describe("the agent's key in the hands of another person", () => {
  const agentSocket = at("agent.sock");
  const own = userInfo().username;
  let agent: Program;
  const optionsOf = (name: string): readonly string[] => [
    ...["-F", "none", "-i", at(name), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=yes", "-o", `UserKnownHostsFile=${at("known")}`],
    ...[
      "-o",
      "ConnectTimeout=30",
      "-o",
      "ExitOnForwardFailure=yes",
      "-o",
      `XAuthLocation=${at("xauth")}`,
    ],
  ];
  const place = (): TryPlace => ({
    ...{ at, program: `${process.execPath} ${bin}` },
    target: `127.0.0.1:${(lure.server.address() as AddressInfo).port}`,
    reached: () => lure.count + socketLure.count,
  });
  beforeAll(async () => {
    writeFileSync(at("known"), `[127.0.0.1]:${port} ${readFileSync(at("host.pub"), "utf8")}`);
    agent = spawned("ssh-agent", "-D", "-a", agentSocket);
    await agent.until("SSH_AUTH_SOCK");
  });
  afterAll(async () => {
    agent.child.kill("SIGTERM");
    await agent.ended;
  });
  afterEach(() => {
    lure.count = 0;
    socketLure.count = 0;
    for (const name of ["l.sock", "r.sock", "inside", "outside"]) rmSync(at(name), { force: true });
  });

  /** Makes the try with a key; returns true if it was granted. */
  async function isGranted(name: string, tried: LoginTry, user = own): Promise<boolean> {
    const words = tried.options?.(place()) ?? [];
    const command = tried.command === undefined ? [] : [tried.command(place())];
    const argv = [
      ...optionsOf(name),
      ...words,
      "-p",
      String(port),
      `${user}@127.0.0.1`,
      ...command,
    ];
    const env = { ...process.env, DISPLAY: "127.0.0.1:99", SSH_AUTH_SOCK: agentSocket };
    const child = spawn("ssh", argv, { stdio: ["pipe", "pipe", "pipe"], env });
    const client = new Program(child);
    child.stdin?.on("error", () => undefined);
    const granted = (): boolean => tried.granted(client, place());
    if (words.includes("-L")) {
      while (!client.dead && !existsSync(at("l.sock"))) await rest(50);
      // It returns once the client has an answer from there, or none.
      await run(["python3", "-c", dialSocket, at("l.sock")], "");
      child.kill("SIGTERM");
    } else {
      // A server that sees the end of its input may end before it has answered.
      if (tried.stdin !== undefined) child.stdin?.write(tried.stdin);
      while (tried.stdin !== undefined && !client.dead && client.output === "") await rest(50);
      child.stdin?.end();
    }
    // A client goes on after its try was granted, and after a device was refused.
    while (!client.dead && !granted() && !/open failed/.test(client.output)) await rest(50);
    const isDone = granted();
    if (isDone || words.includes("-N")) child.kill("SIGTERM");
    await client.ended;
    return isDone || granted();
  }

  it("there are more than twenty tries, and some against each protection", () => {
    const tried = new Set(loginTries.map(({ by }) => by));
    const all = protections.filter((one) => one !== "login" || userInfo().uid === 0);
    expect([loginTries.length > 20, all.filter((one) => !tried.has(one))]).toEqual([true, []]);
  });

  it.each(loginTries)("$what is refused, and reaches nothing", async (tried) => {
    const user = tried.by === "login" ? "daemon" : own;
    expect(await isGranted("key", tried, user)).toBe(false);
    expect([lure.count, socketLure.count]).toEqual([0, 0]);
  });

  it.each(loginTries)("$what would be noticed without its protection ($by)", async (tried) => {
    expect(await isGranted(tried.by === "login" ? "key" : tried.by, tried)).toBe(true);
  });

  it.each([
    ["key", false],
    ["command", true],
  ])("files are fetched and put by scp and sftp: %s, %s", async (name, isDone) => {
    writeFileSync(at("secret"), "reached");
    const address = `scp://127.0.0.1:${port}`;
    const options = optionsOf(name);
    const fetched = await run(
      ["scp", "-q", ...options, `${address}/${at("secret")}`, at(`got-${name}`)],
      "",
    );
    const put = await run(
      ["scp", "-q", "-O", ...options, at("secret"), `${address}/${at(`put-${name}`)}`],
      "",
    );
    expect([fetched.status === 0, put.status === 0]).toEqual([isDone, isDone]);
    const files = [at(`got-${name}`), at(`put-${name}`)];
    expect(files.map((file) => existsSync(file))).toEqual([isDone, isDone]);
  });
});

const dialSocket = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
try:
    print(s.recv(100))
except OSError as error:
    print(error)
`;
