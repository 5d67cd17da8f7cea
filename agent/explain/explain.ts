// One source for `linkseal explain CODE` and docs/codes.md.

import { nearest } from "../model/nearest.ts";
import { warningRows } from "../model/warning-rows.ts";
import { riskEntries, stateEntries } from "./campaign.ts";
import type { Body, Entry } from "./entry.ts";
import { errorEntries } from "./errors.ts";
import { findingEntries } from "./findings.ts";
import { linkEntries } from "./links.ts";
import { operationEntries } from "./operations.ts";

type CodeKind = "warning" | "finding" | "error" | "risk" | "state";

export interface Explanation extends Entry {
  readonly code: string;
  readonly kind: CodeKind;
}

export type Explained =
  | { readonly kind: "known"; readonly explanation: Explanation }
  /** `meant` is the nearest code there is. */
  | { readonly kind: "unknown"; readonly meant: string | undefined };

/** Every code of every source, once. */
export const explanations: ReadonlyMap<string, Explanation> = collect();

function collect(): Map<string, Explanation> {
  const bodies: Readonly<Record<string, Body>> = { ...linkEntries, ...operationEntries };
  const all = new Map<string, Explanation>();
  for (const [code, { title }] of Object.entries(warningRows)) {
    const { meaning = "", whatToDo = [] } = bodies[code] ?? {};
    all.set(code, { code, kind: "warning", title, meaning, whatToDo });
  }
  const add = (kind: CodeKind, entries: Readonly<Record<string, Entry>>): void => {
    for (const [code, entry] of Object.entries(entries)) all.set(code, { code, kind, ...entry });
  };
  add("finding", findingEntries);
  add("error", errorEntries);
  add("risk", riskEntries);
  add("state", stateEntries);
  return all;
}

/** Upper and lower case do not matter; nothing is guessed silently. */
export function explain(code: string): Explained {
  const wanted = code.trim().toLowerCase();
  for (const explanation of explanations.values()) {
    if (explanation.code.toLowerCase() === wanted) return { kind: "known", explanation };
  }
  return { kind: "unknown", meant: nearest(wanted, [...explanations.keys()]) };
}
