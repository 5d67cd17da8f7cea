// Exempt prefixes: prefixes of tunnels that may also leave under the MACsec of ports. The policy
// that lets them past the block is bound to the SecY and is gone with it, so that the block closes
// by itself.

import { type Decoder, list, Malformed, name, object, property } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import type { BackedPrefix, PortName } from "#hal/model.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import type { Disk, Log } from "#hal/world.ts";
import { isTight } from "../macsec/secy.ts";
import { changeLink, inboundPolicyOf, type Link } from "../netlink/rtnetlink-link.ts";
import { deletePolicy, type NewPolicy, type Policy } from "../netlink/xfrm.ts";
import { isOpen, letPast, prefixAt, prefixesMax, presentWays, wayInto } from "./guard.ts";
import type { RequestSender } from "./move.ts";
import { portsOf, stackOn } from "./stack.ts";
import { readStored, writeStored } from "./stored.ts";

const exemptPrefixesName = "backing";
const portsMax = 64;

/**
 * The ports that a prefix may leave by under MACsec; an empty list = it may leave by tunnels alone.
 */
export interface ExemptPrefix {
  readonly prefix: string;
  readonly ports: readonly PortName[];
}

const plainExemptPrefix = object<ExemptPrefix>({ prefix: prefixAt, ports: list(name, portsMax) });

export const exemptPrefixAt: Decoder<ExemptPrefix> = (value, what) => {
  const exempt = plainExemptPrefix(value, what);
  // The kernel does not know of an IPv6 packet by which link it came in.
  if (exempt.prefix.includes(":") && exempt.ports.length > 0) throw new Malformed("ports");
  return exempt;
};

/**
 * Returns the exempt prefixes that were accepted last, over every boot. An unreadable file exempts
 * nothing, and is logged.
 */
export async function readExemptPrefixes(disk: Disk, log: Log): Promise<readonly ExemptPrefix[]> {
  const decode = property("prefixes", list(exemptPrefixAt, prefixesMax));
  const unknown = "which prefixes may leave under MACsec";
  return (await readStored(disk, exemptPrefixesName, decode, log, unknown)) ?? [];
}

async function write(disk: Disk, prefixes: readonly ExemptPrefix[]): Promise<void> {
  await writeStored(disk, exemptPrefixesName, { prefixes });
}

/**
 * Returns the links whose every frame passes a strict, encrypting SecY over one of these ports; a
 * port itself is never among them.
 */
function sealedOver(ports: readonly PortName[], links: readonly Link[]): readonly Link[] {
  const named = portsOf(links).filter((port) => ports.includes(port.name));
  const above = named.flatMap((port) => stackOn(port, links));
  return aboveSecys(above.filter(isTight), links);
}

function aboveSecys(among: readonly Link[], links: readonly Link[]): readonly Link[] {
  const secys = among.filter(({ info }) => info?.kind === "macsec");
  const found = new Set(secys.flatMap((secy) => stackOn(secy, links)));
  return [...found].filter(({ info }) => info?.kind !== "xfrm");
}

/**
 * Returns the policies that let the prefixes past the block under MACsec, for the present links.
 */
export function waysUnderMacsec(
  exemptPrefixes: readonly ExemptPrefix[],
  links: readonly Link[],
): readonly NewPolicy[] {
  return exemptPrefixes.flatMap(({ prefix, ports }) =>
    sealedOver(ports, links).map(({ index }) => wayInto(prefix, index)),
  );
}

export interface ExemptPrefixContext {
  readonly routes: NetlinkSocket;
  readonly xfrm: NetlinkSocket;
  readonly disk: Disk;
  readonly log: Log;
}

/** Stores these exempt prefixes; those of other prefixes stay as they are. */
export async function storeExemptPrefixes(
  exemptPrefixes: readonly ExemptPrefix[],
  { disk, log }: ExemptPrefixContext,
): Promise<void> {
  const given = new Set(exemptPrefixes.map(({ prefix }) => prefix));
  const others = (await readExemptPrefixes(disk, log)).filter(({ prefix }) => !given.has(prefix));
  await write(disk, [...others, ...exemptPrefixes]);
}

/** Forgets the exemption of prefixes that are not blocked any more. */
export async function removeExemptPrefixes(
  prefixes: readonly string[],
  { disk, log }: ExemptPrefixContext,
): Promise<void> {
  const stored = await readExemptPrefixes(disk, log);
  const left = stored.filter(({ prefix }) => !prefixes.includes(prefix));
  if (left.length < stored.length) await write(disk, left);
}

/**
 * Brings the kernel's policies to the stored exempt prefixes, for the present links; it closes
 * before it opens.
 */
export async function applyExemptPrefixes(
  context: ExemptPrefixContext,
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  const { routes, xfrm, disk, log } = context;
  const { links, ways } = await presentWays(context, send, signal);
  const stored = await readExemptPrefixes(disk, log);
  if (stored.length === 0) return;
  const wanted = waysUnderMacsec(stored, links);
  // Ways into tunnels belong to these.
  const tunnels = new Set(links.flatMap(({ index, info }) => (info?.kind === "xfrm" ? index : [])));
  const stale = ways.filter(
    (way) =>
      stored.some(({ prefix }) => prefix === way.destination) &&
      !tunnels.has(way.link ?? 0) &&
      !includes(wanted, way),
  );
  await send(stale.map(deletePolicy), signal);
  const open = new Set(wanted.flatMap(({ link }) => link ?? []));
  // The exemption of incoming packets belongs to a link and not to a prefix.
  for (const link of aboveSecys(links, links)) {
    const wish = open.has(link.index) ? "passed" : "checked";
    if (inboundPolicyOf(link) !== wish) await setInbound(routes, link, wish, signal);
  }
  await letPast(wanted, xfrm, send, signal);
}

function includes(ways: readonly NewPolicy[], { destination, link }: NewPolicy): boolean {
  return ways.some((way) => way.destination === destination && way.link === link);
}

async function setInbound(
  routes: NetlinkSocket,
  { index, name = String(index) }: Link,
  inboundPolicy: "checked" | "passed",
  signal: AbortSignal,
): Promise<void> {
  const [refusal] = await routes.write([changeLink(index, { inboundPolicy })], signal);
  // A link that is gone meanwhile lets nothing in.
  if (refusal === undefined || refusal.name === "ENODEV") return;
  throw new LinksealError("device.rejected", `${name}: the kernel refused it: ${refusal.name}`, {
    effect: "none",
    where: name,
    next: "linkseal tunnels",
  });
}

/**
 * Returns, for each exempt prefix, the ports that it may use and those that it can use with the
 * present links and policies.
 */
export function exemptPrefixStates(
  stored: readonly ExemptPrefix[],
  policies: readonly Policy[],
  links: readonly Link[],
): readonly BackedPrefix[] {
  const passes = (prefix: string, port: PortName): boolean => {
    const over = sealedOver([port], links);
    return (
      over.length > 0 &&
      over.every(
        (link) =>
          inboundPolicyOf(link) === "passed" && isOpen(policies, wayInto(prefix, link.index)),
      )
    );
  };
  return stored
    .filter(({ ports }) => ports.length > 0)
    .map(({ prefix, ports }) => ({
      ...{ prefix, ports },
      open: ports.filter((port) => passes(prefix, port)),
    }));
}
