// What a question to a router came to, and the reading that a look makes of it.

import { known, type Reading, type UnknownWhy, unknown } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

export type Answer<T> = { readonly value: T } | { readonly why: UnknownWhy };

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
