// SNMP, only for reading: authenticated and encrypted where a device supports it, in a process of
// its own where it does not.

import { createSocket, type Socket } from "node:dgram";
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import snmp, { type Session, type Varbind } from "net-snmp";
import { orAborted } from "#hal/deadline.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { SnmpAuth, SnmpLogin, SnmpPrivacy, Target } from "#hal/target.ts";
import type { SnmpQuery, SnmpReply, SnmpValue } from "#hal/world.ts";
import { GuardedSocket } from "./snmp-guard.ts";
import { askLegacy } from "./snmp-legacy.ts";

/** The secrets that an SNMP login needs from outside. */
export interface SnmpMaterial {
  /**
   * Returns the secret behind `credential:NAME` or `file:PATH`, without a line's end; the caller
   * wipes it.
   */
  passphrase(reference: string): Promise<Buffer>;
}

const troubles: Partial<Record<ErrorCode, string>> = {
  "transport.unreachable": "no SNMP agent is there",
  "device.unparsed": "its SNMP agent's answer is not understood",
};

type V3 = Extract<SnmpLogin, { readonly access: "v3" }>;
type V2c = Extract<SnmpLogin, { readonly access: "v2cReadonly" }>;

/** RFC 3414, 11.2. */
const passphraseMin = 8;
export interface SnmpTimeouts {
  readonly attemptMs: number;
  readonly retries: number;
}

const defaultTimeouts: SnmpTimeouts = { attemptMs: 2_000, retries: 2 };
/** One datagram has room for a column of a few ports, and is not fragmented. */
const repetitions = 20;
/** Names and values of one reply; the interfaces of a large router need half of it. */
const replyBytesMax = 4 * 1024 * 1024;
const leavesMax = 24;

const auths = {
  sha224: snmp.AuthProtocols.sha224,
  sha256: snmp.AuthProtocols.sha256,
  sha384: snmp.AuthProtocols.sha384,
  sha512: snmp.AuthProtocols.sha512,
} as const satisfies Record<SnmpAuth, number>;

const privacies = {
  aes128: snmp.PrivProtocols.aes,
  aes256b: snmp.PrivProtocols.aes256b,
  aes256r: snmp.PrivProtocols.aes256r,
} as const satisfies Record<SnmpPrivacy, number>;

/** One session with each agent, which stores what it learned about the agent's clock. */
export class SnmpAgents implements Disposable {
  readonly #material: SnmpMaterial;
  readonly #timeouts: SnmpTimeouts;
  readonly #sessions = new Map<string, Promise<Talk>>();

  constructor(material: SnmpMaterial, timeouts: SnmpTimeouts = defaultTimeouts) {
    this.#material = material;
    this.#timeouts = timeouts;
  }

  /**
   * Reads values of a device's agent. An abort leaves the session to other callers.
   * @throws LinksealError `transport.*` or `device.unparsed`, with effect "none".
   */
  async ask(to: Target, query: SnmpQuery, signal: AbortSignal): Promise<SnmpReply> {
    signal.throwIfAborted();
    const { snmp: login } = to;
    if (login === undefined) {
      throw failed("transport.authentication", "its SNMP agent has no login", to.device);
    }
    if (login.access === "v2cReadonly") return await this.#weakly(to, login, query, signal);
    const key = JSON.stringify([to.device, to.address, login]);
    const opening = this.#sessions.get(key) ?? this.#open(to, login);
    this.#sessions.set(key, opening);
    try {
      const talk = await orAborted(opening, signal);
      return { values: await talk.read(query, signal), evidence: "authenticated" };
    } catch (error) {
      // A caller that only stops waiting leaves the session to the others.
      if (signal.aborted) throw error;
      // The next call opens a new session: the agent may have been replaced.
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key);
      opening.then((talk) => talk[Symbol.dispose]()).catch(() => undefined);
      throw error;
    }
  }

  /** Any host on the way can forge all of it, so its values prove nothing. */
  async #weakly(
    { address, device }: Target,
    login: V2c,
    query: SnmpQuery,
    signal: AbortSignal,
  ): Promise<SnmpReply> {
    const { address: host, family } = await resolved(address, device);
    const community = await this.#material.passphrase(login.community);
    const { attemptMs, retries } = this.#timeouts;
    const asked = {
      ...query,
      ...{ host, community, port: login.port },
      family: family === 6 ? "udp6" : "udp4",
      timeouts: Array.from({ length: retries + 1 }, () => attemptMs),
    } as const;
    try {
      return { values: await askLegacy(device, asked, signal), evidence: "weak" };
    } finally {
      community.fill(0);
    }
  }

  /** Closes all sessions. */
  [Symbol.dispose](): void {
    for (const opening of this.#sessions.values()) {
      opening.then((talk) => talk[Symbol.dispose]()).catch(() => undefined);
    }
    this.#sessions.clear();
  }

  async #open(to: Target, login: V3): Promise<Talk> {
    const authKey = await textOf(this.#material, login.authPassphrase);
    const privKey = await textOf(this.#material, login.privacyPassphrase);
    const socket = await connected(to, login.port);
    const authProtocol = auths[login.auth];
    const guard = new GuardedSocket(socket, (message, engine, mac) =>
      snmp.Authentication.isAuthentic(message, authProtocol, authKey, engine, mac),
    );
    const session = snmp.createV3Session(
      to.address,
      {
        name: login.user,
        level: snmp.SecurityLevel.authPriv,
        authProtocol,
        authKey,
        privProtocol: privacies[login.privacy],
        privKey,
      },
      {
        port: login.port,
        timeout: this.#timeouts.attemptMs,
        retries: this.#timeouts.retries,
        dgramModule: { createSocket: () => guard },
      },
    );
    return new Talk(to.device, session, guard);
  }
}

/**
 * Returns the passphrase as text, which the library requires and which cannot be wiped; it is never
 * shown.
 */
async function textOf(material: SnmpMaterial, reference: string): Promise<string> {
  const octets = await material.passphrase(reference);
  const text = octets.toString("utf8");
  octets.fill(0);
  if (text.length >= passphraseMin) return text;
  const why = `the passphrase has fewer than ${passphraseMin} characters`;
  throw failed("transport.authentication", why, reference);
}

async function resolved(address: string, device: string): Promise<LookupAddress> {
  return await lookup(address).catch((cause: unknown) => {
    throw failed("transport.unreachable", "its SNMP agent has no address here", device, cause);
  });
}

async function connected({ address, device }: Target, port: number): Promise<Socket> {
  const found = await resolved(address, device);
  const socket = createSocket(found.family === 6 ? "udp6" : "udp4");
  return await new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(failed("transport.unreachable", "its SNMP agent cannot be asked", device, error));
    });
    // The kernel drops, from here on, datagrams of any other address or port.
    socket.connect(port, found.address, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

/** A session with one agent. */
class Talk implements Disposable {
  readonly #device: string;
  readonly #session: Session;
  readonly #guard: GuardedSocket;
  #isOver = false;

  constructor(device: string, session: Session, guard: GuardedSocket) {
    this.#device = device;
    this.#session = session;
    this.#guard = guard;
    // The request's own end reports a datagram that is damaged behind a valid code.
    session.on("error", () => undefined);
  }

  async read(
    { roots, leaves, valuesMax }: SnmpQuery,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, SnmpValue>> {
    const values = new Map<string, SnmpValue>();
    let bytes = 0;
    const keep = (one: Varbind): void => {
      const value = this.#value(one);
      bytes += one.oid.length + lengthOf(value);
      values.set(one.oid, value);
      const what = values.size > valuesMax ? `${valuesMax} values` : `${replyBytesMax} octets`;
      if (values.size <= valuesMax && bytes <= replyBytesMax) return;
      throw failed("transport.closed", `it reports more than ${what}`, this.#device);
    };
    for (let at = 0; at < leaves.length; at += leavesMax) {
      const asked = leaves.slice(at, at + leavesMax);
      for (const one of await orAborted(this.#get(asked), signal)) {
        if (asked.includes(one.oid) && !snmp.isVarbindError(one)) keep(one);
      }
    }
    for (const root of roots) {
      for (let at: string | undefined = root; at !== undefined; ) {
        at = this.#next(await orAborted(this.#after(at), signal), root, at, keep);
      }
    }
    return values;
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session.close();
  }

  /** Keeps values and returns where to continue; undefined = the root is read to its end. */
  #next(
    varbinds: readonly Varbind[],
    root: string,
    from: string,
    keep: (one: Varbind) => void,
  ): string | undefined {
    let at = from;
    for (const one of varbinds) {
      if (snmp.isVarbindError(one) || !one.oid.startsWith(`${root}.`)) return undefined;
      if (!isAfter(one.oid, at)) {
        throw failed("device.unparsed", "its object identifiers do not rise", this.#device);
      }
      at = one.oid;
      keep(one);
    }
    return varbinds.length === 0 ? undefined : at;
  }

  #value(one: Varbind): SnmpValue {
    const value = readValue(one);
    if (value !== undefined) return value;
    throw failed(
      "device.unparsed",
      `the value of ${foreignText(one.oid)} has an unknown type`,
      this.#device,
    );
  }

  #after(oid: string): Promise<readonly Varbind[]> {
    return this.#asked((answered) => this.#session.getBulk([oid], 0, repetitions, answered));
  }

  #get(leaves: readonly string[]): Promise<readonly Varbind[]> {
    return this.#asked((answered) => this.#session.get([...leaves], answered));
  }

  #asked(
    send: (answered: (error: Error | null, varbinds?: (Varbind | Varbind[])[]) => void) => void,
  ): Promise<readonly Varbind[]> {
    return new Promise((resolve, reject) => {
      const lost = (code: ErrorCode): void => {
        reject(failed(code, troubles[code] ?? "the exchange broke off", this.#device));
      };
      this.#guard.once("trouble", lost);
      send((error, varbinds) => {
        this.#guard.removeListener("trouble", lost);
        if (error === null) resolve((varbinds ?? []).flat());
        else reject(this.#failure(error));
      });
    });
  }

  /** The library's own text may contain a key, so only the kind of error is passed on. */
  #failure(error: Error): LinksealError {
    const { dropped } = this.#guard;
    // Its class is not in the types.
    if (error.name === "RequestTimedOutError") {
      const forged =
        dropped === 0
          ? ""
          : `; ${dropped} replies that none of its keys signed were dropped: ` +
            "a wrong user or passphrase, or a forgery";
      return failed("transport.timeout", `its SNMP agent does not answer${forged}`, this.#device);
    }
    if (error instanceof snmp.RequestFailedError) {
      const status = snmp.ErrorStatus[error.status] ?? "an error";
      return failed("device.rejected", `its SNMP agent reports ${status}`, this.#device);
    }
    return failed("device.unparsed", "its SNMP agent's answer is not understood", this.#device);
  }
}

function isAfter(oid: string, before: string): boolean {
  const [mine, theirs] = [oid, before].map((text) => text.split(".").map(Number));
  for (const [index, part] of (mine ?? []).entries()) {
    const other = theirs?.[index];
    if (other === undefined || part > other) return true;
    if (part < other) return false;
  }
  return false;
}

function readValue({ type, value }: Varbind): SnmpValue | undefined {
  if (typeof value === "number" || typeof value === "bigint") {
    return { kind: "number", value: BigInt(value) };
  }
  if (Buffer.isBuffer(value)) {
    if (type === snmp.ObjectType.Counter64) return { kind: "number", value: counterOf(value) };
    return { kind: "octets", value: Uint8Array.from(value) };
  }
  return typeof value === "string" ? { kind: "identifier", value } : undefined;
}

function lengthOf({ kind, value }: SnmpValue): number {
  return kind === "number" ? 8 : value.length;
}

/** Reads a counter without a sign, whatever the first octet is. */
function counterOf(octets: Buffer): bigint {
  return octets.length === 0 ? 0n : BigInt.asUintN(64, BigInt(`0x${octets.toString("hex")}`));
}

function failed(code: ErrorCode, text: string, where: string, cause?: unknown): LinksealError {
  const next = "linkseal doctor";
  return new LinksealError(code, text, { effect: "none", where, next, cause });
}
