// `linkseal driver read`: what a driver understands of a saved reply, or of a bundle, and the list
// of its queries.

import { open } from "node:fs/promises";
import { type QueryReader, type QueryRow, readers } from "#drivers/index.ts";
import { errnoOf } from "../host/folder.ts";
import { nearest } from "../model/nearest.ts";
import { visible } from "../model/text.ts";
import { parseBundle, type Read, readsOf } from "../operate/driver-reads.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { exit } from "./shape.ts";

export interface ReadOptions extends Common {
  readonly driver: string;
  readonly release?: string;
  readonly model?: string;
  readonly query?: string;
  readonly list?: true;
  readonly bundle?: string;
}

const unknownStatus = 4;
const bytesMax = 32 * 1024 * 1024;
const labelMax = 100;

export async function readReply(file: string | undefined, options: ReadOptions): Promise<void> {
  const { driver, query, list, bundle } = options;
  const reader = readerOf(driver);
  const session = new Session(options);
  const given = [query ?? file, list, bundle].filter((one) => one !== undefined);
  if (given.length === 1 && list === true) return await showList(session, driver, reader);
  if (given.length === 1 && bundle !== undefined) return await showBundle(session, options, bundle);
  if (given.length !== 1 || query === undefined || file === undefined) {
    const text = "it needs either --query and a file, or --list, or --bundle";
    throw usage(text, `linkseal driver read --driver ${driver} --list`);
  }
  const about = { driver, release: labelOf(options.release), model: labelOf(options.model) };
  const octets = await octetsOf(file);
  const read = await understood(() => reader.read(query, octets), file);
  if (read === undefined) throw noSuchQuery(driver, reader, query);
  const result = { schema: "linkseal.read/1", ...about, query, ...read };
  await session.show(result, readText);
  exit(read.unknown.length === 0 ? 0 : unknownStatus);
}

/**
 * Returns the reader of a driver.
 * @throws LinksealError with `usage` for a driver that has none
 */
export function readerOf(driver: string): QueryReader {
  const names = Object.keys(readers);
  const found = Object.entries(readers).find(([name]) => name === driver)?.[1];
  if (found !== undefined) return found;
  const text = `no driver ${JSON.stringify(driver)} reads replies: ${names.join(", ")} do`;
  throw usage(text, "linkseal driver list");
}

/**
 * Returns a release or model as it is printed; null = none is given.
 * @throws LinksealError with `usage` for text that no device prints
 */
export function labelOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length <= labelMax && /^[\w.+() -]+$/.test(text)) return text;
  throw usage("a release or model is one line of letters, digits and dots", "--release 17.12.1");
}

function noSuchQuery(driver: string, { rows }: QueryReader, query: string): Error {
  const names = rows.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]));
  const meant = nearest(query, names);
  const hint = meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`;
  const text = `${driver} sends no query ${JSON.stringify(query.slice(0, labelMax))}${hint}`;
  return usage(text, `linkseal driver read --driver ${driver} --list`);
}

async function showList(session: Session, driver: string, { rows }: QueryReader): Promise<void> {
  const result = { schema: "linkseal.queries/1", driver, queries: rows };
  await session.show(result, ({ queries }) => queries.map(rowText).join("\n"));
}

function rowText({ name, alias, purpose, reply, standing, source }: QueryRow): string {
  const also = alias === undefined ? [] : [`    at the command line: ${alias}`];
  const kind = reply === "configuration" ? " It is configuration." : "";
  return [name, ...also, `    ${purpose}${kind}`, `    ${standing}: ${source}`].join("\n");
}

async function showBundle(session: Session, { driver }: ReadOptions, file: string): Promise<void> {
  const octets = await octetsOf(file);
  const parsed = parseBundle(new TextDecoder().decode(octets));
  if (parsed === undefined) {
    throw usage(`${file} is no bundle`, "linkseal driver check --read-only --bundle FILE");
  }
  if (parsed.driver !== driver) {
    throw usage(`${file} is of another driver`, `--driver ${JSON.stringify(parsed.driver)}`);
  }
  const reads = await understood(() => readsOf(readerOf(driver), parsed), file);
  await showReads(session, { driver, device: null }, reads);
}

/** Prints what was understood of several replies; the exit status is 4 if something is unknown. */
export async function showReads(
  session: Session,
  about: { readonly driver: string; readonly device: string | null },
  reads: readonly Read[],
): Promise<void> {
  const result = { schema: "linkseal.reads/1", ...about, reads };
  await session.show(result, (shown) => {
    const whole = shown.reads.filter(({ unknown }) => unknown.length === 0).length;
    const sum = `${whole} of ${shown.reads.length} replies are understood as a whole`;
    return [...shown.reads.map(readText), sum].join("\n\n");
  });
  exit(reads.some(({ unknown }) => unknown.length > 0) ? unknownStatus : 0);
}

const whyWords = {
  notSupported: "the driver has no such query",
  queryFailed: "the device refused the query",
  unparsed: "not understood",
  contradicted: "two values exclude each other",
} as const;

/** Returns a reading as text; what it contains is safe on a terminal. */
function readText({ query, understood: value, unknown }: Read): string {
  const gaps = unknown.map(({ what, why }) => `  unknown: ${what}: ${whyWords[why]}`);
  return [query, ...linesOf(value, 1), ...gaps].join("\n");
}

function linesOf(value: unknown, depth: number): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const indent = "  ".repeat(depth);
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    if (typeof inner !== "object" || inner === null) {
      const text = typeof inner === "string" ? inner : JSON.stringify(inner);
      return [`${indent}${visible(key)}: ${inner === null ? "-" : text}`];
    }
    const below = linesOf(inner, depth + 1);
    return [`${indent}${visible(key)}:${below.length === 0 ? " none" : ""}`, ...below];
  });
}

/**
 * Reads a file, or standard input for `-`, of at most 32 MB.
 * @throws LinksealError with `usage` if that is not possible
 */
async function octetsOf(file: string): Promise<Uint8Array> {
  const next = "linkseal driver read --help";
  const handle = file === "-" ? undefined : await open(file).catch(unreadable(file));
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of handle?.createReadStream() ?? process.stdin) {
      const octets = Buffer.from(chunk as Uint8Array);
      length += octets.length;
      if (length > bytesMax) throw usage(`${file} has more than ${bytesMax} bytes`, next);
      chunks.push(octets);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && "syscall" in error) unreadable(file)(error);
    throw error;
  }
  return Buffer.concat(chunks);
}

function unreadable(file: string): (error: unknown) => never {
  return (error) => {
    const text = `${file} cannot be read (${errnoOf(error)})`;
    throw usage(text, "linkseal driver read --help");
  };
}

/** Makes the complaint of a reader about the text itself into a usage error. */
async function understood<T>(read: () => Promise<T>, file: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw usage(`${file}: ${error.message}`, "linkseal driver read --help");
  }
}
