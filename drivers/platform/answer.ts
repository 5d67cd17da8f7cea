// The result of one query to a router, and the reading that an observation makes of it.

import { LinksealError } from "#hal/error.ts";
import { known, type Reading, type UnknownWhy, unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

/** A value that was read, or the reason why there is none. */
export type Answer<T> = { readonly value: T } | { readonly why: UnknownWhy };

/**
 * Waits for a reply and reads it; `read` returns undefined for a reply that it does not understand.
 * A refusal concerns this query only.
 * @throws LinksealError if the error ends the session.
 */
export async function answer<T, R>(
  asked: Promise<T>,
  read: (told: T) => R | undefined,
): Promise<Answer<R>> {
  try {
    const value = read(await asked);
    return value === undefined ? { why: "unparsed" } : { value };
  } catch (error) {
    const isRefusal = error instanceof LinksealError && error.code.startsWith("device.");
    if (!isRefusal || error.code === "device.unparsed") throw error;
    return { why: "queryFailed" };
  }
}

type Answers = Readonly<Record<string, Answer<unknown>>>;
type Values<A extends Answers> = {
  readonly [K in keyof A]: Extract<A[K], { readonly value: unknown }>["value"];
};

/** Returns the values of all results, or the first reason why one is missing. */
export function together<A extends Answers>(answers: A): Answer<Values<A>> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(answers)) {
    if ("why" in one) return one;
    values[name] = one.value;
  }
  return { value: values as Values<A> };
}

/** Reads a result; `read` returns undefined for a value that it does not understand. */
export function readOf<T, R>(from: Answer<T>, read: (value: T) => R | undefined): Answer<R> {
  if ("why" in from) return from;
  const value = read(from.value);
  return value === undefined ? { why: "unparsed" } : { value };
}

/**
 * Makes a reading of a result; `read` returns undefined for a value that it does not understand.
 */
export function reading<T, R>(
  from: Answer<T>,
  at: Instant,
  read: (value: T) => R | undefined,
): Reading<R> {
  const value = readOf(from, read);
  return "why" in value ? unknown(value.why, at) : known(value.value, at);
}

/** Runs queries one after another, up to the first whose result is unknown. */
export async function inTurn<T>(
  questions: readonly (() => Promise<Answer<T>>)[],
): Promise<readonly Answer<T>[]> {
  const answers: Answer<T>[] = [];
  for (const ask of questions) {
    const one = await ask();
    answers.push(one);
    if ("why" in one) break;
  }
  return answers;
}
