// SSH: one connection for each device, whose host key is verified before anything is sent to it.

import { connect, type Socket } from "node:net";
import ssh2, { type ClientChannel, type ConnectConfig } from "ssh2";
import { orAborted } from "#hal/deadline.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { Command } from "#hal/secret.ts";
import type { SshLogin, Target } from "#hal/target.ts";
import type { ByteChannel, ChannelKind } from "#hal/world.ts";
import { fillCommand } from "./fill.ts";
import { fingerprint, type HostKeys, isPin, knownKeys, pinnedKeys } from "./known-hosts.ts";
import { PacedSocket } from "./paced-socket.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";

/** What a login needs from outside: files, and the socket of an ssh-agent. */
export interface SshMaterial {
  /** Returns the private key behind `credential:NAME` or `file:PATH`; the caller wipes it. */
  key(reference: string): Promise<Buffer>;
  /** Returns the text of a file of known hosts. */
  knownHosts(path: string): Promise<string>;
  /** Returns the socket of the ssh-agent; undefined = there is no agent. */
  agentSocket(): string | undefined;
}

const connectMsMax = 20_000;
const keepaliveMs = 10_000;
const keepalivesMax = 3;
/** Longer than the time between two observations, so that a connection serves many of them. */
const idleMs = 120_000;
/**
 * Unread octets of a channel above which the connection is not read. The window of the channel is
 * no limit: the library buffers what a device sends beyond it.
 */
const waitingBytesMax = 256 * 1024;
/**
 * Octets that a device may send before its identification. RFC 4253 4.2 has no limit for such
 * lines, and the library counts those of two pieces alone: it would read to the end of its time.
 */
const greetingBytesMax = 64 * 1024;
/** How long a device may take to close its end. */
const closeMsMax = 2_000;

type AlgorithmList = NonNullable<ConnectConfig["algorithms"]>;

const algorithms = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
  ],
  serverHostKey: [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
  ],
  cipher: [
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
  ],
  hmac: [
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
  ],
  compress: ["none"],
} satisfies AlgorithmList;

/** The SSH connections to all devices. */
export class Shells implements AsyncDisposable {
  readonly #material: SshMaterial;
  readonly #connections = new Map<string, Connection>();

  constructor(material: SshMaterial) {
    this.#material = material;
  }

  /**
   * Opens a channel over the device's connection, which is made if there is none. An abort leaves
   * no channel open.
   * @throws LinksealError `transport.*`, with effect "none": nothing was sent to the device yet.
   */
  async channel(to: Target, kind: ChannelKind, signal: AbortSignal): Promise<ByteChannel> {
    signal.throwIfAborted();
    const { ssh } = to;
    if (ssh === undefined) throw failed("transport.authentication", "no login is known", to.device);
    const key = JSON.stringify([to.device, to.address, ssh]);
    const before = this.#connections.get(key);
    if (before?.isOver === false) {
      try {
        return await before.channel(kind, signal);
      } catch (error) {
        // The connection may be closing after our last channel; nothing was sent over it.
        const isShut = error instanceof LinksealError && error.code === "transport.closed";
        if (!isShut || signal.aborted) throw error;
        if (this.#connections.get(key) === before) this.#connections.delete(key);
      }
    }
    return await this.#connection(key, to, ssh).channel(kind, signal);
  }

  #connection(key: string, to: Target, ssh: SshLogin): Connection {
    const there = this.#connections.get(key);
    if (there?.isOver === false) return there;
    const connection = new Connection(to, ssh, this.#material);
    this.#connections.set(key, connection);
    return connection;
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }
}

class Connection {
  isOver = false;
  readonly #to: Target;
  readonly #client = new ssh2.Client();
  readonly #ready: Promise<void>;
  #open = 0;
  #idle: NodeJS.Timeout | undefined;
  #socket: Socket | undefined;
  #paced: PacedSocket | undefined;

  constructor(to: Target, ssh: SshLogin, material: SshMaterial) {
    this.#to = to;
    this.#client.on("close", () => this.close());
    // After the handshake each channel reports the error by its own end.
    this.#client.on("error", () => this.close());
    this.#ready = this.#connect(ssh, material);
    this.#ready.catch(() => this.close());
  }

  async channel(kind: ChannelKind, signal: AbortSignal): Promise<ByteChannel> {
    await orAborted(this.#ready, signal);
    const opening = this.#openChannel(kind);
    try {
      const stream = await orAborted(opening, signal);
      clearTimeout(this.#idle);
      this.#socket?.ref();
      this.#open += 1;
      stream.once("close", () => this.#left());
      return channelOver(stream, this.#to.device, () => this.#paced?.hold());
    } catch (error) {
      // The channel may open after all, and no caller would close it.
      opening.then((stream) => stream.destroy()).catch(() => undefined);
      throw error;
    }
  }

  close(): void {
    if (this.isOver) return;
    clearTimeout(this.#idle);
    this.isOver = true;
    this.#client.end();
    // A device that never closes its end would keep the socket, and could go on sending.
    const end = (): void => void this.#socket?.destroy();
    setTimeout(end, closeMsMax).unref();
  }

  #left(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#idle = setTimeout(() => this.close(), idleMs);
    // A process that has nothing else to do does not wait for it.
    this.#idle.unref();
    this.#socket?.unref();
  }

  #openChannel(kind: ChannelKind): Promise<ClientChannel> {
    const { device } = this.#to;
    return new Promise((resolve, reject) => {
      const opened = (error: Error | undefined, stream: ClientChannel): void => {
        if (error === undefined) {
          resolve(stream);
          return;
        }
        reject(failed("transport.closed", `the device opens no ${kind} channel`, device, error));
      };
      try {
        switch (kind) {
          case "netconf":
            this.#client.subsys("netconf", opened);
            break;
          case "shell":
            this.#client.shell({ term: "vt100", cols: 511, rows: 1000 }, opened);
            break;
          case "peer":
            // The command of the key in `authorized_keys` runs, whatever is asked for.
            this.#client.exec("linkseal peer", opened);
        }
      } catch (error) {
        this.close();
        reject(failed("transport.closed", "the connection has ended", device, error));
      }
    });
  }

  async #connect(ssh: SshLogin, material: SshMaterial): Promise<void> {
    const { device, address } = this.#to;
    const host = await hostKeysOf(ssh, address, material);
    const key = ssh.key === "agent" ? undefined : await material.key(ssh.key);
    const agent = key === undefined ? material.agentSocket() : undefined;
    if (key === undefined && agent === undefined) {
      throw failed("transport.authentication", "no ssh-agent has keys here", device);
    }
    const socket = await openSocket(address, ssh.port, device);
    this.#socket = socket;
    let identified = (): void => undefined;
    let refused: string | undefined;
    let offered = "";
    try {
      await new Promise<void>((resolve, reject) => {
        this.#client.once("ready", resolve).once("error", reject);
        this.#client.once("close", () => reject(new Error("the device closed the connection")));
        this.#client.connect({
          sock: socket,
          username: ssh.user,
          ...(key === undefined ? { agent } : { privateKey: key }),
          authHandler: [key === undefined ? "agent" : "publickey"],
          agentForward: false,
          readyTimeout: connectMsMax,
          keepaliveInterval: keepaliveMs,
          keepaliveCountMax: keepalivesMax,
          algorithms: { ...algorithms, serverHostKey: hostKeyTypes(host) },
          hostVerifier: (octets: Buffer) => {
            const accepted = host.accept(octets);
            if (!accepted) refused = fingerprint(octets);
            return accepted;
          },
          // The library does not expose what the server offers in any other way.
          debug: (line) => {
            if (line.startsWith("Remote ident:")) identified();
            offered = /^Handshake: \(remote\) (.*)$/.exec(line)?.[1] ?? offered;
          },
        } as ConnectConfig);
        this.#paced = new PacedSocket(socket);
        identified = limitGreeting(socket);
      });
    } catch (error) {
      socket.destroy();
      if (refused === undefined) throw loginError(error, offered, device);
      const text = `the device shows the host key ${refused}, which is not the one that is known`;
      throw failed("transport.hostKey", `${text}: nothing was sent to it`, device);
    } finally {
      key?.fill(0);
    }
  }
}

/**
 * Returns the digest of the host key that a device shows, as `ssh-keygen -lf` prints it. The device
 * shows it before any login, and the connection ends then.
 * @throws LinksealError `transport.*`, with effect "none".
 */
export async function shownKey(address: string, port: number): Promise<string> {
  const socket = await openSocket(address, port, address);
  const client = new ssh2.Client();
  try {
    return await new Promise<string>((resolve, reject) => {
      const gone = (error: unknown): void =>
        reject(failed("transport.closed", "it shows no host key", address, error));
      client.once("error", gone);
      client.once("close", () => gone(undefined));
      client.connect({
        ...{ sock: socket, username: "linkseal", readyTimeout: connectMsMax, algorithms },
        hostVerifier: (octets: Buffer) => {
          resolve(fingerprint(octets));
          return false;
        },
      } as ConnectConfig);
    });
  } finally {
    client.end();
    socket.destroy();
  }
}

async function hostKeysOf(
  { hostKey, port }: SshLogin,
  address: string,
  material: SshMaterial,
): Promise<HostKeys> {
  if (isPin(hostKey)) return pinnedKeys(hostKey);
  return knownKeys(await material.knownHosts(hostKey.slice("file:".length)), address, port);
}

/** Returns the types of known keys, in our order; a key of another type could only be refused. */
function hostKeyTypes({ types }: HostKeys): (typeof algorithms.serverHostKey)[number][] {
  const known = algorithms.serverHostKey.filter((type) => {
    const plain = type.startsWith("rsa-sha2-") ? "ssh-rsa" : type;
    return types.length === 0 || types.includes(plain);
  });
  return known.length === 0 ? [...algorithms.serverHostKey] : known;
}

/**
 * Opens a connection with TCP_NODELAY from the first octet: without it the handshake takes many
 * times as long.
 */
function openSocket(host: string, port: number, device: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, timeout: connectMsMax });
    const gone = (cause: unknown): void => {
      socket.destroy();
      reject(failed("transport.unreachable", "the device does not answer", device, cause));
    };
    socket.once("error", gone).once("timeout", () => gone(new Error("no answer in time")));
    socket.once("connect", () => {
      socket.setTimeout(0).removeAllListeners();
      resolve(socket);
    });
  });
}

/** Ends a connection that goes on before the function that it returns is called. */
function limitGreeting(socket: Socket): () => void {
  let length = 0;
  const count = (octets: Buffer): void => {
    length += octets.length;
    if (length > greetingBytesMax) socket.destroy(new Error("it does not identify itself"));
  };
  socket.on("data", count);
  return () => void socket.off("data", count);
}

function loginError(error: unknown, offered: string, device: string): LinksealError {
  // The library quotes what the device sends, which may be anything before the host key is known.
  const reason = foreignText(messageOf(error));
  if (/no matching/.test(reason)) {
    const text = `the device offers nothing that is strong enough (${foreignText(offered)})`;
    return failed("transport.authentication", text, device, error);
  }
  if (/authentication methods failed/i.test(reason)) {
    return failed("transport.authentication", "the device does not accept the key", device, error);
  }
  return failed("transport.unreachable", `no SSH session: ${reason}`, device, error);
}

/** `hold`: stops reading from the device until the function that it returns is called. */
function channelOver(
  stream: ClientChannel,
  device: string,
  hold: () => (() => void) | undefined,
): ByteChannel {
  const waiting = new ReceiveBuffer();
  let release: (() => void) | undefined;
  let isOver = false;
  let wake = Promise.withResolvers<void>();
  const wakeUp = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const resume = (): void => {
    release?.();
    release = undefined;
  };
  const over = (): void => {
    isOver = true;
    resume();
    wakeUp();
  };
  stream.on("data", (octets: Buffer) => {
    // The device may send more until it has closed its end as well.
    if (!isOver) waiting.push(octets);
    octets.fill(0);
    if (waiting.length > waitingBytesMax) release ??= hold();
    wakeUp();
  });
  stream.on("end", over).on("close", over).on("error", over);
  const gone = new Promise<never>((_resolve, reject) => {
    stream.once("close", () => reject(failed("transport.closed", "the channel has ended", device)));
  });
  gone.catch(() => undefined);
  // Unread it would fill the window of the channel.
  stream.stderr.resume();
  return {
    async read(signal) {
      for (;;) {
        signal.throwIfAborted();
        if (waiting.length > 0) {
          resume();
          return waiting.takeAll();
        }
        if (isOver) return undefined;
        await orAborted(wake.promise, signal);
      }
    },
    async write(text: Command, signal) {
      signal.throwIfAborted();
      if (isOver) throw failed("transport.closed", "the channel has ended", device);
      const octets = fillCommand(text);
      const written = new Promise<void>((resolve) => {
        stream.write(octets, () => {
          octets.fill(0);
          resolve();
        });
      });
      await orAborted(Promise.race([written, gone]), signal);
    },
    async [Symbol.asyncDispose]() {
      over();
      waiting.takeAll().fill(0);
      stream.end();
      stream.destroy();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function failed(code: ErrorCode, text: string, where: string, cause?: unknown): LinksealError {
  const next = "linkseal doctor";
  return new LinksealError(code, text, { effect: "none", where, next, cause });
}
