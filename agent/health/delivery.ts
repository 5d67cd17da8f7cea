// Whether what we send arrives: what the other end sends never proves it, a round trip does. Its
// silence counts only on a path that answered before under the same settings.

import type { Instant, WallTime } from "#hal/world.ts";
import { judge, sightOf } from "../model/claims.ts";
import type { RoundTrips, Silence } from "../model/health.ts";
import { isoTime } from "../model/iso-time.ts";
import type { CauseOf } from "../model/reason.ts";
import { undelivered } from "../model/reason-text.ts";

/** So many in a row, because all packets of one may be lost by chance. */
const silentMin = 2;

/** What the round trips over a path show of the packets that we send. */
type Delivery =
  | { readonly kind: "proven" }
  | { readonly kind: "silent"; readonly tried: number; readonly since: WallTime }
  | { readonly kind: "notVisible" };

/** One round trip over a path, as it ended. */
export interface RoundTrip extends Pick<RoundTrips, "under" | "at"> {
  /** The same moment by this host's wall clock. */
  readonly wall: WallTime;
  /** Packets that were sent. */
  readonly sent: number;
  /** Packets that were answered. */
  readonly answered: number;
  /** True if the path was known to be open, so that its silence is not that of the path's end. */
  readonly isOpen: boolean;
}

/** Returns the round trips of a path with one more of them. */
export function advanceTrips(
  before: RoundTrips | undefined,
  { under, at, wall, sent, answered, isOpen }: RoundTrip,
): RoundTrips | undefined {
  const same = before?.under === under ? before : undefined;
  if (answered > 0) return { under, at, answered: { at, wall }, silent: 0 };
  if (sent === 0 || !isOpen) return same;
  return { under, at, answered: same?.answered, silent: (same?.silent ?? 0) + 1 };
}

/** Silence lasts until an answer: a path that is not tried now has not begun to carry again. */
export function deliveryOf(
  trips: RoundTrips | undefined,
  now: Instant,
  { evidenceMs }: { readonly evidenceMs: number },
): Delivery {
  const { answered, silent = 0 } = trips ?? {};
  const isSilent = answered !== undefined && silent >= silentMin;
  const isLate = answered === undefined || now - answered.at > evidenceMs;
  const { kind } = judge("delivered", {
    answered: () => sightOf(isSilent ? false : isLate ? undefined : true),
  });
  if (kind === "holds") return { kind: "proven" };
  return isSilent
    ? { kind: "silent", tried: silent, since: answered.wall }
    : { kind: "notVisible" };
}

/** Returns whether every path that ever answered is silent, if there are several of them. */
export function silenceOf(paths: readonly (RoundTrips | undefined)[]): Silence {
  const answering = paths.filter((trips) => trips?.answered !== undefined);
  const isCommon = answering.length > 1 && answering.every((trips) => (trips?.silent ?? 0) > 0);
  return isCommon ? "all" : "alone";
}

/** What a verdict says of packets whose arrival no round trip can show. */
export const notVisible = "sent, arrival not visible";

/** Says since when no round trip is answered, and what silence everywhere means. */
export function unprovenText(
  { tried, since }: Extract<Delivery, { kind: "silent" }>,
  silence: Silence = "alone",
): string {
  const all = ", nor has any other path one: this is one cause, at this side or in between";
  const text = undelivered({ tried, since: isoTime(since) });
  return `${text}${silence === "all" ? all : ""}`;
}

/** Why traffic must not be moved onto a path for our sake; undefined = no round trip objects. */
export function silenceOn(
  trips: RoundTrips | undefined,
): CauseOf<"tunnel.undelivered"> | undefined {
  const { answered, silent = 0 } = trips ?? {};
  if (answered === undefined || silent < silentMin) return undefined;
  return { code: "tunnel.undelivered", tried: silent, since: isoTime(answered.wall) };
}
