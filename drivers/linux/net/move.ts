// Moves everything that depends on a link when it is made anew, or onto the SecY that is made on
// top of it: VLANs, VRFs, addresses, routes.

import { LinksealError } from "#hal/error.ts";
import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import { attribute, eachAttribute } from "../../transport/netlink-wire.ts";
import { linksNow } from "../macsec/kernel-observation.ts";
import {
  addVlanLink,
  changeLink,
  deleteLink,
  type Link,
  linkFlags,
} from "../netlink/rtnetlink-link.ts";
import { type LinkSnapshot, restoreSnapshot, takeSnapshot } from "./link-snapshot.ts";

interface Vlan {
  readonly id: number;
  readonly protocol: string;
  /** The name of the link that it is on. */
  readonly below: string;
}

interface MovedLink {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** The configured state; the lowest link comes up in any case. */
  readonly admin: "up" | "down";
  /** The name of its VRF. */
  readonly vrf?: string;
  /** Absent for the lowest one. */
  readonly vlan?: Vlan;
  readonly keepsake: LinkSnapshot;
}

/** The links from below upwards; the others are on top of the first. */
export type Stack = readonly MovedLink[];

export async function takeStack(
  socket: NetlinkSocket,
  base: Link,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<Stack> {
  const stack: MovedLink[] = [];
  for (const link of [base, ...vlansOn(base, links)]) {
    const { name, index, mtu, master, flags } = link;
    const admin = (flags & linkFlags.up) === 0 ? "down" : "up";
    const vrf = links.find((one) => one.index === master && one.info?.kind === "vrf")?.name;
    const vlan = link === base ? undefined : vlanOf(link, links);
    if (name === undefined || mtu === undefined) throw unknownLink(index);
    const keepsake = await takeSnapshot(socket, new Set([index]), signal);
    stack.push({
      ...{ name, index, mtu, admin, keepsake },
      ...(vrf === undefined ? {} : { vrf }),
      ...(vlan === undefined ? {} : { vlan }),
    });
  }
  return stack;
}

function vlansOn(base: Link, links: readonly Link[]): readonly Link[] {
  const found = [base];
  for (const below of found) {
    const on = links.filter((link) => link.info?.kind === "vlan" && link.link === below.index);
    found.push(...on.filter((link) => !found.includes(link)));
  }
  return found.slice(1);
}

function vlanOf({ index, info, link }: Link, links: readonly Link[]): Vlan {
  const below = links.find((one) => one.index === link)?.name;
  const { id, protocol } = info?.vlan ?? {};
  if (id === undefined || protocol === undefined || below === undefined) throw unknownLink(index);
  return { id, protocol, below };
}

function unknownLink(index: number): LinksealError {
  const text = `the kernel does not describe link ${index}; nothing was changed`;
  const details = { effect: "none", where: "kernel", next: "linkseal status" } as const;
  return new LinksealError("device.unparsed", text, details);
}

export type RequestSender = (
  requests: readonly NetlinkRequest[],
  signal: AbortSignal,
) => Promise<void>;

/** Deletes the VLANs, the highest first; the stack has what they carry. */
export async function endVlans(
  stack: Stack,
  links: readonly Link[],
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  const vlans = stack.slice(1).toReversed();
  const there = vlans.flatMap(({ name }) => links.find((link) => link.name === name) ?? []);
  await send(
    there.map(({ index }) => deleteLink(index)),
    signal,
  );
}

/**
 * Builds the stack again on the link `base`; what exists already stays. Returns how many addresses
 * and routes the kernel did not accept.
 */
export async function putStack(
  socket: NetlinkSocket,
  stack: Stack,
  base: string,
  send: RequestSender,
  signal: AbortSignal,
): Promise<number> {
  const [lowest] = stack;
  const nameOf = (name: string): string => (name === lowest?.name ? base : name);
  const moved = new Map<number, number>();
  for (const { name, index, mtu, admin, vrf, vlan } of stack) {
    const links = await linksNow(socket, signal);
    const named = (wanted: string): number | undefined =>
      links.find((link) => link.name === wanted)?.index;
    const below = vlan === undefined ? undefined : named(nameOf(vlan.below));
    if (vlan !== undefined && named(name) === undefined && below !== undefined) {
      const { id, protocol } = vlan;
      const room = roomOn(links.find((link) => link.index === below)) ?? mtu;
      await send([addVlanLink({ name, below, mtu: Math.min(mtu, room), id, protocol })], signal);
    }
    const now = (await linksNow(socket, signal)).find((link) => link.name === nameOf(name));
    if (now === undefined) continue;
    moved.set(index, now.index);
    const master = vrf === undefined ? undefined : named(vrf);
    const isIn = master === undefined || now.master === master;
    if (!isIn) await send([changeLink(now.index, { master })], signal);
    const isDown = (now.flags & linkFlags.up) === 0;
    const mustRise = admin === "up" || vlan === undefined;
    if (isDown && mustRise) await send([changeLink(now.index, { up: true })], signal);
  }
  const all = {
    addresses: stack.flatMap(({ keepsake }) => keepsake.addresses.map(rebased(address, moved))),
    routes: stack.flatMap(({ keepsake }) => keepsake.routes.map(rebased(route, moved))),
  };
  return await restoreSnapshot(socket, all, signal);
}

/** The MTU of a SecY does not account for the tag of a VLAN (802.1Q 9.6: four octets). */
const vlanTagBytes = 4;

function roomOn(below: Link | undefined): number | undefined {
  const tag = below?.info?.kind === "macsec" ? vlanTagBytes : 0;
  return below?.mtu === undefined ? undefined : below.mtu - tag;
}

interface Shape {
  readonly headerBytes: number;
  /** The offset at which the header names the link, if it does. */
  readonly linkAt: number | undefined;
  /** The attribute that names the link. */
  readonly link: number | undefined;
  /** The attribute with several next hops. */
  readonly hops: number | undefined;
  /** Attributes that applied to the old link only: its label, and what was counted. */
  readonly leaveOut: readonly number[];
}

const address: Shape = {
  headerBytes: 8,
  linkAt: 4,
  link: undefined,
  hops: undefined,
  leaveOut: [3, 6],
};
const route: Shape = { headerBytes: 12, linkAt: undefined, link: 4, hops: 9, leaveOut: [12] };

const hopBytesMin = 8;

/** Calls back with the offset at which each next hop names its link. */
function eachHop(view: DataView, start: number, end: number, take: (at: number) => void): void {
  for (let at = start; at + hopBytesMin <= end; ) {
    take(at + 4);
    at += Math.max(hopBytesMin, (view.getUint16(at, true) + 3) & ~3);
  }
}

/** Rewrites a body for the link that replaced the old one. */
function rebased(shape: Shape, moved: ReadonlyMap<number, number>): (body: string) => string {
  const { headerBytes, linkAt, link, hops, leaveOut } = shape;
  return (body) => {
    const octets = Uint8Array.from(Buffer.from(body, "hex"));
    const view = new DataView(octets.buffer);
    const renamed = (at: number): void => {
      const old = view.getUint32(at, true);
      view.setUint32(at, moved.get(old) ?? old, true);
    };
    if (linkAt !== undefined) renamed(linkAt);
    const kept: Uint8Array[] = [octets.slice(0, headerBytes)];
    eachAttribute({ view, start: headerBytes, end: octets.length }, (type, from, to) => {
      if (type === link) renamed(from);
      if (type === hops) eachHop(view, from, to, renamed);
      if (leaveOut.includes(type)) return;
      kept.push(
        ...attribute(type, [octets.subarray(from, to)]).filter(
          (part) => part instanceof Uint8Array,
        ),
      );
    });
    return Buffer.concat(kept).toString("hex");
  };
}
