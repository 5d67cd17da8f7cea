// Which observations may be compared: counters are comparable only within one session.

import {
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type MkpduCounters,
  strongValue,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { HealthSettings } from "../model/desired.ts";

/**
 * The MKA life time in milliseconds (IEEE 802.1X-2020, table 9-3): three hellos; a shorter silence
 * proves nothing.
 */
export const mkaLifeMs = 6000;

export type FrameCounter = Exclude<keyof MacsecFrames, "nextPn">;

/** The readings of one observation that a comparison needs. */
export interface Observation {
  readonly at: Instant;
  readonly frames: MacsecFrames;
  readonly session: MkaSession;
  readonly settings: MacsecSettings | undefined;
  readonly mkpdus: MkpduCounters | undefined;
}

/** The sample window: the newest observation and those it may be compared with. */
export interface SampleWindow {
  readonly newest: Observation;
  /** The oldest observation of the same session with running counters; undefined = none yet. */
  readonly oldest: Observation | undefined;
  /**
   * The youngest such observation that is an MKA life time old, else `oldest`: the present stretch
   * begins here.
   */
  readonly recent: Observation | undefined;
  /** All that may be compared, the oldest first, `newest` included. */
  readonly all: readonly Observation[];
  /** Why the sample window is shorter than it could be. */
  readonly cut: "none" | "reset" | "changed";
}

export function observationOf(port: MacsecPort): Observation | undefined {
  const frames = strongValue(port.frames);
  const session = strongValue(port.session);
  if (frames === undefined || session === undefined) return undefined;
  return {
    at: port.frames.at,
    frames,
    session,
    settings: strongValue(port.settings),
    mkpdus: strongValue(port.mkpdus),
  };
}

/** Walks back from the newest observation to the first that cannot be compared or is too old. */
export function openSampleWindow(
  observations: readonly MacsecPort[],
  newest: Observation,
  settings: HealthSettings,
): SampleWindow {
  // One observation more than the sample window, so that the sample window is spanned; older ones
  // are not evidence.
  const bound = newest.at - settings.evidenceMs - settings.pollMs * 2;
  let oldest: Observation | undefined;
  let recent: Observation | undefined;
  let younger = newest;
  const all = [newest];
  const cutBy = (cut: SampleWindow["cut"]): SampleWindow => ({
    ...{ newest, oldest, recent, cut },
    all: all.toReversed(),
  });
  for (let index = observations.length - 2; index >= 0; index -= 1) {
    const port = observations[index];
    const observation = port === undefined ? undefined : observationOf(port);
    if (observation === undefined) continue;
    if (observation.at < bound) break;
    if (!sameSession(observation, younger)) return cutBy("changed");
    if (!running(observation, younger)) return cutBy("reset");
    if (recent === undefined || recent.at > newest.at - mkaLifeMs) recent = observation;
    oldest = observation;
    younger = observation;
    all.push(observation);
  }
  return cutBy("none");
}

function sameSession(older: Observation, newer: Observation): boolean {
  const [before, after] = [older.session, newer.session];
  if (before.controlledPort !== after.controlledPort) return false;
  if (before.principalCkn !== after.principalCkn) return false;
  if (before.livePeers > 0 !== after.livePeers > 0) return false;
  const [old, now] = [older.settings, newer.settings];
  if (old === now) return true;
  if (old === undefined || now === undefined) return false;
  return (
    old.suite === now.suite &&
    old.policy === now.policy &&
    old.includeSci === now.includeSci &&
    old.confidentialityOffset === now.confidentialityOffset
  );
}

const frameCounters: readonly FrameCounter[] = [
  "txProtected",
  "txClear",
  "txTooLong",
  "rxOk",
  "rxOctetsValidated",
  "rxOctetsDecrypted",
  "rxClear",
  "rxBadTag",
  "rxNotValid",
  "rxLate",
  "rxNoSci",
  "rxUnknownSci",
  "rxNotUsingSa",
  "rxUnusedSa",
];

// A counter that is lower than before was reset, so no difference across the reset means anything.
function running(older: Observation, newer: Observation): boolean {
  for (const name of frameCounters) {
    const before = older.frames[name];
    const after = newer.frames[name];
    if (before !== undefined && after !== undefined && after < before) return false;
  }
  const [before, after] = [older.mkpdus, newer.mkpdus];
  if (before === undefined || after === undefined) return true;
  return after.received >= before.received && after.sent >= before.sent;
}

/** Returns the increase of a counter between two observations; 0 if either does not report it. */
export function rise(older: Observation, newer: Observation, name: FrameCounter): bigint {
  const before = older.frames[name];
  const after = newer.frames[name];
  return before === undefined || after === undefined ? 0n : after - before;
}

/** Whether protected traffic passes in the present stretch, in each direction. */
export interface Passing {
  readonly rx: boolean;
  readonly tx: boolean;
}

export function passingOf(samples: SampleWindow): Passing {
  const { newest, recent } = samples;
  if (recent === undefined) return { rx: false, tx: false };
  return { rx: rise(recent, newest, "rxOk") > 0n, tx: rise(recent, newest, "txProtected") > 0n };
}

/**
 * Counts the SAK changes over all given observations, whatever the session did, but for those that
 * were asked for meanwhile.
 */
export function sakChanges(
  observations: readonly MacsecPort[],
  asked: readonly Instant[] = [],
): number {
  let changes = 0;
  let last: string | undefined;
  for (const observation of observations) {
    const keyId = strongValue(observation.session)?.latestSak?.keyId;
    if (keyId === undefined) continue;
    if (last !== undefined && keyId !== last) changes += 1;
    last = keyId;
  }
  const [first] = observations.map(({ session }) => session.at);
  if (first === undefined) return 0;
  return Math.max(0, changes - asked.filter((at) => at >= first).length);
}
