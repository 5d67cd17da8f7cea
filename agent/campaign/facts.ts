// What a campaign may know, derived from looks alone: an effect's reply is never a fact.

import type { PeerState } from "#hal/device.ts";
import {
  type DeviceState,
  type KeyRef,
  type MacsecFrames,
  type MacsecPort,
  type PortName,
  strongValue,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { DesiredLink, HealthSettings, RotationSettings } from "../desired.ts";
import type { Evidence, FarEnd, PortFacts } from "./campaign.ts";

/** One consistent look at a link: its port on the router, its far end, and when. */
export interface LinkView {
  readonly link: DesiredLink;
  /** undefined = not readable, or older than `staleAfter`. */
  readonly state: DeviceState | undefined;
  readonly peer: PeerState | undefined;
  /** The last probe: when, and how many packets came back. */
  readonly probe:
    | { readonly at: Instant; readonly sent: number; readonly answered: number }
    | undefined;
}

export function portOf(state: DeviceState | undefined, port: PortName): MacsecPort | undefined {
  return state?.macsec.find((entry) => entry.port === port);
}

function bgpUp(state: DeviceState, port: PortName): boolean {
  const sessions = strongValue(state.routing)?.sessions.filter((session) => session.port === port);
  return sessions !== undefined && sessions.length > 0 && sessions.every((session) => session.up);
}

function drainOf(state: DeviceState, port: PortName): "on" | "off" {
  const drains = strongValue(state.routing)?.drains ?? [];
  return drains.some((entry) => entry.port === port) ? "on" : "off";
}

/** Controlled port open under MACsec with this key in charge and every live peer responding. */
export function securedBy(port: MacsecPort, key: KeyRef): boolean {
  const session = strongValue(port.session);
  return (
    session?.controlledPort === "secured" &&
    session.principalCkn === key.ckn &&
    session.livePeers > 0 &&
    session.respondedPeers === session.livePeers
  );
}

function inClear(port: MacsecPort): boolean {
  const settings = port.settings;
  const keys = strongValue(port.keys);
  return settings.kind === "known" && settings.value === undefined && keys?.length === 0;
}

/** The port as the campaign's tables speak of it; undefined while any part of it is unknown. */
export function portFacts(
  view: LinkView,
  key: KeyRef,
  movedAt: Instant | undefined,
): PortFacts | undefined {
  const { state, link } = view;
  const port = portOf(state, link.port);
  const control = state === undefined ? undefined : strongValue(state.control);
  const slots = port === undefined ? undefined : strongValue(port.keys);
  if (state === undefined || port === undefined || control === undefined) return undefined;
  if (slots === undefined || state.routing.kind === "unknown") return undefined;
  const keys =
    slots.length === 0 ? "none" : slots.length === 1 && slots[0]?.ckn === key.ckn ? "new" : "else";
  return {
    keys,
    pending: control.commitPending,
    usable: !silent(view, movedAt) && (securedBy(port, key) || clearAndUsable(view, port)),
    drain: drainOf(state, link.port),
  };
}

function clearAndUsable({ state, link }: LinkView, port: MacsecPort): boolean {
  if (state === undefined || !inClear(port) || strongValue(port.linkUp) !== true) return false;
  return bgpUp(state, link.port);
}

// BGP outlives a silent link by its hold time, and MKA knows nothing of lost frames: an unanswered
// probe tells first.
function silent({ probe }: LinkView, movedAt: Instant | undefined): boolean {
  return (
    movedAt !== undefined && probe !== undefined && probe.at >= movedAt && probe.answered === 0
  );
}

/** `untilSettled`: before it a put of ours may still land, so nothing on the far end is settled. */
export function farEndOf(
  peer: PeerState | undefined,
  key: KeyRef,
  now: Instant,
  untilSettled: Instant,
): FarEnd {
  if (peer === undefined) return "unknown";
  if (peer.provisioning === "updating" || now < untilSettled) return "updating";
  if (peer.provisioning === "failed") return "failed";
  if (peer.pointsAt === undefined) return "old";
  const same =
    peer.pointsAt.cakSecretId === key.cakSecretId && peer.pointsAt.cknSecretId === key.cknSecretId;
  return same ? "new" : "other";
}

/**
 * Is the link in its accepted state: protected by its key, or clear before its first one?
 * "carrying", or the reason why not.
 */
export function carries(view: LinkView, accepted: KeyRef | undefined): string {
  const port = portOf(view.state, view.link.port);
  if (view.state === undefined || port === undefined) return "it cannot be read";
  if (strongValue(port.linkUp) !== true) return "its link is down or unknown";
  if (drainOf(view.state, view.link.port) === "on") return "it is drained";
  if (!bgpUp(view.state, view.link.port)) return "its BGP session is not up";
  if (strongValue(view.state.control)?.commitPending !== false) return "a commit is pending on it";
  if (accepted === undefined) {
    if (!inClear(port)) return "it has MACsec that is not ours";
    // Clear frames still pass for a while, and BGP outlives them by its hold time.
    return view.peer?.pointsAt === undefined ? "carrying" : "its far end has a key and it has none";
  }
  if (!securedBy(port, accepted)) return "it is not secured by its key";
  const policy = strongValue(port.settings)?.policy;
  return policy === "mustSecure" ? "carrying" : "it is not must-secure";
}

/** A run of looks over which something held without a gap. */
export interface Run {
  readonly since: Instant;
  readonly frames: MacsecFrames | undefined;
  readonly broken: string | undefined;
}

function brokenRun(now: Instant, why: string): Run {
  return { since: now, frames: undefined, broken: why };
}

/** P3: what one look must show for the new key to count as working; undefined = it does. */
function proofGap(view: LinkView, key: KeyRef, far: FarEnd): string | undefined {
  const port = portOf(view.state, view.link.port);
  if (port === undefined) return "the router cannot be read";
  const session = strongValue(port.session);
  if (session === undefined) return "the MKA session cannot be read";
  if (session.controlledPort !== "secured")
    return `the controlled port is ${session.controlledPort}`;
  if (session.principalCkn !== key.ckn) return "the new CKN is not the principal one";
  if (session.livePeers !== 1) return `MKA has ${session.livePeers} live peers where one is right`;
  if (session.respondedPeers !== 1) return "the peer has not installed the SAK";
  if (session.latestSak?.receive !== true || !session.latestSak.transmit) {
    return "the SAK is not in use in both directions";
  }
  const suite = strongValue(port.liveSuite);
  if (suite !== view.link.settings.suite) return `the SA in use has ${suite ?? "no known suite"}`;
  if (strongValue(port.settings)?.policy !== "mustSecure") return "the port is not must-secure";
  if (strongValue(port.frames) === undefined) return "the frame counters cannot be read";
  return far === "new" ? undefined : `the far end is ${far}`;
}

/** Continues or restarts the run of looks that proves a key. */
export function advanceProof(
  run: Run | undefined,
  view: LinkView,
  key: KeyRef,
  far: FarEnd,
  now: Instant,
): Run {
  const gap = proofGap(view, key, far);
  if (gap !== undefined) return brokenRun(now, gap);
  const frames = strongValue(portOf(view.state, view.link.port)?.frames ?? unreadable(now));
  if (frames === undefined) return brokenRun(now, "the frame counters cannot be read");
  if (run?.frames === undefined) return { since: now, frames, broken: undefined };
  const worse = faultyCounter(run.frames, frames);
  if (worse !== undefined) return { since: now, frames, broken: worse };
  // What broke it is over: the proof begins anew, or one bad look would hold the campaign for ever.
  return run.broken === undefined ? run : { since: now, frames, broken: undefined };
}

function unreadable(now: Instant): { kind: "unknown"; why: "queryFailed"; at: Instant } {
  return { kind: "unknown", why: "queryFailed", at: now };
}

function faultyCounter(before: MacsecFrames, after: MacsecFrames): string | undefined {
  if (after.rxOk < before.rxOk || after.txProtected < before.txProtected)
    return "counters were reset";
  if (risen(before.rxNotValid, after.rxNotValid))
    return "frames fail validation (rxNotValid rises)";
  if (risen(before.rxClear, after.rxClear)) return "clear frames arrive (rxClear rises)";
  return undefined;
}

function risen(before: bigint | undefined, after: bigint | undefined): boolean {
  return before !== undefined && after !== undefined && after > before;
}

/** Held for `settle` without a gap, with enough protected frames in each direction. */
export function proofOf(
  run: Run | undefined,
  view: LinkView,
  settings: RotationSettings,
  now: Instant,
): Evidence {
  if (run === undefined) return { kind: "waiting", text: "no look yet" };
  if (run.broken !== undefined) return { kind: "waiting", text: run.broken };
  const frames = strongValue(portOf(view.state, view.link.port)?.frames ?? unreadable(now));
  if (frames === undefined || run.frames === undefined) {
    return { kind: "waiting", text: "the frame counters cannot be read" };
  }
  const lacking = (sample: bigint, base: bigint): number =>
    Math.max(0, settings.proofFrames - Number(sample - base));
  const receive = lacking(frames.rxOk, run.frames.rxOk);
  const transmit = lacking(frames.txProtected, run.frames.txProtected);
  if (receive > 0)
    return {
      kind: "waiting",
      text: `waiting for ${receive} more protected frames in the receive direction`,
    };
  if (transmit > 0)
    return {
      kind: "waiting",
      text: `waiting for ${transmit} more protected frames in the transmit direction`,
    };
  return heldFor(run, settings.settleMs, now, "the new key works");
}

export function heldFor(run: Run, ms: number, now: Instant, what: string): Evidence {
  const left = ms - (now - run.since);
  if (left <= 0) return { kind: "held" };
  return { kind: "waiting", text: `${what}; ${Math.ceil(left / 1000)} s more to be sure` };
}

/** Quiet samples in a row, spaced as the config says. */
export interface QuietRun {
  readonly samples: number;
  readonly lastAt: Instant;
  readonly why: string;
}

const quietPps = 100;
const quietShare = 0.01;

/**
 * Design section 5, "Drained": below 1 % of the line and 100 packets/s, and no best path over the
 * link.
 */
export function advanceQuiet(
  run: QuietRun | undefined,
  view: LinkView,
  everyMs: number,
  now: Instant,
): QuietRun {
  const noise = noiseOn(view);
  if (noise !== undefined) return { samples: 0, lastAt: now, why: noise };
  if (run === undefined || run.samples === 0) return { samples: 1, lastAt: now, why: "" };
  if (now - run.lastAt < everyMs) return run;
  return { samples: run.samples + 1, lastAt: now, why: "" };
}

function noiseOn(view: LinkView): string | undefined {
  const { state, link } = view;
  const rate = strongValue(portOf(state, link.port)?.rate ?? unreadable(0 as Instant));
  const routing = state === undefined ? undefined : strongValue(state.routing);
  if (rate === undefined || routing === undefined) return "rate and routes cannot be read";
  if (drainOf(state as DeviceState, link.port) === "off") return "the drain is not in force";
  const best = routing.routes.find(
    (route) => route.best && route.via.kind === "port" && route.via.port === link.port,
  );
  if (best !== undefined) return `the best path to ${best.prefix} is over this link`;
  const pps = Math.max(rate.rxPps, rate.txPps);
  const share = Math.max(rate.rxBps, rate.txBps) / rate.lineBps;
  if (pps >= quietPps || share >= quietShare)
    return `${Math.round(pps)} packets/s still on the link`;
  return undefined;
}

export function drainedOf(run: QuietRun | undefined, samples: number): Evidence {
  if (run === undefined) return { kind: "waiting", text: "no look yet" };
  if (run.samples >= samples) return { kind: "held" };
  const text = run.samples === 0 ? run.why : `quiet in ${run.samples} of ${samples} samples`;
  return { kind: "waiting", text };
}

/** Nothing of a campaign may start or take while one of these holds back; undefined = all open. */
export interface GateInput {
  readonly view: LinkView;
  readonly far: FarEnd;
  readonly siblings: readonly {
    readonly name: string;
    /** "carrying", or why it is not. */
    readonly carries: string;
    readonly view: LinkView;
  }[];
  readonly beforeDrain: boolean;
  readonly ownPath: "elsewhere" | "overThisLink" | "unknown";
  readonly acceptsUnknownPath: boolean;
  readonly hostWall: number;
}

const clockSkewMsMax = 300_000;
const headRoomShare = 0.8;

export function closedGate(input: GateInput): string | undefined {
  const { view, siblings } = input;
  const lost = siblings.find((sibling) => sibling.carries !== "carrying");
  if (siblings.length === 0) return "the group has no sibling link to carry the traffic";
  if (lost !== undefined)
    return `gate.siblingUnhealthy: ${lost.name} is not carrying: ${lost.carries}`;
  const control = view.state === undefined ? undefined : strongValue(view.state.control);
  if (view.state === undefined || control === undefined)
    return "gate.stale: the router cannot be read";
  if (input.beforeDrain && !bgpUp(view.state, view.link.port)) return "BGP is not up on this link";
  if (control.commitPending) return "another commit is pending on the router";
  if (input.far === "updating") return "the far end is not settled yet";
  if (input.far === "failed") return "the far end reports that its last change failed";
  if (input.far === "unknown") return "gate.stale: the far end cannot be read";
  if (Math.abs(control.wall - input.hostWall) > clockSkewMsMax) {
    return "the clocks of router and agent differ by more than five minutes";
  }
  return closedPath(input) ?? closedHeadRoom(input);
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

function closedHeadRoom(input: GateInput): string | undefined {
  const rateOf = (view: LinkView): { bps: number; line: number } | undefined => {
    const rate = strongValue(portOf(view.state, view.link.port)?.rate ?? unreadable(0 as Instant));
    return rate === undefined
      ? undefined
      : { bps: Math.max(rate.rxBps, rate.txBps), line: rate.lineBps };
  };
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

/** Oldest reading that still counts. */
export function fresh(
  state: DeviceState | undefined,
  health: HealthSettings,
  now: Instant,
): DeviceState | undefined {
  return state !== undefined && now - state.at <= health.staleAfterMs ? state : undefined;
}
