// P5: every key of the vault is searched for, in each form known from leaks, in all that leaves.

/** One key that must never be seen; the label is safe to print. */
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

/** Half a key is a leak too, and every whole key holds this many octets at its start or end. */
const fragmentOctets = 8;
/** A dump with spaces and line breaks takes at most this many times the room. */
const spreadMax = 3;

/**
 * Finds fragments by their first four octets, so that a byte costs the same however many keys there
 * are. The end of what left through a place is kept, so that a key cut into chunks is found too.
 */
export class CanarySearch {
  readonly #exact = new Index();
  /** For text in which case, spacing and line breaks mean nothing. */
  readonly #dense = new Index();
  readonly #tails = new Map<string, Uint8Array>();
  #longest = 0;

  add(canary: Canary): void {
    const { bytes, label } = canary;
    const starts = new Set([0, Math.max(0, bytes.length - fragmentOctets)]);
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
    const tail = this.#tails.get(where) ?? new Uint8Array();
    const bytes = new Uint8Array(tail.length + chunk.length);
    bytes.set(tail);
    bytes.set(chunk, tail.length);
    this.#tails.set(where, bytes.slice(Math.max(0, bytes.length - this.#longest * spreadMax)));
    return this.#exact.find(bytes, bytes.length) ?? this.#inDense(bytes);
  }

  #inDense(bytes: Uint8Array): Sighting | undefined {
    if (room.length < bytes.length) room = new Uint8Array(2 * bytes.length);
    return this.#dense.find(room, condense(bytes, room));
  }

  #index(into: Index, pattern: Pattern): void {
    into.add(pattern);
    this.#longest = Math.max(this.#longest, pattern.bytes.length);
  }
}

/** Where condensed text stands while it is searched. */
let room = new Uint8Array(4096);

/** Most octets begin no pattern: a table of bits tells that without a look into the map. */
class Index {
  readonly #patterns = new Map<number, Pattern[]>();
  readonly #maybe = new Uint8Array(1 << filterBits);

  add(pattern: Pattern): void {
    const four = fourOctets(pattern.bytes, 0);
    const list = this.#patterns.get(four);
    if (list === undefined) this.#patterns.set(four, [pattern]);
    else list.push(pattern);
    this.#maybe[hashOf(four)] = 1;
  }

  /** Among the first `length` of these octets. */
  find(bytes: Uint8Array, length: number): Sighting | undefined {
    const maybe = this.#maybe;
    let four = fourOctets(bytes, 0);
    for (let at = 0; at + 4 <= length; at += 1) {
      if (maybe[hashOf(four)] === 1) {
        const found = this.#at(four, bytes, at, length);
        if (found !== undefined) return found;
      }
      four = (four << 8) | (bytes[at + 4] ?? 0);
    }
    return undefined;
  }

  #at(four: number, bytes: Uint8Array, at: number, length: number): Sighting | undefined {
    const found = this.#patterns
      .get(four)
      ?.find((pattern) => at + pattern.bytes.length <= length && matches(bytes, at, pattern.bytes));
    return found === undefined ? undefined : { label: found.label, form: found.form };
  }
}

const filterBits = 16;

function hashOf(four: number): number {
  return Math.imul(four, 0x9e3779b1) >>> (32 - filterBits);
}

function fourOctets(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

function matches(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  return pattern.every((octet, index) => bytes[at + index] === octet);
}

/**
 * Lower letters, and neither white space nor colons: a dump of octets becomes plain text. The
 * number of octets written.
 */
function condense(bytes: Uint8Array, into: Uint8Array): number {
  let length = 0;
  for (const octet of bytes) {
    if (octet <= 0x20 || octet === 0x3a) continue;
    into[length] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    length += 1;
  }
  return length;
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

/** The characters that the octets alone decide, for each alignment in the encoded text. */
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

/** The start of the hex text of a key under every salt, as it stands in a shown configuration. */
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
