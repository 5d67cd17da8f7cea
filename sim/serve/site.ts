// A simulated site for other processes: HTTP on a Unix socket, and virtual time along real time.

import { lstat, unlink } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import type { SimClock } from "../base/clock.ts";
import type { SiteHandler, SiteReply } from "../site/protocol.ts";
import { closeServer, serveCall } from "./listener.ts";

/** The longest time for a client to send its request, in milliseconds; it is cut off afterwards. */
const requestMsMax = 10_000;
/** Each device, far end and vault of the largest config may ask at once. */
const clientsMax = 8_192;

export interface Served {
  /** Disconnects every client and removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves the handler at a socket that only this user can open; a stale socket without a listener is
 * replaced. It rejects if another process serves there. A broken simulator ends the process.
 */
export async function serveSite(handler: SiteHandler, path: string): Promise<Served> {
  await removeStale(path);
  const limits = {
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: requestMsMax / 5,
  };
  const server = createServer(limits, (request, response) => {
    const { method = "", url: path = "" } = request;
    void serveCall(request, response, async (body, gone) => {
      send(response, await handler({ method, path, body }, gone));
    });
  });
  server.maxConnections = clientsMax;
  await listen(server, path);
  return { close: () => closeServer(server) };
}

// The socket is bound inside the call, so the umask protects it; a later chmod would leave a moment
// in which another user could connect.
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const umask = process.umask(0o177);
    server.once("error", reject).listen(path, resolve);
    process.umask(umask);
  });
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket`);
  if (await answers(path)) throw new Error(`another process serves ${path}`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function send(response: ServerResponse, { status, body }: SiteReply): void {
  const octets = Buffer.from(body);
  response.writeHead(status, { "content-length": octets.length }).end(octets);
}

export interface PaceOptions {
  /** Virtual ms per real ms; Infinity goes from event to event as fast as the machine can. */
  readonly speed: number;
  /** Checked between events; true ends the pace. */
  readonly until?: () => boolean;
  /**
   * Checked between events; virtual time stops while it is true, such as during a write to a real
   * disk.
   */
  readonly hold?: () => boolean;
}

export interface Pace {
  /** Resolves when stopped or when `until` is true; rejects when an event throws. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

export interface Leash {
  readonly handler: SiteHandler;
  /** Option for `paceClock`: true if no client has asked for the time for a whole leash of it. */
  readonly hold: () => boolean;
  /** The last time that passed although its follower was a leash behind; undefined = none did. */
  readonly strayedAt: () => Instant | undefined;
  /** Reports that the follower is dead: time runs on until the next one asks. */
  readonly letGo: () => void;
}

/** The real time without a request after which a follower counts as gone, in milliseconds. */
const goneMs = 2000;

/**
 * Keeps virtual time within `ms` of its follower's last request. At a hundred times real time, a
 * process that got no core for a moment would otherwise miss every deadline without a fault of its
 * own. Where `letGo` reports a follower's end, `lonelyMs` may be far more than a busy machine
 * takes.
 */
export function leashClock(
  handler: SiteHandler,
  clock: SimClock,
  ms: number,
  lonelyMs = goneMs,
): Leash {
  let asked: Anchor | undefined;
  let strayedAt: Instant | undefined;
  return {
    async handler(request, signal) {
      const reply = await handler(request, signal);
      if (request.method !== "GET" || request.path !== "/clock") return reply;
      asked = { real: performance.now(), virtual: clock.now() };
      return { ...reply, body: encodeJson({ ...Object(decodeJson(reply.body)), leash: ms }) };
    },
    hold() {
      if (asked === undefined || clock.now() - asked.virtual < ms) return false;
      if (performance.now() - asked.real < lonelyMs) return true;
      strayedAt = clock.now();
      return false;
    },
    strayedAt: () => strayedAt,
    letGo() {
      asked = undefined;
    },
  };
}

/** The real time that events may take before sockets get their turn, in milliseconds. */
const sliceMs = 8;
const idleMs = 10;
const heldMs = 1;
/**
 * The largest delay that is caught up with, in milliseconds: a laptop that slept does not race
 * after its lost hours.
 */
const debtMsMax = 1000;

/** Carries a virtual clock along with real time; sockets are served between its slices. */
export function paceClock(clock: SimClock, options: PaceOptions): Pace {
  const { speed, until = () => false, hold = () => false } = options;
  const stopped = new AbortController();
  const over = (): boolean => stopped.signal.aborted || until();
  const run = async (): Promise<void> => {
    let anchor: Anchor = { real: performance.now(), virtual: clock.now() };
    while (!over()) {
      const sliceEnd = performance.now() + sliceMs;
      const halt = (): boolean => over() || hold() || performance.now() >= sliceEnd;
      await clock.run(due(clock, anchor, speed), halt);
      const held = hold();
      const owedMs = performance.now() - anchor.real - (clock.now() - anchor.virtual) / speed;
      if (held || owedMs > debtMsMax) anchor = { real: performance.now(), virtual: clock.now() };
      const waitMs = held ? heldMs : untilNext(clock, anchor, speed);
      if (waitMs > 0) await rest(Math.min(waitMs, idleMs), stopped.signal);
    }
  };
  const done = run();
  return {
    done,
    async stop() {
      stopped.abort();
      await done;
    },
  };
}

interface Anchor {
  readonly real: number;
  readonly virtual: Instant;
}

// Unpaced time never passes by itself: without an event it waits until a request brings one.
function due(clock: SimClock, anchor: Anchor, speed: number): Instant {
  if (speed === Number.POSITIVE_INFINITY) return clock.next() ?? clock.now();
  return instantAfter(anchor.virtual, (performance.now() - anchor.real) * speed);
}

/** Returns the real ms until the next event is due. */
function untilNext(clock: SimClock, anchor: Anchor, speed: number): number {
  const next = clock.next();
  if (next === undefined) return Number.POSITIVE_INFINITY;
  return (next - due(clock, anchor, speed)) / speed;
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
