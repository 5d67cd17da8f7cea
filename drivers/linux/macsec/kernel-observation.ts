// One observation of the kernel's network: the dumps that a port is read from, taken together.

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
import type { KernelObservation } from "./port.ts";

/** The netlink sockets of one network namespace. */
export interface KernelSockets {
  /** NETLINK_ROUTE: links, addresses and routes. */
  readonly routes: NetlinkSocket;
  /** NETLINK_GENERIC: MACsec and ethtool. */
  readonly generic: NetlinkSocket;
}

/**
 * Dumps links, addresses, routes, SecYs and speeds. Every reading is dated with the beginning of
 * the observation.
 * @throws LinksealError `device.rejected` if the kernel refuses a dump of links, addresses or
 * routes
 */
export async function observeKernel(
  { routes: socket, generic }: KernelSockets,
  clock: Pick<Clock, "now">,
  signal: AbortSignal,
): Promise<KernelObservation> {
  const at = clock.now();
  const links = await linksNow(socket, signal);
  const addresses = await addressesNow(socket, signal);
  const routes = await routesNow(socket, signal);
  const secys = await dumpFamily(generic, macsecFamily, dumpMacsec, readMacsec, signal);
  const speeds = await dumpFamily(generic, ethtoolFamily, dumpSpeeds, readSpeed, signal);
  const none: readonly PortSpeed[] = [];
  return { at, links, addresses, routes, secys, speeds: speeds ?? none };
}

/** Returns the refusal as the kernel words it. */
export function refusalText({ name, text }: Refusal): string {
  return text === undefined ? name : `${name}, ${text}`;
}

/**
 * Returns what the kernel answered.
 * @throws LinksealError `device.rejected` with the kernel's own words
 */
export function answered<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === "answered") return answer.found;
  const reason = refusalText(answer.refusal);
  throw new LinksealError("device.rejected", `the kernel refused a query: ${reason}`, {
    effect: "none",
    where: "kernel",
    next: "linkseal status",
  });
}

/**
 * Returns undefined if the kernel has no such family or refuses the dump. The family's number is
 * looked up each time, because a module that is loaded again gets another number.
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

/**
 * Dumps all links.
 * @throws LinksealError `device.rejected` if the kernel refuses
 */
export async function linksNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Link[]> {
  return answered(await socket.ask(dumpLinks(), readLink, signal));
}

/**
 * Dumps all addresses.
 * @throws LinksealError `device.rejected` if the kernel refuses
 */
export async function addressesNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Address[]> {
  return answered(await socket.ask(dumpAddresses(), readAddress, signal));
}

/**
 * Dumps all IPv4 and IPv6 routes.
 * @throws LinksealError `device.rejected` if the kernel refuses
 */
export async function routesNow(
  socket: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Route[]> {
  const ipv4 = answered(await socket.ask(dumpRoutes(families.ipv4), readRoute, signal));
  const ipv6 = answered(await socket.ask(dumpRoutes(families.ipv6), readRoute, signal));
  return [...ipv4, ...ipv6];
}
