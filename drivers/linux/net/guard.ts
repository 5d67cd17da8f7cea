// Block policies: no packet of a protected prefix leaves or enters in the clear, whatever becomes
// of tunnels, of charon, or of this program. They stay in the kernel until they are removed
// explicitly.

import { isIP } from "node:net";
import type { NetlinkSocket } from "#hal/netlink.ts";
import type { Disk, Log } from "#hal/world.ts";
import { type Decoder, list, Malformed, name, property } from "../../local/shape.ts";
import { answered } from "../macsec/kernel-observation.ts";
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
import { readStored, writeStored } from "./stored.ts";

const guardName = "guard";
export const prefixesMax = 4_096;

/** Ahead of the policies of charon and other programs; the lowest number wins. */
const blockPriority = 100;
/** The way into the interface of a tunnel, ahead of the block. */
const wayPriority = 50;

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

function blocksOf(prefix: string): readonly NewPolicy[] {
  const any = anyOf(prefix);
  const common = { action: "block", priority: blockPriority } as const;
  return [
    { ...common, direction: "out", source: any, destination: prefix },
    { ...common, direction: "in", source: prefix, destination: any },
    { ...common, direction: "forward", source: prefix, destination: any },
  ];
}

/**
 * Returns the policy that lets a prefix past the block into a link, such as the interface of a
 * tunnel, whose own policies apply there.
 */
export function wayInto(prefix: string, link: number): NewPolicy {
  const any = anyOf(prefix);
  return { direction: "out", source: any, destination: prefix, priority: wayPriority, link };
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
    isPlain(policy)
  );
}

function isPlain({ selector, attributes }: Policy): boolean {
  const { ipProtocol, sourcePort, destinationPort } = selector;
  return ipProtocol + sourcePort + destinationPort === 0 && attributes.templates === undefined;
}

export function hasPolicy(policies: readonly Policy[], want: NewPolicy): boolean {
  return policies.some((policy) => matches(policy, want));
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
  // Nothing leaves by a link that does not exist any more.
  const open = new Set(links.flatMap(({ index, info }) => (info?.kind === "xfrm" ? [] : index)));
  const openers = policies.filter(
    ({ direction, action, priority, attributes, selector }) =>
      (direction === "in" || direction === "out" || direction === "forward") &&
      action === "allow" &&
      priority <= blockPriority &&
      attributes.ifId === undefined &&
      (selector.link === 0 || open.has(selector.link)),
  );
  const others = openers.filter((opener) => !ways.some((way) => matches(opener, way)));
  return [...prefixes].filter(
    (prefix) =>
      blocksOf(prefix).every((want) => hasPolicy(policies, want)) &&
      !others.some((opener) => touches(opener, prefix)),
  );
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

/** Returns every prefix that this host blocks on its way out, by our policies or others. */
export function blockedOut(policies: readonly Policy[]): readonly string[] {
  const found = policies
    .filter(({ direction, action }) => direction === "out" && action === "block")
    .map(({ selector }) => `${selector.destination}/${selector.destinationLength}`);
  return [...new Set(found)];
}

export async function policiesNow(
  xfrm: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly Policy[]> {
  return answered(await xfrm.ask(dumpPolicies(), readPolicy, signal));
}

export async function block(
  prefixes: readonly string[],
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  await send(
    prefixes.flatMap((prefix) => blocksOf(prefix).map(putPolicy)),
    signal,
  );
}

export async function unblock(
  prefixes: readonly string[],
  policies: readonly Policy[],
  send: RequestSender,
  signal: AbortSignal,
): Promise<void> {
  const there = prefixes.flatMap((prefix) =>
    blocksOf(prefix).filter((want) => hasPolicy(policies, want)),
  );
  await send(there.map(deletePolicy), signal);
}

/**
 * Returns the prefixes that were accepted last, over every boot. An unreadable file counts as
 * empty, and is logged.
 */
export async function readGuard(disk: Disk, log: Log): Promise<readonly string[]> {
  const decode = property("prefixes", prefixesAt);
  return (await readStored(disk, guardName, decode, log, "which prefixes were blocked")) ?? [];
}

export async function writeGuard(disk: Disk, prefixes: Iterable<string>): Promise<void> {
  await writeStored(disk, guardName, { prefixes: [...new Set(prefixes)].toSorted() });
}
