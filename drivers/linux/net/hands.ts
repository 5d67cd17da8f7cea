// What linkseal-net does to the kernel, part by part.

import { LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import type { Log } from "#hal/world.ts";
import { answered } from "../look.ts";
import { changeLink, dumpLinks, type Link, linkFlags, readLink } from "../rtnetlink-link.ts";
import { bringBack, keep } from "./keepsake.ts";
import type { Kept } from "./kept.ts";
import type { NetPart } from "./part.ts";
import { portsOf, stackOn } from "./stack.ts";

/** What outlives a crash. */
export interface Memory {
  readonly kept: Kept;
  remember(change: Partial<Kept>): Promise<void>;
}

export interface Hands {
  /** What would undo a part; undefined = there is nothing to do. */
  undoOf(part: NetPart, signal: AbortSignal): Promise<NetPart | undefined>;
  /** Idempotent. */
  carry(part: NetPart, memory: Memory, signal: AbortSignal): Promise<void>;
}

/** `socket`: of NETLINK_ROUTE. */
export function kernelHands(socket: NetlinkSocket, log: Log): Hands {
  return {
    async undoOf({ kind, port }, signal) {
      const { flags } = portNamed(port, await linksNow(socket, signal));
      const isUp = (flags & linkFlags.up) !== 0;
      if (kind === "port.shut") return isUp ? { kind: "port.open", port } : undefined;
      return isUp ? undefined : { kind: "port.shut", port };
    },
    async carry({ kind, port: name }, memory, signal) {
      const links = await linksNow(socket, signal);
      const port = portNamed(name, links);
      if (kind === "port.shut") await shut(socket, port, links, memory, signal);
      else await open(socket, port, memory, log, signal);
    },
  };
}

export async function linksNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Link[]> {
  return answered(await socket.ask(dumpLinks(), readLink, signal));
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
  const stack = new Set(stackOn(port, links).map(({ index }) => index));
  const keepsake = await keep(socket, stack, signal);
  const keepsakes = { ...memory.kept.keepsakes, [port.name]: keepsake };
  await memory.remember({ keepsakes });
  await write(socket, changeLink(port.index, { up: false }), port.name, signal);
}

async function open(
  socket: NetlinkSocket,
  { index, name }: Port,
  memory: Memory,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { [name]: keepsake, ...keepsakes } = memory.kept.keepsakes;
  await write(socket, changeLink(index, { up: true }), name, signal);
  if (keepsake === undefined) return;
  const missing = await bringBack(socket, keepsake, signal);
  if (missing > 0) {
    const text = `${missing} addresses or routes of ${name} did not come back with it`;
    log.write("error", "keepsake-lost", text);
  }
  await memory.remember({ keepsakes });
}

async function write(
  socket: NetlinkSocket,
  request: NetlinkRequest,
  port: PortName,
  signal: AbortSignal,
): Promise<void> {
  const [refusal] = await socket.write([request], signal);
  if (refusal === undefined) return;
  const said = refusal.text === undefined ? refusal.name : `${refusal.name}, ${refusal.text}`;
  throw rejected(`the kernel refused it: ${said}`, port);
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where,
    next: "linkseal links",
  });
}
