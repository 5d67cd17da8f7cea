// Codecs of single values. Integers are in the host's order, which is little-endian on every
// machine that the runtime is shipped for, unless a name says otherwise.

import type { Octets } from "#hal/netlink.ts";
import { unparsed } from "../../transport/netlink-wire.ts";
import type { Codec, ReadCodec } from "./attributes.ts";

function sized(start: number, end: number, length: number): void {
  if (end - start !== length) throw unparsed(`${end - start} octets instead of ${length}`);
}

function octetsWith(length: number, fill: (view: DataView) => void): Octets {
  const octets = new Uint8Array(length);
  fill(new DataView(octets.buffer));
  return [octets];
}

/** 8 bits. */
export const u8: Codec<number> = {
  read(view, start, end) {
    sized(start, end, 1);
    return view.getUint8(start);
  },
  write: (value) => [Uint8Array.of(value)],
};

export const u16: Codec<number> = {
  read(view, start, end) {
    sized(start, end, 2);
    return view.getUint16(start, true);
  },
  write: (value) => octetsWith(2, (view) => view.setUint16(0, value, true)),
};

/** 32 bits in the host's order. */
export const u32: Codec<number> = {
  read(view, start, end) {
    sized(start, end, 4);
    return view.getUint32(start, true);
  },
  write: (value) => octetsWith(4, (view) => view.setUint32(0, value, true)),
};

/**
 * 32 bits in network order: what the standard calls an octet string is not a number of the host.
 */
export const networkU32: Codec<number> = {
  read(view, start, end) {
    sized(start, end, 4);
    return view.getUint32(start);
  },
  write: (value) => octetsWith(4, (view) => view.setUint32(0, value)),
};

export const s32: Codec<number> = {
  read(view, start, end) {
    sized(start, end, 4);
    return view.getInt32(start, true);
  },
  write: (value) => octetsWith(4, (view) => view.setInt32(0, value, true)),
};

/** 64 bits in the host's order. */
export const u64: Codec<bigint> = {
  read(view, start, end) {
    sized(start, end, 8);
    return view.getBigUint64(start, true);
  },
  write: (value) => octetsWith(8, (view) => view.setBigUint64(0, value, true)),
};

/** A counter that the kernel sends as 32 or as 64 bits, depending on where it counts. */
export const counter: Codec<bigint> = {
  read(view, start, end) {
    return end - start === 4 ? BigInt(view.getUint32(start, true)) : u64.read(view, start, end);
  },
  write: (value) => u64.write(value),
};

/** One octet; any value but 0 is true. */
export const bool: Codec<boolean> = {
  read: (view, start, end) => u8.read(view, start, end) !== 0,
  write: (value) => u8.write(value ? 1 : 0),
};

/** An attribute without a value: it is set if it is present. */
export const flag: Codec<true> = { read: () => true, write: () => [] };

/** Text up to its NUL; a character that is not printable becomes `?`. */
export const text: Codec<string> = {
  read(view, start, end) {
    let result = "";
    for (let at = start; at < end; at += 1) {
      const octet = view.getUint8(at);
      if (octet === 0) break;
      result += octet < 0x20 || octet > 0x7e ? "?" : String.fromCharCode(octet);
    }
    return result;
  },
  write: (value) => [new TextEncoder().encode(`${value}\0`)],
};

const digits = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

export function hexOf(view: DataView, start: number, end: number): string {
  let result = "";
  for (let at = start; at < end; at += 1) result += digits[view.getUint8(at)] ?? "";
  return result;
}

function octetsOfHex(value: string): Uint8Array {
  return Uint8Array.from(value.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Octets as lower-case hexadecimal. */
export const hex: Codec<string> = {
  read: hexOf,
  write: (value) => [octetsOfHex(value)],
};

/** Hexadecimal of exactly `length` octets. */
export function hexOfSize(length: number): Codec<string> {
  return {
    read(view, start, end) {
      sized(start, end, length);
      return hexOf(view, start, end);
    },
    write: (value) => hex.write(value),
  };
}

/** An address of a link, with colons. */
export const linkAddress: Codec<string> = {
  read: (view, start, end) => hexOf(view, start, end).replaceAll(/(..)(?=.)/g, "$1:"),
  write: (value) => [octetsOfHex(value.replaceAll(":", ""))],
};

/** Key material that the kernel hands out: its octets are wiped in place. */
export const dropped: ReadCodec<undefined> = {
  read(view, start, end) {
    new Uint8Array(view.buffer, view.byteOffset + start, end - start).fill(0);
    return undefined;
  },
};

/** A name, or `number N` for a number without a name, so that a newer kernel can still be read. */
export type Named<N extends string> = N | `number ${number}`;

export function named<const N extends string>(
  names: Readonly<Record<number, N>>,
  number: Codec<number>,
): Codec<Named<N>> {
  const numbers = new Map(Object.entries(names).map(([key, name]) => [name, Number(key)]));
  return {
    read(view, start, end) {
      const value = number.read(view, start, end);
      return names[value] ?? (`number ${value}` as const);
    },
    write(value) {
      return number.write(numbers.get(value as N) ?? Number(value.slice("number ".length)));
    },
  };
}

type RowCodec<N extends string, T> = ReadCodec<Readonly<Partial<Record<N, T>>>>;

/** Reads a row of numbers; a kernel of another version may send fewer or more. */
function rowOf<const N extends string, T>(
  names: readonly N[],
  length: number,
  read: (view: DataView, at: number) => T,
): RowCodec<N, T> {
  return {
    read(view, start, end) {
      const found: Partial<Record<N, T>> = {};
      names.forEach((name, index) => {
        const at = start + length * index;
        if (at + length <= end) found[name] = read(view, at);
      });
      return found;
    },
  };
}

/** A row of 32-bit numbers. */
export const words = <const N extends string>(...names: readonly N[]): RowCodec<N, number> =>
  rowOf(names, 4, (view, at) => view.getUint32(at, true));

/** A row of 64-bit counters. */
export const longWords = <const N extends string>(...names: readonly N[]): RowCodec<N, bigint> =>
  rowOf(names, 8, (view, at) => view.getBigUint64(at, true));
