// Findings from the data-plane counters: MKA may call a link secured while every frame is lost.

import { type CipherSuite, type MacsecPort, strongValue } from "#hal/model.ts";
import { linkId } from "../model/desired.ts";
import {
  busyPps,
  type Confidentiality,
  type Finding,
  finding,
  isSolid,
  type LinkEvidence,
  unusable,
  type Verdict,
} from "../model/health.ts";
import type { WarningCode } from "../model/warning-rows.ts";
import { troubleOf } from "./control.ts";
import { deliveryOf, notVisible, unprovenText } from "./delivery.ts";
import { farOf, hereOf } from "./end-names.ts";
import { confidentialityOf, receiveCounts } from "./readable.ts";
import {
  type FrameCounter,
  type Observation,
  type Passing,
  rise,
  type SampleWindow,
} from "./sample-window.ts";

/** The evidence of a link and the observations that may be compared. */
interface Sampled {
  readonly evidence: LinkEvidence;
  readonly samples: SampleWindow | undefined;
}

interface Stretch {
  readonly evidence: LinkEvidence;
  readonly samples: SampleWindow;
  readonly passing: Passing;
  readonly rose: (name: FrameCounter) => bigint;
}

/** Findings of the data plane; `suspects` are the findings of the control plane and the far end. */
export function frameFindings(
  evidence: LinkEvidence,
  newest: MacsecPort,
  samples: SampleWindow | undefined,
  passing: Passing,
  suspects: readonly Finding[],
): Finding[] {
  const { link, now, settings } = evidence;
  const about = linkId(link);
  if (samples === undefined || !isSolid(newest.frames, now, settings.staleAfterMs)) {
    return newest.frames.kind === "unknown" || strongValue(newest.session) !== undefined
      ? [unusable("its frame counters", hereOf(link), about, newest.frames)]
      : [];
  }
  const { session } = samples.newest;
  const secured = session.controlledPort === "secured" && session.livePeers > 0;
  const { oldest } = samples;
  if (oldest === undefined) return secured ? [collecting(evidence, samples)] : [];
  const rose = (name: FrameCounter): bigint => rise(oldest, samples.newest, name);
  const stretch: Stretch = { evidence, samples, passing, rose };
  const findings = [...clearFindings(stretch), ...readableFindings(stretch)];
  if (!secured) return findings;
  findings.push(...faultFindings(stretch, suspects), ...missingCounters(stretch));
  const packets = packetNumbers(stretch);
  if (packets !== undefined) findings.push(packets);
  const noSak = suspects.some(({ code }) => code === "sak-not-agreed");
  if (findings.length === 0 && !noSak) {
    const motion = motionFinding(stretch, newest);
    if (motion !== undefined) findings.push(motion);
  }
  return findings;
}

function collecting(evidence: LinkEvidence, samples: SampleWindow): Finding {
  const why = {
    none: "it has been read only once",
    reset: "its counters were reset, so the evidence starts again",
    changed: "its session has just changed, so the evidence starts again",
  }[samples.cut];
  const text = `${hereOf(evidence.link)} cannot be evaluated yet: ${why}`;
  return finding("unknown", "collecting-evidence", linkId(evidence.link), text);
}

function clearFindings({ evidence, rose }: Stretch): Finding[] {
  const [received, sent] = [rose("rxClear"), rose("txClear")];
  if (received === 0n && sent === 0n) return [];
  const { link } = evidence;
  const parts = [
    ...(received > 0n ? [`${farOf(link)} sent ${received}`] : []),
    ...(sent > 0n ? [`${hereOf(link)} sent ${sent}`] : []),
  ];
  const text = `data frames are in the clear: ${parts.join(" and ")}`;
  return [finding("unprotected", "frames-untagged", linkId(link), text)];
}

/** What the sample window proves about received frames; undefined = it has one observation. */
export function receivedIn(samples: SampleWindow | undefined): Confidentiality | undefined {
  if (samples === undefined) return undefined;
  if (receiveCounts(samples.newest) === undefined) return "notVisible";
  if (samples.oldest === undefined) return undefined;
  return confidentialityOf(samples.all.flatMap((one) => receiveCounts(one) ?? []));
}

/** Reports accepted frames that were authenticated and not encrypted: their SecTAG has E = 0. */
function readableFindings({ evidence, samples, rose }: Stretch): Finding[] {
  const { link } = evidence;
  const octets = `${rose("rxOctetsValidated")} octets from ${farOf(link)}`;
  switch (receivedIn(samples)) {
    case "readable": {
      const text = `${octets} were authenticated and not encrypted, and ${hereOf(link)} took them`;
      return [finding("unprotected", "frames-readable", linkId(link), text)];
    }
    case "unsettled": {
      const why = "the next reading shows whether frames with them were accepted";
      const text = `${octets} were not encrypted: ${why}`;
      return [finding("unknown", "collecting-evidence", linkId(link), text)];
    }
    case "encrypted":
    case "unproven":
    case "noFrames":
    case "notVisible":
    case undefined:
      return [];
  }
}

function faultFindings(stretch: Stretch, suspects: readonly Finding[]): Finding[] {
  const { evidence, rose } = stretch;
  const { link } = evidence;
  const [here, far] = [hereOf(link), farOf(link)];
  const findings: Finding[] = [];
  const say = (verdict: Verdict, code: WarningCode, text: string): void => {
    findings.push(finding(verdict, code, linkId(link), text));
  };
  // Until both ends have a common SAK, no receive channel could know the SCI.
  const noSak = suspects.some(({ code }) => code === "sak-not-agreed");
  const sci = noSak ? 0n : rose("rxNoSci") + rose("rxUnknownSci") + rose("rxBadTag");
  if (sci > 0n) {
    const text = `${here} dropped ${sci} frames for their SCI`;
    const grade = gradeOf(stretch, "rx", ["rxNoSci", "rxUnknownSci", "rxBadTag"]);
    say(grade, "sci-mismatch", `${text}: ${far} includes it differently`);
  }
  const reported = noSak || suspects.some(({ code }) => code === "suite-mismatch");
  const invalid = invalidFinding(stretch, sci > 0n || reported);
  if (invalid !== undefined) findings.push(invalid);
  const late = rose("rxLate");
  if (late > 0n) {
    const text = `${here} dropped ${late} frames from ${far} outside its replay window`;
    say(gradeOf(stretch, "rx", ["rxLate"]), "replay-window", text);
  }
  const tooLong = rose("txTooLong");
  if (tooLong > 0n) {
    const text = `${here} could not send ${tooLong} frames to ${far}`;
    const grade = gradeOf(stretch, "tx", ["txTooLong"]);
    say(grade, "mtu", `${text}: with the 32 octets of MACsec they exceed its L2 MTU`);
  }
  return findings;
}

/**
 * Down while frames still fail and none passes; degraded while some pass or once the fault ended.
 */
function gradeOf(
  { samples, passing }: Stretch,
  way: "rx" | "tx",
  names: readonly FrameCounter[],
): Verdict {
  const { recent, newest } = samples;
  const still = recent !== undefined && names.some((name) => rise(recent, newest, name) > 0n);
  return still && !passing[way] ? "down" : "degraded";
}

// A stretch without one valid frame means a wrong key in hardware; a few invalid frames mean damage
// or forgery.
function invalidFinding(stretch: Stretch, explained: boolean): Finding | undefined {
  const { evidence, samples, passing, rose } = stretch;
  const { link } = evidence;
  const [here, far] = [hereOf(link), farOf(link)];
  const names: readonly FrameCounter[] = ["rxNotValid", "rxUnusedSa", "rxNotUsingSa"];
  const grade = gradeOf(stretch, "rx", names);
  if (!explained && grade === "down") {
    const text = `MKA agreed on a SAK, but no frame from ${far} passes at ${here}`;
    const why = "one data plane still uses another SAK";
    return finding("down", "stale-sak", linkId(link), `${text}: ${why}`);
  }
  const invalid = rose("rxNotValid");
  if (invalid > 0n) {
    const text = `${invalid} frames from ${far} failed the integrity check of ${here}`;
    return finding(grade, "frames-not-valid", linkId(link), text);
  }
  if (explained || passing.rx === false || !unusedForLong(samples)) return undefined;
  const text = `${far} keeps sending on an SA that ${here} does not use`;
  return finding("degraded", "stale-sak", linkId(link), text);
}

/**
 * Frames on an unused SA are normal while a rekey overlaps, but not both before and after one MKA
 * life time.
 */
function unusedForLong({ oldest, recent, newest }: SampleWindow): boolean {
  if (oldest === undefined || recent === undefined || recent === oldest) return false;
  const unused = (from: Observation, to: Observation): boolean =>
    rise(from, to, "rxUnusedSa") + rise(from, to, "rxNotUsingSa") > 0n;
  return unused(oldest, recent) && unused(recent, newest);
}

function missingCounters({ evidence, samples }: Stretch): Finding[] {
  const { rxClear, rxNotValid } = samples.newest.frames;
  const missing = [
    ...(rxClear === undefined ? ["clear frames"] : []),
    ...(rxNotValid === undefined ? ["frames that are not valid"] : []),
  ];
  if (missing.length === 0) return [];
  const text = `${hereOf(evidence.link)} does not count ${missing.join(" and ")}`;
  const about = linkId(evidence.link);
  return [finding("degraded", "counter-missing", about, `${text}, so none can be ruled out`)];
}

/**
 * The number of packet numbers of one SAK: 2^32, or 2^64 under the XPN suites of IEEE 802.1AEbw.
 */
export function pnLimitOf(suite: CipherSuite | undefined): bigint {
  return suite?.includes("xpn") === true ? 2n ** 64n : 2n ** 32n;
}

// The key server renews the SAK at 3/4 of the space (IEEE 802.1X-2020, 9.8), not after it.
function packetNumbers({ evidence, samples }: Stretch): Finding | undefined {
  const { newest, recent } = samples;
  const next = newest.frames.nextPn;
  if (next === undefined || recent === undefined) return undefined;
  if (recent.session.latestSak?.keyId !== newest.session.latestSak?.keyId) return undefined;
  const limit = pnLimitOf(newest.settings?.suite);
  if (next * 4n < limit * 3n || (recent.frames.nextPn ?? 0n) * 4n < limit * 3n) return undefined;
  const text = `${hereOf(evidence.link)} has used ${(next * 100n) / limit} % of its packet numbers`;
  return finding("degraded", "packet-number-high", linkId(evidence.link), text);
}

/** No counter reports a fault: checks that frames move both ways, or that a probe came back. */
function motionFinding(stretch: Stretch, newest: MacsecPort): Finding | undefined {
  const { evidence, samples, rose } = stretch;
  const { link, settings } = evidence;
  const about = linkId(link);
  const here = hereOf(link);
  const spanMs = samples.newest.at - (samples.oldest?.at ?? samples.newest.at);
  const [received, sent] = [rose("rxOk") > 0n, rose("txProtected") > 0n];
  const probe = probeIn(stretch);
  if (received && sent) return deliveryFinding(stretch);
  if (!received && !sent && frozen(stretch, newest, spanMs, probe)) {
    const text = `traffic passes ${here}, but its MACsec counters stand still`;
    return finding("unknown", "counters-frozen", about, text);
  }
  if (probe === "answered") return undefined;
  if (probe === "silent" && !received) {
    const text = `no probe from ${here} came back from ${farOf(link)}, and no frame either`;
    return finding("down", "probe-unanswered", about, `${text}${troubleOf(newest)}`);
  }
  if (spanMs < settings.evidenceMs) {
    const seconds = Math.round(spanMs / 1000);
    const text = `${here} saw no protected frames both ways in the ${seconds} s of evidence so far`;
    return finding("unknown", "collecting-evidence", about, text);
  }
  if (received || sent) {
    const text = `protected frames only ${received ? "reach" : "leave"} ${here}`;
    const why = received ? "" : troubleOf(newest);
    return finding("degraded", "frames-one-way", about, `${text}: none goes the other way${why}`);
  }
  const text = `${here} is idle and no probe was answered, so nothing shows that it carries`;
  return finding("unknown", "idle-unproven", about, text);
}

/** Frames move both ways; those of the far end say nothing of what happens to ours. */
function deliveryFinding({ evidence, samples }: Stretch): Finding | undefined {
  const { link, trips, silence, now, settings } = evidence;
  const start = samples.oldest?.at ?? samples.newest.at;
  // Round trips of the session before say nothing of this one.
  const isOld = samples.cut !== "none" && trips !== undefined && trips.at < start;
  const delivery = deliveryOf(isOld ? undefined : trips, now, settings);
  const [about, here] = [linkId(link), hereOf(link)];
  switch (delivery.kind) {
    case "proven":
      return undefined;
    case "silent": {
      const text = `frames of ${farOf(link)} reach ${here}, and ${unprovenText(delivery, silence)}`;
      return finding("degraded", "arrival-not-proven", about, text);
    }
    case "notVisible": {
      // A link without an accepted key is not probed yet.
      if (evidence.expected === undefined) return undefined;
      if (samples.newest.at - start < settings.evidenceMs) return undefined;
      const text = `${here} reads no answer to packets of its own: ${notVisible}`;
      return finding("protected", "arrival-not-visible", about, text);
    }
  }
}

/** Returns true if a probe of the present session was answered. */
export function isAnswered(sampled: Sampled): boolean {
  return probeIn(sampled) === "answered";
}

/** The probe inside the sample window and, if the sample window was cut, after the cut. */
function probeIn({ evidence, samples }: Sampled): "none" | "answered" | "silent" {
  const { probe, now, settings } = evidence;
  if (samples === undefined || probe === undefined || probe.sent === 0) return "none";
  if (now - probe.at > settings.evidenceMs) return "none";
  const start = samples.oldest?.at ?? samples.newest.at;
  if (samples.cut !== "none" && probe.at < start) return "none";
  return probe.answered > 0 ? "answered" : "silent";
}

// A probe between two observations, or a busy port, must move the counters; counters that do not
// move then prove nothing.
function frozen(
  { evidence, samples }: Stretch,
  newest: MacsecPort,
  spanMs: number,
  probe: "none" | "answered" | "silent",
): boolean {
  const at = evidence.probe?.at;
  const start = samples.oldest?.at;
  if (probe === "answered" && at !== undefined && start !== undefined) {
    if (at > start && at < samples.newest.at) return true;
  }
  const rate = strongValue(newest.rate);
  if (rate === undefined || spanMs * 2 < evidence.settings.evidenceMs) return false;
  return rate.rxPps >= busyPps || rate.txPps >= busyPps;
}
