// The forms in which a text may contain a secret: a text is decoded in each of them, and the
// octets are compared with those of the secret afterwards.

/** Octets that were decoded, and which octets of the text each of them stands for. */
export interface Decoded {
  readonly octets: Uint8Array;
  /** Where the writing of each octet begins. */
  readonly starts: Uint32Array;
  /** Where it has ended. */
  readonly ends: Uint32Array;
}

/** Collects decoded octets. */
class Decoding {
  readonly #octets: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  #length = 0;

  constructor(lengthMax: number) {
    this.#octets = new Uint8Array(lengthMax);
    this.#starts = new Uint32Array(lengthMax);
    this.#ends = new Uint32Array(lengthMax);
  }

  push(octet: number, start: number, end: number): void {
    this.#octets[this.#length] = octet;
    this.#starts[this.#length] = start;
    this.#ends[this.#length] = end;
    this.#length += 1;
  }

  done(): Decoded {
    return {
      octets: this.#octets.subarray(0, this.#length),
      starts: this.#starts.subarray(0, this.#length),
      ends: this.#ends.subarray(0, this.#length),
    };
  }
}

/**
 * Decodes a text in each form; the octets of one are wiped once the next is asked for. Letters and
 * digits alone (`squeezed`) are one of them, so that hexadecimal is found with any separators.
 */
export function* decodings(text: Uint8Array): Generator<Decoded> {
  yield* formsOf(identity(text));
  let escaped = identity(text);
  // JSON or XML may carry a text that has escapes of its own.
  for (let depth = 0; depth < escapesDepthMax && hasEscape(escaped.octets); depth += 1) {
    const before = escaped;
    escaped = withoutEscapes(before);
    before.octets.fill(0);
    yield* formsOf({ ...escaped, octets: Uint8Array.from(escaped.octets) });
  }
  escaped.octets.fill(0);
  if (text.some((octet) => octet >= 0x80)) yield* wiped(latin1(text));
}

function* formsOf(text: Decoded): Generator<Decoded> {
  yield text;
  const squeezed = withoutSeparators(text);
  yield squeezed;
  for (let from = 0; from < 4; from += 1) yield* wiped(fromBase64(text, from));
  yield* sevens(squeezed);
  yield* nines(text);
  squeezed.octets.fill(0);
  text.octets.fill(0);
}

function* wiped(decoded: Decoded): Generator<Decoded> {
  yield decoded;
  decoded.octets.fill(0);
}

function identity(text: Uint8Array): Decoded {
  const decoding = new Decoding(text.length);
  text.forEach((octet, index) => {
    decoding.push(octet, index, index + 1);
  });
  return decoding.done();
}

/** The characters up to U+00FF that UTF-8 writes with two octets. */
function latin1(text: Uint8Array): Decoded {
  const decoding = new Decoding(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const octet = text[at] ?? 0;
    const next = text[at + 1] ?? 0;
    const isPair = (octet === 0xc2 || octet === 0xc3) && (next & 0xc0) === 0x80;
    const whole = isPair ? ((octet & 3) << 6) | (next & 0x3f) : octet;
    decoding.push(whole, at, at + (isPair ? 2 : 1));
    if (isPair) at += 1;
  }
  return decoding.done();
}

const isBetween = (octet: number, low: number, high: number): boolean =>
  octet >= low && octet <= high;
const isDigit = (octet: number): boolean => isBetween(octet, 0x30, 0x39);
const isLetter = (octet: number): boolean => isBetween(octet | 0x20, 0x61, 0x7a);
const isBlank = (octet: number): boolean => octet <= 0x20;

/** Returns the value of a digit up to base 16; -1 = it is none. */
function digitOf(octet: number | undefined): number {
  if (octet === undefined) return -1;
  if (isDigit(octet)) return octet - 0x30;
  return isBetween(octet | 0x20, 0x61, 0x66) ? (octet | 0x20) - 0x57 : -1;
}

const [percent, ampersand, hash, semicolon, backslash] = [0x25, 0x26, 0x23, 0x3b, 0x5c];
const [letterX, blank] = [0x78, 0x20];
const escapesDepthMax = 2;

const hasEscape = (text: Uint8Array): boolean =>
  text.some((octet) => octet === percent || octet === backslash || octet === ampersand);

/** Replaces `%HH`, `\xHH`, `\uHHHH`, `\OOO`, `\n`, `\c`, `&#N;`, `&#xH;` and `&amp;`. */
function withoutEscapes({ octets, starts, ends }: Decoded): Decoded {
  const decoding = new Decoding(octets.length);
  for (let at = 0; at < octets.length; ) {
    const { octet, length } = escapeAt(octets, at) ?? { octet: octets[at] ?? 0, length: 1 };
    decoding.push(octet, starts[at] ?? 0, ends[at + length - 1] ?? 0);
    at += length;
  }
  return decoding.done();
}

interface Escape {
  readonly octet: number;
  readonly length: number;
}

function escapeAt(text: Uint8Array, at: number): Escape | undefined {
  const next = text[at + 1];
  switch (text[at]) {
    case percent:
      return numberAt(text, at + 1, { base: 16, digits: 2, lead: 1 });
    case ampersand: {
      if (next !== hash) return isNamed(text, at) ? { octet: ampersand, length: 5 } : undefined;
      const isHex = ((text[at + 2] ?? 0) | 0x20) === letterX;
      return entityAt(text, at + (isHex ? 3 : 2), isHex ? 16 : 10, isHex ? 3 : 2);
    }
    case backslash:
      return next === undefined ? undefined : backslashAt(text, at, next);
    case undefined:
    default:
      return undefined;
  }
}

const isNamed = (text: Uint8Array, at: number): boolean =>
  [...ampersandName].every((octet, index) => text[at + index] === octet);
const ampersandName = new TextEncoder().encode("&amp;");
/** `\b`, `\f`, `\n`, `\r` and `\t`. */
const controls: ReadonlySet<number> = new Set(new TextEncoder().encode("bfnrt"));

function backslashAt(text: Uint8Array, at: number, next: number): Escape | undefined {
  switch (next | 0x20) {
    case 0x75:
      return numberAt(text, at + 2, { base: 16, digits: 4, lead: 2 });
    case letterX:
      return numberAt(text, at + 2, { base: 16, digits: 2, lead: 2 });
  }
  const octal = numberAt(text, at + 1, { base: 8, digits: 3, lead: 1 });
  if (octal !== undefined) return octal;
  if (controls.has(next)) return { octet: blank, length: 2 };
  return isDigit(next) || isLetter(next) ? undefined : { octet: next, length: 2 };
}

function numberAt(
  text: Uint8Array,
  at: number,
  { base, digits, lead }: { readonly base: number; readonly digits: number; readonly lead: number },
): Escape | undefined {
  let value = 0;
  for (let index = 0; index < digits; index += 1) {
    const digit = digitOf(text[at + index]);
    if (digit < 0 || digit >= base) return undefined;
    value = value * base + digit;
  }
  return value > 0xff ? undefined : { octet: value, length: lead + digits };
}

const entityDigitsMax = 4;

function entityAt(text: Uint8Array, from: number, base: number, lead: number): Escape | undefined {
  for (let digits = 1; digits <= entityDigitsMax; digits += 1) {
    if (text[from + digits] !== semicolon) continue;
    const found = numberAt(text, from, { base, digits, lead });
    return found && { octet: found.octet, length: found.length + 1 };
  }
  return undefined;
}

/**
 * Keeps letters and digits: no separator, line break or pager prompt between them counts, nor `0x`
 * in front of digits.
 */
function withoutSeparators({ octets, starts, ends }: Decoded): Decoded {
  const decoding = new Decoding(octets.length);
  for (let at = 0; at < octets.length; ) {
    const dropped = droppedAt(octets, at);
    if (dropped === 0) decoding.push(octets[at] ?? 0, starts[at] ?? 0, ends[at] ?? 0);
    at += Math.max(1, dropped);
  }
  return decoding.done();
}

/** Returns how many octets are no part of a secret that is written across them. */
function droppedAt(text: Uint8Array, at: number): number {
  const octet = text[at] ?? 0;
  const isPrefix =
    octet === 0x30 && ((text[at + 1] ?? 0) | 0x20) === letterX && digitOf(text[at + 2]) >= 0;
  if (isPrefix) return 2;
  if (!isDigit(octet) && !isLetter(octet)) return 1;
  return pagerAt(text, at);
}

const more = [0x6d, 0x6f, 0x72, 0x65];

/** `--More--`, `---(more 45%)---`, `<--- More --->`: the length from the word on; 0 = none. */
function pagerAt(text: Uint8Array, at: number): number {
  if (!more.every((letter, index) => ((text[at + index] ?? 0) | 0x20) === letter)) return 0;
  const before = text[at - 1] ?? 0;
  if (isDigit(before) || isLetter(before)) return 0;
  let end = at + more.length;
  while (end < text.length && isBlank(text[end] ?? 0)) end += 1;
  let digits = end;
  while (isDigit(text[digits] ?? 0)) digits += 1;
  if (text[digits] === percent) return digits + 1 - at;
  const after = text[end] ?? 0;
  return isDigit(after) || isLetter(after) ? 0 : end - at;
}

/** Returns the value of a digit of base64 or base64url (RFC 4648, 4 and 5); -1 = it is none. */
function sextetOf(octet: number): number {
  if (isBetween(octet, 0x41, 0x5a)) return octet - 0x41;
  if (isBetween(octet, 0x61, 0x7a)) return octet - 0x61 + 26;
  if (isDigit(octet)) return octet - 0x30 + 52;
  if (octet === 0x2b || octet === 0x2d) return 62;
  return octet === 0x2f || octet === 0x5f ? 63 : -1;
}

/** Decodes base64 from one of its four possible beginnings, across blanks and line breaks. */
function fromBase64({ octets, starts, ends }: Decoded, from: number): Decoded {
  const decoding = new Decoding(octets.length);
  let [bits, held, count, before] = [0, 0, -from, 0];
  octets.forEach((octet, index) => {
    if (isBlank(octet)) return;
    const sextet = sextetOf(octet);
    if (sextet < 0) {
      // The four beginnings cover what follows as well.
      [bits, held, count] = [0, 0, -from];
      return;
    }
    count += 1;
    if (count <= 0) return;
    bits = ((bits << 6) | sextet) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      decoding.push((bits >> held) & 0xff, before, ends[index] ?? 0);
    }
    before = starts[index] ?? 0;
  });
  return decoding.done();
}

/** The text that Cisco's type 7 adds to a password, in a cycle. */
const sevenPad = new TextEncoder().encode("dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87");
/** Two digits for each octet of a piece that is searched for. */
const runDigitsMin = 16;

/**
 * Decodes runs of hexadecimal digits, as octets and as Cisco's type 7. That begins anywhere in the
 * pad, and a text that was cut does not say where, so all beginnings are tried.
 */
function* sevens(squeezed: Decoded): Generator<Decoded> {
  for (const run of digitRuns(squeezed)) {
    for (const from of [0, 1]) {
      const octets = pairsIn(run, from);
      yield octets;
      const { starts, ends } = octets;
      for (let salt = 0; salt < sevenPad.length; salt += 1) {
        const plain = octets.octets.map(
          (octet, index) => octet ^ (sevenPad[(salt + index) % sevenPad.length] ?? 0),
        );
        yield* wiped({ octets: plain, starts, ends });
      }
      octets.octets.fill(0);
    }
  }
}

function* digitRuns({ octets, starts, ends }: Decoded): Generator<Decoded> {
  for (let from = 0; from < octets.length; ) {
    let to = from;
    while (digitOf(octets[to]) >= 0) to += 1;
    if (to - from >= runDigitsMin) {
      yield {
        octets: octets.subarray(from, to),
        starts: starts.subarray(from, to),
        ends: ends.subarray(from, to),
      };
    }
    from = to + 1;
  }
}

function pairsIn({ octets, starts, ends }: Decoded, from: number): Decoded {
  const decoding = new Decoding(octets.length >> 1);
  for (let at = from; at + 1 < octets.length; at += 2) {
    const value = (digitOf(octets[at]) << 4) | digitOf(octets[at + 1]);
    decoding.push(value, starts[at] ?? 0, ends[at + 1] ?? 0);
  }
  return decoding.done();
}

/** The alphabet of Junos's `$9$`, in the families that decide how much salt follows the first. */
const nineFamilies = [
  "QzF3n6/9CAtpu0O",
  "B1IREhcSyrleKvMW8LXx",
  "7N-dVbwsY2g4oaJZGUDj",
  "iHkq.mPf5T",
] as const;
const nineAlphabet = new TextEncoder().encode(nineFamilies.join(""));
const ninePlaces = new Map([...nineAlphabet].map((octet, place) => [octet, place]));
/** The weights of the distances between characters, for one octet after the other. */
const nineWeights: readonly (readonly number[])[] = [
  [1, 4, 32],
  [1, 16, 32],
  [1, 8, 32],
  [1, 64],
  [1, 32],
  [1, 4, 16, 128],
  [1, 32, 64],
];
const nineMark = [0x24, 0x39, 0x24];

/** Decodes each `$9$` text, across blanks and line breaks. */
function* nines(text: Decoded): Generator<Decoded> {
  for (let at = 0; at + nineMark.length < text.octets.length; at += 1) {
    if (nineMark.every((octet, index) => text.octets[at + index] === octet)) {
      yield* wiped(nineAt(text, at));
    }
  }
}

function nineAt({ octets, starts, ends }: Decoded, mark: number): Decoded {
  const places: (readonly [place: number, at: number])[] = [];
  for (let at = mark + nineMark.length; at < octets.length; at += 1) {
    const octet = octets[at] ?? 0;
    if (isBlank(octet)) continue;
    const place = ninePlaces.get(octet);
    if (place === undefined) break;
    places.push([place, at]);
  }
  const decoding = new Decoding(places.length);
  let before = places[0]?.[0] ?? 0;
  let next = 1 + saltAfter(before);
  for (let index = 0; ; index += 1) {
    const weights = nineWeights[index % nineWeights.length] ?? [];
    const group = places.slice(next, next + weights.length);
    if (group.length < weights.length) return decoding.done();
    let sum = 0;
    group.forEach(([place], order) => {
      const distance = (place - before + nineAlphabet.length) % nineAlphabet.length;
      sum += (distance - 1) * (weights[order] ?? 0);
      before = place;
    });
    const [first = mark, last = mark] = [group[0]?.[1], group.at(-1)?.[1]];
    decoding.push(sum & 0xff, starts[index === 0 ? mark : first] ?? 0, ends[last] ?? 0);
    next += weights.length;
  }
}

/** Characters of salt behind the first: fewer for each family. */
function saltAfter(place: number): number {
  const character = String.fromCharCode(nineAlphabet[place] ?? 0);
  return nineFamilies.length - 1 - nineFamilies.findIndex((family) => family.includes(character));
}
