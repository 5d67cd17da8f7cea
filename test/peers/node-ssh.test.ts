// A foreign client: node-ssh uses the routers of `linkseal sim router`, and compares their host
// keys with the fingerprints that the command prints.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Config, NodeSSH } from "node-ssh";
import type { ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostKeyPair } from "#sim/serve/ssh.ts";
import { Program } from "../process/program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

interface RouterLogin {
  readonly port: number;
  /** `SHA256:` and the digest, as the command printed it. */
  readonly hostKey: string;
}

/** Runs the command in a process of its own, for the tests of one `describe`. */
function routersOf(platform: string) {
  let life: Program | undefined;
  const logins: RouterLogin[] = [];
  beforeAll(async () => {
    const words = [command, "sim", "router", "--platform", platform];
    const env = { ...process.env, NO_COLOR: "1" };
    life = new Program(spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "pipe"] }));
    await life.until("config for an agent");
    for (const [, port, hostKey = ""] of life.output.matchAll(/ssh -p (\d+) .*\((SHA256:\S+)\)/g)) {
      logins.push({ port: Number(port), hostKey });
    }
  });
  // The exit status of the command tells whether its oracle saw a broken promise.
  afterAll(async () => {
    life?.child.kill("SIGTERM");
    await life?.ended;
    expect(life?.child.exitCode).toBe(0);
  });
  return (index: number): RouterLogin => {
    const login = logins[index];
    if (login === undefined) throw new Error(`no router was served: ${life?.output}`);
    return login;
  };
}

const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

const byPassword = { password: "any" } as const;

/** Node-ssh leaves no error listener behind, and an error without a listener ends the process. */
async function logIn({ port, hostKey }: RouterLogin, how: Partial<Config> = byPassword) {
  const ssh = await new NodeSSH().connect({
    ...{ host: "127.0.0.1", port, username: "linkseal" },
    hostVerifier: (key: Buffer) => fingerprint(key) === hostKey,
    ...how,
  });
  ssh.connection?.on("error", () => undefined);
  return Object.assign(ssh, { [Symbol.dispose]: () => ssh.dispose() });
}

/** Collects the output of a channel, up to a mark. */
class Reader {
  readonly #channel: ClientChannel;
  #output = "";
  #wake: () => void = () => undefined;

  constructor(channel: ClientChannel) {
    this.#channel = channel;
    channel.on("data", (octets: Buffer) => {
      this.#output += octets.toString();
      this.#wake();
    });
    channel.once("close", () => this.#wake());
  }

  async until(mark: RegExp): Promise<string> {
    while (!mark.test(this.#output)) {
      if (this.#channel.destroyed) throw new Error(`the channel ended: ${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const output = this.#output;
    this.#output = "";
    return output;
  }
}

const prompt = /[\w/:-]+(\([\w/-]+\))?[>#] ?$/;

/** Types each line at the next prompt, and returns the output of each. */
async function typed(ssh: NodeSSH, lines: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  await ssh.withShell(async (channel) => {
    const reader = new Reader(channel);
    await reader.until(prompt);
    for (const line of lines) {
      channel.write(`${line}\n`);
      answers.push(await reader.until(prompt));
    }
  });
  return answers;
}

const terminals = {
  iosxe: {
    before: ["terminal length 0"],
    ask: "show version",
    version: "Cisco IOS XE Software, Version",
    port: "TenGigabitEthernet0/0/0",
    refused: "% Invalid input detected",
    trial: ["configure terminal", "interface TenGigabitEthernet0/0/0", "end"],
    mode: "(config-if)#",
  },
  iosxr: {
    before: ["terminal length 0"],
    ask: "show version",
    version: "Cisco IOS XR Software, Version",
    port: "HundredGigE0/0/0/0",
    refused: "% Invalid input detected",
    trial: ["configure exclusive", "interface HundredGigE0/0/0/0", "abort"],
    mode: "(config-if)#",
  },
  eos: {
    before: ["enable", "terminal length 0"],
    ask: "show version | json",
    version: '"modelName": "DCS-7280CR3MK-32P4-F"',
    port: "Ethernet1/1",
    refused: "% Invalid input",
    trial: ["configure session tried", "interface Ethernet1/1", "abort"],
    mode: "(config-s-tried-if-Et1/1)#",
  },
} as const;

describe.each(Object.entries(terminals))("node-ssh at a router of %s", (platform, words) => {
  const login = routersOf(platform);

  it("node-ssh logs in with a password and reads version, port and refusal", async () => {
    using ssh = await logIn(login(0));
    const asked = [words.ask, `show running-config interface ${words.port}`, "show nonsense"];
    const answers = await typed(ssh, [...words.before, ...asked]);
    const [version, port, refusal] = answers.slice(words.before.length);
    expect(version).toContain(words.version);
    expect(port).toContain(`interface ${words.port}\r\n`);
    expect(refusal).toContain(words.refused);
  });

  it("node-ssh logs in with a key, and leaves configuration mode as it entered it", async () => {
    using ssh = await logIn(login(1), { privateKey: hostKeyPair().private });
    const answers = await typed(ssh, [...words.before, ...words.trial]);
    const [outside, , inside, after] = answers.slice(words.before.length - 1);
    expect(inside).toContain(words.mode);
    expect(prompt.exec(after ?? "")?.[0]).toBe(prompt.exec(outside ?? "")?.[0]);
  });

  it("node-ssh does not log in where the host key differs from the expected one", async () => {
    const other = { port: login(0).port, hostKey: login(1).hostKey };
    await expect(logIn(other)).rejects.toThrow("verification failed");
  });
});

const base = "urn:ietf:params:xml:ns:netconf:base:1.0";
const capability = "<capability>urn:ietf:params:netconf:base:1.0</capability>";
const hello = `<hello xmlns="${base}"><capabilities>${capability}</capabilities></hello>]]>]]>`;

/** Node-ssh has no call for a subsystem, but its inner connection has one. */
function subsystem(ssh: NodeSSH, name: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    ssh.connection?.subsys(name, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

describe("node-ssh at a router of junos", () => {
  const login = routersOf("junos");

  it("node-ssh logs in with a key and reads the router by the netconf subsystem", async () => {
    using ssh = await logIn(login(0), { privateKey: hostKeyPair().private });
    const channel = await subsystem(ssh, "netconf");
    const reader = new Reader(channel);
    channel.write(hello);
    expect(await reader.until(/\]\]>\]\]>/)).toContain("confirmed-commit:1.0</capability>");
    channel.write(`<rpc xmlns="${base}" message-id="7"><get-software-information/></rpc>]]>]]>`);
    const told = await reader.until(/\]\]>\]\]>/);
    expect(told).toContain('message-id="7"');
    expect(told).toContain("<product-model>ptx10008</product-model>");
  });

  it("node-ssh with a password gets the message that there is no command line", async () => {
    using ssh = await logIn(login(1));
    const { code, stderr } = await ssh.execCommand("show version");
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("NETCONF alone") });
  });
});

/** These tests show why the drivers use ssh2 without node-ssh (docs/decisions.md). */
describe("node-ssh by default", () => {
  const login = routersOf("eos");

  it("node-ssh accepts any host key unless it gets a verifier", async () => {
    const to = { host: "127.0.0.1", port: login(0).port, username: "linkseal" };
    const ssh = await new NodeSSH().connect({ ...to, ...byPassword });
    expect(ssh.isConnected()).toBe(true);
    ssh.dispose();
  });

  it("node-ssh accepts no private key as octets, which alone can be wiped", async () => {
    const privateKey = Buffer.from(hostKeyPair().private) as unknown as string;
    await expect(logIn(login(0), { privateKey })).rejects.toThrow("must be a valid string");
  });
});
