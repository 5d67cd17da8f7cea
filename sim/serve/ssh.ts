// A simulated router behind a real SSH server on the loopback address, with its NETCONF subsystem.

import { createHash } from "node:crypto";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import type { ChannelKind } from "#hal/world.ts";
import type { FaceSession, Wire } from "../emulators/netconf.ts";
import { listenAt } from "./listener.ts";

export interface SshServeOptions {
  /** 0 = any that is free. */
  readonly port: number;
  readonly channel: ChannelKind;
  /** A session for one channel; undefined = the router does not answer. */
  readonly connect: (wire: Wire) => FaceSession | undefined;
  /** One command and its answer, where the router takes such. */
  readonly execute?: (wire: Wire, command: string) => FaceSession | undefined;
}

export interface SshServed {
  readonly port: number;
  /** `SHA256:` and the digest of its host key. */
  readonly hostKey: string;
  close(): Promise<void>;
}

/** The types of the library leave it out. */
type Undelayed = Connection & { setNoDelay(on: boolean): void };

/** One in some two hundred of those that the library makes it cannot read itself. */
export function hostKeyPair(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/** Takes any user and any key: nobody but this host can reach it, and nothing real is behind it. */
export async function serveSsh(options: SshServeOptions): Promise<SshServed> {
  const { port } = options;
  const pair = hostKeyPair();
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [pair.private] }, (client) => {
    clients.add(client);
    // As every SSH server does: with it each answer would wait for the word on its echo.
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
