// The result of a check: proven, failed or not verifiable, each with its evidence. Anything that
// was not read is not verifiable, never passed.

import { at, type Listed, type Resource } from "./estate.ts";

export interface Outcome {
  readonly verdict: "proven" | "failed" | "notVerifiable";
  readonly evidence: readonly string[];
  /** The next step; null = none is needed. */
  readonly next: string | null;
}

export function proven(...evidence: readonly string[]): Outcome {
  return { verdict: "proven", evidence, next: null };
}

export function failed(evidence: string, next: string): Outcome {
  return { verdict: "failed", evidence: [evidence], next };
}

export function unverifiable(why: string, next: string): Outcome {
  return { verdict: "notVerifiable", evidence: [why], next };
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

/** Checks each resource of a list; an unread or empty list is not verifiable, with the reason. */
export function overAll(
  list: Listed,
  noun: string,
  check: (resource: Resource) => Outcome,
): Outcome {
  if (list.kind === "unread") {
    return unverifiable(
      `not read: ${list.why}`,
      "give the agent's identity Reader on these scopes",
    );
  }
  if (list.items.length === 0) {
    const next = "add the resource group it is in to azure.scopes in the config";
    return unverifiable(`no ${noun} in the scopes that were read`, next);
  }
  return together(list.items.map(check));
}

/** A resource's name if it is safe to print, else "a resource". */
export function nameOf(resource: Resource): string {
  const name = at(resource, "name");
  return typeof name === "string" && /^[\w.() -]{1,120}$/.test(name) ? name : "a resource";
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

/** Compares resource ids, whose case differs from one answer to the next. */
export function sameId(a: unknown, b: unknown): boolean {
  return typeof a === "string" && typeof b === "string" && a.toLowerCase() === b.toLowerCase();
}
