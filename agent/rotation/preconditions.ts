// The preconditions of every disruptive effect.

import { type DeviceState, strongValue, type WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { settingsGaps } from "../health/verify.ts";
import type { PortFacts } from "../model/campaign.ts";
import type { DesiredLink, Freeze, Window } from "../model/desired.ts";
import { bgpUp, clockSkewMs, type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import type { Cause, CauseOf, FarEnd, GateCause, PlainCause } from "../model/reason.ts";
import type { RightsReport } from "../model/rights-report.ts";
import { agreedLeaves, isOff } from "./facts.ts";
import { doubtOf, type Sibling } from "./sibling.ts";
import { windowAt } from "./window.ts";

/** All that the preconditions of one link depend on. */
export interface PreconditionInput {
  /** The last observation of the link. */
  readonly snapshot: LinkSnapshot;
  /** The key or settings of the far end. */
  readonly far: FarEnd;
  /** The settings of the router before and after; undefined = the campaign changes them. */
  readonly accepted: WantedSettings | undefined;
  /** The other links of the group. */
  readonly siblings: readonly Sibling[];
  /**
   * Before it this link must still carry; afterwards it may be dark by our own doing. A link that
   * goes back and carries by its new key alone is brought the old one again (`bringingBack`).
   */
  readonly phase: "beforeDrain" | "begun" | "goingBack" | "bringingBack";
  /**
   * `shared`: the end of the agent's host would take the sibling too, this link would not come back
   * by itself, and the risk `agentOnSibling` is not accepted.
   */
  readonly fate: "apart" | "shared";
  /** Why no permit lets this campaign take the link; undefined = it may, or has taken it. */
  readonly withheld: Cause | undefined;
  /** Whether the agent reaches router, vault or Azure over this link. */
  readonly managementPath: "elsewhere" | "overThisLink" | "unknown";
  /** True if the risk `ownPathUnknown` is accepted. */
  readonly acceptsUnknownPath: boolean;
  /** The wall clock of this host. */
  readonly hostWall: WallTime;
  /** undefined = windows and freezes do not bind this campaign. */
  readonly windows:
    | {
        readonly windows: readonly Window[];
        readonly freezes: readonly Freeze[];
        /** The least time that is still needed; nothing is drained that the window would cut. */
        readonly neededMs: number;
        /** The pause after a change of a sibling; absent = there is none. */
        readonly bakes?: CauseOf<"window.bakes">;
      }
    | undefined;
}

const headRoomShare = 0.8;

/** Returns the first precondition that is not met; undefined = all are met. */
export function unmetPrecondition(input: PreconditionInput): Cause | undefined {
  const { snapshot, siblings, phase, far } = input;
  if (siblings.length === 0) return { code: "group.noSibling" };
  const doubt = doubtOf(siblings);
  if (doubt !== undefined) return doubt;
  if (input.fate === "shared") return { code: "gate.riskNotAccepted", risk: "agentOnSibling" };
  const control = snapshot.state === undefined ? undefined : strongValue(snapshot.state.control);
  if (snapshot.state === undefined || control === undefined) return stale("router.unread");
  if (control.commitPending) return { code: "router.commitPending" };
  // Without them the far end cannot follow; a link that is taken already has only the way on.
  const lacking = phase === "beforeDrain" ? missingRight(snapshot.rights) : undefined;
  if (lacking !== undefined) return lacking;
  if (far === "updating") return { code: "farEnd.unsettled" };
  if (far === "unknown") return stale("farEnd.unread");
  // The way back is what mends a far end that failed, and no window may keep a link from it.
  if (phase === "goingBack") return undefined;
  if (phase === "bringingBack") return leftoverOf(siblings);
  if (phase === "beforeDrain") {
    const misplaced = misplacedOf(snapshot.state, snapshot.link);
    if (misplaced !== undefined) return misplaced;
    if (!bgpUp(snapshot.state, snapshot.link.port)) return { code: "bgp.down" };
    const odd = driftOf(input) ?? leftoverOf(siblings);
    if (odd !== undefined) return odd;
  }
  if (far === "failed") return { code: "farEnd.failed" };
  if (far === "other") return { code: isOff(snapshot.peer) ? "farEnd.off" : "farEnd.foreign" };
  if (clocksApart(snapshot, input.hostWall)) return { code: "clocks.apart" };
  // The permit comes last: it is used only where everything else lets the link be taken.
  const local = closedWindow(input) ?? closedPath(input) ?? closedHeadRoom(input);
  return local ?? input.withheld;
}

/** Returns true if a known clock of the router differs too much from that of the agent's host. */
export function clocksApart({ state }: LinkSnapshot, hostWall: WallTime): boolean {
  const control = state && strongValue(state.control);
  return control !== undefined && Math.abs(control.wall - hostWall) > clockSkewMs.error;
}

/** The same for the port of a link: while a part of it is missing, nothing may be taken. */
export function unmetOn(port: PortFacts | undefined, input: PreconditionInput): Cause | undefined {
  return unmetPrecondition(input) ?? (port === undefined ? stale("router.unread") : undefined);
}

/** Returns the first right that is missing; undefined = none is known to be. */
export function missingRight(
  rights: RightsReport | undefined,
): CauseOf<"gate.rightsMissing"> | undefined {
  const [first, ...others] = rights?.missing ?? [];
  if (first === undefined) return undefined;
  return { code: "gate.rightsMissing", ...first, others: others.length };
}

const stale = (code: PlainCause): GateCause => ({ code: "gate.stale", cause: { code } });

function driftOf({ snapshot, accepted }: PreconditionInput): GateCause | undefined {
  const port = portOf(snapshot.state, snapshot.link.port);
  if (accepted === undefined || port?.settings.kind !== "known") return undefined;
  // With another value no key would ever be proven.
  const gap = settingsGaps(accepted, port.settings.value).find(({ leaf }) =>
    agreedLeaves.includes(leaf),
  );
  return gap === undefined ? undefined : { code: "port.drifted", ...gap };
}

/** Returns where the link's traffic is instead of where it can be drained, or is wanted. */
function misplacedOf(
  state: DeviceState,
  { port, vrf, aggregate }: DesiredLink,
): GateCause | undefined {
  const reading = portOf(state, port)?.aggregate;
  const found = reading && strongValue(reading);
  if (found !== undefined && found.members.length > 1) {
    return { code: "port.aggregated", aggregate: found.name, members: found.members.length };
  }
  if (aggregate !== undefined && found?.name !== aggregate) {
    const observed = found?.name ?? "none";
    return { code: "port.drifted", leaf: "aggregate", observed, wanted: aggregate };
  }
  const sessions = strongValue(state.routing)?.sessions.filter((one) => one.port === port) ?? [];
  const instances = sessions.map((one) => one.vrf ?? defaultVrf);
  if (vrf === undefined || instances.length === 0 || instances.includes(vrf)) return undefined;
  const observed = [...new Set(instances)].join(", ");
  return { code: "port.drifted", leaf: "vrf", observed, wanted: vrf };
}

/** How a config names the routing instance that has no name on its device. */
const defaultVrf = "default";

/** P6: with a key too many there, a third one here would be one more than the group may have. */
function leftoverOf(siblings: readonly Sibling[]): GateCause | undefined {
  for (const { name, snapshot } of siblings) {
    const port = portOf(snapshot.state, snapshot.link.port);
    const held = port === undefined ? undefined : strongValue(port.keys)?.length;
    if (held !== undefined && held > 1) {
      return { code: "gate.leftoverKey", sibling: name, keys: held };
    }
  }
  return undefined;
}

function closedWindow({
  windows: bound,
  hostWall,
  phase,
}: PreconditionInput): GateCause | undefined {
  if (bound === undefined) return undefined;
  const state = windowAt(bound.windows, bound.freezes, hostWall);
  if (state.kind === "closed") return { code: "gate.window", cause: state.why };
  if (phase === "beforeDrain" && bound.bakes !== undefined) {
    return { code: "gate.window", cause: bound.bakes };
  }
  if (state.closesAt === undefined) return undefined;
  const leftMs = state.closesAt - hostWall;
  if (leftMs >= bound.neededMs) return undefined;
  const minutes = Math.floor(leftMs / 60_000);
  return { code: "gate.window", cause: { code: "window.short", minutes } };
}

function closedPath({
  managementPath,
  acceptsUnknownPath,
}: PreconditionInput): GateCause | undefined {
  if (managementPath === "elsewhere" || (managementPath === "unknown" && acceptsUnknownPath))
    return undefined;
  return { code: "gate.ownPath", path: managementPath };
}

function rateOf(
  snapshot: LinkSnapshot,
): { readonly bps: number; readonly line: number } | undefined {
  const port = portOf(snapshot.state, snapshot.link.port);
  const rate = port === undefined ? undefined : strongValue(port.rate);
  return rate === undefined
    ? undefined
    : { bps: Math.max(rate.rxBps, rate.txBps), line: rate.lineBps };
}

function closedHeadRoom(input: PreconditionInput): GateCause | undefined {
  const own = rateOf(input.snapshot);
  for (const sibling of input.siblings) {
    const other = rateOf(sibling.snapshot);
    if (own === undefined || other === undefined) return stale("rates.unread");
    if (own.bps + other.bps > headRoomShare * other.line) {
      return { code: "sibling.noRoom", sibling: sibling.name };
    }
  }
  return undefined;
}
