// The events of verdicts: what changed, how bad it is, what it ends, and whose consequence it is.

import type { EventRest } from "../../model/events.ts";
import {
  type Because,
  type LinkHealth,
  type TunnelHealth,
  type Verdict,
  worstOf,
} from "../../model/health.ts";
import type { CauseOf } from "../../model/reason.ts";
import type { Severity } from "../../model/warning-rows.ts";

/** A verdict as it was reported last. */
export interface JudgedVerdict extends Pick<CauseOf<"health.verdict">, "verdict" | "reason"> {
  /** Present if the event of this verdict was that of a consequence. */
  readonly because?: Because;
  /** `doubted`: nothing shows any more that what is sent arrives. */
  readonly delivery: "doubted" | "undoubted";
  /** The last verdict that was no consequence; absent = there was none. */
  readonly alone?: Verdict;
}

/** The event of a verdict that has changed. */
interface VerdictEvent {
  readonly text: string;
  readonly rest: EventRest;
}

/**
 * Judges a health against the verdict before it. `event` is undefined while the verdict is the
 * same; for a consequence that includes the end of its cause: warnings report what remains.
 */
export function judge(
  before: JudgedVerdict | undefined,
  health: LinkHealth | TunnelHealth,
): { readonly now: JudgedVerdict; readonly event: VerdictEvent | undefined } {
  const { verdict, reasons } = health;
  const reason = reasons[0]?.code ?? null;
  const isDoubted = reasons.some(({ code }) => code === "arrival-not-proven");
  const delivery: JudgedVerdict["delivery"] = isDoubted ? "doubted" : "undoubted";
  if (before?.verdict === verdict) {
    return { now: { ...before, reason, delivery }, event: undefined };
  }
  const because = health.because ?? endOfConsequence(before, verdict);
  const alone = because === undefined ? verdict : before?.alone;
  const consequence = because === undefined ? {} : { because };
  const now = {
    verdict,
    reason,
    delivery,
    ...consequence,
    ...(alone === undefined ? {} : { alone }),
  };
  const why = reasons[0]?.text ?? "every check passed";
  const text = `${before?.verdict ?? "not observed"} -> ${verdict}: ${why}`;
  const severity = verdictSeverities[verdict];
  const rest = { verdict, severity, ...resolvedBy(verdict, before), ...consequence };
  return { now, event: { text, rest } };
}

/** The return to the verdict before a consequence ends it, and is nothing else. */
function endOfConsequence(
  before: JudgedVerdict | undefined,
  verdict: Verdict,
): Because | undefined {
  return before?.alone === verdict ? before.because : undefined;
}

/** A better verdict ends the worse one before it, which the first reason of that one names. */
function resolvedBy(verdict: Verdict, before: JudgedVerdict | undefined): EventRest {
  if (before === undefined || before.reason === null) return {};
  if (worstOf([verdict, before.verdict]) === verdict) return {};
  return { resolves: before.reason, ends: verdictSeverities[before.verdict] };
}

const verdictSeverities: Readonly<Record<Verdict, Severity>> = {
  protected: "info",
  degraded: "warning",
  unknown: "warning",
  down: "error",
  unprotected: "error",
};
