// The journal as bytes: one line per record, with a MAC over the record and the MAC before it.
// Pure.

import { decodeJson, encodeJson } from "#hal/json.ts";
import type { WallTime } from "#hal/world.ts";

export const recordBytesMax = 64 * 1024;
/** Longest line in bytes. A snapshot is one line that replaces all records before it. */
export const lineBytesMax = 4 * 1024 * 1024;
/** Longest file in octets; then nothing is appended any more. */
export const fileBytesMax = 64 * 1024 * 1024;

/**
 * A caller's record: a kind and JSON of its own; never key bytes or anything derived from
 * them.
 */
export interface JsonRecord {
  readonly kind: string;
  readonly [name: string]: unknown;
  readonly seq?: never;
  readonly at?: never;
  readonly host?: never;
  readonly mac?: never;
}

/** A record in the file. */
export interface Entry {
  /** Rises by one with every record, also across compactions. */
  readonly seq: number;
  /** When it was written. */
  readonly at: WallTime;
  /** Id of the host that wrote it. */
  readonly host: string;
  /** The kind of record. */
  readonly kind: string;
  /** The MAC, in hexadecimal. */
  readonly mac: string;
  /** Members of the record's kind. */
  readonly [name: string]: unknown;
}

/** HMAC-SHA256 under the host key, in lower-case hex. */
export type Mac = (previous: string, body: Uint8Array) => string;

/** A record and its line. */
export interface ChainedRecord {
  readonly entry: Entry;
  /** The line, with its line feed. */
  readonly line: Uint8Array;
}

type BrokenWhy =
  | "its MAC does not fit the record before it"
  | "a sequence number is missing or repeated"
  | "it was written on another host"
  | "it is longer than a record can be"
  | "it is missing, and the audit log knows of it"
  | "the file is longer than a journal can be";

/** How a file ends. */
export type Ending =
  | { readonly kind: "whole" }
  /** The last append was cut short, so its effect has not run. */
  | { readonly kind: "torn"; readonly bytes: number }
  | { readonly kind: "corrupt"; readonly line: number; readonly why: BrokenWhy };

export interface Scan {
  readonly good: readonly ChainedRecord[];
  readonly ending: Ending;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const lineFeed = 0x0a;
const genesis = "linkseal.journal/1";
const macTail = /^,"mac":"([0-9a-f]{64})"\}$/;
const macTailBytes = `,"mac":"${"0".repeat(64)}"}`.length;

/** Makes the line that follows `previous` (undefined = the first line of a file). */
export function chainRecord(
  head: { readonly seq: number; readonly at: WallTime; readonly host: string },
  record: JsonRecord,
  previous: Entry | undefined,
  mac: Mac,
): ChainedRecord {
  // Spread twice: the head comes first in the line, and a payload still cannot overwrite it.
  const body = encoder.encode(encodeJson({ ...head, ...record, ...head }));
  const tail = `,"mac":"${mac(previous?.mac ?? genesis, body)}"}\n`;
  const line = new Uint8Array(body.length - 1 + tail.length);
  line.set(body.subarray(0, -1));
  encoder.encodeInto(tail, line.subarray(body.length - 1));
  return { entry: decodeLine(line.subarray(0, -1)), line };
}

/** Reads every record up to the first one that does not fit, and how the file ends. */
export function scanJournal(bytes: Uint8Array, host: string, mac: Mac): Scan {
  const good: ChainedRecord[] = [];
  const corrupt = (why: BrokenWhy): Scan => ({
    good,
    ending: { kind: "corrupt", line: good.length + 1, why },
  });
  if (bytes.length > fileBytesMax) return corrupt("the file is longer than a journal can be");
  let start = 0;
  while (start < bytes.length) {
    const feed = bytes.indexOf(lineFeed, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end - start >= lineBytesMax) return corrupt("it is longer than a record can be");
    if (feed === -1) return { good, ending: { kind: "torn", bytes: bytes.length - start } };
    const previous = good.at(-1)?.entry;
    const entry = openLine(bytes.subarray(start, end), previous, mac);
    if (entry === undefined) return corrupt("its MAC does not fit the record before it");
    if (entry.host !== host) return corrupt("it was written on another host");
    if (previous !== undefined && !follows(entry, previous)) {
      return corrupt("a sequence number is missing or repeated");
    }
    good.push({ entry, line: bytes.slice(start, end + 1) });
    start = end + 1;
  }
  return { good, ending: { kind: "whole" } };
}

/** Reads a file that was found whole before, octet for octet: its MACs are not checked again. */
export function rereadJournal(bytes: Uint8Array): Scan {
  const good: ChainedRecord[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(lineFeed, start);
    good.push({
      entry: decodeLine(bytes.subarray(start, end)),
      line: bytes.subarray(start, end + 1),
    });
    start = end + 1;
  }
  return { good, ending: { kind: "whole" } };
}

/** Records that were lost keep their numbers: an accepted loss goes on after the last of them. */
export const lossKind = "journal.lossAccepted";

function follows({ kind, seq }: Entry, previous: Entry): boolean {
  return kind === lossKind ? seq > previous.seq : seq === previous.seq + 1;
}

// The MAC covers bytes, not decoded text, so that two encodings of one text are not the same
// record.
function openLine(line: Uint8Array, previous: Entry | undefined, mac: Mac): Entry | undefined {
  const bodyEnd = line.length - macTailBytes;
  if (bodyEnd < 1) return undefined;
  const found = macTail.exec(latin(line.subarray(bodyEnd)))?.[1];
  if (found === undefined) return undefined;
  const body = new Uint8Array(bodyEnd + 1);
  body.set(line.subarray(0, bodyEnd));
  body[bodyEnd] = 0x7d;
  return mac(previous?.mac ?? genesis, body) === found ? decodeLine(line) : undefined;
}

// Only called on a line that linkseal made: just chained, or with a correct MAC, now or before.
function decodeLine(line: Uint8Array): Entry {
  return decodeJson(decoder.decode(line)) as Entry;
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
