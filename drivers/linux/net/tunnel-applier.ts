// The kernel applier for tunnels: the xfrm interface, the routes into it, and the block around it.

import { LinksealError, withEffect } from "#hal/error.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import type { Disk, Log } from "#hal/world.ts";
import {
  addressesNow,
  answered,
  linksNow,
  refusalText,
  routesNow,
} from "../macsec/kernel-observation.ts";
import { type Address, addAddress, removeAddress } from "../netlink/rtnetlink-address.ts";
import { addXfrmLink, changeLink, deleteLink, type Link } from "../netlink/rtnetlink-link.ts";
import {
  addLinkRoute,
  deleteLinkRoute,
  isLinkRoute,
  type Route,
} from "../netlink/rtnetlink-route.ts";
import { deletePolicy, deleteSa, dumpSas, readSa, type Sa } from "../netlink/xfrm.ts";
import {
  applyExemptPrefixes,
  type ExemptPrefix,
  readExemptPrefixes,
  removeExemptPrefixes,
  storeExemptPrefixes,
  waysUnderMacsec,
} from "./exempt-prefixes.ts";
import {
  block,
  blockedAmong,
  letPast,
  ownWays,
  policiesNow,
  presentWays,
  unblock,
  wayInto,
} from "./guard.ts";
import { readGuard, writeGuard } from "./guard-file.ts";
import type { RequestSender } from "./move.ts";
import { clamp, clampName, clampsNow, unclamp } from "./mss.ts";
import { hasEnds, hasRoute, type TunnelSurroundings, tunnelGaps } from "./tunnel-gaps.ts";
import { readStoredLinks, storeLink } from "./tunnel-links.ts";
import type { TunnelEnds, TunnelLink, TunnelOperation } from "./tunnel-operation.ts";

export interface TunnelContext {
  readonly routes: NetlinkSocket;
  readonly xfrm: NetlinkSocket;
  /**
   * The socket of nftables; absent = the kernel does not have it, and the MSS of TCP is not
   * changed.
   */
  readonly filter?: NetlinkSocket;
  readonly disk: Disk;
  readonly log: Log;
  readonly bootId: string;
  /** Makes charon forget a tunnel; absent if this process does not reach charon. */
  readonly forget?: (tunnel: string, signal: AbortSignal) => Promise<void>;
}

interface Now extends TunnelSurroundings {
  /** The names of the tables that lower the MSS; undefined = the kernel does not report them. */
  readonly clamps: readonly string[] | undefined;
}

/** Reads the kernel's interfaces, and the routes, addresses and policies that lead into them. */
export function tunnelSurroundings(
  context: TunnelContext,
  signal: AbortSignal,
): Promise<TunnelSurroundings> {
  return now(context, signal);
}

async function now({ routes, xfrm, filter }: TunnelContext, signal: AbortSignal): Promise<Now> {
  const led = await routesNow(routes, signal);
  const policies = await policiesNow(xfrm, signal);
  const addresses = await addressesNow(routes, signal);
  const links = await linksNow(routes, signal);
  const clamps = filter === undefined ? undefined : await clampsNow(filter, signal);
  return { links, addresses, routes: led, policies, clamps };
}

/** Returns the operation that would undo this one; undefined = there is nothing to do. */
export async function undoOfTunnelOperation(
  operation: TunnelOperation,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<TunnelOperation | undefined> {
  switch (operation.kind) {
    case "ipsec.block": {
      const { links, policies } = await now(context, signal);
      const stored = await readGuard(context.disk, context.log);
      const ways = waysUnderMacsec(await readExemptPrefixes(context.disk, context.log), links);
      const blocked = new Set(blockedAmong(operation.prefixes, policies, links, ways));
      const isDone =
        stored.state === "whole" &&
        operation.prefixes.every(
          (prefix) => blocked.has(prefix) && stored.prefixes.includes(prefix),
        );
      // A block outlives the set-up that it was put for, whose failure must not open a prefix
      // again.
      return isDone ? undefined : { kind: "ipsec.unblock", prefixes: [] };
    }
    case "ipsec.back": {
      const before = await readExemptPrefixes(context.disk, context.log);
      // The exemption goes with the block, which stays.
      return isStored(operation.backings, before)
        ? undefined
        : { kind: "ipsec.back", backings: [] };
    }
    case "ipsec.carry": {
      const observed = await now(context, signal);
      const { name, ifId } = operation.link;
      if (linkOf(name, ifId, observed.links) === undefined)
        return { kind: "ipsec.unmake", name, ifId };
      const before = await storedLink(name, context);
      if (isWhole(operation.link, observed) && isSameLink(before ?? operation.link, operation.link))
        return undefined;
      return { kind: "ipsec.carry", link: before ?? operation.link };
    }
    case "ipsec.drop": {
      const observed = await now(context, signal);
      const link = xfrmLinkNamed(operation.name, observed.links);
      const before = await storedLink(operation.name, context);
      if (link !== undefined)
        return { kind: "ipsec.carry", link: before ?? asItIs(link, observed) };
      // An interface that was deleted by hand is still stored, and a boot would make it again. To
      // undo that must not make it, because its routes would draw packets from where they go now.
      return before === undefined ? undefined : operation;
    }
    case "ipsec.sweep": {
      const there = await sasOf(operation.ifId, context, signal);
      const isThere = there.some(({ spi }) => operation.sas.some((sa) => sa.spi === spi));
      // An SA cannot be restored, because its keys are not stored anywhere.
      return isThere ? { ...operation, sas: [] } : undefined;
    }
    case "ipsec.unblock":
    case "ipsec.unmake":
      return undefined;
  }
}

/**
 * Carries out an operation; it is idempotent.
 * @throws LinksealError `device.rejected` if the kernel refuses a part: with effect "none" only if
 * no other part was carried out before
 */
export async function applyTunnelOperation(
  operation: TunnelOperation,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<void> {
  let isTouched = false;
  const note = (): void => {
    isTouched = true;
  };
  const { routes, xfrm } = context;
  const noting = { ...context, routes: noted(routes, note), xfrm: noted(xfrm, note) };
  try {
    await carryOut(operation, noting, note, signal);
  } catch (error) {
    if (!isTouched || !(error instanceof LinksealError) || error.effect !== "none") throw error;
    throw withEffect(error, "applied");
  }
}

/** The same socket; `note` is called when the kernel has carried out a request. */
function noted(socket: NetlinkSocket, note: () => void): NetlinkSocket {
  return {
    ask: (request, read, signal) => socket.ask(request, read, signal),
    async write(requests, signal, tail) {
      const refusals = await socket.write(requests, signal, tail);
      if (refusals.includes(undefined)) note();
      return refusals;
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

async function carryOut(
  operation: TunnelOperation,
  context: TunnelContext,
  note: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { xfrm, disk, log } = context;
  switch (operation.kind) {
    case "ipsec.block": {
      // The file, which outlives a boot, is written first: a crash between the two leaves too much
      // blocked, never too little. What it has already is blocked on a full disk as well.
      const { state, prefixes } = await readGuard(disk, log);
      if (state === "damaged" || !operation.prefixes.every((one) => prefixes.includes(one))) {
        await writeGuard(disk, [...prefixes, ...operation.prefixes]);
        note();
      }
      const policies = await policiesNow(xfrm, signal);
      await block(operation.prefixes, policies, senderFor(xfrm, "block"), signal);
      await restoreExemptPrefixes(context, signal);
      return;
    }
    case "ipsec.back":
      await storeExemptPrefixes(operation.backings, context);
      await restoreExemptPrefixes(context, signal);
      return;
    case "ipsec.unblock": {
      await storeExemptPrefixes(await closed(operation.prefixes, context), context);
      await restoreExemptPrefixes(context, signal);
      await removeExemptPrefixes(operation.prefixes, context);
      const policies = await policiesNow(xfrm, signal);
      await unblock(operation.prefixes, policies, senderFor(xfrm, "block"), signal);
      const stored = await readGuard(disk, log);
      await writeGuard(
        disk,
        stored.prefixes.filter((prefix) => !operation.prefixes.includes(prefix)),
      );
      return;
    }
    case "ipsec.carry": {
      await carryLink(operation.link, context, signal);
      await dropRest(operation.link, context, signal);
      await storeLink(context, operation.link.name, operation.link);
      return;
    }
    case "ipsec.drop":
      await storeLink(context, operation.name, undefined);
      await dropLink(operation.name, context, signal);
      return;
    case "ipsec.sweep":
      await endSas(operation, (spi) => operation.sas.some((sa) => sa.spi === spi), context, signal);
      return;
    case "ipsec.unmake":
      await context.forget?.(operation.name, signal).catch((error: unknown) => {
        if (!(error instanceof LinksealError)) throw error;
        log.write("warn", error.code, `charon could not be made to forget ${operation.name}`);
      });
      await endSas(operation, () => true, context, signal);
      await storeLink(context, operation.name, undefined);
      await dropLink(operation.name, context, signal);
  }
}

function isStored(wanted: readonly ExemptPrefix[], stored: readonly ExemptPrefix[]): boolean {
  const portsOf = (prefix: string): readonly string[] =>
    stored.find((one) => one.prefix === prefix)?.ports ?? [];
  return wanted.every(({ prefix, ports }) => ports.join(" ") === portsOf(prefix).join(" "));
}

/** Returns those of the prefixes that are exempt, with no port from now on. */
async function closed(
  prefixes: readonly string[],
  { disk, log }: TunnelContext,
): Promise<readonly ExemptPrefix[]> {
  const stored = await readExemptPrefixes(disk, log);
  return stored
    .filter(({ prefix }) => prefixes.includes(prefix))
    .map(({ prefix }) => ({ prefix, ports: [] }));
}

/** Applies the exempt prefixes to the present links; it is to be called whenever links change. */
export function restoreExemptPrefixes(context: TunnelContext, signal: AbortSignal): Promise<void> {
  return applyExemptPrefixes(context, senderFor(context.xfrm, "block"), signal);
}

async function carryLink(
  want: TunnelLink,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<void> {
  const { name, ifId, mtu, prefixes, ends } = want;
  const send = senderFor(context.routes, name);
  const before = await linksNow(context.routes, signal);
  if (linkOf(name, ifId, before) === undefined) await send([addXfrmLink(want)], signal);
  const link = linkOf(name, ifId, await linksNow(context.routes, signal));
  if (link === undefined) throw rejected("the kernel took its interface back", name);
  const { index } = link;
  // The policy comes first: packets that are routed into the interface would be blocked before its
  // own policies apply.
  const ways = prefixes.map((prefix) => wayInto(prefix, index));
  await letPast(ways, context.xfrm, senderFor(context.xfrm, name), signal);
  await send([changeLink(index, { up: true, mtu, addressMode: "none" })], signal);
  const { routes, addresses, clamps } = await now(context, signal);
  if (clamps !== undefined) await clamp(want, clamps, context, signal);
  if (ends !== undefined) {
    if (hasEnds(addresses, index, ends)) return;
    await send([addAddress(addressOf(ends, index))], signal);
    return;
  }
  const missing = prefixes.filter((prefix) => !hasRoute(routes, prefix, index));
  await send(
    missing.map((prefix) => addLinkRoute(prefix, index)),
    signal,
  );
}

async function storedLink(name: string, context: TunnelContext): Promise<TunnelLink | undefined> {
  const { links } = await readStoredLinks(context.disk, context.log);
  return links.find((one) => one.name === name);
}

function isSameLink(one: TunnelLink, other: TunnelLink): boolean {
  const text = ({ ifId, mtu, prefixes, ends }: TunnelLink): string =>
    [ifId, mtu, ...prefixes.toSorted(), ends?.local, ends?.peer].join(" ");
  return text(one) === text(other);
}

/**
 * Removes what the link has and does not need, by what is there: a version that was never stored
 * may have left it. The block of a prefix stays.
 */
async function dropRest(
  { name, prefixes, ends }: TunnelLink,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<void> {
  const { links, routes, policies, addresses } = await now(context, signal);
  const index = xfrmLinkNamed(name, links)?.index;
  if (index === undefined) return;
  const send = senderFor(context.routes, name);
  const ways = ownWays(policies).filter((way) => way.link === index);
  const gone = ways.filter((way) => !prefixes.includes(way.destination));
  // Only a prefix with a way of ours had a route of ours; any other is an operator's.
  const unled = (ends === undefined ? gone : ways).map((way) => way.destination);
  const stale = ledInto(index, routes).filter((prefix) => unled.includes(prefix));
  await send(
    stale.map((prefix) => deleteLinkRoute(prefix, index)),
    signal,
  );
  await senderFor(context.xfrm, name)(gone.map(deletePolicy), signal);
  const others = pairsOn(index, addresses).filter((pair) => !isSameEnds(pair, ends));
  await send(
    others.map((pair) => removeAddress(addressOf(pair, index))),
    signal,
  );
}

const isSameEnds = (one: TunnelEnds, other: TunnelEnds | undefined): boolean =>
  one.local === other?.local && one.peer === other.peer;

const addressOf = (ends: TunnelEnds, link: number) => ({
  ...{ ...ends, link },
  prefixLength: hostBits(ends.peer),
});

const hostBits = (address: string): number => (address.includes(":") ? 128 : 32);

/** Returns the pairs of addresses on an interface that are as `ends` are put there. */
function pairsOn(index: number, addresses: readonly Address[]): readonly TunnelEnds[] {
  return addresses.flatMap(({ link, local, address, prefixLength }) => {
    if (link !== index || local === undefined || address === undefined) return [];
    return local !== address && prefixLength === hostBits(address)
      ? [{ local, peer: address }]
      : [];
  });
}

/** Returns the prefixes with a route into an interface as linkseal-net makes it. */
function ledInto(index: number, routes: readonly Route[]): readonly string[] {
  return routes.flatMap((route) => {
    const { destination, destinationLength } = route;
    if (destination === undefined || !isLinkRoute(route, index)) return [];
    return [`${destination}/${destinationLength}`];
  });
}

async function dropLink(name: string, context: TunnelContext, signal: AbortSignal): Promise<void> {
  const { links, clamps = [] } = await now(context, signal);
  const link = xfrmLinkNamed(name, links);
  await unclamp(name, clamps, context, signal);
  // The routes of the link go with it, and its ways past the block after it.
  if (link !== undefined) await senderFor(context.routes, name)([deleteLink(link.index)], signal);
  await presentWays(context, senderFor(context.xfrm, name), signal);
}

async function sasOf(
  ifId: number,
  { xfrm }: TunnelContext,
  signal: AbortSignal,
): Promise<readonly Sa[]> {
  const sas = answered(await xfrm.ask(dumpSas(), readSa, signal));
  return sas.filter(({ attributes }) => attributes.ifId === ifId);
}

async function endSas(
  { name, ifId }: { readonly name: string; readonly ifId: number },
  isMeant: (spi: number) => boolean,
  context: TunnelContext,
  signal: AbortSignal,
): Promise<void> {
  const meant = (await sasOf(ifId, context, signal)).filter(({ spi }) => isMeant(spi));
  const refusals = await context.xfrm.write(meant.map(deleteSa), signal);
  // ESRCH: the SA has expired in the meantime.
  const refused = refusals.find((one) => one !== undefined && one.name !== "ESRCH");
  if (refused !== undefined) throw rejected(`the kernel refused it: ${refused.name}`, name);
}

/**
 * Returns the interface; undefined = there is none.
 * @throws LinksealError `device.rejected` if another link has the name or the number
 */
function linkOf(name: string, ifId: number, links: readonly Link[]): Link | undefined {
  const named = links.find((link) => link.name === name);
  const numbered = links.find(({ info }) => info?.xfrm?.ifId === ifId);
  if (named !== undefined && named.info?.kind !== "xfrm") {
    throw rejected(`${name} is the name of another link of this host`, name);
  }
  if (named !== numbered) throw rejected(`its number ${ifId} is another interface's`, name);
  return named;
}

function xfrmLinkNamed(name: string, links: readonly Link[]): Link | undefined {
  return links.find((link) => link.name === name && link.info?.kind === "xfrm");
}

function isWhole(want: TunnelLink, observed: Now): boolean {
  const { clamps } = observed;
  const isClamped = clamps === undefined || clamps.includes(clampName(want.name, want.mtu));
  return isClamped && tunnelGaps(want, observed).length === 0;
}

function asItIs(link: Link, { routes, addresses, policies }: Now): TunnelLink {
  const { name = "", info, mtu = 0, index } = link;
  const own = { name, ifId: info?.xfrm?.ifId ?? 0, mtu };
  const [ends] = pairsOn(index, addresses);
  if (ends === undefined) return { ...own, prefixes: ledInto(index, routes) };
  const ways = ownWays(policies).filter((way) => way.link === index);
  return { ...own, prefixes: ways.map(({ destination }) => destination), ends };
}

function senderFor(socket: NetlinkSocket, where: string): RequestSender {
  return async (requests, signal) => {
    const refusals = await socket.write(requests, signal);
    const refused = refusals.find((one) => one !== undefined);
    if (refused === undefined) return;
    throw rejected(`the kernel refused it: ${refusalText(refused)}`, where);
  };
}

function rejected(text: string, where: string): LinksealError {
  return new LinksealError("device.rejected", `${where}: ${text}`, {
    effect: "none",
    where,
    next: "linkseal tunnels",
  });
}
