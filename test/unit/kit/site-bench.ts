// Shared parts of the tests of the simulated site: scripted devices, a dialer without a socket.

import { drivers, fillCommand } from "#drivers/index.ts";
import {
  type Capabilities,
  type Device,
  rekeyWhats,
  type Transaction,
  type TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Ckn,
  type DeviceState,
  type IpsecTunnel,
  known,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  parseCkn,
  unknown,
} from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import {
  type Dialer,
  type Disk,
  type HttpReply,
  type Instant,
  type Log,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type WallTime,
  type World,
} from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { type FarEndpoint, Msee } from "#sim/site/msee.ts";
import { type SiteBackend, type SiteHandler, siteHandler } from "#sim/site/protocol.ts";
import { SimVault } from "#sim/site/vault.ts";

export const wallStart = Date.UTC(2026, 10, 24, 10);
export const portId = "/subscriptions/s/expressRoutePorts/erd-demo";
export const never = new AbortController().signal;

export function ckn(digit: string): Ckn {
  const parsed = parseCkn(digit.repeat(64));
  if (parsed === undefined) throw new RangeError(`${digit} makes no CKN`);
  return parsed;
}

/** Runs virtual time until the promise is settled. */
export async function settled<T>(clock: SimClock, promise: Promise<T>): Promise<T> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  await clock.runFor(3_600_000, () => done);
  return await promise;
}

export async function refused(promise: Promise<unknown>): Promise<LinksealError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof LinksealError) return error;
  throw new Error("no LinksealError", { cause: error });
}

/** Returns a far-end port that records the calls to it. */
export function loggedEndpoint(clock: SimClock, log: string[]): FarEndpoint {
  const note = (text: string): void => {
    log.push(`${Math.round(clock.now() / 1000)}s ${text}`);
  };
  return {
    configure: (settings) => note(settings === undefined ? "clear" : `protect ${settings.suite}`),
    putKey: (key) => note(`put ${key.ckn.slice(0, 4)}/${key.cak.length}`),
    removeKey: (name) => note(`remove ${name.slice(0, 4)}`),
    setAdmin: (up) => (up ? undefined : note("shut")),
  };
}

export const capabilities: Capabilities = {
  commit: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1000, maxMs: 600_000 },
  macsec: {
    suites: ["gcm-aes-xpn-256", "gcm-aes-xpn-128"],
    overlap: "fallback",
    counters: "perPort",
    hitless: ["sakRekeyMs"],
    freshSak: true,
  },
  ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: false, rekeys: rekeyWhats },
  drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 3000 },
  probe: true,
};

/** Contains every field of the model once: a full port and an unreadable one, a tunnel, routes. */
export function sampleState(device: string, at: Instant): DeviceState {
  return {
    device,
    at,
    control: known(
      { wall: wallStart as WallTime, bootId: "1", configId: "17", commitPending: false },
      at,
    ),
    macsec: [fullPort(at), blindPort(at)],
    ipsec: [tunnel(at)],
    routing: known(
      {
        sessions: [{ port: "et-0/0/0", peer: "169.254.0.1", up: true }],
        routes: [
          { prefix: "10.0.0.0/8", via: { kind: "port", port: "et-0/0/0" }, best: true },
          { prefix: "10.1.0.0/16", via: { kind: "tunnel", name: "hub-1" }, best: false },
        ],
        drains: [{ port: "et-0/0/1", means: "prepend" }],
      },
      at,
    ),
  };
}

const settings: MacsecSettings = {
  suite: "gcm-aes-xpn-256",
  policy: "mustSecure",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
};

const session: MkaSession = {
  controlledPort: "secured",
  principalCkn: ckn("a"),
  participants: [{ ckn: ckn("a"), state: "live", livePeers: 1, potentialPeers: 0 }],
  livePeers: 1,
  respondedPeers: 1,
  keyServer: "peer",
  keyServerPriority: 8,
  latestSak: { an: 1, keyId: `${"ab".repeat(12)}/7`, receive: true, transmit: true },
  oldSak: undefined,
};

const frames: MacsecFrames = {
  txProtected: 2n ** 53n + 1n,
  txClear: 0n,
  txTooLong: 0n,
  rxOk: 2n ** 64n - 1n,
  rxClear: undefined,
  rxBadTag: 0n,
  rxNotValid: 0n,
  rxLate: 0n,
  rxNoSci: 0n,
  rxUnknownSci: 0n,
  rxNotUsingSa: 0n,
  rxUnusedSa: 0n,
  nextPn: 77n,
};

function fullPort(at: Instant): MacsecPort {
  const startsAt = (wallStart + 1000) as WallTime;
  const mkpdus = { sent: 5n, received: 6n, icvFailed: 0n, unknownCkn: 0n, replayed: undefined };
  return {
    port: "et-0/0/0",
    admin: known("up", at),
    linkUp: known(true, at),
    settings: known(settings, at),
    liveSuite: known("gcm-aes-xpn-256", at),
    keys: known(
      [
        { ckn: ckn("a"), role: "primary" },
        { ckn: ckn("b"), role: "scheduled", startsAt },
      ],
      at,
    ),
    session: known(session, at),
    mkpdus: known(mkpdus, at),
    frames: { kind: "known", value: frames, at, weak: true },
    rate: known({ rxPps: 1000, txPps: 999.5, rxBps: 4e6, txBps: 4e6, lineBps: 1e11 }, at),
  };
}

function blindPort(at: Instant): MacsecPort {
  return {
    port: "et-0/0/1",
    admin: known("down", at),
    linkUp: known(false, at),
    settings: known(undefined, at),
    liveSuite: known(undefined, at),
    keys: known([], at),
    session: unknown("queryFailed", at),
    mkpdus: unknown("notSupported", at),
    frames: unknown("unparsed", at),
    rate: unknown("queryFailed", at),
  };
}

function tunnel(at: Instant): IpsecTunnel {
  const transforms = { encryption: "aes-gcm-256", integrity: "none", dhGroup: "ecp384" };
  const inbound = {
    spi: 1,
    direction: "in",
    phase: "installed",
    packets: 9n,
    sequence: 9n,
  } as const;
  const outbound = {
    ...inbound,
    spi: 2,
    direction: "out",
    phase: "rekeyed",
    sequence: undefined,
  } as const;
  return {
    name: "hub-1",
    ike: known("established", at),
    sas: known(
      [
        { ...inbound, transforms },
        { ...outbound, transforms },
      ],
      at,
    ),
  };
}

/** Returns a device that answers from a script and records its calls, keys included. */
function scriptedDevice(id: string, clock: SimClock, log: string[]): Device {
  const token = "t-1" as TransactionToken;
  const transaction: Transaction = {
    token,
    preview: "+ pre-shared key aaaa…aaaa [secret cak]\n- none",
    apply: async (within) => void log.push(`apply ${within}`),
    confirm: async () => void log.push("confirm"),
    rollback: async () => void log.push("rollback"),
  };
  return {
    id,
    capabilities,
    async observe(signal) {
      await clock.sleep(50, signal);
      return sampleState(id, clock.now());
    },
    async prepare(change, keys) {
      for (const part of change) {
        if ("key" in part) log.push(`key ${textOf(await keys({ kind: "cak", key: part.key }))}`);
        if (!("tunnel" in part)) continue;
        const psk = await keys({ kind: "psk", secretId: part.tunnel.auth.secretId });
        log.push(`psk ${textOf(psk)}`);
      }
      log.push(`prepare ${change.map(({ kind }) => kind).join(" ")}`);
      return transaction;
    },
    recall: async (asked) =>
      asked === token ? { kind: "pending", transaction } : { kind: "absent" },
    probe: async (_port, count) => ({ sent: count, answered: count - 1 }),
    routesTo: async (address) => (address === "192.0.2.1" ? ["et-0/0/0"] : undefined),
    async [Symbol.asyncDispose]() {},
  };
}

function textOf(secret: Secret): string {
  return secret.use((bytes) => Buffer.from(bytes).toString("hex"));
}

export interface Bench {
  readonly clock: SimClock;
  readonly vault: SimVault;
  readonly msee: Msee;
  readonly handler: SiteHandler;
  /** The calls of devices and far-end ports, in order. */
  readonly log: string[];
}

export function buildBench(seed: string): Bench {
  const clock = new SimClock(wallStart);
  const prng = new Prng(seed);
  const log: string[] = [];
  const vault = new SimVault({ clock, prng: prng.fork("vault"), base: "https://demo.vault.sim" });
  const msee = new Msee({
    clock,
    prng: prng.fork("msee"),
    vault,
    name: portId,
    links: { link1: loggedEndpoint(clock, log), link2: loggedEndpoint(clock, []) },
    delayMs: { low: 20_000, high: 30_000 },
  });
  const device = scriptedDevice("edge-a", clock, log);
  const site: SiteBackend = {
    clock,
    vault,
    device: (name) => (name === "edge-a" ? device : undefined),
    msee: (port) => (port === portId ? msee : undefined),
    speed: () => 10,
  };
  return { clock, vault, msee, handler: siteHandler(site), log };
}

/** Calls the handler as a socket would, with all octets; `alter` may spoil the reply. */
export function handlerDialer(
  handler: SiteHandler,
  alter: (reply: HttpReply) => HttpReply = (reply) => reply,
): Dialer {
  return {
    async http({ method, path, body }, signal) {
      const text = new TextDecoder().decode(fillCommand(body ?? []));
      const reply = await handler({ method, path, body: text }, signal);
      const octets = new TextEncoder().encode(reply.body);
      return alter({ status: reply.status, headers: {}, body: octets });
    },
    routeTo: async () => undefined,
    resolve: async () => [],
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
}

/** Returns a World of which drivers may use the clock and the dialer. */
function worldOf(clock: SimClock, dial: Dialer): World {
  const disk: Disk = {
    read: async () => undefined,
    list: async () => [],
    append: async () => undefined,
    replace: async () => undefined,
  };
  const log: Log = { write: () => undefined };
  return { clock, dial, disk, log, entropy: new Prng("world") };
}

export async function openSim(clock: SimClock, dial: Dialer, address: string): Promise<Device> {
  const driver = drivers["sim"];
  if (driver === undefined) throw new RangeError("no driver sim");
  const target = { device: "edge-a", address };
  return await driver.open(target, worldOf(clock, dial), () => undefined, never);
}
