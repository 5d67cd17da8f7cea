// Reads fields of documents of the management API: what is absent or of another kind is empty.

type Fields = Readonly<Record<string, unknown>>;

function fieldAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Fields)[key];
  }
  return found;
}

import { isObject } from "#hal/decoder.ts";

/** Returns the object at a path; empty = there is none. */
export function documentAt(value: unknown, ...path: readonly string[]): Fields {
  const found = fieldAt(value, path);
  return isObject(found) ? found : {};
}

/** Returns the list at a path; empty = there is none. */
export function listIn(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = fieldAt(value, path);
  return Array.isArray(found) ? found : [];
}

/** Returns the text at a path in a list of its own; empty = there is no text. */
export function textsAt(value: unknown, ...path: readonly string[]): readonly string[] {
  const found = fieldAt(value, path);
  return typeof found === "string" && found.length <= 1_000 ? [found] : [];
}

/** True if the field at a path is `true`, and not merely something. */
export function isSet(value: unknown, ...path: readonly string[]): boolean {
  return fieldAt(value, path) === true;
}

/** True for a resource id that may be the path of a request: it contains nothing but names. */
export function isResourceId(id: string): boolean {
  return /^\/subscriptions\/[A-Za-z0-9/._()-]{1,600}$/.test(id) && !/\/\.{0,2}(\/|$)/.test(id);
}
