// When a campaign may begin by itself: inside a weekly window, outside every freeze.

import type { WallTime } from "#hal/world.ts";
import { Zone } from "../config/zone.ts";
import type { Freeze, Window } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import type { WindowCause } from "../model/reason.ts";

/** Whether a campaign may begin by itself now; `opensAt` undefined = no opening is in sight. */
export type WindowState =
  /** Open until `closesAt`; undefined = no end is in sight. */
  | { readonly kind: "open"; readonly closesAt: WallTime | undefined }
  | { readonly kind: "closed"; readonly why: WindowCause; readonly opensAt: WallTime | undefined };

interface Span {
  readonly from: number;
  readonly until: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
// Longer than two weeks, since a span in the hour that a clock skips comes only a week later.
const chunkMs = 16 * dayMs;

/**
 * Returns whether a window is open: the wall clock of its zone shows a time inside it. An hour that
 * the clock skips does not open it, one that it shows twice opens it twice. If there are no
 * windows, only a freeze closes.
 */
export function windowAt(
  windows: readonly Window[],
  freezes: readonly Freeze[],
  wall: WallTime,
): WindowState {
  const known = answers.get(windows);
  if (known?.freezes === freezes && known.from <= wall && wall < known.until) return known.state;
  const state = windowStateAt(windows, freezes, wall);
  answers.set(windows, { freezes, from: wall, until: nextChange(state, freezes, wall), state });
  return state;
}

/** Zones are slow to ask, and the answer stays the same for hours. */
const answers = new WeakMap<
  readonly Window[],
  {
    readonly freezes: readonly Freeze[];
    readonly from: WallTime;
    readonly until: number;
    readonly state: WindowState;
  }
>();

function nextChange(state: WindowState, freezes: readonly Freeze[], wall: WallTime): number {
  const edges = freezes.flatMap(({ from, until }) => [from, until]).filter((at) => at > wall);
  const turns = state.kind === "open" ? state.closesAt : state.opensAt;
  return Math.min(turns ?? Number.POSITIVE_INFINITY, ...edges);
}

function windowStateAt(
  windows: readonly Window[],
  freezes: readonly Freeze[],
  wall: WallTime,
): WindowState {
  const next = nextOpen(windows, freezes, wall);
  if (next !== undefined && next.from <= wall) {
    return { kind: "open", closesAt: wallOf(next.until) };
  }
  const opensAt = wallOf(next?.from);
  return { kind: "closed", why: closedBecause(windows, freezes, wall, opensAt), opensAt };
}

/** Begins at `wall` if it is open there; only then is the end that of the union of all windows. */
function nextOpen(
  windows: readonly Window[],
  freezes: readonly Freeze[],
  wall: WallTime,
): Span | undefined {
  let at: number = wall;
  // Every turn of the loop passes the end of a freeze, its beginning, or a chunk of its own.
  for (let turn = 0; turn < 2 * freezes.length + 2; turn += 1) {
    const frozen = freezeAt(freezes, at);
    if (frozen !== undefined) {
      at = frozen.until;
      continue;
    }
    const frost = freezes.reduce(
      (first, { from }) => (from > at ? Math.min(first, from) : first),
      Number.POSITIVE_INFINITY,
    );
    const end = Math.min(at + chunkMs, frost);
    const [first] = openBetween(windows, at, end);
    // A window that is open for a whole chunk is open until something freezes it.
    if (first !== undefined) return first.until < end ? first : { from: first.from, until: frost };
    at = end;
  }
  return undefined;
}

function freezeAt(freezes: readonly Freeze[], at: number): Freeze | undefined {
  return freezes.find(({ from, until }) => from <= at && at < until);
}

/** Sorted, without overlaps, and cut at both ends. */
function openBetween(windows: readonly Window[], from: number, until: number): readonly Span[] {
  if (windows.length === 0) return [{ from, until }];
  const spans = windows.flatMap((window) => [...spansOf(window, from, until)]);
  const union: Span[] = [];
  for (const span of spans.sort((a, b) => a.from - b.from)) {
    const last = union.at(-1);
    if (last === undefined || span.from > last.until) union.push(span);
    else union[union.length - 1] = { from: last.from, until: Math.max(last.until, span.until) };
  }
  return union;
}

function* spansOf(window: Window, from: number, until: number): Generator<Span> {
  const { days, fromMinute, toMinute, timeZone } = window;
  const lasts = toMinute > fromMinute ? toMinute - fromMinute : toMinute + 1_440 - fromMinute;
  for (const steady of new Zone(timeZone).steady(from, until)) {
    const begin = Math.floor((steady.from + steady.offsetMs) / dayMs) - 1;
    for (let day = begin; day * dayMs < steady.until + steady.offsetMs; day += 1) {
      // The first day of 1970 was a Thursday.
      if (!days.includes((((day + 4) % 7) + 7) % 7)) continue;
      const opens = day * dayMs + fromMinute * minuteMs - steady.offsetMs;
      const span = {
        from: Math.max(opens, steady.from),
        until: Math.min(opens + lasts * minuteMs, steady.until),
      };
      if (span.from < span.until) yield span;
    }
  }
}

function closedBecause(
  windows: readonly Window[],
  freezes: readonly Freeze[],
  wall: WallTime,
  opensAt: WallTime | undefined,
): WindowCause {
  const frozen = freezeAt(freezes, wall);
  if (frozen !== undefined) {
    return { code: "window.frozen", until: isoTime(frozen.until), freeze: frozen.text };
  }
  if (opensAt === undefined) return { code: "window.none" };
  const opening = windows.find((window) => openBetween([window], opensAt, opensAt + 1).length > 0);
  return { code: "window.opens", window: opening?.text ?? "", at: isoTime(opensAt) };
}

function wallOf(at: number | undefined): WallTime | undefined {
  return at === undefined || at === Number.POSITIVE_INFINITY ? undefined : (at as WallTime);
}
