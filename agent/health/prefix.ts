// IP prefixes: does one contain the other? They come as text because routes and configs are text.

/** A parsed IP prefix; an address is a prefix of full length. */
export interface Prefix {
  /** IPv4 or IPv6. */
  readonly family: 4 | 6;
  /** The address as a number; its host bits are kept. */
  readonly bits: bigint;
  /** The prefix length in bits. */
  readonly length: number;
}

/** Parses an address or a prefix in CIDR form; undefined if the text is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address, lengthText, ...rest] = text.split("/");
  if (address === undefined || rest.length > 0) return undefined;
  const family = address.includes(":") ? 6 : 4;
  const bits = family === 6 ? ipv6(address) : ipv4(address);
  const width = family === 6 ? 128 : 32;
  const length = lengthText === undefined ? width : Number(lengthText);
  if (bits === undefined || !/^\d{1,3}$/.test(lengthText ?? "0") || length > width)
    return undefined;
  return { family, bits, length };
}

/** Returns true if every address of `inner` is one of `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || inner.length < outer.length) return false;
  const shift = BigInt((outer.family === 6 ? 128 : 32) - outer.length);
  return outer.bits >> shift === inner.bits >> shift;
}

/**
 * The shortest prefix, by family, that one operator may own: two rules with 0.0.0.0/1 are the
 * Internet.
 */
const ownLengthMin: Readonly<Record<Prefix["family"], number>> = { 4: 8, 6: 16 };

/** Returns true if the prefix is wider than one operator may own. */
export function isInternetWide({ family, length }: Prefix): boolean {
  return length < ownLengthMin[family];
}

/**
 * Compares two addresses however each is written; texts that are not addresses are never the same.
 */
export function sameAddress(one: string, other: string): boolean {
  const [a, b] = [parsePrefix(one), parsePrefix(other)];
  if (a === undefined || b === undefined) return false;
  return contains(a, b) && contains(b, a);
}

function ipv4(address: string): bigint | undefined {
  const parts = address.split(".");
  if (parts.length !== 4) return undefined;
  let bits = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    bits = bits * 256 + Number(part);
  }
  return BigInt(bits);
}

function ipv6(address: string): bigint | undefined {
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  if (head === undefined) return undefined;
  const gap = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? gap !== 0 : gap < 1) return undefined;
  const groups = [...head, ...Array<string>(gap).fill("0"), ...(tail ?? [])];
  let bits = 0n;
  for (const group of groups) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return bits;
}
