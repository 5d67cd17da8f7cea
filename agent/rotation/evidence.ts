// What must hold without a gap: proof of a key, quiet before a change, carrying after it.

import { type KeyRef, type MacsecFrames, strongValue, type WantedSettings } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { settingsGaps } from "../health/verify.ts";
import type { CampaignLink, Evidence, FarEnd, PortFacts } from "../model/campaign.ts";
import type { RotationSettings } from "../model/desired.ts";
import { bgpUp, drainOf, type LinkView, portOf } from "../model/link-view.ts";

/** A run of looks over which something held without a gap. */
export interface Run {
  readonly since: Instant;
  readonly frames: MacsecFrames | undefined;
  readonly broken: string | undefined;
  /** Counters that were seen to move in this run. */
  readonly awake?: { readonly rx: boolean; readonly tx: boolean };
}

function brokenRun(now: Instant, why: string): Run {
  return { since: now, frames: undefined, broken: why };
}

function framesOf(view: LinkView): MacsecFrames | undefined {
  const port = portOf(view.state, view.link.port);
  return port === undefined ? undefined : strongValue(port.frames);
}

/** A key with the settings of both ends, and how a far end that uses it is called. */
export interface Proven {
  readonly which: "new" | "old";
  readonly key: KeyRef;
  readonly settings: WantedSettings;
  readonly keepsKey: boolean;
}

export function provenNew(entry: CampaignLink): Proven {
  const keepsKey = entry.old?.key.ckn === entry.new.key.ckn;
  return { which: "new", ...entry.new, keepsKey };
}

/** undefined = there was no key before. */
export function provenOld(entry: CampaignLink): Proven | undefined {
  if (entry.old === undefined) return undefined;
  const keepsKey = entry.old.key.ckn === entry.new.key.ckn;
  return { which: "old", ...entry.old, keepsKey };
}

/** P3: what one look must show for a key to count as working; undefined = it does. */
function proofGap(view: LinkView, wanted: Proven, far: FarEnd): string | undefined {
  const port = portOf(view.state, view.link.port);
  if (port === undefined) return "the router cannot be read";
  const session = strongValue(port.session);
  if (session === undefined) return "the MKA session cannot be read";
  if (session.controlledPort !== "secured")
    return `the controlled port is ${session.controlledPort}`;
  if (session.principalCkn !== wanted.key.ckn)
    return `the ${wanted.which} CKN is not the principal one`;
  if (session.livePeers !== 1) return `MKA has ${session.livePeers} live peers where one is right`;
  if (session.respondedPeers !== 1) return "the peer has not installed the SAK";
  if (session.latestSak?.receive !== true || !session.latestSak.transmit) {
    return "the SAK is not in use in both directions";
  }
  const suite = strongValue(port.liveSuite);
  if (suite !== wanted.settings.suite) return `the SA in use has ${suite ?? "no known suite"}`;
  const seen = strongValue(port.settings);
  if (seen?.policy !== "mustSecure") return "the port is not must-secure";
  if (wanted.keepsKey) {
    const [gap] = settingsGaps(wanted.settings, seen);
    if (gap !== undefined) return `${gap.leaf} is ${gap.seen} and not ${gap.wanted}`;
  }
  if (framesOf(view) === undefined) return "the frame counters cannot be read";
  return far === wanted.which || far === "either" ? undefined : `the far end is ${far}`;
}

/** Continues or restarts the run of looks that proves a key. */
export function advanceProof(
  run: Run | undefined,
  view: LinkView,
  wanted: Proven,
  far: FarEnd,
  now: Instant,
): Run {
  const gap = proofGap(view, wanted, far);
  if (gap !== undefined) return brokenRun(now, gap);
  const frames = framesOf(view);
  if (frames === undefined) return brokenRun(now, "the frame counters cannot be read");
  if (run?.frames === undefined) return { since: now, frames, broken: undefined };
  const worse = faultyCounter(run.frames, frames);
  if (worse !== undefined) return { since: now, frames, broken: worse };
  // What broke it is over: the proof begins anew, or one bad look would hold the campaign for ever.
  if (run.broken !== undefined) return { since: now, frames, broken: undefined };
  return awoken(run, run.frames, frames);
}

/**
 * Counters that stood still may have been frozen: what they held back and tell at once passed under
 * nobody knows which key, so counting begins where they first move.
 */
function awoken(run: Run, from: MacsecFrames, seen: MacsecFrames): Run {
  const { rx, tx } = run.awake ?? { rx: false, tx: false };
  const [rxMoves, txMoves] = [seen.rxOk > from.rxOk, seen.txProtected > from.txProtected];
  if ((rx || !rxMoves) && (tx || !txMoves)) return run;
  const rxOk = rx ? from.rxOk : seen.rxOk;
  const txProtected = tx ? from.txProtected : seen.txProtected;
  const awake = { rx: rx || rxMoves, tx: tx || txMoves };
  return { ...run, frames: { ...from, rxOk, txProtected }, awake };
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
  if (run === undefined) return waiting("no look yet");
  if (run.broken !== undefined) return waiting(run.broken);
  const frames = framesOf(view);
  if (frames === undefined || run.frames === undefined) {
    return waiting("the frame counters cannot be read");
  }
  const lacking = (sample: bigint, base: bigint): number =>
    Math.max(0, settings.proofFrames - Number(sample - base));
  const receive = lacking(frames.rxOk, run.frames.rxOk);
  const transmit = lacking(frames.txProtected, run.frames.txProtected);
  if (receive > 0)
    return waiting(`waiting for ${receive} more protected frames in the receive direction`);
  if (transmit > 0)
    return waiting(`waiting for ${transmit} more protected frames in the transmit direction`);
  return heldFor(run, settings.settleMs, now, "the key works");
}

function waiting(text: string): Evidence {
  return { kind: "waiting", text };
}

function heldFor(run: Run, ms: number, now: Instant, what: string): Evidence {
  const left = ms - (now - run.since);
  if (left <= 0) return { kind: "held" };
  return waiting(`${what}; ${Math.ceil(left / 1000)} s more to be sure`);
}

/** The staged key changed nothing: both are there, the old one is in charge, no frame fails. */
export function stagedEvidence(
  before: MacsecFrames | undefined,
  view: LinkView,
  port: PortFacts | undefined,
): Evidence {
  const frames = framesOf(view);
  if (port === undefined || frames === undefined) return waiting("the router cannot be read");
  if (port.keys !== "both") return waiting("the router does not show both keys");
  if (port.carriedBy !== "old") return waiting("the old key is not in charge of the link");
  const worse = before === undefined ? undefined : faultyCounter(before, frames);
  return worse === undefined ? { kind: "held" } : waiting(worse);
}

/** Traffic is back by route and by probe, and stays so for the soak time. */
export function advanceSteady(run: Run | undefined, gap: string | undefined, now: Instant): Run {
  if (gap === undefined && run !== undefined && run.broken === undefined) return run;
  return { since: now, frames: undefined, broken: gap };
}

export function steadyOf(run: Run, soakMs: number, now: Instant): Evidence {
  if (run.broken !== undefined) return waiting(run.broken);
  return heldFor(run, soakMs, now, "the link carries");
}

/** What keeps a link from counting as carrying again; probes before `since` say nothing. */
export function steadyGap(
  view: LinkView,
  port: PortFacts | undefined,
  since: Instant,
): string | undefined {
  if (port === undefined || view.state === undefined) return "the router cannot be read";
  if (port.drain === "on") return "the link is still drained";
  if (port.carriedBy === "nothing") return "the link is not usable";
  if (!bgpUp(view.state, view.link.port)) return "BGP is not up on the link";
  const { probe } = view;
  if (probe !== undefined && probe.at >= since && probe.answered === 0) {
    return "probes are not answered";
  }
  return undefined;
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

function noiseOn({ state, link }: LinkView): string | undefined {
  const port = portOf(state, link.port);
  const rate = port === undefined ? undefined : strongValue(port.rate);
  const routing = state === undefined ? undefined : strongValue(state.routing);
  if (state === undefined || rate === undefined || routing === undefined) {
    return "rate and routes cannot be read";
  }
  if (drainOf(state, link.port) === "off") return "the drain is not in force";
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
  if (run === undefined) return waiting("no look yet");
  if (run.samples >= samples) return { kind: "held" };
  return waiting(run.samples === 0 ? run.why : `quiet in ${run.samples} of ${samples} samples`);
}
