// How warnings beside the verdicts are found: a table for each kind of thing, a row for each code.

import type { Clock, Instant, WallTime } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import type { DesiredLink } from "../../model/desired.ts";
import type { LinkHealth } from "../../model/health.ts";
import type { FoundCode, WarningCode } from "../../model/warning-rows.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";

/** What is known at one moment. */
export interface Scene {
  readonly agent: EvaluatedAgent;
  readonly site: SiteView;
  readonly clock: Clock;
  readonly now: Instant;
  readonly wall: WallTime;
  /** When this agent started. */
  readonly startedAt: Instant;
  readonly health: (link: DesiredLink) => LinkHealth;
}

/** A thing that warnings are about, and the names that contain it. */
export type Subject = Pick<Raised, "about" | "within">;

/**
 * What a row has found: its text, and what differs from the row's code, its usual next step, and
 * the thing that was searched.
 */
export type Finding =
  | string
  | (Pick<Raised, "text"> &
      Partial<Subject & { readonly code: WarningCode; readonly next: string }>);

/** Looks for the warnings of a row. */
export type Find<Of extends Subject> = (
  scene: Scene,
  of: Of,
) => Finding | readonly Finding[] | undefined;

/** The rows about one kind of thing, in the order in which their warnings are reported. */
export type Finders<Of extends Subject> = Readonly<Partial<Record<FoundCode, Find<Of>>>>;

/**
 * Runs a table for one thing. A search that several codes share runs once, at the first of them:
 * its findings name their codes.
 */
export function raisedIn<Of extends Subject>(rows: Finders<Of>, scene: Scene, of: Of): Raised[] {
  const codes = new Map<Find<Of>, WarningCode>();
  for (const [code, find] of Object.entries(rows) as [FoundCode, Find<Of>][]) {
    if (!codes.has(find)) codes.set(find, code);
  }
  return [...codes].flatMap(([find, code]) =>
    [find(scene, of) ?? []].flat().map((finding): Raised => {
      const found = typeof finding === "string" ? { text: finding } : finding;
      const usual = raise(found.code ?? code, found.about ?? of.about, found.text);
      return { ...usual, within: found.about === undefined ? of.within : usual.within, ...found };
    }),
  );
}
