// What a check may say: proven, failed, or not verifiable, each with its evidence. Nothing passes
// in silence: what was not seen is no pass.

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

/** As bad as its worst part, with the evidence of all parts; nothing at all proves nothing. */
export function together(parts: readonly Outcome[]): Outcome {
  if (parts.length === 0) throw new RangeError("a check of nothing");
  const worst = parts.reduce((found, part) =>
    order.indexOf(part.verdict) > order.indexOf(found.verdict) ? part : found,
  );
  const evidence = [...new Set(parts.flatMap((part) => part.evidence))];
  return { verdict: worst.verdict, evidence, next: worst.next };
}

/** Judges each resource of a list; an unread or empty list is not verifiable, with the reason. */
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

/** The name of a resource, fit to print. */
export function nameOf(resource: Resource): string {
  const name = at(resource, "name");
  return typeof name === "string" && /^[\w.() -]{1,120}$/.test(name) ? name : "a resource";
}

/** A word of the API, fit to print. */
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

/** Resource ids differ in case from one answer to the next. */
export function sameId(a: unknown, b: unknown): boolean {
  return typeof a === "string" && typeof b === "string" && a.toLowerCase() === b.toLowerCase();
}
