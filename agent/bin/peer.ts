// `linkseal peer`: the end of an agent's SSH session on another host. The login's own process
// passes octets on and holds none; the unit carries out what is asked for, in a sandbox.

import { once } from "node:events";
import { chmod, readFile, stat } from "node:fs/promises";
import { connect, isIP, type Socket } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { mkaFolder } from "#drivers/linux/driver/mka-clients.ts";
import { frameLine } from "#drivers/linux/peer/frames.ts";
import { keysIn } from "#drivers/linux/peer/login-keys.ts";
import type { LoginFacts } from "#drivers/linux/peer/protocol.ts";
import { servePeer } from "#drivers/linux/peer/serve.ts";
import { refuseForeign } from "#drivers/transport/socket-owner.ts";
import { LinksealError } from "#hal/error.ts";
import type { LogLevel } from "#hal/world.ts";
import { findAddon, loadAddon } from "../host/addon.ts";
import { buildOf } from "../host/build.ts";
import { mayAsk, usersWhoMayAsk } from "../host/clients.ts";
import { hostClock } from "../host/clock.ts";
import { hostDialer } from "../host/dialer.ts";
import { openFolder } from "../host/folder.ts";
import { hostLog } from "../host/log.ts";
import { Manager } from "../host/manager.ts";
import { peerNet, peerSocket } from "../host/places.ts";
import { serveStreams } from "../host/stream-server.ts";

export interface PeerOptions {
  /** Path of the socket; undefined = the default place. */
  readonly socket: string | undefined;
  /** Number or name of the user who may connect, beside the one that this process runs as. */
  readonly client: string | undefined;
  /** Path of linkseal-net's socket; undefined = the place of its unit. */
  readonly net: string | undefined;
  /** Path of charon's socket; undefined = strongSwan's default place. */
  readonly charon: string | undefined;
  readonly level: LogLevel;
}

const charonSocket = "/run/charon.vici";
/** Sessions that hang, the one that follows them, and one by hand. */
const sessionsMax = 4;

/**
 * Serves sessions until SIGTERM or SIGINT. Resolves to 1 after a defect, which was logged.
 * @throws LinksealError that says why the service cannot start
 */
export async function runPeer(options: PeerOptions): Promise<0 | 1> {
  const end = Promise.withResolvers<0 | 1>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end.resolve(0));
  const native = loadAddon();
  native.refuseDumps();
  const { JOURNAL_STREAM: journalStream } = process.env;
  const output = { fd: 1, journalStream, native };
  const log = hostLog({ level: options.level, clock: hostClock, ...output });
  const path = peerSocket(options.socket);
  const net = peerNet(options.net);
  const host = {
    ...{ dial: hostDialer, net, mka: mkaFolder(net), charon: options.charon ?? charonSocket },
    version: buildOf(),
    log,
  };
  const users = await usersWhoMayAsk(options.client);
  await openFolder(dirname(path), "reachable");
  const broken = (error: unknown): void => {
    log.write("error", "peer.internal", error instanceof Error ? String(error.stack) : "");
    end.resolve(1);
  };
  const served = await serveStreams({
    ...{ path, clientsMax: sessionsMax, broken },
    admits: (socket) => mayAsk(native, users, socket, log),
    serve: (channel) => servePeer(channel, host),
  });
  // Other users whom the folder's group lets in are refused by their number.
  if (options.client !== undefined) await chmod(path, 0o660);
  log.write("info", "ready", "READY: serves an agent on another host", { at: path });
  const manager = new Manager(native, log);
  const over = new AbortController();
  manager.ready();
  void manager.watch(() => undefined, over.signal);
  const status = await end.promise;
  over.abort();
  await served.close();
  log.write("info", "stopped", "stopped; devices stay as they are");
  return status;
}

/**
 * Passes octets between standard input and output and the unit, until either end closes; resolves
 * to 0. Nothing is kept: what was passed on is wiped.
 * @throws LinksealError `transport.unreachable` if the unit does not run
 */
export async function joinPeer(socket: string | undefined): Promise<0> {
  // Without the addon the login may leave a core file, as any program of that user.
  findAddon()?.refuseDumps();
  const unit = await connected(peerSocket(socket));
  const [from = ""] = (process.env["SSH_CONNECTION"] ?? "").split(" ");
  const address = isIP(from) === 0 ? {} : { address: from };
  // sshd sets it if a forced command runs in place of one that was asked for.
  const forced = (process.env["SSH_ORIGINAL_COMMAND"] ?? "") === "" ? "no" : "yes";
  unit.write(frameLine({ kind: "from", ...address, forced, ...(await loginKeys()) }, []));
  const gone = once(unit, "close");
  unit.on("error", () => unit.destroy());
  void pass(process.stdin, unit).then(() => unit.end());
  await pass(unit, process.stdout);
  unit.destroy();
  process.stdin.destroy();
  await gone;
  return 0;
}

const keysBytesMax = 64 * 1024;

/** Returns what the login's own keys may do; nothing where sshd reads another file. */
async function loginKeys(): Promise<Pick<LoginFacts, "keys"> | Record<string, never>> {
  const path = join(homedir(), ".ssh/authorized_keys");
  try {
    const { size } = await stat(path);
    return size > keysBytesMax ? {} : { keys: keysIn(await readFile(path, "utf8")) };
  } catch {
    return {};
  }
}

async function pass(from: AsyncIterable<Buffer>, to: NodeJS.WritableStream): Promise<void> {
  try {
    for await (const octets of from) {
      await new Promise<void>((resolve) => {
        to.write(octets, () => {
          octets.fill(0);
          resolve();
        });
      });
    }
  } catch {
    // The other end has gone; the caller closes both.
  }
}

async function connected(path: string): Promise<Socket> {
  refuseForeign(path);
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (cause) {
    throw new LinksealError("transport.unreachable", "linkseal-peer does not run", {
      ...{ effect: "none", where: path, next: "systemctl status linkseal-peer", cause },
    });
  }
}
