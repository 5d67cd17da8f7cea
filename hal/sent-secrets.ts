// The secrets that one session has sent: as long as it lasts, all text that comes back is searched
// for them, in each form in which a device could repeat one.

import { LinksealError } from "./error.ts";
import type { Command, Secret } from "./secret.ts";
import { type Decoded, decodings } from "./secret-forms.ts";

/** So many octets of a secret in a row are withheld, and with them a secret that was cut. */
const pieceOctets = 8;
/** What is shorter is not a secret, and would be found everywhere. */
const secretOctetsMin = 4;

interface Place {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the secrets in the holes of a command. */
export function secretsOf(command: Command): readonly Secret[] {
  return command.flatMap((part) => (typeof part === "object" ? [part.secret] : []));
}

/** The secrets of one session; they are wiped with it. */
export class SentSecrets implements Disposable {
  readonly #secrets: Secret[] = [];

  /** Keeps a copy: the session may outlive the one that the caller wipes. */
  add(secrets: readonly Secret[]): void {
    for (const one of secrets) {
      if (!this.#secrets.some((known) => known.equals(one))) this.#secrets.push(one.copy());
    }
  }

  /** Returns the text with every secret in it replaced by its label. */
  clean(text: string): string {
    if (this.#secrets.length === 0) return text;
    const octets = encoder.encode(text);
    const places = placesOf(octets, this.#secrets);
    return places.length === 0 ? text : decoder.decode(replaced(octets, places));
  }

  /**
   * Does the same with octets that never become text if they contain a secret; if they contain
   * none, these octets are returned.
   */
  cleanOctets(octets: Uint8Array): Uint8Array {
    if (this.#secrets.length === 0) return octets;
    const places = placesOf(octets, this.#secrets);
    return places.length === 0 ? octets : replaced(octets, places);
  }

  /** Waits for an answer; an error that it ends with may quote what was sent. */
  async cleaning<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.cleanError(error);
    }
  }

  /** Returns the error without the secrets; its cause is dropped if they are in its text. */
  cleanError<E>(error: E): E | LinksealError {
    if (!(error instanceof LinksealError) || this.#secrets.length === 0) return error;
    const [message = "", where = "", next = ""] = [error.message, error.where, error.next].map(
      (text) => this.clean(text),
    );
    const isClean = message === error.message && where === error.where && next === error.next;
    const { code, effect } = error;
    return isClean ? error : new LinksealError(code, message, { effect, where, next });
  }

  [Symbol.dispose](): void {
    for (const one of this.#secrets) one[Symbol.dispose]();
    this.#secrets.length = 0;
  }
}

/** A piece of a secret as it may be written, in lower case, as devices print either case. */
interface Piece {
  readonly octets: Uint8Array;
  readonly label: string;
}

function placesOf(text: Uint8Array, secrets: readonly Secret[]): readonly Place[] {
  const pieces = new Map<number, Piece[]>();
  for (const secret of secrets) addPieces(pieces, secret);
  const found: Place[] = [];
  for (const decoded of decodings(text)) search(decoded, pieces, found);
  for (const same of pieces.values()) for (const { octets } of same) octets.fill(0);
  return joined(found);
}

/** A secret is written as its octets, as hexadecimal digits, or without its own separators. */
function addPieces(pieces: Map<number, Piece[]>, secret: Secret): void {
  if (secret.byteLength < secretOctetsMin) return;
  const label = secret.toJSON();
  for (const { written, length } of secret.use(writingsOf)) {
    for (let at = 0; at + length <= written.length; at += 1) {
      const octets = written.slice(at, at + length);
      const key = headOf(octets, 0);
      const same = pieces.get(key);
      if (same === undefined) pieces.set(key, [{ octets, label }]);
      else same.push({ octets, label });
    }
    written.fill(0);
  }
}

interface Writing {
  readonly written: Uint8Array;
  /** The octets of a piece of it. */
  readonly length: number;
}

function writingsOf(secret: Readonly<Uint8Array>): readonly Writing[] {
  const length = Math.min(pieceOctets, secret.length);
  const hex = new Uint8Array(2 * secret.length);
  secret.forEach((octet, index) => {
    hex[2 * index] = hexDigits.charCodeAt(octet >> 4);
    hex[2 * index + 1] = hexDigits.charCodeAt(octet & 15);
  });
  const raw = Uint8Array.from(secret, lower);
  const squeezed = raw.filter(isWord);
  const isSame = squeezed.length === raw.length || squeezed.length < pieceOctets;
  return [
    { written: raw, length },
    { written: hex, length: 2 * length },
    ...(isSame ? [] : [{ written: squeezed, length: pieceOctets }]),
  ];
}

const hexDigits = "0123456789abcdef";

const lower = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet);

const isWord = (octet: number): boolean =>
  (octet >= 0x30 && octet <= 0x39) || (octet >= 0x61 && octet <= 0x7a);

function headOf(octets: Uint8Array, at: number): number {
  let head = 0;
  for (let index = 0; index < secretOctetsMin; index += 1) {
    head = (head << 8) | lower(octets[at + index] ?? 0);
  }
  return head;
}

function search(
  { octets, starts, ends }: Decoded,
  pieces: ReadonlyMap<number, readonly Piece[]>,
  found: Place[],
): void {
  let head = 0;
  for (let last = 0; last < octets.length; last += 1) {
    head = (head << 8) | lower(octets[last] ?? 0);
    const at = last + 1 - secretOctetsMin;
    if (at < 0) continue;
    for (const piece of pieces.get(head) ?? []) {
      const end = at + piece.octets.length;
      if (end > octets.length || !isAt(octets, at, piece.octets)) continue;
      found.push({ start: starts[at] ?? 0, end: ends[end - 1] ?? 0, label: piece.label });
    }
  }
}

function isAt(octets: Uint8Array, at: number, piece: Uint8Array): boolean {
  return piece.every((octet, index) => lower(octets[at + index] ?? 0) === octet);
}

/** Returns the places in their order, those that overlap as one. */
function joined(found: readonly Place[]): readonly Place[] {
  const places: Place[] = [];
  for (const one of found.toSorted((a, b) => a.start - b.start)) {
    const last = places.at(-1);
    if (last === undefined || one.start > last.end) places.push(one);
    else if (one.end > last.end) places[places.length - 1] = { ...last, end: one.end };
  }
  return places;
}

function replaced(octets: Uint8Array, places: readonly Place[]): Uint8Array {
  const kept: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, label } of places) {
    kept.push(octets.subarray(from, start), encoder.encode(label));
    from = end;
  }
  return Buffer.concat([...kept, octets.subarray(from)]);
}
