// Holes become octets before a text is sent.

import type { Command, SecretForm, SecretHole } from "#hal/secret.ts";

const encoder = new TextEncoder();

/** Returns the octets of a command; the caller wipes them as soon as they are sent. */
export function fillCommand(command: Command): Uint8Array {
  const parts = command.map((part) =>
    typeof part === "string" ? encoder.encode(part) : fillHole(part),
  );
  const filled = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    filled.set(part, at);
    at += part.length;
    part.fill(0);
  }
  return filled;
}

/** Returns the octets that a command has once its holes are filled. */
export function lengthOf(command: Command): number {
  return command.reduce((sum, part) => {
    return sum + (typeof part === "string" ? Buffer.byteLength(part) : lengthOfHole(part));
  }, 0);
}

function lengthOfHole(hole: SecretHole): number {
  const { secret, as } = hole;
  switch (as) {
    case "raw":
      return secret.byteLength;
    case "hex":
    case "HEX":
      return 2 * secret.byteLength;
    case "json": {
      const filled = fillHole(hole);
      filled.fill(0);
      return filled.length;
    }
  }
}

function fillHole({ secret, as }: SecretHole): Uint8Array<ArrayBuffer> {
  return secret.use((bytes) => written(bytes, as));
}

function written(bytes: Readonly<Uint8Array>, form: SecretForm): Uint8Array<ArrayBuffer> {
  switch (form) {
    case "raw":
      return Uint8Array.from(bytes);
    case "hex":
      return digitsOf(bytes, "0123456789abcdef");
    case "HEX":
      return digitsOf(bytes, "0123456789ABCDEF");
    case "json":
      return escaped(bytes);
  }
}

const quoteOctet = 0x22;
const backslashOctet = 0x5c;

// Works octet by octet, like digits. Other octets would need escapes, which no key needs.
function escaped(bytes: Readonly<Uint8Array>): Uint8Array<ArrayBuffer> {
  const isMarked = (byte: number): boolean => byte === quoteOctet || byte === backslashOctet;
  const marks = bytes.reduce((sum, byte) => sum + (isMarked(byte) ? 1 : 0), 0);
  const text = new Uint8Array(bytes.length + marks);
  let at = 0;
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) {
      text.fill(0);
      throw new TypeError("a secret that is not printable ASCII was to become JSON");
    }
    if (isMarked(byte)) text[at++] = backslashOctet;
    text[at++] = byte;
  }
  return text;
}

// Writes digits into octets one by one: a string of the key could not be wiped.
function digitsOf(bytes: Readonly<Uint8Array>, digits: string): Uint8Array<ArrayBuffer> {
  const hex = new Uint8Array(2 * bytes.length);
  bytes.forEach((byte, index) => {
    hex[2 * index] = digits.charCodeAt(byte >> 4);
    hex[2 * index + 1] = digits.charCodeAt(byte & 15);
  });
  return hex;
}
