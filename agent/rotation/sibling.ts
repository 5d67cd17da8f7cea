// Whether a link may be leaned on while its sibling is worked on.

import type { KeyRef } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import { type LinkSnapshot, type Observations, portOf, securedBy } from "../model/link-snapshot.ts";
import type { GateCause, SiblingCause } from "../model/reason.ts";
import { type Memory, named, openCampaign } from "../store/journal/memory.ts";
import { carryGap } from "./facts.ts";
import { lateTaker, untilOf } from "./late.ts";

/** `unsure`: it is not known now, so nothing is taken beside it and nothing is given up. */
type Standing = "carrying" | "unsure" | "lost";

/** The objection of the health evaluator to relying on a link. */
export interface Alarm {
  /** The standing of the link under this objection. */
  readonly standing: Exclude<Standing, "carrying">;
  /** Why the health evaluator objects. */
  readonly cause: SiblingCause;
}

/** The other link of a group, as its rows lean on it. */
export interface Sibling {
  /** Its name in the group. */
  readonly name: string;
  /** Whether it may be leaned on. */
  readonly standing: Standing;
  /** Why it is not known to carry; undefined = it is. */
  readonly cause: SiblingCause | undefined;
  /** What was last read of it. */
  readonly snapshot: LinkSnapshot;
}

export interface SiblingParts {
  readonly world: Pick<World, "clock">;
  readonly deviceCache: Observations;
  readonly memory: () => Memory;
  /** The objection of the health evaluator to relying on a link; undefined = none. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
}

/**
 * Returns a link as the preconditions of its sibling judge it. If its far end cannot be read now,
 * the last state of the far end does not count. A reading that failed, or lacks something, says
 * nothing of the link: it is `unsure` while the last whole reading is fresh and shows it carry, and
 * then lost. `ownCommitOn`: a commit of the campaign itself waits on this device, which touches its
 * own link alone, also where both links are of one router.
 */
export function siblingOf(
  { world, deviceCache, memory, alarm }: SiblingParts,
  snapshot: LinkSnapshot,
  ownCommitOn?: string,
): Sibling {
  const { link } = snapshot;
  const { name } = link;
  const accepted = keyOf(memory(), snapshot);
  const silent = accepted !== undefined && deviceCache.peerFailure(link) !== undefined;
  const failure = deviceCache.failure(link.device);
  const gapIn = (state: LinkSnapshot["state"]): SiblingCause | undefined =>
    carryGap(
      { ...snapshot, state, peer: silent ? undefined : snapshot.peer },
      accepted,
      ownCommitOn,
    );
  const gap =
    failure === undefined
      ? gapIn(snapshot.state)
      : ({ code: "sibling.failed", error: failure.code, text: failure.text } as const);
  const isUnread = gap?.code === "sibling.failed" || gap?.code === "sibling.unread";
  const isLost =
    gap !== undefined && !(isUnread && gapIn(deviceCache.lastWhole(link)) === undefined);
  if (isLost) return { name, standing: "lost", cause: gap, snapshot };
  const against = accepted === undefined ? undefined : alarm(link);
  if (against?.standing === "lost") return { name, snapshot, ...against };
  if (gap !== undefined) return { name, standing: "unsure", cause: gap, snapshot };
  if (against !== undefined) return { name, snapshot, ...against };
  const coming = lateTaker(memory(), linkId(link), world.clock.wall());
  if (coming === undefined) return { name, standing: "carrying", cause: undefined, snapshot };
  const { what, since } = coming;
  const [sentAt, until] = [isoTime(since), isoTime(untilOf(coming))];
  return {
    name,
    standing: "unsure",
    cause: { code: "sibling.lateChange", what, sentAt, until },
    snapshot,
  };
}

/**
 * The accepted key; or the one that the open campaign brings in, once both ends are seen with it: a
 * campaign of a restored journal has changed the link before.
 */
function keyOf(memory: Memory, { link, state, peer }: LinkSnapshot): KeyRef | undefined {
  const accepted = named(memory.bindings, linkId(link))?.key;
  const campaign = openCampaign(memory, link.group);
  const key = campaign?.links.find(({ name }) => name === link.name)?.new.key;
  if (accepted === undefined || key === undefined) return accepted;
  const port = portOf(state, link.port);
  const isFar = peer?.pointsAt?.cakSecretId === key.cakSecretId;
  return isFar && port !== undefined && securedBy(port, key) ? key : accepted;
}

/** Returns the worst standing: one lost sibling leaves a link alone, whatever the others do. */
export function standingOfAll(siblings: readonly Sibling[]): Standing {
  const standings = siblings.map(({ standing }) => standing);
  return standings.find((each) => each === "lost") ?? standings.find(isUnsure) ?? "carrying";
}

const isUnsure = (standing: Standing): boolean => standing === "unsure";

/** Returns the first sibling that is lost; undefined = none is. */
export function lostOf(siblings: readonly Sibling[]): GateCause | undefined {
  return doubtOf(siblings.filter(({ standing }) => standing === "lost"));
}

/** Returns the first sibling that is not known to carry; undefined = all carry. */
export function doubtOf(siblings: readonly Sibling[]): GateCause | undefined {
  for (const { name, cause } of siblings) {
    if (cause !== undefined) return { code: "gate.siblingUnhealthy", sibling: name, cause };
  }
  return undefined;
}
