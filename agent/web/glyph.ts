// Verdicts and severities as a shape and a word; colour only repeats them.

import { type ComponentChild, h } from "preact";
import type { Verdict } from "../model/health.ts";
import type { Severity } from "../model/warning-rows.ts";

/** Paths on a field of 16 by 16. */
const shapes: Readonly<Record<Verdict, readonly string[]>> = {
  // A closed lock.
  protected: ["M4 7.500V5.500a4 4 0 0 1 8 0V7.500", "M3 7.500h10v6.500H3z"],
  // A triangle with an exclamation mark.
  degraded: ["M8 2L14.500 13.500H1.500z", "M8 6.500V9.500", "M8 11.300v.4"],
  // A question mark.
  unknown: ["M5.500 6a2.500 2.500 0 1 1 3.800 2.200c-.900.500-1.300 1-1.300 1.800", "M8 12.300v.4"],
  // A cross.
  down: ["M4 4l8 8", "M12 4l-8 8"],
  // An open lock.
  unprotected: ["M4 7.500V5.500a4 4 0 0 1 7.700-1.500", "M3 7.500h10v6.500H3z"],
};

function drawing(paths: readonly string[]): ComponentChild {
  return h(
    "svg",
    { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    paths.map((d) => h("path", { d })),
  );
}

export function verdictGlyph(verdict: Verdict): ComponentChild {
  return drawing(shapes[verdict]);
}

/** What a badge shows beside the verdict. */
export interface BadgeRest {
  /** The last verdict that was received, if it may be outdated. */
  readonly was?: Verdict | undefined;
  /** True if the verdict belongs to planned work; absent = it does not. */
  readonly planned?: boolean;
}

/** Shows a verdict by shape, word and colour. */
export function badge(verdict: Verdict, { was, planned = false }: BadgeRest = {}): ComponentChild {
  const before = was === undefined || was === verdict ? null : h("small", null, `was ${was}`);
  // Planned work explains what was down; it never makes an unknown state known.
  const isPlanned = planned && verdict !== "unknown";
  const work = isPlanned ? h("small", null, "planned") : null;
  const named = isPlanned ? `badge ${verdict} planned` : `badge ${verdict}`;
  return h(
    "span",
    { class: named },
    verdictGlyph(verdict),
    h("span", { class: "word" }, verdict),
    before,
    work,
  );
}

const marks: Readonly<Record<Severity, readonly string[]>> = {
  error: shapes.down,
  warning: shapes.degraded,
  info: ["M8 7v5", "M8 4v.4"],
};

/** The mark of work that takes a link out of service on purpose: a clock. */
export function plannedGlyph(): ComponentChild {
  return drawing(["M8 2a6 6 0 1 0 0 12a6 6 0 0 0 0-12", "M8 5v3.500l2.500 1.500"]);
}

export function severityMark(severity: Severity): ComponentChild {
  return h("span", { class: `mark ${severity}` }, drawing(marks[severity]), severity);
}
