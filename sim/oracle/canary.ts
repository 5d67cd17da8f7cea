// P5: searches all output of the agent for every key of the vault, in each form known from leaks.

/** One key that must never appear in output; the label may be printed. */
export interface Canary {
  readonly label: string;
  readonly bytes: Uint8Array;
}

export interface Sighting {
  readonly label: string;
  readonly form: string;
}

interface Pattern extends Sighting {
  readonly bytes: Uint8Array;
}

/** Half a key is a leak too, and every whole key has this many octets at its start or end. */
const fragmentOctets = 8;

/** The end of what left through a place, because a key may be cut anywhere. */
interface Tail {
  readonly exact: Uint8Array;
  readonly dense: Uint8Array;
}

const noTail: Tail = { exact: new Uint8Array(), dense: new Uint8Array() };

/**
 * Finds fragments by the first words in them, so that the cost of a byte does not depend on the
 * number of keys.
 */
export class CanarySearch {
  readonly #exact = new Index();
  /** The index for text in which case, spacing and line breaks mean nothing. */
  readonly #dense = new Index();
  readonly #tails = new Map<string, Tail>();
  #longest = 0;

  add(canary: Canary): void {
    const { bytes, label } = canary;
    if (bytes.length < fragmentOctets) throw new RangeError(`${label} is too short to be a key`);
    const starts = new Set([0, bytes.length - fragmentOctets]);
    for (const start of starts) {
      for (const { form, text, dense } of formsOf(bytes.subarray(start, start + fragmentOctets))) {
        this.#index(dense ? this.#dense : this.#exact, { label, form, bytes: text });
      }
    }
    for (const text of type7Forms(bytes)) {
      this.#index(this.#dense, { label, form: "type 7", bytes: text });
    }
  }

  /** Searches a chunk that left through `where`, together with the end of the chunk before it. */
  search(where: string, chunk: Uint8Array): Sighting | undefined {
    const before = this.#tails.get(where) ?? noTail;
    const [exact, dense] = roomsFor(chunk.length + this.#longest);
    exact.set(before.exact);
    exact.set(chunk, before.exact.length);
    const exactEnd = before.exact.length + chunk.length;
    dense.set(before.dense);
    const denseEnd = condense(chunk, dense, before.dense.length);
    const tail = { exact: this.#tail(exact, exactEnd), dense: this.#tail(dense, denseEnd) };
    this.#tails.set(where, tail);
    return this.#exact.find(exact, exactEnd) ?? this.#dense.find(dense, denseEnd);
  }

  /** Everything wholly before the tail was searched already. */
  #tail(bytes: Uint8Array, end: number): Uint8Array {
    return bytes.slice(Math.max(0, end - this.#longest + 1), end);
  }

  #index(into: Index, pattern: Pattern): void {
    into.add(pattern);
    this.#longest = Math.max(this.#longest, pattern.bytes.length);
  }
}

/** Buffers for a chunk behind the tail before it, as it is and condensed. */
let rooms: readonly [Uint8Array, Uint8Array] = [new Uint8Array(4096), new Uint8Array(4096)];

function roomsFor(octets: number): typeof rooms {
  if (rooms[0].length < octets) rooms = [new Uint8Array(2 * octets), new Uint8Array(2 * octets)];
  return rooms;
}

/** A word of a pattern, and its offset in the pattern. */
interface Place {
  readonly pattern: Pattern;
  readonly offset: number;
}

const wordOctets = 4;
/** One word in this many positions is enough: the shortest fragment contains it whole. */
const stride = fragmentOctets - wordOctets + 1;
const filterBits = 18;

/**
 * An index of words. Most words are in no pattern, and a table of bits shows that without a search
 * of the map.
 */
class Index {
  readonly #places = new Map<number, Place[]>();
  readonly #maybe = new Uint32Array(1 << (filterBits - 5));

  add(pattern: Pattern): void {
    for (let offset = 0; offset < stride; offset += 1) {
      const word = wordAt(pattern.bytes, offset);
      const list = this.#places.get(word);
      if (list === undefined) this.#places.set(word, [{ pattern, offset }]);
      else list.push({ pattern, offset });
      const bit = bitOf(word);
      this.#maybe[bit >>> 5] = (this.#maybe[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }

  /** Searches the first `length` of these octets. */
  find(bytes: Uint8Array, length: number): Sighting | undefined {
    const maybe = this.#maybe;
    for (let at = 0; at + wordOctets <= length; at += stride) {
      const word = wordAt(bytes, at);
      const bit = bitOf(word);
      if ((((maybe[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 0) continue;
      const found = this.#places
        .get(word)
        ?.find(({ pattern, offset }) => matches(bytes, at - offset, length, pattern.bytes));
      if (found !== undefined) return { label: found.pattern.label, form: found.pattern.form };
    }
    return undefined;
  }
}

function bitOf(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> (32 - filterBits);
}

function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

function matches(bytes: Uint8Array, at: number, length: number, pattern: Uint8Array): boolean {
  if (at < 0 || at + pattern.length > length) return false;
  return pattern.every((octet, index) => bytes[at + index] === octet);
}

/**
 * Maps letters to lower case, and white space and colons to 0: a dump of octets becomes plain text.
 */
const condensed = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet <= 0x20 || octet === 0x3a) return 0;
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
});

/** Appends the condensed octets after the first `length` of `into`; returns the new length. */
function condense(bytes: Uint8Array, into: Uint8Array, length: number): number {
  let end = length;
  // An iterator would cost more than the rest of the search.
  for (let at = 0; at < bytes.length; at += 1) {
    const kept = condensed[bytes[at] ?? 0] ?? 0;
    into[end] = kept;
    if (kept !== 0) end += 1;
  }
  return end;
}

interface Form {
  readonly form: string;
  readonly text: Uint8Array;
  readonly dense: boolean;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function formsOf(fragment: Uint8Array): Form[] {
  const octets = [...fragment];
  const hex = Buffer.from(fragment).toString("hex");
  const dense = (form: string, text: string): Form => ({ form, text: ascii(text), dense: true });
  return [
    { form: "raw", text: fragment, dense: false },
    dense("hex", hex),
    dense("decimal", octets.join(",")),
    dense("decimal", octets.map((octet, index) => `"${index}"${octet}`).join(",")),
    ...base64Forms("base64", fragment),
    ...base64Forms("base64 of hex", ascii(hex)),
    ...base64Forms("base64 of HEX", ascii(hex.toUpperCase())),
  ];
}

/**
 * Returns the characters that the octets alone determine, for each alignment in the encoded text.
 */
function base64Forms(form: string, octets: Uint8Array): Form[] {
  return [0, 1, 2].flatMap((shift): Form[] => {
    const shifted = Buffer.concat([Buffer.alloc(shift), octets]);
    const first = Math.ceil((shift * 8) / 6);
    const last = Math.floor((shifted.length * 8) / 6);
    const standard = shifted.toString("base64").slice(first, last);
    const url = shifted.toString("base64url").slice(first, last);
    return [...new Set([standard, url])].map((text) => ({ form, text: ascii(text), dense: false }));
  });
}

/** The fixed string of Cisco's reversible "type 7" encoding. */
const type7String = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";
const type7SaltMax = 15;

/** Returns the start of a key's hex text under every salt, as a shown configuration contains it. */
function type7Forms(bytes: Uint8Array): Uint8Array[] {
  const hex = Buffer.from(bytes)
    .toString("hex")
    .slice(0, fragmentOctets * 2);
  const forms: Uint8Array[] = [];
  for (const text of new Set([hex, hex.toUpperCase()])) {
    for (let salt = 0; salt <= type7SaltMax; salt += 1) {
      const mixed = [...ascii(text)].map((octet, index) => {
        const by = type7String.charCodeAt((salt + index) % type7String.length);
        return (octet ^ by).toString(16).padStart(2, "0");
      });
      forms.push(ascii(mixed.join("")));
    }
  }
  return forms;
}
