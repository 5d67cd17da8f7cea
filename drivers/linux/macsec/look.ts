// One look at the kernel's network: the dumps that a port is read from, in one go.

import { LinksealError } from "#hal/error.ts";
import type { Answer, NetlinkRequest, NetlinkSocket, Reader, Refusal } from "#hal/netlink.ts";
import type { Clock } from "#hal/world.ts";
import { families } from "../netlink/address.ts";
import { dumpSpeeds, ethtoolFamily, type PortSpeed, readSpeed } from "../netlink/ethtool.ts";
import { askFamily, readFamily } from "../netlink/genetlink.ts";
import { type Address, dumpAddresses, readAddress } from "../netlink/rtnetlink-address.ts";
import { dumpLinks, type Link, readLink } from "../netlink/rtnetlink-link.ts";
import { dumpRoutes, type Route, readRoute } from "../netlink/rtnetlink-route.ts";
import { dumpMacsec, macsecFamily, readMacsec } from "./macsec.ts";
import type { KernelLook } from "./port.ts";

/** Sockets of one network namespace. */
export interface KernelSockets {
  readonly routes: NetlinkSocket;
  readonly generic: NetlinkSocket;
}

/** Every reading of it is as old as its beginning. */
export async function lookAtKernel(
  { routes: socket, generic }: KernelSockets,
  clock: Pick<Clock, "now">,
  signal: AbortSignal,
): Promise<KernelLook> {
  const at = clock.now();
  const links = await linksNow(socket, signal);
  const addresses = await addressesNow(socket, signal);
  const routes = await routesNow(socket, signal);
  const secys = await dumpFamily(generic, macsecFamily, dumpMacsec, readMacsec, signal);
  const speeds = await dumpFamily(generic, ethtoolFamily, dumpSpeeds, readSpeed, signal);
  const none: readonly PortSpeed[] = [];
  return { at, links, addresses, routes, secys, speeds: speeds ?? none };
}

/** In the words of the kernel. */
export function refusalText({ name, text }: Refusal): string {
  return text === undefined ? name : `${name}, ${text}`;
}

/** What was found; throws `device.rejected` with the words of the kernel. */
export function answered<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === "answered") return answer.found;
  const said = refusalText(answer.refusal);
  throw new LinksealError("device.rejected", `the kernel refused a question: ${said}`, {
    effect: "none",
    where: "kernel",
    next: "linkseal status",
  });
}

/**
 * Undefined where the kernel has no such family or refuses to tell: a number is asked for each
 * time, because a module that is loaded again gets another.
 */
async function dumpFamily<T>(
  socket: NetlinkSocket,
  name: string,
  request: (type: number) => NetlinkRequest,
  reader: (type: number) => Reader<T>,
  signal: AbortSignal,
): Promise<readonly T[] | undefined> {
  const asked = await socket.ask(askFamily(name), readFamily, signal);
  const number = asked.kind === "answered" ? asked.found[0]?.id : undefined;
  if (number === undefined) return undefined;
  const answer = await socket.ask(request(number), reader(number), signal);
  return answer.kind === "answered" ? answer.found : undefined;
}

export async function linksNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Link[]> {
  return answered(await socket.ask(dumpLinks(), readLink, signal));
}

export async function addressesNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Address[]> {
  return answered(await socket.ask(dumpAddresses(), readAddress, signal));
}

export async function routesNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Route[]> {
  const ipv4 = answered(await socket.ask(dumpRoutes(families.ipv4), readRoute, signal));
  const ipv6 = answered(await socket.ask(dumpRoutes(families.ipv6), readRoute, signal));
  return [...ipv4, ...ipv6];
}
