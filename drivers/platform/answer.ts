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

/** `read` gives undefined = understood, and nothing of that port is in it. */
export function reading<T, R>(
  from: Answer<T>,
  at: Instant,
  read: (value: T) => R | undefined,
): Reading<R> {
  if ("why" in from) return unknown(from.why, at);
  const value = read(from.value);
  return value === undefined ? unknown("unparsed", at) : known(value, at);
}
