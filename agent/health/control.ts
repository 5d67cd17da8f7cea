// Findings from a link's settings, its far end and MKA; each fault has its own reason code.

import type { PeerState } from "#hal/device.ts";
import {
  type Ckn,
  type FailOpen,
  type KeyAgreement,
  type KeyRef,
  type MacsecPort,
  type MkaSession,
  strongValue,
} from "#hal/model.ts";
import { linkId } from "../model/desired.ts";
import { type Finding, finding, isSolid, type LinkEvidence, unusable } from "../model/health.ts";
import { nextFor, type WarningCode } from "../model/warning-rows.ts";
import { bareFinding } from "./bare-port.ts";
import { farOf, hereOf, secretOf } from "./end-names.ts";
import {
  mkaLifeMs,
  type Observation,
  type Passing,
  type SampleWindow,
  sakChanges,
} from "./sample-window.ts";

/** `c0ff…ee`: a CKN shortened so that a sentence can still tell two keys apart. */
function short(ckn: Ckn | undefined): string {
  if (ckn === undefined) return "none";
  return ckn.length <= 8 ? ckn : `${ckn.slice(0, 4)}…${ckn.slice(-2)}`;
}

const offOn = (on: boolean): string => (on ? "on" : "off");

/** Compares configured with wanted settings; a port without MACsec gets that one finding only. */
export function settingsFindings(evidence: LinkEvidence, newest: MacsecPort): Finding[] {
  const { link, now, settings } = evidence;
  const about = linkId(link);
  const here = hereOf(link);
  const open = [...openFinding(evidence, newest), ...agreementFinding(evidence, newest)];
  if (!isSolid(newest.settings, now, settings.staleAfterMs)) {
    return [...open, unusable("its MACsec settings", here, about, newest.settings)];
  }
  const observed = newest.settings.value;
  if (observed === undefined) {
    const bare = bareFinding(evidence, newest);
    // While a campaign brings the first key, the next step is that campaign, not another enrolment.
    const campaign = nextFor("rotation-held", about);
    return [evidence.next === undefined ? bare : { ...bare, next: campaign }];
  }
  const wanted = link.settings;
  const findings: Finding[] = [...open];
  const say = (code: WarningCode, text: string): void => {
    findings.push(finding("degraded", code, about, text));
  };
  if (observed.policy !== "mustSecure" && openFinding(evidence, newest).length === 0) {
    const text = `${here} is set to should-secure, so it sends in the clear when MKA fails`;
    findings.push(finding("unprotected", "policy-should-secure", about, text));
  }
  if (observed.confidentialityOffset !== wanted.confidentialityOffset) {
    const text = `${here} leaves ${observed.confidentialityOffset} octets of each frame readable`;
    say("offset-mismatch", `${text}, and ${wanted.confidentialityOffset} are wanted`);
  }
  if (observed.suite !== wanted.suite) {
    say("suite-mismatch", `${here} is set to ${observed.suite}, and ${wanted.suite} is wanted`);
  }
  if (observed.includeSci !== wanted.includeSci) {
    const text = `${here} has the SCI ${offOn(observed.includeSci)}`;
    say("sci-mismatch", `${text}, and it is wanted ${offOn(wanted.includeSci)}`);
  }
  return findings;
}

const openWays: Record<FailOpen, string> = {
  validateNotStrict: "takes frames that are not protected (validate is not strict)",
  protectOff: "sends frames without protection (protect is off)",
  encryptOff: "sends frames that are readable on the wire (encrypt is off)",
  addressOnUncontrolledPort: "has an address below its SecY, whose frames leave in the clear",
  routeOnUncontrolledPort: "has a route below its SecY, whose frames leave in the clear",
};

/** Reports each setting that lets data pass in the clear, whatever the keys are. */
function openFinding({ link, now, settings }: LinkEvidence, { failOpen }: MacsecPort): Finding[] {
  if (failOpen === undefined || !isSolid(failOpen, now, settings.staleAfterMs)) return [];
  if (failOpen.value.length === 0) return [];
  const text = `${hereOf(link)} ${failOpen.value.map((way) => openWays[way]).join(", and ")}`;
  return [finding("unprotected", "policy-should-secure", linkId(link), text)];
}

const disagreements: Record<Exclude<KeyAgreement, "same">, string> = {
  different: "sends under another SAK than those it takes frames under",
  oneWay: "has a SAK in one direction only",
  none: "has no SAK, so that no frame passes its SecY",
};

/** Compares the SAKs installed in the SecY itself, whatever the MKA session reports. */
function agreementFinding(
  { link, now, settings }: LinkEvidence,
  { keyAgreement }: MacsecPort,
): Finding[] {
  if (keyAgreement === undefined || !isSolid(keyAgreement, now, settings.staleAfterMs)) return [];
  const { value } = keyAgreement;
  if (value === "same") return [];
  const text = `${hereOf(link)} ${disagreements[value]}`;
  return [finding("down", "sak-not-agreed", linkId(link), text)];
}

/**
 * Findings from the far end's own settings; while it is updating, only a foreign key is reported.
 */
export function farEndFindings(evidence: LinkEvidence): Finding[] {
  const { link, peer, expected } = evidence;
  if (peer === undefined) return [];
  const about = linkId(link);
  const far = farOf(link);
  const { pointsAt, suite, sci, admin, provisioning } = peer.state;
  const findings: Finding[] = [];
  const say = (code: WarningCode, text: string): void => {
    findings.push(finding("degraded", code, about, text));
  };
  if (pointsAt !== undefined && expected !== undefined && !welcome(evidence, pointsAt)) {
    const wanted = secretOf(expected.cakSecretId);
    const text = `${far} points at ${secretOf(pointsAt.cakSecretId)}`;
    if (evidence.older !== undefined) say("state-older", evidence.older);
    else say("far-end-changed", `${text}, and ${hereOf(link)} is meant to use ${wanted}`);
  }
  if (provisioning === "updating") return findings;
  if (provisioning === "failed") {
    const { failure } = peer.state.details ?? {};
    const code = failure === undefined ? "" : ` (${failure})`;
    say("far-end-failed", `the last change of ${far} failed${code}`);
  }
  if (admin === "down") say("far-end-changed", `${far} is switched off`);
  if (pointsAt === undefined) {
    say("far-end-changed", `${far} has MACsec off, and ${hereOf(link)} has it on`);
  }
  const wanted = link.settings;
  if (suite !== undefined && suite !== wanted.suite) {
    say("suite-mismatch", `${far} is set to ${suite}, and ${hereOf(link)} to ${wanted.suite}`);
  }
  if (pointsAt !== undefined && (sci === "on") !== wanted.includeSci) {
    const text = `${far} has the SCI ${sci}, and ${hereOf(link)} ${offOn(wanted.includeSci)}`;
    say("sci-mismatch", text);
  }
  return findings;
}

function welcome(
  { expected, next }: LinkEvidence,
  ids: NonNullable<PeerState["pointsAt"]>,
): boolean {
  return isNamedBy(ids, expected) || isNamedBy(ids, next);
}

function isNamedBy(ids: NonNullable<PeerState["pointsAt"]>, key: KeyRef | undefined): boolean {
  return key?.cakSecretId === ids.cakSecretId && key.cknSecretId === ids.cknSecretId;
}

/** Findings from MKA; `sample window` is undefined while frames or session cannot be read. */
export function mkaFindings(
  evidence: LinkEvidence,
  newest: MacsecPort,
  samples: SampleWindow | undefined,
  passing: Passing,
): Finding[] {
  const { link, now, settings } = evidence;
  const about = linkId(link);
  const here = hereOf(link);
  if (!isSolid(newest.session, now, settings.staleAfterMs)) {
    return [unusable("its MKA session", here, about, newest.session)];
  }
  const session = newest.session.value;
  const findings: Finding[] = [];
  if (session.controlledPort === "unprotected") {
    const text = `${here} is open without MACsec`;
    findings.push(finding("unprotected", "controlled-port-open", about, text));
  }
  if (session.livePeers > 1) {
    const text = `${session.livePeers} peers speak MKA on ${here}, and a link has two ends`;
    findings.push(finding("unprotected", "second-peer", about, text));
  }
  if (session.livePeers === 0) findings.push(noPeer(evidence, newest, samples));
  else if (session.controlledPort === "blocked")
    findings.push(noCommonSak(evidence, newest, samples));
  else if (session.controlledPort === "secured") {
    findings.push(...securedFindings(evidence, newest, session, samples, passing));
  }
  const changes = sakChanges(evidence.observations, evidence.saksAsked);
  if (changes >= churnMin) {
    const text = `the SAK of ${here} changed ${changes} times in the evidence window`;
    findings.push(finding("degraded", "sak-churn", about, text));
  }
  return findings;
}

/**
 * A rotation makes two or three new SAKs, beside the later ones that it asks for, and so does a
 * restart; a churning session makes one in 6 to 12 s.
 */
const churnMin = 5;

// The MKPDU counters distinguish a wrong CAK, a wrong CKN and silence (openconfig MSEC-1.1).
function noPeer(
  evidence: LinkEvidence,
  newest: MacsecPort,
  samples: SampleWindow | undefined,
): Finding {
  const gone = keyGone(evidence, newest);
  if (gone !== undefined) return gone;
  const { link } = evidence;
  const about = linkId(link);
  const [here, far] = [hereOf(link), farOf(link)];
  const older = samples?.recent?.mkpdus;
  const counters = samples?.newest.mkpdus;
  const rose = (name: "icvFailed" | "unknownCkn" | "received"): boolean =>
    (counters?.[name] ?? 0n) > (older?.[name] ?? counters?.[name] ?? 0n);
  if (rose("icvFailed")) {
    const used = farKey(evidence);
    const ckn = used === undefined ? "the same CKN" : `the CKN ${short(used.ckn)}`;
    const text = `${here} and ${far} use ${ckn} with different CAKs`;
    return finding("down", "cak-mismatch", about, `${text}: MKPDUs fail their ICV check`);
  }
  if (rose("unknownCkn")) {
    const text = `${far} uses a CKN that ${here} does not have: ${cknsOf(evidence, newest)}`;
    return finding("down", "ckn-mismatch", about, text);
  }
  const silentMs = silence(samples);
  const why =
    silentMs === undefined
      ? `${here} has no live MKA peer on this link`
      : `${far} is silent: no MKPDU reached ${here} for at least ${Math.floor(silentMs / 1000)} s`;
  const claims = newest.session.kind === "known" && newest.session.value.controlledPort;
  const lie = claims === "secured" ? ", although it calls itself secured" : "";
  return finding("down", "mka-no-live-peer", about, `${why}${lie}`);
}

/**
 * The key of ours that the far end is set to; undefined = another one, or its hardware need not
 * follow its settings yet.
 */
function farKey({ expected, next, peer }: LinkEvidence): KeyRef | undefined {
  const { pointsAt, provisioning } = peer?.state ?? {};
  if (pointsAt === undefined || provisioning !== "settled") return undefined;
  return [expected, next].find((key) => isNamedBy(pointsAt, key));
}

/** Both CKNs of a mismatch in one form: by value if the far end is set to a key of ours. */
function cknsOf(evidence: LinkEvidence, { keys }: MacsecPort): string {
  const { expected = evidence.next, peer } = evidence;
  const used = farKey(evidence);
  if (used !== undefined) {
    const isHeld = strongValue(keys)?.some(({ ckn }) => ckn === used.ckn) === true;
    const but = isHeld ? ", which the router has, and does not use it" : "";
    return `it is set to ${short(used.ckn)}${but}`;
  }
  const points = peer?.state.pointsAt;
  if (points === undefined || expected === undefined) return `it expects ${short(expected?.ckn)}`;
  const [wanted, named] = [expected, points].map(({ cknSecretId }) => secretOf(cknSecretId));
  if (wanted !== named) return `it expects ${wanted}, and the far end is set to ${named}`;
  const { cakSecretId } = points;
  if (cakSecretId !== expected.cakSecretId) {
    const caks = `the CAK ${secretOf(cakSecretId)} and not ${secretOf(expected.cakSecretId)}`;
    return `both have the CKN ${named}, and the far end is set to ${caks}`;
  }
  const why =
    peer?.state.provisioning === "failed"
      ? "Azure could not carry that change out"
      : "Azure has not ended that change yet";
  return `the far end is set to ${named}, as it should be, but ${why}`;
}

/**
 * A router that lost the key is the cause itself, and the far end is as it should be; undefined =
 * the port holds the key, or its keys are not known.
 */
function keyGone(evidence: LinkEvidence, { keys }: MacsecPort): Finding | undefined {
  const { link, expected, now, settings } = evidence;
  if (expected === undefined || !isSolid(keys, now, settings.staleAfterMs)) return undefined;
  const held = keys.value.map(({ ckn }) => ckn);
  const used = farKey(evidence);
  // With another key there, only a far end that still has the accepted one shows who changed.
  if (held.length > 0 && (used !== expected || held.includes(expected.ckn))) return undefined;
  const far = used === undefined ? "" : `, to which ${farOf(link)} is set as it should be`;
  const key = `${short((used ?? expected).ckn)}${far}`;
  const here = hereOf(link);
  const text =
    held.length === 0
      ? `${here} holds no key: it lacks ${key}`
      : `${here} lacks the key ${key}: it holds ${held.map(short).join(", ")}`;
  return finding("down", "key-gone", linkId(link), text);
}

/**
 * How long, in milliseconds, certainly no MKPDU came; undefined = some came, or the sample window
 * is shorter than the MKA life time.
 */
function silence(samples: SampleWindow | undefined): number | undefined {
  if (samples?.recent === undefined) return undefined;
  const spanMs = samples.newest.at - samples.recent.at;
  const [before, after] = [samples.recent.mkpdus, samples.newest.mkpdus];
  if (before === undefined || after === undefined || spanMs < mkaLifeMs) return undefined;
  return after.received === before.received ? spanMs : undefined;
}

// Both ends hear each other under the right key, so only the SAK is left to disagree about.
function noCommonSak(
  { link }: LinkEvidence,
  newest: MacsecPort,
  samples: SampleWindow | undefined,
): Finding {
  const [here, far] = [hereOf(link), farOf(link)];
  const text = `${here} and ${far} hear each other but agree on no SAK`;
  // Right after a key change every session is without a SAK for some seconds.
  const guess = watched(samples)
    ? `: as a rule the far end does not use ${link.settings.suite}`
    : ": a session that has just begun takes some seconds";
  return finding("down", "sak-not-agreed", linkId(link), `${text}${troubleOf(newest) || guess}`);
}

/** Returns the obstacle that the device itself reports, as the end of a sentence; empty = none. */
export function troubleOf({ troubles }: MacsecPort): string {
  const reported = troubles === undefined ? undefined : strongValue(troubles);
  return reported === undefined || reported.length === 0 ? "" : `: ${reported.join(", and ")}`;
}

function watched(samples: SampleWindow | undefined): boolean {
  return samples?.recent !== undefined && samples.newest.at - samples.recent.at >= mkaLifeMs;
}

function securedFindings(
  evidence: LinkEvidence,
  newest: MacsecPort,
  session: MkaSession,
  samples: SampleWindow | undefined,
  passing: Passing,
): Finding[] {
  const { link } = evidence;
  const about = linkId(link);
  const here = hereOf(link);
  const findings: Finding[] = [];
  if (session.respondedPeers < session.livePeers && !passing.rx && watched(samples)) {
    return [noCommonSak(evidence, newest, samples)];
  }
  if (session.respondedPeers < session.livePeers) {
    const text = `${farOf(link)} hears ${here}, but has not answered with the SAK in use`;
    findings.push(finding("degraded", "peer-not-responded", about, text));
  }
  const key = keyFinding(evidence, session);
  if (key !== undefined) findings.push(key);
  const suite = suiteFinding(evidence, newest);
  if (suite !== undefined) findings.push(suite);
  if (sakIdle(session, samples?.recent)) {
    const verdict = passing.rx && passing.tx ? "degraded" : "down";
    const text = `MKA announced a SAK that ${here} does not use both ways`;
    findings.push(finding(verdict, "sak-not-in-use", about, text));
  }
  const fallback = fallbackFinding(evidence, newest, session);
  if (fallback !== undefined) findings.push(fallback);
  const rekey = rekeyFinding(evidence, newest, session);
  if (rekey !== undefined) findings.push(rekey);
  return findings;
}

function keyFinding(evidence: LinkEvidence, session: MkaSession): Finding | undefined {
  const { link, expected, next } = evidence;
  const about = linkId(link);
  const { principalCkn } = session;
  if (expected === undefined && next === undefined) {
    const text = `${hereOf(link)} is protected by the key ${short(principalCkn)}`;
    return finding("degraded", "key-not-known", about, `${text}, which linkseal does not manage`);
  }
  const known = principalCkn === expected?.ckn || principalCkn === next?.ckn;
  if (principalCkn !== undefined && known) return undefined;
  // The finding about the far end names both ends.
  if (evidence.older !== undefined) return undefined;
  const text = `${hereOf(link)} uses the key ${short(principalCkn)}`;
  const wanted = short(expected?.ckn ?? next?.ckn);
  return finding("degraded", "principal-key-unexpected", about, `${text} and not ${wanted}`);
}

// The suite of the live SA counts, not the configured one: either end may have weakened it.
function suiteFinding(evidence: LinkEvidence, newest: MacsecPort): Finding | undefined {
  const { link, now, settings } = evidence;
  const about = linkId(link);
  if (!isSolid(newest.liveSuite, now, settings.staleAfterMs)) {
    return unusable("the suite of the SA in use", hereOf(link), about, newest.liveSuite);
  }
  const live = newest.liveSuite.value;
  const wanted = link.settings.suite;
  if (live === wanted) return undefined;
  if (live === undefined) {
    const text = `${hereOf(link)} calls itself secured without an SA in use`;
    return finding("down", "sak-not-in-use", about, text);
  }
  const text = `frames between ${hereOf(link)} and ${farOf(link)} use ${live}`;
  return finding("degraded", "suite-mismatch", about, `${text}, and ${wanted} is wanted`);
}

// While a new SAK is being installed the old one carries; only a new SAK that stays idle is a
// fault.
function sakIdle(session: MkaSession, recent: Observation | undefined): boolean {
  const { latestSak, oldSak } = session;
  if (latestSak === undefined) return true;
  if (latestSak.receive && latestSak.transmit) return false;
  if (oldSak === undefined || !(oldSak.receive && oldSak.transmit)) return true;
  return recent === undefined || recent.session.latestSak?.keyId === latestSak.keyId;
}

// While a campaign replaces the key, one of its two keys is without a peer until the far end moves
// or the old key is off: some releases then report no actor, or an idle one.
function fallbackFinding(
  evidence: LinkEvidence,
  newest: MacsecPort,
  session: MkaSession,
): Finding | undefined {
  const { link, now, settings, expected, next } = evidence;
  if (session.participants.length === 0) return undefined;
  if (!isSolid(newest.keys, now, settings.staleAfterMs)) return undefined;
  const ofCampaign = next === undefined ? [] : [next.ckn, expected?.ckn];
  const idle = newest.keys.value.find((slot) => {
    if (slot.role !== "fallback" || ofCampaign.includes(slot.ckn)) return false;
    const actor = session.participants.find((each) => each.ckn === slot.ckn);
    return actor === undefined || actor.state === "none";
  });
  if (idle === undefined) return undefined;
  const text = `the fallback key ${short(idle.ckn)} of ${hereOf(link)} takes no part in MKA`;
  return finding("degraded", "fallback-not-ready", linkId(link), text);
}

function rekeyFinding(
  evidence: LinkEvidence,
  newest: MacsecPort,
  session: MkaSession,
): Finding | undefined {
  const { link, now, sakSince } = evidence;
  const observed = newest.settings.kind === "known" ? newest.settings.value : undefined;
  // Only the key server rekeys (IEEE 802.1X-2020, 9.8), and two missed rekeys are not an accident.
  if (sakSince === undefined || session.keyServer !== "self") return undefined;
  if (observed?.sakRekeyMs === undefined || now - sakSince <= observed.sakRekeyMs * 2)
    return undefined;
  const hours = Math.floor((now - sakSince) / 3_600_000);
  const text = `${hereOf(link)} is key server and has kept one SAK for ${hours} h`;
  return finding("degraded", "rekey-overdue", linkId(link), text);
}
