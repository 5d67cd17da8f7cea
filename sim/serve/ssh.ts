// A simulated router behind a real SSH server on the loopback address: NETCONF or a shell.

import { createHash } from "node:crypto";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import type { ChannelKind } from "#hal/world.ts";
import type { EmulatorSession, Wire } from "../emulators/netconf.ts";
import { listenAt } from "./listener.ts";

/** The router that an SSH server shows, and its port. */
export interface SshServeOptions {
  /** The TCP port; 0 asks for any that is free. */
  readonly port: number;
  /** The channel that the router's management speaks. */
  readonly channel: ChannelKind;
  /** Opens a session for one channel; undefined if the router does not answer. */
  readonly connect: (wire: Wire) => EmulatorSession | undefined;
  /** Opens a session for one command, on routers that accept single commands. */
  readonly execute?: (wire: Wire, command: string) => EmulatorSession | undefined;
}

/** A running SSH server. */
export interface SshServed {
  /** The TCP port that it listens on. */
  readonly port: number;
  /** `SHA256:` and the digest of its host key. */
  readonly hostKey: string;
  /** Disconnects every client and stops the server. */
  close(): Promise<void>;
}

/** The library's types leave this method out. */
type Undelayed = Connection & { setNoDelay(on: boolean): void };

/** Generates a host key pair; the library cannot read about one in two hundred of its own keys. */
export function hostKeyPair(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/**
 * Serves a simulated router over SSH. It accepts any user with any key or password: it listens on
 * the loopback address alone, and only a simulator is behind it.
 */
export async function serveSsh(options: SshServeOptions): Promise<SshServed> {
  const { port } = options;
  const pair = hostKeyPair();
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [pair.private] }, (client) => {
    clients.add(client);
    // Nagle's algorithm is off; otherwise each answer waits until its echo is
    // acknowledged.
    (client as Undelayed).setNoDelay(true);
    client.on("close", () => clients.delete(client)).on("error", () => undefined);
    client.on("authentication", (attempt) => {
      if (attempt.method === "publickey" || attempt.method === "password") attempt.accept();
      else attempt.reject(["publickey", "password"]);
    });
    client.on("session", (accept) => meet(accept(), client, options));
  });
  return {
    port: await listenAt(server, port),
    hostKey: fingerprint(pair.public),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of clients) client.end();
      }),
  };
}

function meet(session: Session, client: Connection, options: SshServeOptions): void {
  const { channel, connect, execute } = options;
  session.on("subsystem", (accept, reject, info) => {
    if (channel === "netconf" && info.name === "netconf") carry(accept(), client, connect);
    else reject();
  });
  session.on("pty", (accept) => accept?.());
  const refuse = (accept: () => ServerChannel): void => {
    const refused = accept();
    const hint = channel === "netconf" ? "NETCONF alone: ssh -s ... netconf" : "a shell alone";
    refused.stderr.write(`this router speaks ${hint}\n`);
    refused.exit(1);
    refused.end();
  };
  if (execute === undefined) session.on("exec", refuse);
  else {
    session.on("exec", (accept, _reject, { command }) =>
      carry(accept(), client, (wire) => execute(wire, command)),
    );
  }
  if (channel === "netconf") session.on("shell", refuse);
  else session.on("shell", (accept) => carry(accept(), client, connect));
}

function carry(
  channel: ServerChannel,
  client: Connection,
  connect: SshServeOptions["connect"],
): void {
  const session = connect({
    send: (octets) => {
      channel.write(octets);
    },
    close: () => {
      channel.exit(0);
      channel.end();
    },
  });
  if (session === undefined) {
    client.end();
    return;
  }
  channel.on("data", (octets: Buffer) => session.receive(octets));
  channel.on("close", () => session.gone()).on("error", () => session.gone());
}

function fingerprint(publicKey: string): string {
  const octets = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(octets).digest("base64").replace(/=+$/, "")}`;
}
