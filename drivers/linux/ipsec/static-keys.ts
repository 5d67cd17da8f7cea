// The keys of a tunnel as its secret holds them: a small JSON text, read octet by octet, since a
// string of a key could not be wiped.

import { Secret } from "#hal/secret.ts";
import type { SaKeys } from "../net/key-frames.ts";
import { wipeKeys } from "../net/staged-keys.ts";
import { keyLengths, type StaticTransforms, spiMax, spiMin } from "../net/static-part.ts";

export interface StaticKeys extends Disposable {
  /** What the far end sends by, and we receive. */
  readonly in: DirectionKeys;
  readonly out: DirectionKeys;
}

type DirectionKeys = SaKeys & { readonly spi: number };

/** Twice both keys in hexadecimal, with room for names and blanks. */
const bytesMax = 2_048;

/** Why it is none says what is wrong with it, and never what stands there. */
class Wrong extends Error {}

export function readStaticKeys(
  secret: Secret,
  transforms: StaticTransforms,
): StaticKeys | { readonly why: string } {
  const made: Secret[] = [];
  try {
    if (secret.byteLength > bytesMax) throw new Wrong(`it has more than ${bytesMax} octets`);
    const keys = readOctets(secret, (octets) => new Reader(octets, transforms, made).read());
    const { in: inward, out: outward } = keys;
    if (inward.spi === outward.spi) throw new Wrong("both directions have the same SPI");
    for (const [at, one] of made.entries()) {
      if (made.slice(0, at).every((other) => !one.equals(other))) continue;
      throw new Wrong("one key stands there twice");
    }
    const wipe = (): void => [inward, outward].forEach(wipeKeys);
    return { in: inward, out: outward, [Symbol.dispose]: wipe };
  } catch (error) {
    for (const one of made) one[Symbol.dispose]();
    if (!(error instanceof Wrong)) throw error;
    return { why: error.message };
  }
}

function readOctets<T>(secret: Secret, use: (octets: Readonly<Uint8Array>) => T): T {
  return secret.use(use);
}

const signs = { open: 0x7b, close: 0x7d, quote: 0x22, colon: 0x3a, comma: 0x2c } as const;
const signNames: Readonly<Record<keyof typeof signs, string>> = {
  ...{ open: "{", close: "}", quote: "a quotation mark", colon: ":", comma: ", or }" },
};
const blanks: ReadonlySet<number | undefined> = new Set<number | undefined>([
  0x20, 0x09, 0x0a, 0x0d,
]);
const nameBytesMax = 10;

class Reader {
  readonly #octets: Readonly<Uint8Array>;
  readonly #lengths: ReturnType<typeof keyLengths>;
  /** Whoever reads in vain wipes them. */
  readonly #made: Secret[];
  #at = 0;

  constructor(octets: Readonly<Uint8Array>, transforms: StaticTransforms, made: Secret[]) {
    this.#octets = octets;
    this.#lengths = keyLengths(transforms);
    this.#made = made;
  }

  read(): Pick<StaticKeys, "in" | "out"> {
    const keys = this.#object("it", ["in", "out"], (way) => this.#direction(way));
    this.#blanks();
    if (this.#at < this.#octets.length) throw new Wrong("something stands behind its end");
    return keys;
  }

  #direction(way: string): DirectionKeys {
    const { encryption, integrity } = this.#lengths;
    const found = this.#object(way, ["spi", "encryption", "integrity"], (field) => {
      if (field === "spi") return this.#spi(way);
      const length = field === "encryption" ? encryption : integrity;
      return this.#key(`the ${field} key of ${way}`, length);
    });
    return found as DirectionKeys;
  }

  /** Each of these fields once, and no other. */
  #object<K extends string, T>(
    what: string,
    names: readonly K[],
    read: (name: K) => T,
  ): Record<K, T> {
    const found = new Map<K, T>();
    this.#sign("open", what);
    for (;;) {
      const name = this.#name(what);
      const known = names.find((one) => one === name);
      if (known === undefined) throw new Wrong(`${what} has fields beside ${names.join(", ")}`);
      if (found.has(known)) throw new Wrong(`${what} has ${known} twice`);
      this.#sign("colon", what);
      found.set(known, read(known));
      if (!this.#isNext("comma")) break;
      this.#sign("comma", what);
    }
    this.#sign("close", what);
    const missing = names.find((one) => !found.has(one));
    if (missing !== undefined) throw new Wrong(`${what} has no ${missing}`);
    return Object.fromEntries(found) as Record<K, T>;
  }

  // Short, and of small letters: a key in its place is no name, and makes no string.
  #name(what: string): string {
    this.#sign("quote", what);
    let name = "";
    for (let octet = this.#peek() ?? 0; octet !== signs.quote; octet = this.#peek() ?? 0) {
      const isSmall = octet >= 0x61 && octet <= 0x7a;
      if (!isSmall || name.length > nameBytesMax) throw new Wrong(`${what} has a strange field`);
      name += String.fromCharCode(octet);
      this.#at += 1;
    }
    this.#at += 1;
    return name;
  }

  #spi(way: string): number {
    this.#blanks();
    let spi = 0;
    const from = this.#at;
    for (let digit = this.#digit(); digit !== undefined; digit = this.#digit()) {
      spi = spi * 10 + digit;
      this.#at += 1;
      if (spi > spiMax) break;
    }
    const isPlain = this.#octets[from] !== 0x30;
    if (isPlain && spi >= spiMin && spi <= spiMax) return spi;
    throw new Wrong(`the spi of ${way} is no whole number from ${spiMin} to ${spiMax}`);
  }

  #digit(): number | undefined {
    const octet = this.#peek();
    return octet !== undefined && octet >= 0x30 && octet <= 0x39 ? octet - 0x30 : undefined;
  }

  #key(what: string, length: number): Secret {
    this.#sign("quote", what);
    const octets = new Uint8Array(length);
    let nibbles = 0;
    for (let value = this.#nibble(); value !== undefined; value = this.#nibble()) {
      const at = nibbles >> 1;
      if (at < length) octets[at] = ((octets[at] ?? 0) << 4) | value;
      nibbles += 1;
      this.#at += 1;
    }
    const isWhole = nibbles === 2 * length && this.#peek() === signs.quote;
    const key = Secret.take(what, octets);
    this.#made.push(key);
    if (!isWhole) throw new Wrong(`${what} is no ${2 * length} digits of hexadecimal`);
    this.#at += 1;
    return key;
  }

  #nibble(): number | undefined {
    const digit = this.#digit();
    if (digit !== undefined) return digit;
    const lower = (this.#peek() ?? 0) | 0x20;
    return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
  }

  #sign(sign: keyof typeof signs, what: string): void {
    if (!this.#isNext(sign)) throw new Wrong(`${what} is no JSON: ${signNames[sign]} is missing`);
    this.#at += 1;
  }

  #isNext(sign: keyof typeof signs): boolean {
    this.#blanks();
    return this.#peek() === signs[sign];
  }

  #blanks(): void {
    while (blanks.has(this.#peek())) this.#at += 1;
  }

  #peek(): number | undefined {
    return this.#octets[this.#at];
  }
}
