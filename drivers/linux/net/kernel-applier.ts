// The kernel applier of linkseal-net: carries out and undoes change operations.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { PortName } from "#hal/model.ts";
import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import { type Clock, type Entropy, type Instant, instantAfter, type Log } from "#hal/world.ts";
import { linksNow, refusalText } from "../macsec/kernel-observation.ts";
import { changeLink, type Link, linkFlags } from "../netlink/rtnetlink-link.ts";
import { joinSnapshots, restoreSnapshot, takeSnapshot } from "./link-snapshot.ts";
import type { Memory } from "./memory.ts";
import type { RequestSender } from "./move.ts";
import {
  isTunnelOperation,
  type NetOperation,
  type PortOperation,
  type SecyWish,
} from "./operation.ts";
import { isAsWanted, protect, secyOn, unprotect, wishOf } from "./secy.ts";
import { portsOf, stackOn } from "./stack.ts";
import type { StoredState } from "./stored-state.ts";
import {
  applyTunnelOperation,
  restoreExemptPrefixes,
  type TunnelContext,
  undoOfTunnelOperation,
} from "./tunnel-applier.ts";

import type { TunnelKeeper } from "./tunnel-keeper.ts";
import { drawWaitMs, soonest } from "./waits.ts";

export interface KernelApplier {
  /** Returns the operation that would undo this one; undefined = there is nothing to do. */
  undoOf(
    operation: NetOperation,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<NetOperation | undefined>;
  /** Carries out an operation; it is idempotent. */
  apply(operation: NetOperation, memory: Memory, signal: AbortSignal): Promise<void>;
  /** Completes what a predecessor died in the middle of; failures are logged. */
  resume(memory: Memory, signal: AbortSignal): Promise<void>;
  /**
   * Makes the due SecYs on the ports that exist, opens the policies of exempt prefixes, and
   * restores the interfaces of tunnels; failures are logged, and SecYs that the kernel refused are
   * due still. Returns in how many ms it is to be called again; undefined = after the next change.
   */
  raise(memory: Memory, signal: AbortSignal): Promise<number | undefined>;
}

interface Waits {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export function kernelApplier(
  tunnels: TunnelContext,
  keeper: TunnelKeeper,
  world: Waits,
): KernelApplier {
  const { routes: socket, log } = tunnels;
  const failures = new Map<PortName, Failure>();
  const applier: KernelApplier = {
    resume: (memory, signal) => resume({ socket, log, applier }, memory, signal),
    async raise(memory, signal) {
      const raiser = { ...world, socket, log, applier, failures };
      const secysMs = await raise(raiser, memory, signal);
      await restoreExemptPrefixes(tunnels, signal).catch((error: unknown) => {
        if (!(error instanceof LinksealError)) throw error;
        log.write("error", error.code, `exempt prefixes stay blocked: ${error.message}`);
      });
      return soonest(secysMs, await keeper.restore(signal));
    },
    async undoOf(operation, memory, signal) {
      if (isTunnelOperation(operation))
        return await undoOfTunnelOperation(operation, tunnels, signal);
      const links = await linksNow(socket, signal);
      const port = portNamed(operation.port, links);
      const isUp = (port.flags & linkFlags.up) !== 0;
      switch (operation.kind) {
        case "port.shut":
          return isUp ? { kind: "port.open", port: port.name } : undefined;
        case "port.open":
          return isUp ? undefined : { kind: "port.shut", port: port.name };
        case "macsec.protect":
          return undoOfProtect(port, operation.settings, links, memory);
        case "macsec.participant":
          return operation;
        case "macsec.unprotect":
          return undefined;
      }
    },
    async apply(operation, memory, signal) {
      if (isTunnelOperation(operation)) {
        await applyTunnelOperation(operation, tunnels, signal);
        return;
      }
      const links = await linksNow(socket, signal);
      const port = portNamed(operation.port, links);
      const send = senderFor(socket, port.name);
      const secy = { socket, send, memory, log };
      switch (operation.kind) {
        case "port.shut":
          await shut(socket, port, links, memory, signal);
          return;
        case "port.open":
          await open(socket, port, memory, log, signal);
          return;
        case "macsec.protect":
          // The undo log is written before the SecY is made: a boot in between must not leave the
          // port open.
          await stand(memory, port.name, operation.settings);
          await protect(secy, port, operation.settings, signal);
          return;
        case "macsec.participant":
          return;
        case "macsec.unprotect":
          await unprotect(secy, port, operation.linkLocal, signal);
          await stand(memory, port.name, undefined);
      }
    },
  };
  return applier;
}

interface Worker {
  readonly socket: NetlinkSocket;
  readonly log: Log;
  readonly applier: Pick<KernelApplier, "apply">;
}

async function resume(
  { socket, log, applier }: Worker,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  for (const operation of unfinished(memory.state, await linksNow(socket, signal))) {
    try {
      await applier.apply(operation, memory, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write("error", error.code, `${operation.port} is left half changed: ${error.message}`);
    }
  }
}

/** A SecY that could not be made again since the boot. */
interface Failure {
  readonly times: number;
  readonly notBefore: Instant;
  readonly text: string;
}

interface Raiser extends Worker, Waits {
  readonly failures: Map<PortName, Failure>;
}

async function raise(
  raiser: Raiser,
  memory: Memory,
  signal: AbortSignal,
): Promise<number | undefined> {
  let againMs: number | undefined;
  for (const port of memory.state.due) {
    try {
      againMs = soonest(againMs, await raiseOn(port, raiser, memory, signal));
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      againMs = soonest(againMs, noteFailure(port, error, raiser));
    }
  }
  return againMs;
}

/** Makes the SecY of a port if it is due; returns how many ms are left until it may be tried. */
async function raiseOn(
  port: PortName,
  { socket, log, applier, clock, failures }: Raiser,
  memory: Memory,
  signal: AbortSignal,
): Promise<number | undefined> {
  const links = await linksNow(socket, signal);
  const settings = memory.state.standing[port];
  if (settings === undefined || !links.some(({ name }) => name === port)) return undefined;
  if (!isMade(portNamed(port, links), settings, links, memory)) {
    const leftMs = (failures.get(port)?.notBefore ?? 0) - clock.now();
    if (leftMs > 0) return leftMs;
    await makeAgain({ kind: "macsec.protect", port, settings }, applier, memory, signal);
    const text = `the boot took the SecY of ${port}: it is there again`;
    log.write("warn", "secy-made-again", text);
  }
  failures.delete(port);
  try {
    await memory.remember({ due: memory.state.due.filter((other) => other !== port) });
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    // It stays due: the next change of a link finds it made, and records that.
    log.write("warn", error.code, `the SecY of ${port} is not recorded: ${error.message}`);
  }
  return undefined;
}

/** Logs a failure once, however often it repeats; returns in how many ms to try again. */
function noteFailure(
  port: PortName,
  { code, message }: LinksealError,
  { log, clock, entropy, failures }: Raiser,
): number {
  const before = failures.get(port);
  const times = (before?.times ?? 0) + 1;
  const ms = drawWaitMs(times, entropy);
  failures.set(port, { times, notBefore: instantAfter(clock.now(), ms), text: message });
  if (before?.text !== message) log.write("error", code, `${port} is without its SecY: ${message}`);
  return ms;
}

/** A crash may have left a SecY half moved, whatever its settings are: then it is not made. */
function isMade(port: Port, want: SecyWish, links: readonly Link[], { state }: Memory): boolean {
  const secy = secyOn(port, links);
  return secy !== undefined && isAsWanted(secy, want) && state.moves[port.name] === undefined;
}

/**
 * Makes a SecY although the disk may take no write: a port in the clear is worse than one whose
 * configuration a crash at this moment would leave half moved.
 */
async function makeAgain(
  operation: PortOperation,
  applier: Pick<KernelApplier, "apply">,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  try {
    await applier.apply(operation, memory, signal);
  } catch (error) {
    if (!(error instanceof LinksealError) || error.code !== "journal.full") throw error;
    await applier.apply(operation, new UnwrittenMemory(memory.state), signal);
  }
}

class UnwrittenMemory implements Memory {
  #state: StoredState;

  constructor(state: StoredState) {
    this.#state = state;
  }

  get state(): StoredState {
    return this.#state;
  }

  async remember(change: Partial<StoredState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
  }
}

async function stand(
  memory: Memory,
  port: PortName,
  settings: SecyWish | undefined,
): Promise<void> {
  const { [port]: before, ...others } = memory.state.standing;
  if (encodeJson(before ?? null) === encodeJson(settings ?? null)) return;
  await memory.remember({
    standing: settings === undefined ? others : { ...others, [port]: settings },
  });
}

/**
 * A port that is up and still has a link snapshot did not get all of it back, or was never shut.
 */
function unfinished(
  { moves, keepsakes }: StoredState,
  links: readonly Link[],
): readonly PortOperation[] {
  const isUp = (name: PortName): boolean =>
    links.some((link) => link.name === name && (link.flags & linkFlags.up) !== 0);
  const opened = Object.keys(keepsakes).filter(isUp);
  return [
    ...Object.values(moves).map(({ part }) => part),
    ...opened.map((port) => ({ kind: "port.open", port }) as const),
  ];
}

function undoOfProtect(
  port: Port,
  want: SecyWish,
  links: readonly Link[],
  memory: Memory,
): NetOperation | undefined {
  const secy = secyOn(port, links);
  if (secy === undefined) {
    // A boot took the SecY; a bare port would carry in the clear what is kept for it.
    const settings = memory.state.standing[port.name];
    if (settings !== undefined) return { kind: "macsec.protect", port: port.name, settings };
    const isEui64 = port.perFamily?.inet6?.addressMode === "eui64";
    return { kind: "macsec.unprotect", port: port.name, linkLocal: isEui64 ? "eui64" : "none" };
  }
  if (isMade(port, want, links, memory)) return undefined;
  return { kind: "macsec.protect", port: port.name, settings: wishOf(secy) ?? want };
}

type Port = ReturnType<typeof portsOf>[number];

function portNamed(name: PortName, links: readonly Link[]): Port {
  const port = portsOf(links).find((link) => link.name === name);
  if (port !== undefined) return port;
  throw rejected(`this host has no port ${name}`, name);
}

async function shut(
  socket: NetlinkSocket,
  port: Port,
  links: readonly Link[],
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  if ((port.flags & linkFlags.up) === 0) return;
  const stack = stackOn(port, links);
  const snapshot = await takeSnapshot(socket, new Set(stack.map(({ index }) => index)), signal);
  const isDown = ({ flags }: Link): boolean => (flags & linkFlags.up) === 0;
  const down = stack.filter(isDown).flatMap(({ name }) => name ?? []);
  // A port that did not get all of it back, and is shut again, still has an older snapshot.
  const { [port.name]: before, ...others } = memory.state.keepsakes;
  const keepsake =
    before === undefined
      ? { ...snapshot, down }
      : { ...joinSnapshots(snapshot, before), down: before.down };
  await memory.remember({ keepsakes: { ...others, [port.name]: keepsake } });
  await write(socket, changeLink(port.index, { up: false }), port.name, signal);
}

async function open(
  socket: NetlinkSocket,
  port: Port,
  memory: Memory,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { index, name } = port;
  const { [name]: snapshot, ...keepsakes } = memory.state.keepsakes;
  await write(socket, changeLink(index, { up: true }), name, signal);
  if (snapshot === undefined) return;
  const stack = stackOn(port, await linksNow(socket, signal));
  // A VLAN comes up with its port, even one that an operator had shut: since Linux 7.2 some time
  // later, unless it is raised or shut in between. A refusal shows in what does not come back.
  const vlans = stack.filter(({ info }) => info?.kind === "vlan");
  for (const vlan of vlans) await socket.write([changeLink(vlan.index, { up: true })], signal);
  for (const link of stack.filter((one) => snapshot.down.includes(one.name ?? "")).toReversed()) {
    await write(socket, changeLink(link.index, { up: false }), name, signal);
  }
  const missing = await restoreSnapshot(socket, snapshot, signal);
  if (missing > 0) {
    const text = `${missing} addresses or routes of ${name} did not come back with it`;
    log.write("error", "keepsake-lost", text);
  }
  await memory.remember({ keepsakes });
}

function senderFor(socket: NetlinkSocket, port: PortName): RequestSender {
  return async (requests, signal) => {
    for (const request of requests) await write(socket, request, port, signal);
  };
}

async function write(
  socket: NetlinkSocket,
  request: NetlinkRequest,
  port: PortName,
  signal: AbortSignal,
): Promise<void> {
  const [refusal] = await socket.write([request], signal);
  if (refusal === undefined) return;
  throw rejected(`the kernel refused it: ${refusalText(refusal)}`, port);
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where,
    next: "linkseal links",
  });
}
