// Derives the health of a link or a tunnel: a verdict, its reasons, and the age of the evidence.

import { type MacsecPort, type Reading, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { linkId } from "../model/desired.ts";
import {
  type Ages,
  conclude,
  type Finding,
  finding,
  isDropped,
  isSolid,
  type LinkEvidence,
  type LinkHealth,
  type Reason,
  type TunnelHealth,
  unseen,
} from "../model/health.ts";
import { farEndFindings, mkaFindings, settingsFindings } from "./control.ts";
import { hereOf } from "./end-names.ts";
import { frameFindings } from "./frames.ts";
import { type LinkView, receivedOf, sentOf, unseenFinding } from "./link-claims.ts";
import { observationOf, openSampleWindow, passingOf, type SampleWindow } from "./sample-window.ts";
import type { Raised } from "./warnings.ts";

/**
 * Derives a link's health: `protected` only if nothing contradicts it and fresh, strong readings
 * support all of it. A link without a recent observation is `unknown`, whatever it was before.
 * Never throws.
 */
export function deriveLinkHealth(evidence: LinkEvidence): LinkHealth {
  const findings = linkFindings(evidence);
  const view = viewOf(evidence);
  const unseen = unseenFinding(view, conclude(findings, undefined).verdict);
  const all = unseen === undefined ? findings : [...findings, unseen];
  const confidentiality = { received: receivedOf(view), sent: sentOf(view) };
  return { ...conclude(all, evidence.causes), ages: agesOf(evidence), ...confidentiality };
}

/** A port that its router lists no more shows nothing, however young its last readings are. */
function viewOf(evidence: LinkEvidence): LinkView {
  const { observations, device, settings } = evidence;
  const last = observations.at(-1);
  const isGone = last !== undefined && isDropped(last.session.at, device, settings);
  const newest = isGone ? undefined : last;
  return { evidence, newest, samples: samplesOf(evidence, newest) };
}

function linkFindings(evidence: LinkEvidence): Finding[] {
  const { link, observations, device, now, settings } = evidence;
  const about = linkId(link);
  const newest = observations.at(-1);
  const observedAt = device.lastObservedAt;
  if (observedAt === undefined || now - observedAt > settings.staleAfterMs) {
    return [unseen({ device: link.device, part: link.port }, about, device, now)];
  }
  if (newest === undefined || isDropped(newest.session.at, device, settings)) {
    const text = `${link.device} lists no port ${link.port}`;
    return [finding("unknown", "port-absent", about, text)];
  }
  const configured = settingsFindings(evidence, newest);
  const open =
    isSolid(newest.settings, now, settings.staleAfterMs) && newest.settings.value === undefined;
  const cut = linkDown(evidence, newest);
  if (cut !== undefined) return [cut, ...configured];
  if (open) return configured;
  return [...configured, ...sessionFindings(evidence, newest, configured)];
}

function linkDown(evidence: LinkEvidence, newest: MacsecPort): Finding | undefined {
  const { link, now, settings, peer } = evidence;
  if (!isSolid(newest.linkUp, now, settings.staleAfterMs)) return undefined;
  if (newest.linkUp.value) return undefined;
  const far = peer?.state.admin === "down" ? ": the far end is switched off" : "";
  const why = strongValue(newest.admin) === "down" ? ": the port is shut on the router" : far;
  const text = `${hereOf(link)} has no link${why}`;
  return finding("down", "link-down", linkId(link), text);
}

function sessionFindings(
  evidence: LinkEvidence,
  newest: MacsecPort,
  configured: readonly Finding[],
): Finding[] {
  const far = farEndFindings(evidence);
  const samples = samplesOf(evidence, newest);
  const passing = samples === undefined ? { rx: false, tx: false } : passingOf(samples);
  const mka = mkaFindings(evidence, newest, samples, passing);
  const suspects = [...configured, ...far, ...mka];
  return [...far, ...mka, ...frameFindings(evidence, newest, samples, passing, suspects)];
}

function samplesOf(
  { observations, settings, now }: LinkEvidence,
  newest: MacsecPort | undefined,
): SampleWindow | undefined {
  const isFresh = newest !== undefined && isSolid(newest.frames, now, settings.staleAfterMs);
  const observation = isFresh ? observationOf(newest) : undefined;
  return observation && openSampleWindow(observations, observation, settings);
}

function agesOf({ observations, farEndAt, now }: LinkEvidence): Ages {
  return {
    controlPlaneMs: ageOf(observations, (observation) => observation.session, now),
    dataPlaneMs: ageOf(observations, (observation) => observation.frames, now),
    farEndMs: farEndAt === undefined ? undefined : now - farEndAt,
  };
}

function ageOf(
  observations: readonly MacsecPort[],
  pick: (observation: MacsecPort) => Reading<unknown>,
  now: Instant,
): number | undefined {
  for (let index = observations.length - 1; index >= 0; index -= 1) {
    const observation = observations[index];
    const reading = observation === undefined ? undefined : pick(observation);
    if (reading?.kind === "known") return now - reading.at;
  }
  return undefined;
}

/** The load of the agent is one warning of the site, and what cannot be seen is no trouble. */
const silentReasons: readonly Reason["code"][] = ["agent-overloaded", "arrival-not-visible"];

/** Turns every reason into a warning about the same thing; `within` names its device and group. */
export function raisedBy(
  health: LinkHealth | TunnelHealth,
  about: string,
  within: readonly string[],
): Raised[] {
  return health.reasons
    .filter(({ code }) => !silentReasons.includes(code))
    .map((reason) => ({ ...reason, about, within }));
}
