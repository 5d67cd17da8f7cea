// What the kernel forgets with a link that goes down, kept in its own words until it is up again:
// addresses of IPv6, and routes that an administrator made.

import type { NetlinkMessage, NetlinkSocket, Reader } from "#hal/netlink.ts";
import { netlinkFlags } from "../../transport/netlink-wire.ts";
import { families } from "../address.ts";
import { answered } from "../look.ts";
import { type Address, dumpAddresses, readAddress } from "../rtnetlink-address.ts";
import { dumpRoutes, type Route, readRoute } from "../rtnetlink-route.ts";

export interface Keepsake {
  /** Bodies of messages that bring them back, in hexadecimal. */
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
}

const newAddress = 20;
const newRoute = 24;

/** IFA_F_PERMANENT: what has a lifetime belongs to whoever renews it. */
const permanent = 0x80;
const linkScope = 253;
/** RTPROT_BOOT and RTPROT_STATIC: the other ones are somebody's who brings them back himself. */
const administrators: ReadonlySet<number> = new Set([3, 4]);

/** `links`: numbers of the links that go down together. */
export async function keep(
  socket: NetlinkSocket,
  links: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<Keepsake> {
  const isOurs = ({ link, scope, flags = 0 }: Address): boolean =>
    links.has(link) && scope !== linkScope && (flags & permanent) !== 0;
  const leaves = ({ protocol, outputLink }: Route): boolean =>
    outputLink !== undefined && links.has(outputLink) && administrators.has(protocol);
  const addresses = await socket.ask(dumpAddresses(), copyOf(readAddress, isOurs), signal);
  const ipv4 = await socket.ask(dumpRoutes(families.ipv4), copyOf(readRoute, leaves), signal);
  const ipv6 = await socket.ask(dumpRoutes(families.ipv6), copyOf(readRoute, leaves), signal);
  return {
    addresses: answered(addresses),
    routes: [...answered(ipv4), ...answered(ipv6)],
  };
}

function copyOf<T>(read: Reader<T>, wanted: (found: T) => boolean): Reader<string> {
  return (message: NetlinkMessage) => {
    const found = read(message);
    if (found === undefined || !wanted(found)) return undefined;
    const { view, start, end } = message;
    return Buffer.from(view.buffer, view.byteOffset + start, end - start).toString("hex");
  };
}

/** How many of them the kernel did not take; what is there already counts as taken. */
export async function bringBack(
  socket: NetlinkSocket,
  { addresses, routes }: Keepsake,
  signal: AbortSignal,
): Promise<number> {
  let missing = await send(socket, newAddress, addresses, signal);
  let left = await send(socket, newRoute, routes, signal);
  // A route may need another one of them to reach its gateway, whatever their order.
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
  const flags = netlinkFlags.create | netlinkFlags.exclusive;
  const requests = bodies.map((hex) => ({ type, flags, body: [Buffer.from(hex, "hex")] }));
  const refusals = await socket.write(requests, signal);
  return bodies.filter((_, index) => {
    const refusal = refusals[index];
    return refusal !== undefined && refusal.name !== "EEXIST";
  });
}
