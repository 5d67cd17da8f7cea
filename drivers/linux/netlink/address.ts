// IP addresses between octets and text (RFC 5952), for both families.

import { isIPv4, isIPv6 } from "node:net";
import { unparsed } from "../../transport/netlink-wire.ts";
import type { Codec } from "./attributes.ts";

/** Numbers of the address families (AF_UNSPEC, AF_INET, AF_INET6). */
export const families = { unspecified: 0, ipv4: 2, ipv6: 10 } as const;

const decimal = Array.from({ length: 256 }, (_, octet) => String(octet));
const dotted = Array.from({ length: 256 }, (_, octet) => `${octet}.`);

export function ipv4Text(view: DataView, at: number): string {
  const front = (index: number): string => dotted[view.getUint8(at + index)] ?? "";
  return front(0) + front(1) + front(2) + (decimal[view.getUint8(at + 3)] ?? "");
}

/**
 * Formats an IPv6 address: the longest run of two or more zero groups, the first of equal ones, is
 * written `::`.
 */
export function ipv6Text(view: DataView, at: number): string {
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((offset) => view.getUint16(at + offset));
  const written = groups.map((group) => group.toString(16));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${ipv4Text(view, at + 12)}`;
  }
  const { start, length } = longestZeros(groups);
  if (length < 2) return written.join(":");
  return `${written.slice(0, start).join(":")}::${written.slice(start + length).join(":")}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** Returns the 4 or 16 octets of an address. */
export function addressOctets(text: string): Uint8Array {
  if (isIPv4(text)) return ipv4Octets(text);
  if (!isIPv6(text) || text.includes("%")) throw new TypeError(`${text} is not an address`);
  const plain = text.replace(/[\d.]+$/, (tail) => (tail.includes(".") ? groupsOf(tail) : tail));
  const [front = "", back] = plain.split("::");
  const parts = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const after = parts(back ?? "");
  const before = parts(front);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const groups = back === undefined ? before : [...before, ...zeros, ...after];
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

function ipv4Octets(text: string): Uint8Array {
  const octets = new Uint8Array(4);
  let at = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0) at += 1;
    else octets[at] = (octets[at] ?? 0) * 10 + digit;
  }
  return octets;
}

function groupsOf(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** Rewrites an address in the form of RFC 5952. */
export function canonicalAddress(text: string): string {
  const octets = addressOctets(text);
  return ipAddress.read(new DataView(octets.buffer), 0, octets.length);
}

/** An address whose length decides its family. */
export const ipAddress: Codec<string> = {
  read(view, start, end) {
    if (end - start === 4) return ipv4Text(view, start);
    if (end - start === 16) return ipv6Text(view, start);
    throw unparsed(`an address of ${end - start} octets`);
  },
  write: (value) => [addressOctets(value)],
};
