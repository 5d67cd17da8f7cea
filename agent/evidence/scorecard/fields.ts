// Judges a part of a document by the fields that a recommendation rests on. Only this file makes a
// proof, and only of fields that are present and understood: a field that is missing, or has a
// value that no row knows, proves nothing.

import { judge as judgeClaim, sightOf } from "../../model/claims.ts";
import { at, isResource, type Source } from "./estate.ts";
import { failed, listAt, type Outcome, proven, together, unverifiable, wordOf } from "./outcome.ts";

/** `nothing`: the value is not understood, or says nothing about the recommendation. */
export type Effect = "proves" | "fails" | "nothing";

/** One field that a proof rests on. */
export interface Field {
  /** The keys that lead to it in the part, with dots between them. */
  readonly path: string;
  readonly does: (value: unknown) => Effect;
  /**
   * What it does where Azure shows that it is not set; without this, nothing. `harmless`: it is
   * optional, and only a value of it can undo the proof.
   */
  readonly unset?: "fails" | "harmless";
  /** What is wrong where it fails. */
  readonly fault: string;
  /** What is not known where it does nothing; without this, the field is named. */
  readonly doubt?: string;
  /** The next step, where it does not prove. */
  readonly next: string;
}

/** A document or a part of one, and the texts about it. */
export interface Part {
  readonly name: string;
  readonly value: unknown;
  readonly source: Source;
}

/** Returns the proof if every field proves, else what fails or is not known. */
export function judge(part: Part, fields: readonly Field[], proof: string): Outcome {
  if (fields.length === 0) throw new RangeError("a proof that rests on no field");
  const found = fields.flatMap((field) => lackOf(part, field) ?? []);
  const has = (verdict: Outcome["verdict"]): boolean =>
    found.some((one) => one.verdict === verdict);
  const { kind } = judgeClaim("row-proven", {
    understood: () => sightOf(has("notVerifiable") ? undefined : true),
    right: () => sightOf(!has("failed")),
  });
  return kind === "holds" ? proven(proof) : together(found);
}

/** Makes the proof of what was seen whole: at the edge, or as a list without entry. */
export function seen(proof: string): Outcome {
  return proven(proof);
}

/** Joins a resource and its parts: if one lacks a proof, the others say nothing. */
export function allOf(parts: readonly Outcome[]): Outcome {
  const lacking = parts.filter(({ verdict }) => verdict !== "proven");
  return together(lacking.length === 0 ? parts : lacking);
}

/** Returns what a field lacks for a proof; undefined = nothing. */
function lackOf({ name, value, source }: Part, field: Field): Outcome | undefined {
  const { path, fault, next } = field;
  const keys = path.split(".");
  const found = at(value, ...keys);
  const label = keys.at(-1) ?? path;
  if (found === undefined) {
    if (field.unset === "harmless") return undefined;
    // Azure was read whole, or the document says that there is none.
    const isUnset = source === "scopes" || isNull(value, keys);
    if (isUnset && field.unset === "fails") return failed(fault, next);
    return unverifiable(field.doubt ?? `${name} does not show its ${label}`, next);
  }
  switch (field.does(found)) {
    case "proves":
      return undefined;
    case "fails":
      return failed(fault, next);
    case "nothing": {
      const why = `${name} has a ${label} that is not understood (${wordOf(found)})`;
      return unverifiable(field.doubt ?? why, next);
    }
  }
}

/** Returns true if the document names a key of the path and shows null for it. */
function isNull(value: unknown, keys: readonly string[]): boolean {
  let found = value;
  for (const key of keys) {
    if (!isResource(found)) return false;
    found = Object.hasOwn(found, key) ? found[key] : undefined;
    if (found === null) return true;
  }
  return false;
}

/** Makes the effect of words of the API, in any case; other values do nothing. */
export function words(proves: readonly unknown[], fails: readonly unknown[] = []): Field["does"] {
  const has = (list: readonly unknown[], value: unknown): boolean =>
    list.some((one) => folded(one) === folded(value));
  return (value) => (has(proves, value) ? "proves" : has(fails, value) ? "fails" : "nothing");
}

const folded = (value: unknown): unknown =>
  typeof value === "string" ? value.toLowerCase() : value;

/** Makes the effect of a switch that is to be on. */
export const isOn = words([true], [false]);

/** A list of any length: its entries are judged one by one. */
export const isList = (value: unknown): Effect => (Array.isArray(value) ? "proves" : "nothing");

/** A list with something in it. */
export const isFilled = (value: unknown): Effect =>
  listAt(value).length > 0 ? "proves" : Array.isArray(value) ? "fails" : "nothing";

/** A text that is not empty. */
export const isText = (value: unknown): Effect =>
  typeof value === "string" ? (value === "" ? "fails" : "proves") : "nothing";
