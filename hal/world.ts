// The outside world as small interfaces; everything outside agent/host/host.ts and the served faces
// reaches it through here.

import { type Effect, LinksealError } from "./error.ts";
import type { Octets } from "./netlink.ts";
import type { Command, SecretHole } from "./secret.ts";
import type { Target } from "./target.ts";

/** Milliseconds of a clock that never jumps; comparable only inside one World. */
export type Instant = number & { readonly unit: "monotonic ms" };
/** Milliseconds since the Unix epoch, as the host believes; may jump in both directions. */
export type WallTime = number & { readonly unit: "unix ms" };

export interface World {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly disk: Disk;
  readonly dial: Dialer;
  readonly log: Log;
}

export interface Clock {
  now(): Instant;
  wall(): WallTime;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `ring` after `ms`, unless the returned function is called before. */
  alarm(ms: number, ring: () => void): () => void;
}

const given = "nobody waits any more";

/** For a clock that has nothing cheaper than a sleep that is given up. */
export function alarmOf(sleep: Clock["sleep"]): Clock["alarm"] {
  return (ms, ring) => {
    const off = new AbortController();
    sleep(ms, off.signal).then(ring, () => undefined);
    return () => off.abort(given);
  };
}

export interface Entropy {
  bytes(length: number): Uint8Array;
}

/** A flat folder of small files; names are kebab-case with at most one `/`. */
export interface Disk {
  read(name: string): Promise<Uint8Array | undefined>;
  /** Names under a prefix, sorted. */
  list(prefix: string): Promise<readonly string[]>;
  /** Resolves only once the bytes are durable; a crash may leave any prefix of them. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /** Write aside, sync, rename, sync the directory: old or new content, never a mix. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * Every call is one exchange with the world, so that a test can kill the agent before it or after
 * its effect.
 */
export interface Dialer {
  http(request: HttpRequest, signal: AbortSignal): Promise<HttpReply>;
  /** The port of this host that carries traffic to the address; undefined = not known. */
  routeTo(address: string, signal: AbortSignal): Promise<string | undefined>;
  /** Every address a host name stands for. */
  resolve(host: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Runs a program of this host, without a shell, and waits for its end; what it may not know by
   * its arguments comes through standard input.
   */
  exec(argv: readonly string[], stdin: Uint8Array, signal: AbortSignal): Promise<ExecReply>;
  /**
   * One question and one answer over a socket of this host, as octets: a key in it leaves no text
   * behind. The octets of the answer; throws LinksealError, or the signal's reason once it aborts.
   */
  framed(question: FramedQuestion, signal: AbortSignal): Promise<Uint8Array>;
  /** A Unix stream socket of this host. The signal bounds the opening, not what comes after. */
  stream(path: string, signal: AbortSignal): Promise<StreamChannel>;
  /** A channel of its own over the one SSH connection that a device has. */
  channel(to: Target, kind: ChannelKind, signal: AbortSignal): Promise<ByteChannel>;
  /** What the SNMP agent of a device tells; nothing is ever set. */
  snmp(to: Target, question: SnmpQuestion, signal: AbortSignal): Promise<SnmpReply>;
}

export interface SnmpQuestion {
  /** Everything below these object identifiers is asked for. */
  readonly roots: readonly string[];
  /** These values themselves. */
  readonly leaves: readonly string[];
  /** A longer answer is refused with `transport.closed`. */
  readonly valuesMax: number;
}

export interface SnmpReply {
  /** By object identifier, root after root; what the agent does not have is absent. */
  readonly values: ReadonlyMap<string, SnmpValue>;
  /** `weak`: anybody on the way could have said it. */
  readonly evidence: "authenticated" | "weak";
}

export type SnmpValue =
  /** INTEGER, Unsigned32, Gauge32, TimeTicks and the counters. */
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "octets"; readonly value: Uint8Array }
  | { readonly kind: "identifier"; readonly value: string };

export interface FramedQuestion {
  readonly path: string;
  readonly octets: Octets;
  readonly replyBytesMax: number;
  /** What a lost reply may have done. */
  readonly effect: Extract<Effect, "none" | "unknown">;
}

/** Octets both ways until one end closes it; closing it also ends every wait for it. */
export interface StreamChannel extends Disposable {
  /** The next octets; undefined = it is closed. One wait at a time. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves once the octets are on their way, and no copy of a secret is left here. */
  write(octets: Octets): Promise<void>;
}

/** What answers at the other end of a channel: a prompt, or the subsystem of RFC 6242. */
export type ChannelKind = "shell" | "netconf";

/** Octets both ways, in order; who opens it closes it. */
export interface ByteChannel extends AsyncDisposable {
  /** Holes are filled on the way out, and nowhere else. */
  write(text: Command, signal: AbortSignal): Promise<void>;
  /** What came next, in pieces of any size; undefined = the other side has closed. */
  read(signal: AbortSignal): Promise<Uint8Array | undefined>;
}

function outOfReach(what: string, where: string): LinksealError {
  return new LinksealError("device.unsupported", `no ${what} from here`, {
    effect: "none",
    where,
    next: "linkseal status",
  });
}

/** For a World without devices to log in to: refuses before anything has happened. */
export const noChannels: Dialer["channel"] = async (to) => {
  throw outOfReach("device can be logged in to", to.device);
};

/** For a World without SNMP: refuses before anything has happened. */
export const noSnmp: Dialer["snmp"] = async (to) => {
  throw outOfReach("SNMP agent can be asked", to.device);
};

export interface ExecReply {
  /** As a shell tells it: above 128 a signal ended it. */
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** For a World without programs: refuses before anything has happened. */
export const noPrograms: Dialer["exec"] = async (argv) => {
  throw outOfReach("program of a host can be run", argv[0] ?? "");
};

/** For a World without such sockets: refuses before anything has happened. */
export const noFrames: Dialer["framed"] = async ({ path }) => {
  throw outOfReach("socket of a host can be asked", path);
};

/** For a World without sockets of a host: refuses before anything has happened. */
export const noStreams: Dialer["stream"] = async (path) => {
  throw outOfReach("socket of a host can be opened", path);
};

export interface HttpRequest {
  /**
   * `unix:PATH` of a socket on this host; `https://HOST[:PORT]`; or, for the identity endpoints of
   * this host, `http://` and 127.0.0.1, localhost or 169.254.169.254.
   */
  readonly to: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string | SecretHole>>;
  /** Text with holes for secrets; only the transport fills them. */
  readonly body?: Command;
  /** A longer reply is refused with `transport.closed`. */
  readonly replyBytesMax: number;
  /** What an `https` name may stand for; absent = public addresses only. */
  readonly reach?: Reach;
}

/** Which addresses count; the connection goes to exactly the address that was checked. */
export type Reach =
  | { readonly kind: "public" }
  /** Public ones, and private ones inside these prefixes: private endpoints. */
  | { readonly kind: "private"; readonly ranges: readonly string[] }
  /** This host and nothing else. */
  | { readonly kind: "loopback" };

export interface HttpReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of the log: a stable code, one sentence, and plain fields without key material. */
export interface Log {
  write(
    level: LogLevel,
    code: string,
    text: string,
    fields?: Readonly<Record<string, string | number | boolean | null>>,
  ): void;
}

export function instantAfter(start: Instant, ms: number): Instant {
  return (start + ms) as Instant;
}

export function wallAfter(start: WallTime, ms: number): WallTime {
  return (start + ms) as WallTime;
}
