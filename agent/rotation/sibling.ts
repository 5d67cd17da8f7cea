// Whether a link may be leaned on while its sibling is worked on.

import type { World } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import type { LinkView, Observations } from "../model/link-view.ts";
import { type Memory, named } from "../store/journal/memory.ts";
import { carries } from "./facts.ts";
import { lateTaker, untilOf } from "./late.ts";

/** `unsure`: nobody can say just now, so nothing is taken beside it and nothing is given up. */
type Standing = "carrying" | "unsure" | "lost";

/** What health says against leaning on a link. */
export interface Alarm {
  readonly standing: Exclude<Standing, "carrying">;
  readonly text: string;
}

export interface Sibling {
  readonly name: string;
  readonly standing: Standing;
  /** "carrying", or why that is not known. */
  readonly carries: string;
  /** A change of ours that may still take it, as an end of the sentence about it. */
  readonly late?: string;
  readonly view: LinkView;
}

export interface SiblingParts {
  readonly world: Pick<World, "clock">;
  readonly lookout: Observations;
  readonly memory: () => Memory;
  /** undefined = nothing. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
}

/**
 * A view of a link as a gate asks for it; what its far end said before it fell silent is past.
 * `ownCommitOn`: a commit of the campaign itself waits on this device, which touches its own link
 * alone, also where both links are of one router.
 */
export function siblingOf(
  { world, lookout, memory, alarm }: SiblingParts,
  view: LinkView,
  ownCommitOn?: string,
): Sibling {
  const { link } = view;
  const { name } = link;
  const accepted = named(memory().bindings, linkId(link))?.key;
  const silent = accepted !== undefined && lookout.peerFailure(link) !== undefined;
  const seen =
    lookout.failure(link.device)?.text ??
    carries(silent ? { ...view, peer: undefined } : view, accepted, ownCommitOn);
  if (seen !== "carrying") return { name, standing: "lost", carries: seen, view };
  const against = accepted === undefined ? undefined : alarm(link);
  if (against === undefined) {
    const coming = lateTaker(memory(), linkId(link), world.clock.wall());
    if (coming === undefined) return { name, standing: "carrying", carries: seen, view };
    const sent = `a ${coming.what} that was sent at ${isoTime(coming.since)}`;
    const late = `may still get ${sent} (until ${isoTime(untilOf(coming))})`;
    return { name, standing: "unsure", carries: seen, late, view };
  }
  return { name, standing: against.standing, carries: against.text, view };
}

/** The worst of them: one that is lost leaves a link alone, whatever the others do. */
export function standingOfAll(siblings: readonly Sibling[]): Standing {
  const standings = siblings.map(({ standing }) => standing);
  return standings.find((each) => each === "lost") ?? standings.find(isUnsure) ?? "carrying";
}

const isUnsure = (standing: Standing): boolean => standing === "unsure";

/** The first that is lost, as one sentence. */
export function lostOf(siblings: readonly Sibling[]): string | undefined {
  return sentence(siblings.find(({ standing }) => standing === "lost"));
}

/** The first that is not known to carry, as one sentence; undefined = all carry. */
export function doubtOf(siblings: readonly Sibling[]): string | undefined {
  return sentence(siblings.find(({ standing }) => standing !== "carrying"));
}

function sentence(sibling: Sibling | undefined): string | undefined {
  if (sibling === undefined) return undefined;
  const { name, late } = sibling;
  return late === undefined ? `${name} is not carrying: ${sibling.carries}` : `${name} ${late}`;
}
