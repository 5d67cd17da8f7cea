// Link snapshots: IPv6 addresses and routes of an administrator, which the kernel forgets when a
// link goes down, stored as the kernel's own messages until the link is up again.

import { LinksealError } from "#hal/error.ts";
import type { NetlinkMessage, NetlinkSocket, Reader } from "#hal/netlink.ts";
import { eachAttribute, netlinkFlags } from "../../transport/netlink-wire.ts";
import { answered } from "../macsec/kernel-observation.ts";
import { families } from "../netlink/address.ts";
import { type Address, dumpAddresses, readAddress } from "../netlink/rtnetlink-address.ts";
import { dumpRoutes, type Route, readRoute } from "../netlink/rtnetlink-route.ts";

export interface LinkSnapshot {
  /** Message bodies that bring them back, in hexadecimal. */
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
}

/** Limits that a successor can read. */
export const bodiesMax = 10_000;
export const bodyBytesMax = 4_096;

const newAddress = 20;
const newRoute = 24;
const deleteRoute = 25;

/** IFA_F_PERMANENT: an address with a lifetime is renewed by the program that made it. */
const permanent = 0x80;
const linkScope = 253;
/** RTPROT_BOOT and RTPROT_STATIC: the owner of any other route brings it back itself. */
const administrators: ReadonlySet<number> = new Set([3, 4]);

/**
 * Takes a snapshot of `links`, the indices of the links that go down together.
 * @throws LinksealError `device.rejected` if there is more than can be stored
 */
export async function takeSnapshot(
  socket: NetlinkSocket,
  links: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<LinkSnapshot> {
  const isOurs = ({ link, scope, flags = 0 }: Address): boolean =>
    links.has(link) && scope !== linkScope && (flags & permanent) !== 0;
  const leaves = ({ protocol, outputLink, nextHops }: Route): boolean =>
    administrators.has(protocol) &&
    [outputLink, ...(nextHops ?? []).map(({ link }) => link)].some(
      (link) => link !== undefined && links.has(link),
    );
  const addresses = await socket.ask(dumpAddresses(), copyOf(readAddress, isOurs), signal);
  const ipv4 = await socket.ask(dumpRoutes(families.ipv4), copyOf(readRoute, leaves), signal);
  const ipv6 = await socket.ask(dumpRoutes(families.ipv6), copyOf(readRoute, leaves), signal);
  return {
    addresses: bounded(answered(addresses)),
    routes: bounded([...answered(ipv4), ...answered(ipv6)]),
  };
}

/**
 * Removes the routes that an administrator has set by this link alone. IPv6 keeps a route by a
 * gateway when the address goes by which the gateway was reached.
 * @throws LinksealError `device.rejected` if the kernel keeps one
 */
export async function removeRoutes(
  socket: NetlinkSocket,
  link: number,
  signal: AbortSignal,
): Promise<void> {
  const { routes } = await takeSnapshot(socket, new Set([link]), signal);
  const bodies = routes.map((hex) => Buffer.from(hex, "hex")).filter((body) => !hasHops(body));
  const requests = bodies.map((body) => ({ type: deleteRoute, flags: 0, body: [body] }));
  const refusals = await socket.write(requests, signal);
  // ESRCH: it went with an address.
  const refused = refusals.find((one) => one !== undefined && one.name !== "ESRCH");
  if (refused === undefined) return;
  throw new LinksealError("device.rejected", `a route stays on the port: ${refused.name}`, {
    effect: "unknown",
    where: "kernel",
    next: "linkseal links",
  });
}

/**
 * Joins a snapshot with an older one of the same links, whose routes come last: those over several
 * links replace what was left of them.
 * @throws LinksealError `device.rejected` if there is more than can be stored
 */
export function joinSnapshots(newer: LinkSnapshot, older: LinkSnapshot): LinkSnapshot {
  const both = (some: readonly string[], last: readonly string[]): readonly string[] => {
    const known = new Set(last);
    return bounded([...some.filter((body) => !known.has(body)), ...last]);
  };
  return {
    addresses: both(newer.addresses, older.addresses),
    routes: both(newer.routes, older.routes),
  };
}

function bounded(bodies: readonly string[]): readonly string[] {
  const long = bodies.some((body) => body.length > 2 * bodyBytesMax);
  if (bodies.length <= bodiesMax && !long) return bodies;
  const text = `more addresses or routes are on the port than can be kept (${bodiesMax})`;
  throw new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where: "kernel",
    next: "make routes over the port fewer, or learn them by BGP",
  });
}

function copyOf<T>(read: Reader<T>, wanted: (found: T) => boolean): Reader<string> {
  return (message: NetlinkMessage) => {
    const found = read(message);
    if (found === undefined || !wanted(found)) return undefined;
    const { view, start, end } = message;
    return Buffer.from(view.buffer, view.byteOffset + start, end - start).toString("hex");
  };
}

/** Returns how many of them the kernel did not accept; what exists already counts as accepted. */
export async function restoreSnapshot(
  socket: NetlinkSocket,
  { addresses, routes }: LinkSnapshot,
  signal: AbortSignal,
): Promise<number> {
  let missing = await send(socket, newAddress, addresses, signal);
  let left = await send(socket, newRoute, routes, signal);
  // A route may need another one of them to reach its gateway, in any order.
  for (let before = routes.length; left.length > 0 && left.length < before; ) {
    before = left.length;
    left = await send(socket, newRoute, left, signal);
  }
  missing = [...missing, ...left];
  return missing.length;
}

async function send(
  socket: NetlinkSocket,
  type: number,
  bodies: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const requests = bodies.map((hex) => {
    const body = Buffer.from(hex, "hex");
    // A route that lost some of its next hops exists, but is incomplete.
    const how = type === newRoute && hasHops(body) ? netlinkFlags.replace : netlinkFlags.exclusive;
    return { type, flags: netlinkFlags.create | how, body: [body] };
  });
  const refusals = await socket.write(requests, signal);
  return bodies.filter((_, index) => {
    const refusal = refusals[index];
    return refusal !== undefined && refusal.name !== "EEXIST";
  });
}

const routeHeaderBytes = 12;
const nextHopsType = 9;

function hasHops(body: Buffer): boolean {
  let found = false;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  eachAttribute({ view, start: routeHeaderBytes, end: body.length }, (type) => {
    found ||= type === nextHopsType;
  });
  return found;
}
