// What a driver understands of replies that were saved, sent by a device now, or put into a bundle
// for people outside. Pure.

import {
  Disguise,
  type Exchange,
  isWordClass,
  nothing,
  type QueryReader,
  restored,
  type Understanding,
  type WordClass,
} from "#drivers/index.ts";
import { parseJson } from "#hal/json.ts";
import type { UnknownWhy } from "#hal/model.ts";

/** What was understood of the reply to one query. */
export interface Read extends Understanding {
  /** The query, as it was sent. */
  readonly query: string;
}

/** Reads a reply that a device sent. */
export async function readOf(reader: QueryReader, { query, reply }: Exchange): Promise<Read> {
  if (typeof reply !== "string") return { query, ...nothing(reply.why) };
  const read = await reader.read(query, new TextEncoder().encode(reply));
  return { query, ...(read ?? nothing("notSupported")) };
}

/** A bundle: replies without names, addresses, secrets and configuration. */
export interface DriverBundle {
  readonly schema: "linkseal.driver-bundle/1";
  /** The driver that asked. */
  readonly driver: string;
  /** The classes of the words `w1`, `w2`, ...: that of `w1` first. */
  readonly words: readonly WordClass[];
  readonly replies: readonly BundledReply[];
}

interface BundledReply {
  readonly query: string;
  /** The reply, or why there is none. */
  readonly text?: string;
  readonly why?: UnknownWhy;
}

/** Makes a bundle; replies with configuration are left out. */
export async function driverBundle(
  driver: string,
  reader: QueryReader,
  exchanges: readonly Exchange[],
): Promise<DriverBundle> {
  const disguise = new Disguise();
  const replies: BundledReply[] = [];
  for (const exchange of exchanges) {
    if (exchange.row.reply === "configuration") continue;
    const { query, text } = await reader.disguise(exchange, disguise);
    const { reply } = exchange;
    replies.push(typeof reply === "string" ? { query, text } : { query, why: reply.why });
  }
  return { schema: "linkseal.driver-bundle/1", driver, words: disguise.classes, replies };
}

const repliesMax = 1_000;
const wordsMax = 1_000_000;
const whys: ReadonlySet<unknown> = new Set<UnknownWhy>(["queryFailed", "unparsed"]);

/** Reads the text of a bundle; undefined = it is none. */
export function parseBundle(text: string): DriverBundle | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { schema, driver, words, replies } = value as Record<string, unknown>;
  if (schema !== "linkseal.driver-bundle/1" || typeof driver !== "string") return undefined;
  if (!Array.isArray(words) || words.length > wordsMax || !words.every(isWordClass)) {
    return undefined;
  }
  if (!Array.isArray(replies) || replies.length > repliesMax || !replies.every(isReply)) {
    return undefined;
  }
  return { schema, driver, words, replies };
}

function isReply(value: unknown): value is BundledReply {
  if (typeof value !== "object" || value === null) return false;
  const { query, text, why } = value as Record<string, unknown>;
  if (typeof query !== "string") return false;
  return why === undefined ? typeof text === "string" : whys.has(why);
}

/** Reads every reply of a bundle; its words get others of their class. */
export async function readsOf(
  reader: QueryReader,
  { words, replies }: DriverBundle,
): Promise<readonly Read[]> {
  const reads: Read[] = [];
  for (const { query: disguised, text = "", why } of replies) {
    const query = restored(disguised, words);
    const octets = new TextEncoder().encode(restored(text, words));
    const read = why === undefined ? await reader.read(query, octets) : nothing(why);
    reads.push({ query, ...(read ?? nothing("notSupported")) });
  }
  return reads;
}
