// User keys of NATS ("nkeys"): Ed25519 keys in base32 with a prefix and a checksum.

import { Secret } from "#hal/secret.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The prefix of a public key of a user: its text begins with U. */
const userPrefix = 20 << 3;
/** The prefix of any seed: its text begins with S. */
const seedPrefix = 18 << 3;
const keyBytes = 32;
/** Characters of a seed: two octets of prefix, the key, and two of checksum. */
const seedCharacters = 58;

/** A user key, as a client signs in with it. */
export interface UserKey {
  /** The text that begins with U; it is no secret. */
  readonly publicKey: string;
  /** Returns the signature of the server's number, as the server wants it. */
  readonly sign: (nonce: string) => string;
}

/**
 * Returns the 32 octets of the private key in a seed; undefined = it is not the seed of a user.
 * `seed`: one line, as `linkseal hub key` writes it.
 */
export function privateOctets(seed: Secret): Secret | undefined {
  const octets = seed.byteLength === seedCharacters ? seed.use(fromBase32) : undefined;
  const isUser =
    octets !== undefined &&
    ((octets[0] ?? 0) & 0b1111_1000) === seedPrefix &&
    ((((octets[0] ?? 0) & 0b111) << 5) | ((octets[1] ?? 0) >> 3)) === userPrefix &&
    isChecked(octets);
  if (isUser) return Secret.take("user key of the engine", octets.subarray(2, 2 + keyBytes));
  octets?.fill(0);
  return undefined;
}

/** Returns the text of a seed, as octets that the caller wipes. `key`: the 32 private octets. */
export function seedLine(key: Readonly<Uint8Array>): Uint8Array {
  const head = [seedPrefix | (userPrefix >> 5), (userPrefix & 0b1_1111) << 3];
  const octets = withChecksum(head, key);
  const line = toBase32(octets);
  octets.fill(0);
  return line;
}

/** Returns the text of a public key. `key`: its 32 octets. */
export function userPublicKey(key: Readonly<Uint8Array>): string {
  return new TextDecoder().decode(toBase32(withChecksum([userPrefix], key)));
}

/** True for the text of a user's public key with the right checksum. */
export function isUserPublicKey(text: string): boolean {
  if (!/^U[A-Z2-7]{55}$/.test(text)) return false;
  const octets = fromBase32(new TextEncoder().encode(text));
  return octets !== undefined && octets[0] === userPrefix && isChecked(octets);
}

function withChecksum(head: readonly number[], key: Readonly<Uint8Array>): Uint8Array {
  const octets = new Uint8Array(head.length + key.length + 2);
  octets.set(head);
  octets.set(key, head.length);
  const sum = checksum(octets.subarray(0, -2));
  octets[octets.length - 2] = sum & 0xff;
  octets[octets.length - 1] = sum >> 8;
  return octets;
}

function isChecked(octets: Uint8Array): boolean {
  const sum = checksum(octets.subarray(0, -2));
  return octets.at(-2) === (sum & 0xff) && octets.at(-1) === sum >> 8;
}

/** CRC-16 with the polynomial x^16 + x^12 + x^5 + 1, from 0, the highest bit first. */
function checksum(octets: Uint8Array): number {
  let sum = 0;
  for (const octet of octets) {
    sum ^= octet << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      sum = (sum & 0x8000) === 0 ? sum << 1 : (sum << 1) ^ 0x1021;
    }
    sum &= 0xffff;
  }
  return sum;
}

function toBase32(octets: Uint8Array): Uint8Array {
  const line = new Uint8Array(Math.ceil((octets.length * 8) / 5));
  for (let at = 0; at < line.length; at += 1) {
    const bit = at * 5;
    const pair = ((octets[bit >> 3] ?? 0) << 8) | (octets[(bit >> 3) + 1] ?? 0);
    line[at] = alphabet.charCodeAt((pair >> (11 - (bit & 7))) & 0b1_1111);
  }
  return line;
}

/** Returns the octets that the caller wipes; undefined = a character is not of base32. */
function fromBase32(line: Readonly<Uint8Array>): Uint8Array | undefined {
  const octets = new Uint8Array((line.length * 5) >> 3);
  for (const [at, character] of line.entries()) {
    const value = alphabet.indexOf(String.fromCharCode(character));
    if (value === -1) {
      octets.fill(0);
      return undefined;
    }
    const bit = at * 5;
    const shifted = value << (11 - (bit & 7));
    const place = bit >> 3;
    if (place < octets.length) octets[place] = (octets[place] ?? 0) | (shifted >> 8);
    if (place + 1 < octets.length) octets[place + 1] = (octets[place + 1] ?? 0) | (shifted & 0xff);
  }
  return octets;
}
