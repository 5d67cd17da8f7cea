// Whether a link may be leaned on while its sibling is worked on.

import { type DesiredLink, linkId } from "../desired.ts";
import { type Memory, named } from "../journal/memory.ts";
import type { LinkView } from "../link-view.ts";
import type { Lookout } from "../lookout.ts";
import { carries } from "./facts.ts";
import type { GateInput } from "./gates.ts";

export interface SiblingParts {
  readonly lookout: Lookout;
  readonly memory: () => Memory;
  /** What health says against leaning on this link; undefined = nothing. */
  readonly alarm: (link: DesiredLink) => string | undefined;
}

/** A view of a link as a gate asks for it; what its far end said before it fell silent is past. */
export function siblingOf(
  { lookout, memory, alarm }: SiblingParts,
  view: LinkView,
): GateInput["siblings"][number] {
  const { link } = view;
  const accepted = named(memory().bindings, linkId(link))?.key;
  const silent = accepted !== undefined && lookout.peerFailure(link) !== undefined;
  const seen =
    lookout.failure(link.device)?.text ??
    carries(silent ? { ...view, peer: undefined } : view, accepted);
  const against = seen === "carrying" && accepted !== undefined ? alarm(link) : undefined;
  return { name: link.name, carries: against ?? seen, view };
}

/** The first that may not, as one sentence; undefined = all carry. */
export function lostOf(siblings: GateInput["siblings"]): string | undefined {
  const lost = siblings.find((sibling) => sibling.carries !== "carrying");
  return lost === undefined ? undefined : `${lost.name} is not carrying: ${lost.carries}`;
}
