// The outside world as small interfaces; everything but agent/host/host.ts and the served
// simulators uses the host through them.

import { type Effect, LinksealError } from "./error.ts";
import type { Octets } from "./netlink.ts";
import type { Command, SecretHole } from "./secret.ts";
import type { Target } from "./target.ts";

/** Milliseconds of a clock that never jumps; comparable only inside one World. */
export type Instant = number & { readonly unit: "monotonic ms" };
/** Milliseconds since the Unix epoch by the host's clock; may jump in both directions. */
export type WallTime = number & { readonly unit: "unix ms" };

/** All that code outside the host layer may use of the host. */
export interface World {
  /** Time. */
  readonly clock: Clock;
  /** Random octets. */
  readonly entropy: Entropy;
  /** The state folder. */
  readonly disk: Disk;
  /** Devices, Azure, programs and sockets. */
  readonly dial: Dialer;
  /** The log. */
  readonly log: Log;
}

/** The clocks and timers of the host. */
export interface Clock {
  /** Returns the monotonic time. */
  now(): Instant;
  /** Returns the wall-clock time. */
  wall(): WallTime;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `ring` after `ms`, unless the returned function is called before. */
  alarm(ms: number, ring: () => void): () => void;
}

const given = "no longer awaited";

/** Makes an alarm for a clock that has nothing cheaper than a sleep that is aborted. */
export function alarmOf(sleep: Clock["sleep"]): Clock["alarm"] {
  return (ms, ring) => {
    const off = new AbortController();
    sleep(ms, off.signal).then(ring, () => undefined);
    return () => off.abort(given);
  };
}

/** A source of random octets. */
export interface Entropy {
  /** Returns this many octets of cryptographic quality. */
  bytes(length: number): Uint8Array;
}

/** A flat folder of small files; names are kebab-case with at most one `/`. */
export interface Disk {
  /**
   * Returns the content of a file; undefined = there is no such file.
   * @throws LinksealError if the file cannot be read.
   */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Returns the names under a prefix, sorted. */
  list(prefix: string): Promise<readonly string[]>;
  /**
   * Appends to a file and resolves only once the bytes are durable; a crash may leave any prefix of
   * them.
   * @throws LinksealError `journal.full` if the disk cannot be written.
   */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /**
   * Writes aside, syncs, renames and syncs the directory: the file has the old or the new content,
   * never a mix.
   * @throws LinksealError `journal.full` if the disk cannot be written.
   */
  replace(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * Exchanges with devices, services, programs and sockets. Every call is one exchange, so that a
 * test can kill the agent before it or after its effect.
 */
export interface Dialer {
  /**
   * Sends one request and returns its reply, whatever its status. After an abort the request may
   * have been carried out.
   * @throws LinksealError `transport.*`; effect "unknown" if another method than GET lost its
   * reply.
   */
  http(request: HttpRequest, signal: AbortSignal): Promise<HttpReply>;
  /** Returns the port of this host that carries traffic to the address; undefined = not known. */
  routeTo(address: string, signal: AbortSignal): Promise<string | undefined>;
  /** Returns every address of a host name. */
  resolve(host: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Runs a program of this host, without a shell, and waits for its end; secrets reach it by
   * standard input, never by arguments. An abort kills it.
   */
  exec(argv: readonly string[], stdin: Uint8Array, signal: AbortSignal): Promise<ExecReply>;
  /**
   * Sends one request over a socket of this host and returns the octets of its reply; a key in them
   * leaves no text behind.
   * @throws LinksealError `transport.*`, or the signal's reason once it aborts.
   */
  framed(question: FramedRequest, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * Opens a Unix stream socket of this host. The signal bounds the opening, not what comes after.
   */
  stream(path: string, signal: AbortSignal): Promise<StreamChannel>;
  /**
   * Opens a new channel over the one SSH connection to a device. An abort leaves no channel open.
   */
  channel(to: Target, kind: ChannelKind, signal: AbortSignal): Promise<ByteChannel>;
  /** Reads values from the SNMP agent of a device; nothing is ever set. */
  snmp(to: Target, question: SnmpQuery, signal: AbortSignal): Promise<SnmpReply>;
}

/** The values to be read from an SNMP agent. */
export interface SnmpQuery {
  /** Object identifiers; everything below them is read. */
  readonly roots: readonly string[];
  /** Object identifiers of single values. */
  readonly leaves: readonly string[];
  /** The most values; a longer reply is refused with `transport.closed`. */
  readonly valuesMax: number;
}

/** The values that an SNMP agent reported. */
export interface SnmpReply {
  /** Values by object identifier, root after root; values that the agent lacks are absent. */
  readonly values: ReadonlyMap<string, SnmpValue>;
  /** `weak`: any host on the way could have forged it. */
  readonly evidence: "authenticated" | "weak";
}

/** One value of SNMP. */
export type SnmpValue =
  /** INTEGER, Unsigned32, Gauge32, TimeTicks and the counters. */
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "octets"; readonly value: Uint8Array }
  | { readonly kind: "identifier"; readonly value: string };

/** A request over a socket of this host, with a length in front. */
export interface FramedRequest {
  /** Path of the socket. */
  readonly path: string;
  /** The request. */
  readonly octets: Octets;
  /** Octets of the longest reply that is accepted. */
  readonly replyBytesMax: number;
  /** The effect that a lost reply may hide. */
  readonly effect: Extract<Effect, "none" | "unknown">;
}

/** Octets both ways until one end closes it; closing it also ends every wait for it. */
export interface StreamChannel extends Disposable {
  /** Returns the next octets; undefined = it is closed. Only one wait at a time is allowed. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves once the octets are sent, and no copy of a secret is left here. */
  write(octets: Octets): Promise<void>;
}

/**
 * The service at the other end of a channel: a command line, the subsystem of RFC 6242, or
 * `linkseal peer` on a Linux host.
 */
export type ChannelKind = "shell" | "netconf" | "peer";

/** Octets both ways, in order; the caller that opens it closes it. */
export interface ByteChannel extends AsyncDisposable {
  /**
   * Writes the text; its holes are filled here and nowhere else. After an abort part of it may have
   * been sent.
   */
  write(text: Command, signal: AbortSignal): Promise<void>;
  /** Returns the next octets, in pieces of any size; undefined = the other side has closed. */
  read(signal: AbortSignal): Promise<Uint8Array | undefined>;
}

function outOfReach(what: string, where: string): LinksealError {
  return new LinksealError("device.unsupported", `no ${what} from here`, {
    effect: "none",
    where,
    next: "linkseal status",
  });
}

/**
 * Refuses before anything has happened; used by a World without devices to log in to.
 * @throws LinksealError `device.unsupported`.
 */
export const noChannels: Dialer["channel"] = async (to) => {
  throw outOfReach("device can be logged in to", to.device);
};

/**
 * Refuses before anything has happened; used by a World without SNMP.
 * @throws LinksealError `device.unsupported`.
 */
export const noSnmp: Dialer["snmp"] = async (to) => {
  throw outOfReach("SNMP agent can be asked", to.device);
};

/** How a program of this host ended. */
export interface ExecReply {
  /** Exit status as a shell reports it; above 128 a signal ended it. */
  readonly status: number;
  /** Its standard output. */
  readonly stdout: Uint8Array;
  /** Its standard error. */
  readonly stderr: Uint8Array;
}

/**
 * Refuses before anything has happened; used by a World without programs.
 * @throws LinksealError `device.unsupported`.
 */
export const noPrograms: Dialer["exec"] = async (argv) => {
  throw outOfReach("program of a host can be run", argv[0] ?? "");
};

/**
 * Refuses before anything has happened; used by a World without framed sockets.
 * @throws LinksealError `device.unsupported`.
 */
export const noFrames: Dialer["framed"] = async ({ path }) => {
  throw outOfReach("socket of a host can be asked", path);
};

/**
 * Refuses before anything has happened; used by a World without stream sockets.
 * @throws LinksealError `device.unsupported`.
 */
export const noStreams: Dialer["stream"] = async (path) => {
  throw outOfReach("socket of a host can be opened", path);
};

/** One HTTP request. */
export interface HttpRequest {
  /**
   * `unix:PATH` of a socket on this host; `https://HOST[:PORT]`; or, for the identity endpoints of
   * this host, `http://` and 127.0.0.1, localhost or 169.254.169.254.
   */
  readonly to: string;
  /** The method. */
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** Path and query, beginning with `/`. */
  readonly path: string;
  /** Headers, with lower-case names. */
  readonly headers?: Readonly<Record<string, string | SecretHole>>;
  /** Text with holes for secrets; only the transport fills them. */
  readonly body?: Command;
  /** Octets of the longest reply; a longer one is refused with `transport.closed`. */
  readonly replyBytesMax: number;
  /** Addresses that an `https` name may resolve to; absent = public addresses only. */
  readonly reach?: Reach;
}

/** Which addresses are allowed; the connection goes to exactly the address that was checked. */
export type Reach =
  | { readonly kind: "public" }
  /** Public addresses, and private ones inside these prefixes: private endpoints. */
  | { readonly kind: "private"; readonly ranges: readonly string[] }
  /** Loopback addresses of this host only. */
  | { readonly kind: "loopback" };

/** The reply to an HTTP request. */
export interface HttpReply {
  /** The status code. */
  readonly status: number;
  /** Headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The octets of the body. */
  readonly body: Uint8Array;
}

/** Severity of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes log lines: a stable code, one sentence, and plain fields without key material. */
export interface Log {
  /** Writes one line. */
  write(
    level: LogLevel,
    code: string,
    text: string,
    fields?: Readonly<Record<string, string | number | boolean | null>>,
  ): void;
}

/** Returns the instant `ms` milliseconds after `start`. */
export function instantAfter(start: Instant, ms: number): Instant {
  return (start + ms) as Instant;
}

/** Returns the wall time `ms` milliseconds after `start`. */
export function wallAfter(start: WallTime, ms: number): WallTime {
  return (start + ms) as WallTime;
}
