// The fixed structures of XFRM messages. Ports, SPIs and addresses are in network order, all else
// in the host's; sizes are those of 64-bit machines.

import type { Span } from "#hal/netlink.ts";
import { unparsed } from "../../transport/netlink-wire.ts";
import { addressOctets, families, ipv4Text, ipv6Text } from "./address.ts";
import { hexOf } from "./codecs.ts";

const addressBytes = 16;
export const selectorBytes = 56;
const lifetimeBytes = 64;

export const ipProtocols = { esp: 50, ah: 51 } as const;

/** The traffic that a policy or an SA applies to. */
export interface Selector {
  readonly family: number;
  readonly destination: string;
  readonly destinationLength: number;
  readonly source: string;
  readonly sourceLength: number;
  readonly ipProtocol: number;
  readonly destinationPort: number;
  readonly sourcePort: number;
  readonly link: number;
  readonly user: number;
}

/** Each undefined limit means no limit. */
export interface Limits {
  readonly softBytes: bigint | undefined;
  readonly hardBytes: bigint | undefined;
  readonly softPackets: bigint | undefined;
  readonly hardPackets: bigint | undefined;
  readonly softAddSeconds: bigint | undefined;
  readonly hardAddSeconds: bigint | undefined;
  readonly softUseSeconds: bigint | undefined;
  readonly hardUseSeconds: bigint | undefined;
}

export interface Usage {
  readonly bytes: bigint;
  readonly packets: bigint;
  /** Seconds since 1970; 0 = never. */
  readonly addedAt: bigint;
  readonly usedAt: bigint;
}

export function needs({ start, end }: Span, length: number, what: string): void {
  if (end - start < length) throw unparsed(`${what} of ${end - start} octets`);
}

export function readAddressAs(view: DataView, at: number, family: number): string {
  switch (family) {
    case families.ipv4:
      return ipv4Text(view, at);
    case families.ipv6:
      return ipv6Text(view, at);
    default:
      return hexOf(view, at, at + addressBytes);
  }
}

export function familyOf(address: string): number {
  return address.includes(":") ? families.ipv6 : families.ipv4;
}

export function writeAddress(octets: Uint8Array, at: number, address: string): void {
  octets.set(addressOctets(address), at);
}

export function readSelector(view: DataView, at: number): Selector {
  const family = view.getUint16(at + 40, true);
  return {
    family,
    destination: readAddressAs(view, at, family),
    destinationLength: view.getUint8(at + 42),
    source: readAddressAs(view, at + addressBytes, family),
    sourceLength: view.getUint8(at + 43),
    ipProtocol: view.getUint8(at + 44),
    destinationPort: view.getUint16(at + 32),
    sourcePort: view.getUint16(at + 36),
    link: view.getInt32(at + 48, true),
    user: view.getUint32(at + 52, true),
  };
}

/** Writes two prefixes, such as 10.0.0.0/8, at the front. */
export function writeSelector(
  octets: Uint8Array,
  between: { readonly source: string; readonly destination: string },
): void {
  octets[42] = writePrefix(octets, 0, between.destination);
  octets[43] = writePrefix(octets, addressBytes, between.source);
  octets[40] = familyOf(between.destination);
}

// Returns the length of the prefix.
function writePrefix(octets: Uint8Array, at: number, prefix: string): number {
  const slash = prefix.lastIndexOf("/");
  writeAddress(octets, at, prefix.slice(0, slash));
  return Number(prefix.slice(slash + 1));
}

// No limit is 0 for seconds and all ones for octets and packets.
function limit(view: DataView, at: number): bigint | undefined {
  if (view.getInt32(at, true) === -1 && view.getInt32(at + 4, true) === -1) return undefined;
  return view.getBigUint64(at, true);
}

function seconds(view: DataView, at: number): bigint | undefined {
  if (view.getInt32(at, true) === 0 && view.getInt32(at + 4, true) === 0) return undefined;
  return limit(view, at);
}

export function readLimits(view: DataView, at: number): Limits {
  return {
    softBytes: limit(view, at),
    hardBytes: limit(view, at + 8),
    softPackets: limit(view, at + 16),
    hardPackets: limit(view, at + 24),
    softAddSeconds: seconds(view, at + 32),
    hardAddSeconds: seconds(view, at + 40),
    softUseSeconds: seconds(view, at + 48),
    hardUseSeconds: seconds(view, at + 56),
  };
}

/** Writes all ones for octets and packets; the 0 of seconds stays. */
export function writeNoLimits(octets: Uint8Array, at: number): void {
  octets.fill(0xff, at, at + 32);
}

export function readUsage(view: DataView, at: number): Usage {
  return {
    bytes: view.getBigUint64(at, true),
    packets: view.getBigUint64(at + 8, true),
    addedAt: view.getBigUint64(at + 16, true),
    usedAt: view.getBigUint64(at + 24, true),
  };
}

export const policyUsageAt = selectorBytes + lifetimeBytes;
