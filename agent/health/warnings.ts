// Decides which warnings an operator sees: settled ones, not the consequences of a known cause,
// once per outage.

import { type Instant, instantAfter } from "#hal/world.ts";
import { judge, sightOf } from "../model/claims.ts";
import type { Because, Reason } from "../model/health.ts";
import { nextFor, type Severity, type WarningCode, warningRows } from "../model/warning-rows.ts";

/** A condition that is true now. */
export interface Raised extends Reason {
  /** A link, tunnel, device, group or `site`. */
  readonly about: string;
  /**
   * The names that contain `about`, beside the site itself: a cause there silences its consequences
   * here.
   */
  readonly within: readonly string[];
}

/** Builds a condition about `about`, with its usual next step. */
export function raise(code: WarningCode, about: string, text: string): Raised {
  const group = about.split("/")[0] ?? about;
  return { code, about, text, next: nextFor(code, about), within: [group] };
}

/** A warning that operators see. */
export interface VisibleWarning extends Reason {
  /** How urgent it is. */
  readonly severity: Severity;
  /** The link, tunnel, device, group or `site` that it is about. */
  readonly about: string;
  /** When the condition began. */
  readonly since: Instant;
  /**
   * undefined = the condition is true now; otherwise the time of the first observation without it.
   */
  readonly absentSince: Instant | undefined;
}

/** The beginning or the end of a warning. */
export interface WarningEvent extends Reason {
  /** `closed` = the warning does not hold any longer. */
  readonly kind: "opened" | "closed";
  /** When it was observed. */
  readonly at: Instant;
  /** What the warning concerns. */
  readonly about: string;
}

interface Tracked {
  readonly raised: Raised;
  /** The cause, also once that has ended: what follows from it may need a moment longer. */
  readonly because: Because | undefined;
  readonly since: Instant;
  /** undefined = raised right now. */
  readonly absentSince: Instant | undefined;
  readonly open: boolean;
  /** Whether the config had the name when this was raised. */
  readonly isNamed: boolean;
}

/** The state of all warnings between observations. Immutable; start from `noWarnings`. */
export type Tracker = ReadonlyMap<string, Tracked>;

/** The tracker of an agent that has observed nothing yet. */
export const noWarnings: Tracker = new Map();

/**
 * An outage ends only after this many milliseconds without the condition, so that a flapping link
 * is one outage.
 */
const clearAfterMs = 30_000;
const noNames: ReadonlySet<string> = new Set();

export interface Advanced {
  readonly tracker: Tracker;
  /** The worst first. */
  readonly visible: readonly VisibleWarning[];
  readonly events: readonly WarningEvent[];
}

/**
 * Advances the warnings by everything that is raised at `now`; call it after every observation, at
 * any pace. `names` are those of the config: what was about a name that left it ends at once.
 */
export function advance(
  tracker: Tracker,
  raised: readonly Raised[],
  now: Instant,
  names: ReadonlySet<string> = noNames,
): Advanced {
  const present = new Map(raised.map((each) => [keyOf(each.code, each.about), each]));
  const next = new Map<string, Tracked>();
  const events: WarningEvent[] = [];
  const report = (
    kind: WarningEvent["kind"],
    { code, about, text, next: command }: Raised,
  ): void => {
    events.push({ kind, at: now, code, about, text, next: command });
  };
  for (const [key, before] of tracker) {
    const still = present.get(key);
    if (still !== undefined) {
      // A warning that was open before the cause began has another one.
      const isOwn = before.open && before.because === undefined;
      const because = isOwn ? undefined : (still.because ?? endedCause(before, present));
      next.set(key, { ...before, raised: still, because, absentSince: undefined });
      continue;
    }
    const hasLeft = before.isNamed && !names.has(before.raised.about);
    // What cannot be read now is not over.
    const isRead = !isUnread(before.raised, present);
    const absentSince = isRead ? (before.absentSince ?? now) : before.absentSince;
    const isAbsent = absentSince !== undefined && now - absentSince >= clearAfterMs;
    const { kind } = judge("alarm-resolved", {
      read: () => sightOf(isRead || undefined),
      absent: () => sightOf(isAbsent),
    });
    if (!hasLeft && kind !== "holds") next.set(key, { ...before, absentSince });
    else if (before.open) report("closed", before.raised);
  }
  for (const [key, each] of present) {
    if (next.has(key)) continue;
    const { because } = each;
    const isNamed = names.has(each.about);
    const times = { since: now, absentSince: undefined };
    next.set(key, { raised: each, because, ...times, open: false, isNamed });
  }
  for (const [key, each] of next) {
    if (each.open || each.absentSince !== undefined) continue;
    // A consequence starts to settle only when its cause is gone, or it would outlive it by one
    // observation.
    if (silenced(each, next)) next.set(key, { ...each, since: now });
    else if (now >= instantAfter(each.since, warningRows[each.raised.code].visibleAfterMs)) {
      next.set(key, { ...each, open: true });
      report("opened", each.raised);
    }
  }
  return { tracker: next, visible: visibleOf(next), events };
}

/** The codes of what is not known because it was not read. */
const unreadCodes: ReadonlySet<WarningCode> = new Set([
  "not-looked-yet",
  "device-unreachable",
  "reading-stale",
  "reading-missing",
  "agent-overloaded",
]);

/** Returns true if nothing was read of what a warning is about, so that it cannot be over. */
function isUnread({ code, about, within }: Raised, present: ReadonlyMap<string, Raised>): boolean {
  if (unreadCodes.has(code)) return false;
  const places = [about, ...within];
  return [...unreadCodes].some((unread) => {
    return places.some((place) => present.has(keyOf(unread, place)));
  });
}

/** A cause that is there and explains this no longer is none; one that has ended still is. */
function endedCause(
  { because }: Tracked,
  present: ReadonlyMap<string, Raised>,
): Because | undefined {
  const isThere = because !== undefined && present.has(keyOf(because.code, because.about));
  return isThere ? undefined : because;
}

function keyOf(code: WarningCode, about: string): string {
  return `${code} ${about}`;
}

function silenced({ raised, because }: Tracked, tracker: Tracker): boolean {
  // The cause is still known for a while after its end.
  if (because !== undefined && tracker.has(keyOf(because.code, because.about))) return true;
  const places = [raised.about, ...raised.within, "site"];
  return warningRows[raised.code].dependsOn.some((cause) =>
    places.some((place) => {
      const known = tracker.get(keyOf(cause, place));
      return known !== undefined && known.absentSince === undefined;
    }),
  );
}

const severityOrder: readonly Severity[] = ["error", "warning", "info"];

function visibleOf(tracker: Tracker): VisibleWarning[] {
  const visible: VisibleWarning[] = [];
  for (const tracked of tracker.values()) {
    const { raised, since, absentSince, open } = tracked;
    if (!open || silenced(tracked, tracker)) continue;
    const { code, about, text, next } = raised;
    const { severity } = warningRows[code];
    visible.push({ code, severity, about, since, absentSince, text, next });
  }
  return visible.sort(
    (a, b) =>
      severityOrder.indexOf(a.severity) - severityOrder.indexOf(b.severity) ||
      compare(a.about, b.about) ||
      compare(a.code, b.code),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
