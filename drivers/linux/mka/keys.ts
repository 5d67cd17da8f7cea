// Keys of a CA and the computations with them: IEEE Std 802.1X-2020 6.2, RFC 4493 and RFC 3394. No
// other file of the MKA process sees the octets of a key.

import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import type { Ckn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Entropy } from "#hal/world.ts";

/** ICK and KEK of one CA; its CAK is not kept. */
export interface CaKeys {
  readonly ick: Secret;
  readonly kek: Secret;
}

/**
 * Identifies a SAK: the MI of the key server that made it, and its number among those of that MI.
 */
export interface KeyIdentifier {
  /** Lower-case hex. */
  readonly mi: string;
  readonly kn: number;
}

type Octets = Readonly<Uint8Array>;

const blockBytes = 16;
export const icvBytes = 16;
/** RFC 3394 2.2.3.1 */
const wrapIv = new Uint8Array(8).fill(0xa6);
const noIv = new Uint8Array(blockBytes);

function lend<T>(secret: Secret, use: (octets: Octets) => T): T {
  return secret.use(use);
}

// The cipher in CBC mode over whole blocks: one block under a zero IV is the bare block cipher.
function chained(key: Octets, blocks: Uint8Array): Buffer {
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, noIv);
  return cipher.setAutoPadding(false).update(blocks);
}

// RFC 4493 2.3: multiplication by x in GF(2^128), in place.
function double(block: Uint8Array): void {
  const carry = (block[0] ?? 0) >> 7;
  for (let at = 0; at < blockBytes; at += 1) {
    block[at] = ((block[at] ?? 0) << 1) | ((block[at + 1] ?? 0) >> 7);
  }
  block[blockBytes - 1] = (block[blockBytes - 1] ?? 0) ^ (carry * 0x87);
}

function cmac(key: Octets, message: Octets): Uint8Array {
  const subkey = chained(key, new Uint8Array(blockBytes));
  double(subkey);
  const whole = message.length > 0 && message.length % blockBytes === 0;
  if (!whole) double(subkey);
  const blocks = new Uint8Array(Math.max(1, Math.ceil(message.length / blockBytes)) * blockBytes);
  blocks.set(message);
  if (!whole) blocks[message.length] = 0x80;
  const last = blocks.length - blockBytes;
  for (let at = 0; at < blockBytes; at += 1) {
    blocks[last + at] = (blocks[last + at] ?? 0) ^ (subkey[at] ?? 0);
  }
  const sealed = chained(key, blocks);
  const tag = Uint8Array.from(sealed.subarray(last));
  sealed.fill(0);
  subkey.fill(0);
  blocks.fill(0);
  return tag;
}

/** AES-CMAC-128 of RFC 4493, with a key of 16 or 32 octets. */
export function macOf(key: Secret, message: Octets): Uint8Array {
  return lend(key, (octets) => cmac(octets, message));
}

/** The key derivation of IEEE Std 802.1X-2020 6.2.1. */
export function derive(key: Secret, label: string, context: Octets, outputBytes: number): Secret {
  const message = new Uint8Array(1 + label.length + 1 + context.length + 2);
  message.set(new TextEncoder().encode(label), 1);
  message.set(context, label.length + 2);
  new DataView(message.buffer).setUint16(message.length - 2, outputBytes * 8);
  const output = new Uint8Array(Math.ceil(outputBytes / blockBytes) * blockBytes);
  for (let block = 0; block * blockBytes < outputBytes; block += 1) {
    message[0] = block + 1;
    const part = macOf(key, message);
    output.set(part, block * blockBytes);
    part.fill(0);
  }
  const derived = Secret.take(label, output.subarray(0, outputBytes));
  output.fill(0);
  return derived;
}

/** Derives ICK and KEK, both of the CAK's size. The CAK is neither kept nor wiped here. */
export function caKeys(cak: Secret, ckn: Ckn): CaKeys {
  // 6.2.1 and 9.3.3: 16 octets of the name, filled with zeros if it is shorter.
  const context = new Uint8Array(16);
  context.set(Buffer.from(ckn, "hex").subarray(0, 16));
  return {
    ick: derive(cak, "IEEE8021 ICK", context, cak.byteLength),
    kek: derive(cak, "IEEE8021 KEK", context, cak.byteLength),
  };
}

export function hasIcv(ick: Secret, octets: Octets, icv: Octets): boolean {
  return timingSafeEqual(macOf(ick, octets), icv);
}

/** Makes a SAK directly from the random generator (9.8.1 allows it), since the CAK is not kept. */
export function makeSak(entropy: Entropy, byteLength: number): Secret {
  return Secret.take("sak", entropy.bytes(byteLength));
}

/** Wraps a SAK by RFC 3394; the result is 8 octets longer than the SAK. */
export function wrapSak(kek: Secret, sak: Secret): Uint8Array {
  return lend(kek, (key) => {
    const cipher = createCipheriv(`id-aes${key.length * 8}-wrap`, key, wrapIv);
    return lend(sak, (octets) => Uint8Array.from(cipher.update(octets)));
  });
}

/** Returns undefined if the SAK was wrapped with another KEK, or is damaged. */
export function unwrapSak(kek: Secret, wrapped: Octets): Secret | undefined {
  if (wrapped.length !== 24 && wrapped.length !== 40) return undefined;
  return lend(kek, (key) => {
    const decipher = createDecipheriv(`id-aes${key.length * 8}-wrap`, key, wrapIv);
    try {
      return Secret.take("sak", decipher.update(wrapped));
    } catch {
      return undefined;
    }
  });
}

/** IEEE Std 802.1AE-2018 10.7.8: the salt of extended packet numbering. */
export function saltOf({ mi, kn }: KeyIdentifier): Secret {
  const salt = Uint8Array.from(Buffer.from(mi, "hex"));
  const view = new DataView(salt.buffer);
  view.setUint16(0, view.getUint16(0) ^ (kn & 0xffff));
  view.setUint16(2, view.getUint16(2) ^ (kn >>> 16));
  return Secret.take("salt", salt);
}

/**
 * Returns the key identifier as the kernel stores it: the number is little-endian, as other
 * implementations on Linux write it, so that tools can compare.
 */
export function keyIdOf({ mi, kn }: KeyIdentifier): string {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(kn);
  return mi + number.toString("hex");
}

const nonceBytes = 12;
const tagBytes = 16;

/** Seals by AES-256-GCM: nonce, ciphertext and tag. `about` is authenticated and not contained. */
export function seal(
  key: Secret,
  plain: readonly (Octets | Secret)[],
  about: string,
  entropy: Entropy,
): Uint8Array {
  const nonce = entropy.bytes(nonceBytes);
  return lend(key, (octets) => {
    const cipher = createCipheriv("aes-256-gcm", octets, nonce);
    cipher.setAAD(Buffer.from(about));
    const sealed = plain.map((part) =>
      part instanceof Secret ? lend(part, (bytes) => cipher.update(bytes)) : cipher.update(part),
    );
    return Buffer.concat([nonce, ...sealed, cipher.final(), cipher.getAuthTag()]);
  });
}

/** Returns undefined if it was sealed under another key or for another `about`, or was changed. */
export function unseal(key: Secret, sealed: Octets, about: string): Uint8Array | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const end = sealed.length - tagBytes;
  return lend(key, (octets) => {
    const decipher = createDecipheriv("aes-256-gcm", octets, sealed.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(nonceBytes, end));
    try {
      decipher.final();
      return plain;
    } catch {
      plain.fill(0);
      return undefined;
    }
  });
}
