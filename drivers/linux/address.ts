// IP addresses between octets and text (RFC 5952), for both families.

import { isIPv4, isIPv6 } from "node:net";
import { unparsed } from "../transport/netlink-wire.ts";
import type { Form } from "./attributes.ts";

export const families = { unspecified: 0, ipv4: 2, ipv6: 10 } as const;

export function ipv4Text(view: DataView, at: number): string {
  const octet = (index: number): number => view.getUint8(at + index);
  return `${octet(0)}.${octet(1)}.${octet(2)}.${octet(3)}`;
}

/** The longest run of two or more zero groups is written `::`; the first of equal ones. */
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

/** 4 or 16 octets. */
export function addressOctets(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) throw new TypeError(`${text} is no address`);
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

function groupsOf(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** An address whose family its length tells. */
export const ipAddress: Form<string> = {
  read(view, start, end) {
    if (end - start === 4) return ipv4Text(view, start);
    if (end - start === 16) return ipv6Text(view, start);
    throw unparsed(`an address of ${end - start} octets`);
  },
  write: (value) => [addressOctets(value)],
};
