// The JSON shape of an error on the sockets, both ways.

import { isErrorCode, LinksealError } from "#hal/error.ts";

/** Returns the error as operators' scripts read it (linkseal.error/1). */
export function errorShape(error: LinksealError): Readonly<Record<string, string>> {
  const { code, effect, where, message: text, next } = error;
  return { schema: "linkseal.error/1", code, effect, where, text, next };
}

/**
 * Returns the error of such a shape, for the client of a socket; undefined = it is another value.
 */
export function errorFromShape(value: unknown): LinksealError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, effect, where, text, next } = value as Record<string, unknown>;
  if (!isErrorCode(code) || typeof text !== "string") return undefined;
  const known = effect === "none" || effect === "applied" ? effect : "unknown";
  return new LinksealError(code, text, {
    effect: known,
    where: typeof where === "string" ? where : "",
    next: typeof next === "string" ? next : "linkseal status",
  });
}
