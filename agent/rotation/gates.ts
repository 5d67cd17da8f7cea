// What holds back every effect that takes (design section 5, "Gates").

import { strongValue, type WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { settingsGaps } from "../health/verify.ts";
import type { FarEnd } from "../model/campaign.ts";
import type { Freeze, Window } from "../model/desired.ts";
import { bgpUp, clockSkewMs, type LinkView, portOf } from "../model/link-view.ts";
import { doubtOf, type Sibling } from "./sibling.ts";
import { windowAt } from "./window.ts";

export interface GateInput {
  readonly view: LinkView;
  readonly far: FarEnd;
  /** What the router must be set to before and after; undefined = the campaign changes it. */
  readonly accepted: WantedSettings | undefined;
  readonly siblings: readonly Sibling[];
  /**
   * Before it this link must still carry; afterwards it may be dark by our own doing. On the way
   * back a link that carries by its new key alone is brought the old one again.
   */
  readonly phase: "beforeDrain" | "begun" | "goingBack" | "bringingBack";
  readonly ownPath: "elsewhere" | "overThisLink" | "unknown";
  readonly acceptsUnknownPath: boolean;
  readonly hostWall: WallTime;
  /** undefined = windows and freezes do not bind this campaign. */
  readonly windows:
    | {
        readonly windows: readonly Window[];
        readonly freezes: readonly Freeze[];
        /** The least time that is still needed; nothing is drained that the window would cut. */
        readonly neededMs: number;
      }
    | undefined;
}

const headRoomShare = 0.8;

/** The first gate that is closed, as one sentence; undefined = all open. */
export function closedGate(input: GateInput): string | undefined {
  const { view, siblings, phase, far } = input;
  if (siblings.length === 0) return "the group has no sibling link to carry the traffic";
  const doubt = doubtOf(siblings);
  if (doubt !== undefined) return `gate.siblingUnhealthy: ${doubt}`;
  const control = view.state === undefined ? undefined : strongValue(view.state.control);
  if (view.state === undefined || control === undefined)
    return "gate.stale: the router cannot be read";
  if (control.commitPending) return "another commit is pending on the router";
  if (far === "updating") return "the far end is not settled yet";
  if (far === "unknown") return "gate.stale: the far end cannot be read";
  // The way back is what mends a far end that failed, and no window may keep a link from it.
  if (phase === "goingBack") return undefined;
  if (phase === "bringingBack") return leftoverOf(siblings);
  if (phase === "beforeDrain" && !bgpUp(view.state, view.link.port)) {
    return "BGP is not up on this link";
  }
  if (phase === "beforeDrain") {
    const odd = driftOf(input) ?? leftoverOf(siblings);
    if (odd !== undefined) return odd;
  }
  if (far === "failed") return "the far end reports that its last change failed";
  if (far === "other") return "the far end uses a key that is not of this campaign";
  if (Math.abs(control.wall - input.hostWall) > clockSkewMs.error) {
    return "the clocks of router and agent differ by more than five minutes";
  }
  return closedWindow(input) ?? closedPath(input) ?? closedHeadRoom(input);
}

/** Both ends must agree on these, so with another value no key would ever be proven. */
const agreed: readonly string[] = ["policy", "suite", "includeSci"];

function driftOf({ view, accepted }: GateInput): string | undefined {
  const port = portOf(view.state, view.link.port);
  if (accepted === undefined || port?.settings.kind !== "known") return undefined;
  const gap = settingsGaps(accepted, port.settings.value).find(({ leaf }) => agreed.includes(leaf));
  if (gap === undefined) return undefined;
  return `${gap.leaf} of the port is ${gap.seen} where ${gap.wanted} was accepted: mend that first`;
}

/** P6: with a key too many there, a third one here would be one more than the group may have. */
function leftoverOf(siblings: readonly Sibling[]): string | undefined {
  for (const { name, view } of siblings) {
    const port = portOf(view.state, view.link.port);
    const held = port === undefined ? undefined : strongValue(port.keys)?.length;
    if (held !== undefined && held > 1) {
      return `gate.leftoverKey: ${name} holds ${held} keys: all but its own have to go first`;
    }
  }
  return undefined;
}

function closedWindow({ windows: bound, hostWall }: GateInput): string | undefined {
  if (bound === undefined) return undefined;
  const state = windowAt(bound.windows, bound.freezes, hostWall);
  if (state.kind === "closed") return `gate.window: ${state.why}`;
  if (state.closesAt === undefined) return undefined;
  const leftMs = state.closesAt - hostWall;
  return leftMs >= bound.neededMs
    ? undefined
    : `gate.window: ${Math.floor(leftMs / 60_000)} min of the window are left, too few for a link`;
}

function closedPath(input: GateInput): string | undefined {
  switch (input.ownPath) {
    case "elsewhere":
      return undefined;
    case "overThisLink":
      return "gate.ownPath: the agent reaches the router, the vault or Azure over this very link";
    case "unknown":
      return input.acceptsUnknownPath
        ? undefined
        : "gate.ownPath: nobody knows which link our own traffic takes (risk ownPathUnknown)";
  }
}

function rateOf(view: LinkView): { readonly bps: number; readonly line: number } | undefined {
  const port = portOf(view.state, view.link.port);
  const rate = port === undefined ? undefined : strongValue(port.rate);
  return rate === undefined
    ? undefined
    : { bps: Math.max(rate.rxBps, rate.txBps), line: rate.lineBps };
}

function closedHeadRoom(input: GateInput): string | undefined {
  const own = rateOf(input.view);
  for (const sibling of input.siblings) {
    const other = rateOf(sibling.view);
    if (own === undefined || other === undefined) return "gate.stale: the rates cannot be read";
    if (own.bps + other.bps > headRoomShare * other.line) {
      return `${sibling.name} has no room for the traffic of this link (20 % must stay free)`;
    }
  }
  return undefined;
}
