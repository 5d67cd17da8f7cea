// A simulated router behind a real SSH server on the loopback address, with the doors that it has:
// a command line, one command, or NETCONF.

import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import type { FaceSession, Wire } from "./faces/netconf.ts";

export interface SshServeOptions extends Doors {
  /** 0 = any that is free. */
  readonly port: number;
}

type Connect = (wire: Wire) => FaceSession | undefined;

/** Each gives a session for one channel; undefined = the router does not answer. */
export interface Doors {
  /** NETCONF. */
  readonly connect?: Connect;
  /** A command line with a prompt. */
  readonly shell?: Connect;
  /** One command, and its answer. */
  readonly execute?: (wire: Wire, command: string) => FaceSession | undefined;
}

export interface SshServed {
  readonly port: number;
  /** `SHA256:` and the digest of its host key. */
  readonly hostKey: string;
  close(): Promise<void>;
}

/** Takes any user and any key: nobody but this host can reach it, and nothing real is behind it. */
export async function serveSsh({ port, ...doors }: SshServeOptions): Promise<SshServed> {
  const pair = hostKeyPair();
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [pair.private] }, (client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client)).on("error", () => undefined);
    client.on("authentication", (attempt) => {
      if (attempt.method === "publickey" || attempt.method === "password") attempt.accept();
      else attempt.reject(["publickey", "password"]);
    });
    client.on("session", (accept) => meet(accept(), client, doors));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    hostKey: fingerprint(pair.public),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of clients) client.end();
      }),
  };
}

// Of two hundred pairs the library writes one in a form that it cannot read itself.
function hostKeyPair(): ReturnType<typeof ssh2.utils.generateKeyPairSync> {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

function meet(session: Session, client: Connection, doors: Doors): void {
  const { connect, shell, execute } = doors;
  session.on("subsystem", (accept, reject, info) => {
    if (info.name === "netconf" && connect !== undefined) carry(accept(), client, connect);
    else reject();
  });
  session.on("pty", (accept) => accept?.());
  const refuse = (accept: () => ServerChannel): void => {
    const channel = accept();
    channel.stderr.write("this router speaks NETCONF alone: ssh -s ... netconf\n");
    channel.exit(1);
    channel.end();
  };
  session.on("shell", (accept) => {
    if (shell === undefined) refuse(accept);
    else carry(accept(), client, shell);
  });
  session.on("exec", (accept, _reject, { command }) => {
    if (execute === undefined) refuse(accept);
    else carry(accept(), client, (wire) => execute(wire, command));
  });
}

function carry(channel: ServerChannel, client: Connection, connect: Connect): void {
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
