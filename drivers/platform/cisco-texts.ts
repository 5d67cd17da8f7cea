// A Cisco configuration from the replies of several queries, each of which is named where it is
// missing. Without that of BGP, all but the neighbours is known.

import type { Command } from "#hal/secret.ts";
import type { Query } from "./query.ts";
import type { NoValue, QueryResult } from "./query-result.ts";

/** A configuration, and the texts that it was read from. */
export interface Reported<C, T> {
  readonly config: C;
  /** With a text of no block in place of one that is missing. */
  readonly texts: T;
  /** Why its neighbours are not known; absent = they are. */
  readonly noPeerings?: NoValue;
}

type Texts<K extends string, B> = Readonly<Record<K | "bgp", string | B>>;

interface Parts<N, K extends string, B, C> {
  /** The query of each text, in the order in which they are sent; that of BGP is the last. */
  readonly names: Readonly<Record<K | "bgp", N>>;
  /** The text of no block. */
  readonly blank: B;
  /** Returns whether the device knows the query of BGP; absent = it always does. */
  readonly hasBgp?: (texts: Texts<K, B>) => boolean;
  /** Returns a reply as far as it is a configuration; absent = as it is. */
  readonly whole?: (text: string) => string | undefined;
  readonly read: (texts: Texts<K, B>) => C | undefined;
}

/** Names the configuration in errors where no single query can be named. */
export const configQuery = '"show running-config"';

/** Asks for the texts and reads the configuration. */
export async function askTexts<N extends string, K extends string, B extends string | undefined, C>(
  query: Query<N, Command, string>,
  { names, blank, hasBgp = () => true, whole = (text) => text, read }: Parts<N, K, B, C>,
): Promise<QueryResult<Reported<C, Texts<K, B>>>> {
  const parts = Object.keys(names) as (K | "bgp")[];
  const blanks = Object.fromEntries(parts.map((part) => [part, blank])) as Texts<K, B>;
  let texts = blanks;
  let noPeerings: NoValue | undefined;
  for (const part of parts) {
    if (part === "bgp" && !hasBgp(texts)) continue;
    const one = await query.result(names[part], whole);
    if ("value" in one) texts = { ...texts, [part]: one.value };
    else if (part === "bgp") noPeerings = one;
    else return one;
  }
  const config = read(texts);
  if (config !== undefined) return { value: { config, texts, ...(noPeerings && { noPeerings }) } };
  const odd = parts.find((part) => read({ ...blanks, [part]: texts[part] }) === undefined);
  const missing: NoValue = {
    why: "unparsed",
    query: odd === undefined ? configQuery : query.named(names[odd]),
  };
  const rest = { ...texts, bgp: blank };
  const known = odd === "bgp" ? read(rest) : undefined;
  return known === undefined
    ? missing
    : { value: { config: known, texts: rest, noPeerings: missing } };
}
