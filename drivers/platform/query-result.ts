// The result of one query to a router, and the reading that an observation makes of it.

import { LinksealError } from "#hal/error.ts";
import { known, type Reading, type UnknownWhy, unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

/** A value that was read, or the reason why there is none. */
export type QueryResult<T> = { readonly value: T } | NoValue;

/** Why there is no value. */
export interface NoValue {
  readonly why: UnknownWhy;
  /** The query, as an error names it; absent = the value comes from several queries. */
  readonly query?: string;
  /** The device's refusal; absent = there was a reply, or the query was not sent. */
  readonly refusal?: LinksealError;
}

/**
 * Waits for a reply and reads it; `read` returns undefined for a reply that it does not understand,
 * `query` names it. A refusal concerns this query only.
 * @throws LinksealError if the error ends the session.
 */
export async function resultOf<T, R>(
  asked: Promise<T>,
  read: (reported: T) => R | undefined,
  query: string,
): Promise<QueryResult<R>> {
  try {
    const value = read(await asked);
    return value === undefined ? { why: "unparsed", query } : { value };
  } catch (error) {
    const isRefusal = error instanceof LinksealError && error.code.startsWith("device.");
    if (!isRefusal || error.code === "device.unparsed") throw error;
    return { why: "queryFailed", query, refusal: error };
  }
}

type QueryResults = Readonly<Record<string, QueryResult<unknown>>>;
type Values<A extends QueryResults> = {
  readonly [K in keyof A]: Extract<A[K], { readonly value: unknown }>["value"];
};

/** Returns the values of all results, or the first reason why one is missing. */
export function together<A extends QueryResults>(results: A): QueryResult<Values<A>> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(results)) {
    if ("why" in one) return one;
    values[name] = one.value;
  }
  return { value: values as Values<A> };
}

/**
 * Reads a result; `read` returns undefined for a value that it does not understand, `query` names
 * what was asked for it.
 */
export function readOf<T, R>(
  from: QueryResult<T>,
  read: (value: T) => R | undefined,
  query?: string,
): QueryResult<R> {
  if ("why" in from) return from;
  const value = read(from.value);
  if (value !== undefined) return { value };
  return { why: "unparsed", ...(query !== undefined && { query }) };
}

/**
 * Makes a reading of a result; `read` returns undefined for a value that it does not understand.
 */
export function reading<T, R>(
  from: QueryResult<T>,
  at: Instant,
  read: (value: T) => R | undefined,
): Reading<R> {
  const value = readOf(from, read);
  return "why" in value ? unknown(value.why, at, value.query) : known(value.value, at);
}

/** Runs queries one after another, up to the first whose result is unknown. */
export async function inTurn<T>(
  questions: readonly (() => Promise<QueryResult<T>>)[],
): Promise<readonly QueryResult<T>[]> {
  const results: QueryResult<T>[] = [];
  for (const ask of questions) {
    const one = await ask();
    results.push(one);
    if ("why" in one) break;
  }
  return results;
}
