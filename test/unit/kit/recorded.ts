// Messages of Debian's kernel about the site of the kernel tier (`npm run record`), without keys.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eachMessage } from "#drivers/transport/netlink-wire.ts";
import type { NetlinkMessage, Reader } from "#hal/netlink.ts";

const folder = join(import.meta.dirname, "../recorded");

/** The kernel assigns numbers of families at run time; this one was recorded. */
export const macsecNumber = 35;

export function recordedOctets(name: string): Uint8Array<ArrayBuffer>[] {
  const lines = readFileSync(join(folder, `${name}.hex`), "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line) => Uint8Array.from(Buffer.from(line, "hex")));
}

export function messagesIn(octets: Uint8Array<ArrayBuffer>): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  eachMessage(view, octets.length, (message) => messages.push(message));
  return messages;
}

export function recorded<T>(name: string, read: Reader<T>): T[] {
  return recordedOctets(name)
    .flatMap(messagesIn)
    .map(read)
    .filter((one) => one !== undefined);
}

/** Returns the output of `ip` about the same objects. */
export function wordsOfIp(name: string): string {
  return readFileSync(join(folder, `${name}.ip`), "utf8");
}
