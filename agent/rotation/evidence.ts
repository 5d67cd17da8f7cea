// What must hold without a gap: proof of a key, quiet before a change, carrying after it.

import { type KeyRef, type MacsecFrames, strongValue, type WantedSettings } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { settingsGaps } from "../health/verify.ts";
import type { CampaignLink, Evidence, PortFacts } from "../model/campaign.ts";
import { gapOf, seen, seenIf, seenUnless, unseenFor } from "../model/claims.ts";
import type { RotationSettings } from "../model/desired.ts";
import { bgpUp, drainOf, type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import type { Cause, FarEnd } from "../model/reason.ts";

/** A run of observations over which something held without a gap. */
export interface Run {
  /** The start of the run. */
  readonly since: Instant;
  /** The counters at its start; undefined = they were not read, or the run needs none. */
  readonly frames: MacsecFrames | undefined;
  /** The revision of the far end's document that it saw; undefined = none was read. */
  readonly revision?: string | undefined;
  /** The gap in the newest observation; undefined = there was none. */
  readonly broken: Cause | undefined;
  /** Counters that were seen to move in this run. */
  readonly awake?: { readonly rx: boolean; readonly tx: boolean };
}

function brokenRun(now: Instant, broken: Cause): Run {
  return { since: now, frames: undefined, broken };
}

function framesOf(snapshot: LinkSnapshot): MacsecFrames | undefined {
  const port = portOf(snapshot.state, snapshot.link.port);
  return port === undefined ? undefined : strongValue(port.frames);
}

/** A key with the settings of both ends, and how a far end that uses it is called. */
export interface Proven {
  readonly which: "new" | "old";
  readonly key: KeyRef;
  readonly settings: WantedSettings;
  readonly keepsKey: boolean;
}

/** Returns the new key and settings of a link, as a proof needs them. */
export function provenNew(entry: CampaignLink): Proven {
  const keepsKey = entry.old?.key.ckn === entry.new.key.ckn;
  return { which: "new", ...entry.new, keepsKey };
}

/** Returns the old key and settings of a link; undefined = there was no key before. */
export function provenOld(entry: CampaignLink): Proven | undefined {
  if (entry.old === undefined) return undefined;
  const keepsKey = entry.old.key.ckn === entry.new.key.ckn;
  return { which: "old", ...entry.old, keepsKey };
}

const routerUnread: Cause = { code: "router.unread" };
const framesUnread: Cause = { code: "frames.unread" };

/** P3: what one observation must show for a key to count as working; undefined = it does. */
function proofGap(snapshot: LinkSnapshot, wanted: Proven, far: FarEnd): Cause | undefined {
  const port = portOf(snapshot.state, snapshot.link.port);
  if (port === undefined) return routerUnread;
  const session = strongValue(port.session);
  if (session === undefined) return { code: "mka.unread" };
  const { controlledPort, livePeers, respondedPeers, latestSak, principalCkn } = session;
  const observed = strongValue(port.settings);
  return gapOf<"key-proven", Cause>("key-proven", {
    secured: () =>
      seenIf(controlledPort === "secured", { code: "mka.port", state: controlledPort }),
    key: () => {
      const isWanted = principalCkn === wanted.key.ckn;
      return seenIf(isWanted, { code: "mka.otherPrincipal", wanted: wanted.which });
    },
    peer: () => {
      if (livePeers !== 1) return seenUnless({ code: "mka.livePeers", count: livePeers });
      return seenIf(respondedPeers === 1, { code: "mka.peerWithoutSak" });
    },
    sak: () => seenIf(latestSak?.receive === true && latestSak.transmit, { code: "mka.sakOneWay" }),
    suite: () => {
      const suite = strongValue(port.liveSuite);
      const isWanted = suite === wanted.settings.suite;
      return seenIf(isWanted, { code: "macsec.suite", suite: suite ?? null });
    },
    policy: () => seenIf(observed?.policy === "mustSecure", { code: "macsec.notMustSecure" }),
    settings: () => {
      const [gap] = wanted.keepsKey ? settingsGaps(wanted.settings, observed) : [];
      return seenUnless(gap && { code: "macsec.setting", ...gap });
    },
    // How many moved is counted over the run.
    frames: () => (framesOf(snapshot) === undefined ? unseenFor(framesUnread) : seen),
    far: () => seenIf(far === wanted.which || far === "either", { code: "farEnd.is", far }),
  });
}

/** Continues or restarts the run of observations that proves a key. */
export function advanceProof(
  run: Run | undefined,
  snapshot: LinkSnapshot,
  wanted: Proven,
  far: FarEnd,
  now: Instant,
): Run {
  const gap = proofGap(snapshot, wanted, far);
  if (gap !== undefined) return brokenRun(now, gap);
  const frames = framesOf(snapshot);
  if (frames === undefined) return brokenRun(now, framesUnread);
  const anew = { since: now, frames, revision: snapshot.peer?.revision, broken: undefined };
  if (run?.frames === undefined) return anew;
  const worse = faultyCounter(run.frames, frames);
  if (worse !== undefined) return { ...anew, broken: worse };
  // What broke it is over: the proof begins anew, or one bad look would hold the campaign for ever.
  if (run.broken !== undefined) return anew;
  // Another client may have moved the far end away and back between two reads.
  if (run.revision !== anew.revision) return { ...anew, broken: { code: "farEnd.rewritten" } };
  return awoken(run, run.frames, frames);
}

/**
 * Counters that stood still may have been frozen: what they held back and tell at once passed under
 * an unknown key, so counting begins where they first move.
 */
function awoken(run: Run, from: MacsecFrames, observed: MacsecFrames): Run {
  const { rx, tx } = run.awake ?? { rx: false, tx: false };
  const [rxMoves, txMoves] = [observed.rxOk > from.rxOk, observed.txProtected > from.txProtected];
  if ((rx || !rxMoves) && (tx || !txMoves)) return run;
  const rxOk = rx ? from.rxOk : observed.rxOk;
  const txProtected = tx ? from.txProtected : observed.txProtected;
  const awake = { rx: rx || rxMoves, tx: tx || txMoves };
  return { ...run, frames: { ...from, rxOk, txProtected }, awake };
}

function faultyCounter(before: MacsecFrames, after: MacsecFrames): Cause | undefined {
  if (after.rxOk < before.rxOk || after.txProtected < before.txProtected)
    return { code: "frames.reset" };
  if (risen(before.rxNotValid, after.rxNotValid)) return { code: "frames.notValid" };
  if (risen(before.rxClear, after.rxClear)) return { code: "frames.clear" };
  return undefined;
}

function risen(before: bigint | undefined, after: bigint | undefined): boolean {
  return before !== undefined && after !== undefined && after > before;
}

/**
 * Returns whether the proof has lasted for `settle` without a gap, with enough protected frames in
 * each direction.
 */
export function proofOf(
  run: Run | undefined,
  snapshot: LinkSnapshot,
  settings: RotationSettings,
  now: Instant,
): Evidence {
  if (run === undefined) return waiting(notObserved);
  if (run.broken !== undefined) return waiting(run.broken);
  const frames = framesOf(snapshot);
  if (frames === undefined || run.frames === undefined) return waiting(framesUnread);
  const lacking = (sample: bigint, base: bigint): number =>
    Math.max(0, settings.proofFrames - Number(sample - base));
  const receive = lacking(frames.rxOk, run.frames.rxOk);
  const transmit = lacking(frames.txProtected, run.frames.txProtected);
  if (receive > 0) return lackingFrames("receive", receive);
  if (transmit > 0) return lackingFrames("transmit", transmit);
  return heldFor(run, settings.settleMs, now, "proof.settles");
}

const notObserved: Cause = { code: "evidence.none" };

function waiting(cause: Cause): Evidence {
  return { kind: "waiting", cause };
}

function lackingFrames(direction: "receive" | "transmit", count: number): Evidence {
  return waiting({ code: "frames.lacking", direction, count });
}

function heldFor(
  run: Run,
  ms: number,
  now: Instant,
  code: "proof.settles" | "carrying.settles",
): Evidence {
  const left = ms - (now - run.since);
  return left <= 0 ? { kind: "held" } : waiting({ code, seconds: Math.ceil(left / 1000) });
}

/**
 * Returns whether staging changed nothing: the port has both keys, the old one is in charge, and no
 * frame fails.
 */
export function stagedEvidence(
  before: MacsecFrames | undefined,
  snapshot: LinkSnapshot,
  port: PortFacts | undefined,
): Evidence {
  const frames = framesOf(snapshot);
  if (port === undefined || frames === undefined) return waiting(routerUnread);
  if (port.keys !== "both") return waiting({ code: "port.notBoth" });
  if (port.carriedBy !== "old") return waiting({ code: "port.oldNotInCharge" });
  const worse = before === undefined ? undefined : faultyCounter(before, frames);
  return worse === undefined ? { kind: "held" } : waiting(worse);
}

/** Continues or restarts the run in which traffic is back by route and by probe. */
export function advanceSteady(run: Run | undefined, gap: Cause | undefined, now: Instant): Run {
  if (gap === undefined && run !== undefined && run.broken === undefined) return run;
  return { since: now, frames: undefined, broken: gap };
}

/** Returns whether the link has carried for `soakMs` without a gap. */
export function steadyOf(run: Run, soakMs: number, now: Instant): Evidence {
  if (run.broken !== undefined) return waiting(run.broken);
  return heldFor(run, soakMs, now, "carrying.settles");
}

/** Returns why a link does not count as carrying again; probes before `since` do not count. */
export function steadyGap(
  snapshot: LinkSnapshot,
  port: PortFacts | undefined,
  since: Instant,
): Cause | undefined {
  const { state, link, probe } = snapshot;
  if (port === undefined || state === undefined) return routerUnread;
  const isSilent = probe !== undefined && probe.at >= since && probe.answered === 0;
  return gapOf<"carries-again", Cause>("carries-again", {
    undrained: () => seenIf(port.drain === "off", { code: "link.drained" }),
    secured: () => seenIf(port.carriedBy !== "nothing", { code: "link.unusable" }),
    routed: () => seenIf(bgpUp(state, link.port), { code: "bgp.down" }),
    answered: () => seenIf(!isSilent, { code: "probe.unanswered" }),
  });
}

/** Quiet samples in a row, spaced as the config says. */
export interface QuietRun {
  /** The number of quiet samples so far. */
  readonly samples: number;
  /** The time of the last sample. */
  readonly lastAt: Instant;
  /** Why the last sample was not quiet; undefined = it was. */
  readonly noise: Cause | undefined;
}

const quietPps = 100;
const quietShare = 0.01;

/**
 * Continues or restarts the quiet samples: below 1 % of the line and 100 packets/s, and no best
 * path over the link.
 */
export function advanceQuiet(
  run: QuietRun | undefined,
  snapshot: LinkSnapshot,
  everyMs: number,
  now: Instant,
): QuietRun {
  const noise = noiseOn(snapshot);
  if (noise !== undefined) return { samples: 0, lastAt: now, noise };
  if (run === undefined || run.samples === 0) return { samples: 1, lastAt: now, noise };
  if (now - run.lastAt < everyMs) return run;
  return { samples: run.samples + 1, lastAt: now, noise };
}

function noiseOn({ state, link }: LinkSnapshot): Cause | undefined {
  const port = portOf(state, link.port);
  const rate = port === undefined ? undefined : strongValue(port.rate);
  const routing = state === undefined ? undefined : strongValue(state.routing);
  if (state === undefined || rate === undefined || routing === undefined) {
    return { code: "drain.unread" };
  }
  const isDrained = drainOf(state, link.port) === "on";
  const best = routing.routes.find(
    (route) => route.best && route.via.kind === "port" && route.via.port === link.port,
  );
  const pps = Math.max(rate.rxPps, rate.txPps);
  const share = Math.max(rate.rxBps, rate.txBps) / rate.lineBps;
  const isQuiet = pps < quietPps && share < quietShare;
  const traffic = { code: "drain.traffic", packetsPerSecond: Math.round(pps) } as const;
  return gapOf<"link-drained", Cause>("link-drained", {
    inForce: () => seenUnless(isDrained ? undefined : { code: "drain.notInForce" }),
    bypassed: () => seenUnless(best && { code: "drain.bestPath", prefix: best.prefix }),
    quiet: () => seenUnless(isQuiet ? undefined : traffic),
  });
}

/** Returns whether the run has as many quiet samples as a drain needs. */
export function drainedOf(run: QuietRun | undefined, samples: number): Evidence {
  if (run === undefined) return waiting(notObserved);
  if (run.samples >= samples) return { kind: "held" };
  return waiting(run.noise ?? { code: "drain.quiet", samples: run.samples, needed: samples });
}
