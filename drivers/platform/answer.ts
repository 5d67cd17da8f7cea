// What a question to a router came to, and the reading that a look makes of it.

import { LinksealError } from "#hal/error.ts";
import { known, type Reading, type UnknownWhy, unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

export type Answer<T> = { readonly value: T } | { readonly why: UnknownWhy };

/**
 * `read` gives undefined = the answer is not understood. Throws what ends the session: a refusal
 * concerns this question alone.
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

/** The values of all answers; the first that is not known is why they are not. */
export function together<A extends Answers>(answers: A): Answer<Values<A>> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(answers)) {
    if ("why" in one) return one;
    values[name] = one.value;
  }
  return { value: values as Values<A> };
}

/** `read` gives undefined = the answer is not understood. */
export function readOf<T, R>(from: Answer<T>, read: (value: T) => R | undefined): Answer<R> {
  if ("why" in from) return from;
  const value = read(from.value);
  return value === undefined ? { why: "unparsed" } : { value };
}

/** `read` gives undefined = understood, and nothing of that port is in it. */
export function reading<T, R>(
  from: Answer<T>,
  at: Instant,
  read: (value: T) => R | undefined,
): Reading<R> {
  const value = readOf(from, read);
  return "why" in value ? unknown(value.why, at) : known(value.value, at);
}

/** Each after the other, up to the first that is not known. */
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
