// An SSH server on the loopback address that counts its connections, and the material of a login to
// it.

import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import ssh2, { type Connection, type Server, type ServerChannel, type ServerConfig } from "ssh2";
import { Shells, type SshMaterial } from "#drivers/transport/shell.ts";
import type { SshLogin, Target } from "#hal/target.ts";
import { hostKeyPair } from "#sim/serve/ssh.ts";

/** Makes keys once for all tests of a file, and not at import. */
function pairOf(type: "ed25519" | "ecdsa" | "rsa"): ReturnType<typeof generate> {
  // The library writes one of two hundred pairs in a format that it cannot read itself.
  for (;;) {
    const pair = generate(type);
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

const generate = (type: "ed25519" | "ecdsa" | "rsa") =>
  type === "ecdsa"
    ? ssh2.utils.generateKeyPairSync(type, { bits: 256 })
    : type === "rsa"
      ? ssh2.utils.generateKeyPairSync(type, { bits: 2048 })
      : hostKeyPair();

export const hostKeys = { first: pairOf("ed25519"), second: pairOf("ed25519"), rsa: pairOf("rsa") };
const login = pairOf("ed25519");

export function pinOf(publicKey: string): string {
  const octets = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(octets).digest("base64").replace(/=+$/, "")}`;
}

/** A key that no user has, for a server that accepts any. */
export const anyKey: SshMaterial = {
  key: async () => Buffer.from(login.private),
  knownHosts: async () => "",
  agentSocket: () => undefined,
};

interface Counted {
  connections: number;
  authentications: number;
  channels: number;
}

export class SshBench implements AsyncDisposable {
  readonly counted: Counted = { connections: 0, authentications: 0, channels: 0 };
  readonly #server: Server;
  readonly #clients = new Set<Connection>();
  readonly shells: Shells;
  knownHosts = "";
  /** Serves a channel; by default it echoes. */
  serve: (stream: ServerChannel) => void = (stream) => stream.pipe(stream);
  accepts = true;

  private constructor(config: Partial<ServerConfig>) {
    const hostKey = hostKeys.first.private;
    this.#server = new ssh2.Server({ hostKeys: [hostKey], ...config }, (client) => {
      this.#meet(client);
    });
    this.shells = new Shells({ ...anyKey, knownHosts: async () => this.knownHosts });
  }

  static async open(config: Partial<ServerConfig> = {}): Promise<SshBench> {
    const bench = new SshBench(config);
    await new Promise<void>((resolve) => bench.#server.listen(0, "127.0.0.1", resolve));
    return bench;
  }

  target(over: Partial<SshLogin> = {}): Target {
    const { port } = this.#server.address() as AddressInfo;
    const hostKey = pinOf(hostKeys.first.public);
    const ssh = { user: "linkseal", port, key: "file:/key", hostKey, ...over };
    return { device: "edge-a", address: "127.0.0.1", ssh };
  }

  /** Cuts every connection. */
  cut(): void {
    for (const client of this.#clients) client.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shells[Symbol.asyncDispose]();
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #meet(client: Connection): void {
    this.counted.connections += 1;
    this.#clients.add(client);
    client.on("error", () => undefined).on("close", () => this.#clients.delete(client));
    client.on("authentication", (attempt) => {
      this.counted.authentications += 1;
      if (this.accepts && attempt.method === "publickey") attempt.accept();
      else attempt.reject(["publickey"]);
    });
    client.on("session", (accept) => {
      const session = accept();
      const meet = (open: () => ServerChannel): void => {
        this.counted.channels += 1;
        this.serve(open());
      };
      session.on("pty", (allow) => allow?.());
      session.on("shell", (open) => meet(open));
      session.on("subsystem", (open) => meet(open));
    });
  }
}
