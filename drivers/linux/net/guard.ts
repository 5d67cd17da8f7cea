// Block policies: no packet of a protected prefix leaves or enters in the clear, whatever becomes
// of tunnels, of charon, or of this program. They stay in the kernel until they are removed
// explicitly.

import { isIP } from "node:net";
import { type Decoder, list, Malformed, name } from "#hal/decoder.ts";
import type { OpenedPrefix } from "#hal/model.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import { answered, linksNow } from "../macsec/kernel-observation.ts";
import { addressOctets, canonicalAddress } from "../netlink/address.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";
import {
  deletePolicy,
  dumpPolicies,
  type NewPolicy,
  type Policy,
  putPolicy,
  readPolicy,
} from "../netlink/xfrm.ts";
import type { RequestSender } from "./move.ts";

export const prefixesMax = 4_096;

/**
 * The lowest number wins, and the least that charon takes for a child is 1. Among policies of one
 * number the older wins, so that a way past a block must be older than the block.
 */
const ownPriority = 0;
/** charon leaves this field 0, so that no policy of it replaces one of these. */
const ownUser = 1;

/**
 * Rewrites a prefix as the kernel has it: the network's address in its shortest form, and the
 * length.
 * @throws Malformed also for a prefix of all addresses
 */
export function canonicalPrefix(prefix: string): string {
  const [address = "", length = ""] = prefix.split("/");
  if (isIP(address) === 0 || address.includes("%")) throw new Malformed("prefixes");
  const octets = addressOctets(address);
  const bits = Number(length);
  if (!/^\d{1,3}$/.test(length) || bits > 8 * octets.length) throw new Malformed("prefixes");
  // If all addresses were blocked, this host could not be reached any more.
  if (bits === 0) throw new Malformed("prefixes");
  octets.forEach((octet, at) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * at));
    octets[at] = octet & (0xff00 >> kept) & 0xff;
  });
  const text = octets.length === 4 ? octets.join(".") : spelled(octets);
  return `${text}/${bits}`;
}

export const prefixAt: Decoder<string> = (value, what) => canonicalPrefix(name(value, what));
export const prefixesAt = list(prefixAt, prefixesMax);

export const addressAt: Decoder<string> = (value, what) => {
  const address = name(value, what);
  if (isIP(address) === 0 || address.includes("%")) throw new Malformed(what);
  return canonicalAddress(address);
};

function spelled(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16),
  );
  return canonicalAddress(groups.join(":"));
}

/** Returns the prefix of all addresses of the same family. */
const anyOf = (prefix: string): string => (prefix.includes(":") ? "::/0" : "0.0.0.0/0");

const blocking = { action: "block", priority: ownPriority, user: ownUser } as const;

function outBlock(prefix: string): NewPolicy {
  return { ...blocking, direction: "out", source: anyOf(prefix), destination: prefix };
}

function blocksOf(prefix: string): readonly NewPolicy[] {
  const inward = { ...blocking, source: prefix, destination: anyOf(prefix) };
  return [outBlock(prefix), { ...inward, direction: "in" }, { ...inward, direction: "forward" }];
}

/**
 * Returns the policy that lets a prefix past the block into a link, such as the interface of a
 * tunnel, whose own policies apply there.
 */
export function wayInto(prefix: string, link: number): NewPolicy {
  const any = anyOf(prefix);
  const own = { priority: ownPriority, user: ownUser };
  return { direction: "out", source: any, destination: prefix, link, ...own };
}

function matches(policy: Policy, want: NewPolicy): boolean {
  const { selector, attributes } = policy;
  const from = `${selector.source}/${selector.sourceLength}`;
  const to = `${selector.destination}/${selector.destinationLength}`;
  return (
    attributes.ifId === undefined &&
    attributes.mark === undefined &&
    policy.direction === want.direction &&
    policy.action === (want.action ?? "allow") &&
    policy.priority === want.priority &&
    from === want.source &&
    to === want.destination &&
    selector.link === (want.link ?? 0) &&
    selector.user === (want.user ?? 0) &&
    isPlain(policy)
  );
}

function isPlain({ selector, attributes }: Policy): boolean {
  const { ipProtocol, sourcePort, destinationPort } = selector;
  return ipProtocol + sourcePort + destinationPort === 0 && attributes.templates === undefined;
}

function hasPolicy(policies: readonly Policy[], want: NewPolicy): boolean {
  return policies.some((policy) => matches(policy, want));
}

/** Returns our policies that let prefixes past their blocks into links, present ones or not. */
export function ownWays(policies: readonly Policy[]): readonly NewPolicy[] {
  return policies.flatMap((policy) => {
    const { destination, destinationLength, link } = policy.selector;
    if (link === 0) return [];
    const way = wayInto(`${destination}/${destinationLength}`, link);
    return matches(policy, way) ? [way] : [];
  });
}

/**
 * Deletes our ways into links that are gone, because a later link may get their number. Returns the
 * present links and the ways into them.
 * @throws LinksealError by `send`, or `device.rejected` if the kernel refuses a dump
 */
export async function presentWays(
  { routes, xfrm }: { readonly routes: NetlinkSocket; readonly xfrm: NetlinkSocket },
  send: RequestSender,
  signal: AbortSignal,
): Promise<{ readonly links: readonly Link[]; readonly ways: readonly NewPolicy[] }> {
  // In this order, no way into a newer link than these is among the policies.
  const ways = ownWays(await policiesNow(xfrm, signal));
  const links = await linksNow(routes, signal);
  const present = new Set(links.map(({ index }) => index));
  const isPresent = ({ link = 0 }: NewPolicy): boolean => present.has(link);
  await send(ways.filter((way) => !isPresent(way)).map(deletePolicy), signal);
  return { links, ways: ways.filter(isPresent) };
}

/** Returns our policies that block this; one that was renewed has another user field. */
function blocksLike(policies: readonly Policy[], want: NewPolicy): readonly Policy[] {
  return policies.filter(
    (policy) =>
      policy.selector.user >= ownUser && matches(policy, { ...want, user: policy.selector.user }),
  );
}

/** Returns true if a packet that fits both meets the first one (xfrm_policy_insert_list). */
function precedes(one: Policy, other: Policy): boolean {
  if (one.direction !== other.direction) return false;
  return one.priority === other.priority ? one.index < other.index : one.priority < other.priority;
}

/** Returns our blocks that precede a way, and so hold its packets; undefined = no such way. */
function blocksAhead(policies: readonly Policy[], way: NewPolicy): readonly Policy[] | undefined {
  const found = policies.find((policy) => matches(policy, way));
  if (found === undefined) return undefined;
  return policies.filter(
    (policy) =>
      precedes(policy, found) &&
      touches(policy, way.destination) &&
      blocksLike([policy], outBlock(named(policy).destination)).length > 0,
  );
}

/** Returns true if the way is there, ahead of every block that it leads past. */
export function isOpen(policies: readonly Policy[], way: NewPolicy): boolean {
  return blocksAhead(policies, way)?.length === 0;
}

/**
 * Lets prefixes past their blocks. A block that is older than such a way is renewed: its successor
 * is there before it goes, so that no packet passes meanwhile.
 * @throws LinksealError by `send`; every prefix is blocked then
 */
export async function letPast(
  ways: readonly NewPolicy[],
  xfrm: NetlinkSocket,
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  const before = await policiesNow(xfrm, signal);
  const closed = ways.filter((way) => !isOpen(before, way));
  if (closed.length === 0) return;
  await send(closed.filter((way) => !hasPolicy(before, way)).map(putPolicy), signal);
  const policies = await policiesNow(xfrm, signal);
  const stale = [...new Set(closed.flatMap((way) => blocksAhead(policies, way) ?? []))];
  await send(successors(stale, policies).map(putPolicy), signal);
  await send(
    stale.map((policy) => deletePolicy(named(policy))),
    signal,
  );
}

/** Builds one newer block for each prefix of these. */
function successors(stale: readonly Policy[], policies: readonly Policy[]): readonly NewPolicy[] {
  const prefixes = new Set(stale.map((policy) => named(policy).destination));
  return [...prefixes].map(outBlock).map((want) => {
    const users = blocksLike(policies, want).map(({ selector }) => selector.user);
    return { ...want, user: Math.max(...users) + 1 };
  });
}

/** Returns the part of an outgoing policy by which it is deleted. */
function named({ selector }: Policy) {
  const { source, sourceLength, destination, destinationLength, link, user } = selector;
  return {
    ...({ direction: "out", link, user } as const),
    source: `${source}/${sourceLength}`,
    destination: `${destination}/${destinationLength}`,
  };
}

/** Our blocks of one direction of a prefix, and the policies that precede them all. */
interface BlockedWay {
  readonly blocks: readonly Policy[];
  readonly ahead: readonly Policy[];
}

/**
 * Finds the policies ahead of a prefix's block that let it past, except into the interface of a
 * tunnel or by `ways`.
 */
function blockedWays(
  prefix: string,
  policies: readonly Policy[],
  links: readonly Link[],
  ways: readonly NewPolicy[],
): readonly BlockedWay[] {
  // Nothing leaves by a link that does not exist any more.
  const open = new Set(links.flatMap(({ index, info }) => (info?.kind === "xfrm" ? [] : index)));
  const openers = policies.filter(
    (policy) =>
      policy.action === "allow" &&
      policy.priority <= ownPriority &&
      policy.attributes.ifId === undefined &&
      (policy.selector.link === 0 || open.has(policy.selector.link)) &&
      touches(policy, prefix) &&
      !ways.some((way) => matches(policy, way)),
  );
  return blocksOf(prefix).map((want) => {
    const blocks = blocksLike(policies, want);
    const ahead = openers.filter((opener) => blocks.every((block) => precedes(opener, block)));
    return { blocks, ahead };
  });
}

/**
 * Returns those of the prefixes that cannot leave in the clear: all three directions are blocked,
 * and no policy ahead of the block lets them past it, except into the interface of a tunnel or by
 * `ways`.
 */
export function blockedAmong(
  prefixes: Iterable<string>,
  policies: readonly Policy[],
  links: readonly Link[],
  ways: readonly NewPolicy[],
): readonly string[] {
  return [...prefixes].filter((prefix) =>
    blockedWays(prefix, policies, links, ways).every(
      ({ blocks, ahead }) => blocks.length > 0 && ahead.length === 0,
    ),
  );
}

/** Returns those of the prefixes whose block is there, with a policy that precedes it. */
export function openedAmong(
  prefixes: readonly string[],
  policies: readonly Policy[],
  links: readonly Link[],
  ways: readonly NewPolicy[],
): readonly OpenedPrefix[] {
  return prefixes.flatMap((prefix): readonly OpenedPrefix[] => {
    const found = blockedWays(prefix, policies, links, ways);
    const [opener] = found.flatMap(({ blocks, ahead }) => (blocks.length > 0 ? ahead : []));
    return opener === undefined ? [] : [{ prefix, by: policyText(opener) }];
  });
}

function policyText({ selector, direction, priority }: Policy): string {
  const { source, sourceLength, destination, destinationLength } = selector;
  const between = `${source}/${sourceLength} -> ${destination}/${destinationLength}`;
  return `the xfrm policy ${between}, dir ${direction}, priority ${priority}`;
}

function touches({ direction, selector }: Policy, prefix: string): boolean {
  const [address, length] =
    direction === "out"
      ? [selector.destination, selector.destinationLength]
      : [selector.source, selector.sourceLength];
  const [other = "", bits = "0"] = prefix.split("/");
  if (address.includes(":") !== other.includes(":")) return false;
  const shorter = Math.min(length, Number(bits));
  return shorter === 0 || cut(address, shorter) === cut(other, shorter);
}

const cut = (address: string, bits: number): string => canonicalPrefix(`${address}/${bits}`);

/**
 * Returns the prefixes whose block on the way out, by our policies or others, also holds packets of
 * this one: itself, a shorter one that it is part of, and the longer ones within it.
 */
export function blocksOver(policies: readonly Policy[], prefix: string): readonly string[] {
  const out = policies.filter(({ direction }) => direction === "out");
  return blockedOut(out.filter((policy) => touches(policy, prefix)));
}

/** Returns every prefix that this host blocks on its way out, by our policies or others. */
export function blockedOut(policies: readonly Policy[]): readonly string[] {
  const found = policies
    .filter(({ direction, action }) => direction === "out" && action === "block")
    .map(({ selector }) => `${selector.destination}/${selector.destinationLength}`);
  return [...new Set(found)];
}

/**
 * Takes one observation of the kernel's policies.
 * @throws LinksealError `device.rejected` if the kernel refuses the dump
 */
export async function policiesNow(
  xfrm: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Policy[]> {
  return answered(await xfrm.ask(dumpPolicies(), readPolicy, signal));
}

/** Blocks prefixes; a block that is there stays, because a newer one is behind its ways. */
export async function block(
  prefixes: readonly string[],
  policies: readonly Policy[],
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  const wanted = prefixes.flatMap(blocksOf);
  const missing = wanted.filter((want) => blocksLike(policies, want).length === 0);
  await send(missing.map(putPolicy), signal);
}

export async function unblock(
  prefixes: readonly string[],
  policies: readonly Policy[],
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  // Whatever blocks the whole prefix is removed, whichever priority it has.
  const there = prefixes.flatMap(blocksOf).flatMap((want) =>
    policies.flatMap((policy) => {
      const { priority, selector } = policy;
      const alike = { ...want, priority, user: selector.user };
      return matches(policy, alike) ? [alike] : [];
    }),
  );
  await send(there.map(deletePolicy), signal);
}
