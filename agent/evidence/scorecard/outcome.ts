// The result of a check: proven, failed or not verifiable, each with its evidence. Anything that
// was not read is not verifiable, never passed.

import { at, type Listed, type Resource, type Source } from "./estate.ts";

export interface Outcome {
  readonly verdict: "proven" | "failed" | "notVerifiable";
  readonly evidence: readonly string[];
  /** The next step; null = none is needed. */
  readonly next: string | null;
}

/** Only judge() and seen() of fields.ts use this: a proof names the fields it rests on. */
export function proven(...evidence: readonly string[]): Outcome {
  return { verdict: "proven", evidence, next: null };
}

export function failed(evidence: string, next: string): Outcome {
  return { verdict: "failed", evidence: [evidence], next };
}

export function unverifiable(why: string, next: string): Outcome {
  return { verdict: "notVerifiable", evidence: [why], next };
}

/** Where a source looks, and what makes it see more. */
const places: Readonly<Record<Source, { readonly place: string; readonly next: string }>> = {
  scopes: {
    place: "in the scopes that were read",
    next: "add the resource group it is in to azure.scopes in the config",
  },
  documents: { place: "in the documents", next: "export it as JSON into the folder" },
};

/** Reports that the read list does not contain a resource that may exist elsewhere. */
export function unseen(what: string, source: Source): Outcome {
  const { place, next } = places[source];
  return unverifiable(`${what} ${place}`, next);
}

/**
 * Reports something that a complete reading does not show: failed where Azure was read; not
 * verifiable from documents, which may leave it out.
 */
export function absent(evidence: string, next: string, source: Source): Outcome {
  switch (source) {
    case "scopes":
      return failed(evidence, next);
    case "documents":
      return unseen(evidence, source);
  }
}

const order = ["proven", "notVerifiable", "failed"] as const;

/**
 * Combines outcomes: as bad as the worst part, with the evidence of all parts. Throws RangeError
 * for an empty list, which would prove nothing.
 */
export function together(parts: readonly Outcome[]): Outcome {
  if (parts.length === 0) throw new RangeError("a check of nothing");
  const worst = parts.reduce((found, part) =>
    order.indexOf(part.verdict) > order.indexOf(found.verdict) ? part : found,
  );
  const evidence = [...new Set(parts.flatMap((part) => part.evidence))];
  return { verdict: worst.verdict, evidence, next: worst.next };
}

/** Returns the first outcome that is proven, else all together. Throws for an empty list. */
export function oneOf(parts: readonly Outcome[]): Outcome {
  return parts.find(({ verdict }) => verdict === "proven") ?? together(parts);
}

type ReadList = Extract<Listed, { readonly kind: "read" }>;

/** Judges what was read of a list; an unread list is not verifiable, with the reason. */
export function ifRead(list: Listed, judge: (read: ReadList) => Outcome): Outcome {
  return list.kind === "read" ? judge(list) : unverifiable(`not read: ${list.why}`, list.next);
}

/** Checks each resource of a list; an unread or empty list is not verifiable, with the reason. */
export function overAll(
  list: Listed,
  noun: string,
  check: (resource: Resource, source: Source) => Outcome,
): Outcome {
  return ifRead(list, ({ items, source }) =>
    items.length === 0
      ? unseen(`no ${noun}`, source)
      : together(items.map((item) => check(item, source))),
  );
}

/** A resource's name if it is safe to print, else "a resource". */
export function nameOf(resource: unknown): string {
  const name = at(resource, "name");
  if (name === undefined) return lastOf(at(resource, "id"));
  return typeof name === "string" ? lastOf(name) : "a resource";
}

/** The last part of a resource id if it is safe to print, else "a resource". */
export function lastOf(id: unknown): string {
  const name = typeof id === "string" ? (id.split("/").at(-1) ?? "") : "";
  return /^[\w.() -]{1,120}$/.test(name) ? name : "a resource";
}

/** A word of the API if it is safe to print, else a placeholder. */
export function wordOf(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  return typeof value === "string" && /^[\w.,: -]{1,60}$/.test(value) ? value : "something else";
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** Compares resource ids or words of the API, whose case differs from one answer to the next. */
export function sameId(a: unknown, b: unknown): boolean {
  return typeof a === "string" && typeof b === "string" && a.toLowerCase() === b.toLowerCase();
}

/** Returns true if `id` is the resource or scope `scope`, or is below it. */
export function isWithin(id: unknown, scope: unknown): boolean {
  if (typeof id !== "string" || typeof scope !== "string") return false;
  const above = scope.toLowerCase().replace(/\/$/, "");
  const below = id.toLowerCase();
  return above !== "" && (below === above || below.startsWith(`${above}/`));
}
