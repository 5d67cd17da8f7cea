// `linkseal peer` behind Debian's sshd: what the agent's login can do over it, and that its key can
// do nothing else, whatever OpenSSH's clients ask for.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostClock } from "#agent/host/clock.ts";
import { type HostDialer, peerDialer } from "#drivers/linux/peer/peer-dialer.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer } from "#hal/world.ts";
import { Program } from "../process/program.ts";
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
  for (const name of ["key", "host"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
  }
  mkdirSync(at("mka"));
  await new Promise<void>((resolve) => mka.listen(at("mka/eth1.sock"), resolve));
  lure.count = 0;
  await lure.listen({ host: "127.0.0.1", port: 0 });
  await socketLure.listen(at("lure.sock"));
  // The shell of the login, with the command of this clone in place of the installed one.
  const command = `${process.execPath} ${bin} peer --socket ${at("peer.sock")}`;
  const shell = readFileSync(join(root, "systemd/linkseal-peer-shell"), "utf8");
  writeFileSync(at("shell"), shell.replace("/usr/bin/linkseal peer", command), { mode: 0o755 });
  const line = `restrict,command="${at("shell")}" ${readFileSync(`${key}.pub`, "utf8")}`;
  writeFileSync(at("authorized_keys"), line, { mode: 0o600 });
  port = await freePort();
  const lines = [
    ...[`Port ${port}`, "ListenAddress 127.0.0.1", `HostKey ${at("host")}`, "PidFile none"],
    ...[`AuthorizedKeysFile ${at("authorized_keys")}`, "StrictModes no", "UsePAM no"],
    // What the key's own options forbid is allowed here, so that they alone stop it.
    ...["AllowTcpForwarding yes", "AllowStreamLocalForwarding yes", "AllowAgentForwarding yes"],
    ...["PermitTunnel yes", "X11Forwarding yes", "GatewayPorts yes", "PermitTTY yes"],
    ...["PermitUserEnvironment yes", "AcceptEnv *", "Subsystem sftp internal-sftp"],
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
  const options = [
    ...["-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=yes", "-o", `UserKnownHostsFile=${at("known")}`],
    ...["-o", "ConnectTimeout=10", "-o", "ExitOnForwardFailure=yes"],
  ];
  beforeAll(() => {
    writeFileSync(at("known"), `[127.0.0.1]:${port} ${readFileSync(at("host.pub"), "utf8")}`);
  });
  const to = () => ["-p", String(port), "127.0.0.1"];
  const target = (): string => {
    const address = lure.server.address() as AddressInfo;
    return `127.0.0.1:${address.port}`;
  };

  it.each<[string, () => readonly string[]]>([
    ["a shell", () => [...to()]],
    ["a shell with a terminal", () => ["-tt", ...to()]],
    ["another command", () => [...to(), "id"]],
    ["a shell as the command", () => [...to(), "bash", "-i"]],
    ["another verb", () => [...to(), "linkseal", "status"]],
    ["an option of the forced command", () => [...to(), "linkseal peer --serve --socket /x"]],
    ["a command behind it", () => [...to(), "linkseal peer; id"]],
    ["a command inside it", () => [...to(), "$(id)"]],
    ["sftp as a subsystem", () => ["-s", ...to(), "sftp"]],
    ["another subsystem", () => ["-s", ...to(), "netconf"]],
    ["a port there", () => ["-W", target(), ...to()]],
    ["a socket of a path there", () => ["-N", "-L", `${at("l.sock")}:${at("lure.sock")}`, ...to()]],
    ["a listening port there", () => ["-N", "-R", `0:${target()}`, ...to()]],
    ["a listening socket there", () => ["-N", "-R", `${at("r.sock")}:${target()}`, ...to()]],
    ["a tunnel device", () => ["-N", "-w", "0:0", ...to()]],
    ["X11", () => ["-Y", ...to(), "id"]],
    ["the user's own agent", () => ["-A", ...to(), "ssh-add", "-l"]],
    ["variables for Node", () => ["-o", "SetEnv=NODE_OPTIONS=--inspect=127.0.0.1:0", ...to()]],
    ["variables for the loader", () => ["-o", "SetEnv=LD_PRELOAD=/tmp/x.so", ...to()]],
    ["variables of linkseal", () => ["-o", "SetEnv=LINKSEAL_HOME=/tmp/x", ...to()]],
  ])("%s is refused, and reaches nothing", async (_what, words) => {
    const child = spawn("ssh", [...options, ...words()], { stdio: ["pipe", "pipe", "pipe"] });
    const tried = new Program(child);
    child.stdin?.on("error", () => undefined);
    // A client that only forwards waits until it is ended, here after it had its try.
    const isForward = words().includes("-N");
    if (isForward) {
      for (let tries = 0; tries < 100 && !tried.dead && !existsSync(at("l.sock")); tries += 1) {
        await rest(50);
      }
      if (existsSync(at("l.sock"))) {
        await run(["python3", "-c", dialSocket, at("l.sock")], "");
        await rest(200);
      }
      child.kill("SIGTERM");
    } else child.stdin?.end("id\nuname -a\n");
    await tried.ended;
    expect(tried.output).not.toMatch(/uid=|Linux .* GNU|reached|Debugger listening/);
    expect([lure.count, socketLure.count]).toEqual([0, 0]);
    expect(existsSync(at("r.sock"))).toBe(false);
    rmSync(at("l.sock"), { force: true });
  });

  it("files are neither fetched nor put by scp and sftp", async () => {
    writeFileSync(at("secret"), "reached");
    const address = `scp://127.0.0.1:${port}`;
    const fetched = await run(
      ["scp", "-q", ...options, `${address}/${at("secret")}`, at("got")],
      "",
    );
    const put = await run(
      ["scp", "-q", "-O", ...options, at("secret"), `${address}/${at("put")}`],
      "",
    );
    expect([fetched.status === 0, put.status === 0]).toEqual([false, false]);
    expect([existsSync(at("got")), existsSync(at("put"))]).toEqual([false, false]);
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
