// Verdicts of health, their reasons, and the evidence that they are derived from.

import type { PeerState } from "#hal/device.ts";
import type {
  BackedPrefix,
  IpsecTunnel,
  KeyRef,
  MacsecPort,
  OpenedPrefix,
  PortName,
  Reading,
  Route,
  Routing,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import type { DesiredLink, DesiredTunnel, HealthSettings } from "./desired.ts";
import { nextFor, type WarningCode } from "./warning-rows.ts";

/**
 * What a SecY's counters prove about the received frames that it accepted. `unsettled`: the newest
 * readable octets are not explained yet, and the next observation decides. `unproven`: refused
 * frames may explain all readable octets. `noFrames`: none was accepted. `notVisible`: the platform
 * does not tell encrypted from readable frames.
 */
export type Confidentiality =
  | "encrypted"
  | "readable"
  | "unsettled"
  | "unproven"
  | "noFrames"
  | "notVisible";

/** How well traffic is protected, and whether it passes. */
export type Verdict = "protected" | "degraded" | "unknown" | "down" | "unprotected";

/** The verdicts from best to worst: an aggregate is its worst part. */
export const verdictOrder: readonly Verdict[] = [
  "protected",
  "degraded",
  "unknown",
  "down",
  "unprotected",
];

/**
 * Returns the worst verdict; `unknown` for an empty list, because nothing was observed to be
 * protected.
 */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.length === 0) return "unknown";
  let worst = 0;
  for (const verdict of verdicts) worst = Math.max(worst, verdictOrder.indexOf(verdict));
  return verdictOrder[worst] ?? "unknown";
}

/** This many packets a second or more are data, not a protocol of the port itself. */
export const busyPps = 5;

/** The cause of a consequence: a warning about something else, which alarms for both. */
export interface Because {
  /** The code of the cause. */
  readonly code: WarningCode;
  /** The link that the cause is about, as `group/link`, or the device. */
  readonly about: string;
}

/** Why a verdict is not `protected`: a stable code, one sentence, the next safe command. */
export interface Reason {
  /** The warning that explains the verdict. */
  readonly code: WarningCode;
  /** One sentence for the operator. */
  readonly text: string;
  /** The next safe command. */
  readonly next: string;
  /** Present if it is a consequence: it names its cause, and opens no warning of its own. */
  readonly because?: Because;
}

/** A reason and the best verdict that is possible while it holds. */
export interface Finding extends Reason {
  /** The best verdict that is possible while the finding holds. */
  readonly verdict: Verdict;
}

/**
 * Returns a finding with its next command; `about` is the link or tunnel that the command names.
 */
export function finding(verdict: Verdict, code: WarningCode, about: string, text: string): Finding {
  return { verdict, code, text, next: nextFor(code, about) };
}

/** Returns a finding as the consequence of a reason that `about` (`group/link`) has. */
export function consequenceOf(found: Finding, about: string, cause: Reason): Finding {
  const { code, next, text } = cause;
  const sentence = `${found.text}, because of ${about}: ${text}`;
  return { ...found, text: sentence, next, because: { code, about } };
}

/** How old the newest known reading of each kind is; undefined = never read. */
export interface Ages {
  /** Age of the router's MKA session. */
  readonly controlPlaneMs: number | undefined;
  /** Age of the router's frame counters. */
  readonly dataPlaneMs: number | undefined;
  /** Age of the far end's state. */
  readonly farEndMs: number | undefined;
}

/** The verdict on a link and its explanation. */
export interface LinkHealth {
  /** The worst verdict of its findings; `protected` if there are none. */
  readonly verdict: Verdict;
  /** Why it is so, each code once; empty if every check holds. */
  readonly reasons: readonly Reason[];
  /** The ages of the readings on which the verdict rests. */
  readonly ages: Ages;
  /** Whether received frames were encrypted; absent = there is no fresh evidence. */
  readonly received?: Confidentiality | undefined;
  /** Whether sent frames were encrypted; absent = there is no evidence. */
  readonly sent?: "encrypted" | "readable" | "unproven";
  /** Present if all that makes the verdict is the silence of its router. */
  readonly because?: Because;
}

/** The verdict on a tunnel and its explanation. */
export interface TunnelHealth {
  /** The worst verdict of its findings; `protected` if there are none. */
  readonly verdict: Verdict;
  /** Why it is so, each code once; empty if every check holds. */
  readonly reasons: readonly Reason[];
  /** Present if all that makes the verdict is the consequence of this cause. */
  readonly because?: Because;
}

/** How the observations of a device go. */
export interface DeviceContact {
  /** undefined = no observation has succeeded yet. */
  readonly lastObservedAt: Instant | undefined;
  /** The error of the newest observation, when it failed. */
  readonly failing: { readonly code: string; readonly text: string } | undefined;
  /** True = the agent has too little processor time, which explains old readings; absent = no. */
  readonly isAgentOverloaded?: boolean;
}

/** The standing round trip over a path: packets of our own, from an address of ours. */
export interface RoundTrips {
  /** What the path is set to; round trips under other settings say nothing of these. */
  readonly under: string;
  /** When the last one was tried that counts. */
  readonly at: Instant;
  /** When one was answered last, by both clocks; undefined = this process saw no answer. */
  readonly answered: { readonly at: Instant; readonly wall: WallTime } | undefined;
  /** How many in a row had no answer since. */
  readonly silent: number;
}

/** `all`: every path that ever answered is silent at once, so the cause is not in one of them. */
export type Silence = "alone" | "all";

/** What is known of the packets that we send over a path. */
interface DeliveryEvidence {
  /** Absent = no round trip was tried: nothing shows that what we send arrives. */
  readonly trips?: RoundTrips | undefined;
  /** Absent = `alone`. */
  readonly silence?: Silence;
}

/** All that the verdict on a link is derived from. */
export interface LinkEvidence extends DeliveryEvidence {
  /** The link as the config wants it. */
  readonly link: DesiredLink;
  /** The accepted key; undefined = none is known, so the link is not managed yet. */
  readonly expected: KeyRef | undefined;
  /** The key that a running campaign brings in: it is as welcome as the expected one. */
  readonly next?: KeyRef | undefined;
  /** The spans within which readings count. */
  readonly settings: HealthSettings;
  /** The time of the verdict. */
  readonly now: Instant;
  /** Oldest to newest, over the evidence window or a little more. */
  readonly observations: readonly MacsecPort[];
  /** Whether its router can be observed. */
  readonly device: DeviceContact;
  /** The last probe, with numbers of packets; undefined = none was sent. */
  readonly probe:
    | { readonly at: Instant; readonly sent: number; readonly answered: number }
    | undefined;
  /** The state of the far end and when it was read; undefined = never read, or long ago. */
  readonly peer: { readonly state: PeerState; readonly at: Instant } | undefined;
  /** When the far end was last read, however long ago; undefined = never read. */
  readonly farEndAt: Instant | undefined;
  /** State of the BGP sessions over this port; absent = the device shows none, or no state. */
  readonly bgp?: "up" | "down" | undefined;
  /** When the SAK in use was seen first; undefined = not followed. */
  readonly sakSince?: Instant | undefined;
  /** When a campaign asked for a new SAK: those are no churn. */
  readonly saksAsked?: readonly Instant[];
  /** Why the journal is older than both ends; absent = it is not known to be. */
  readonly older?: string | undefined;
  /** What else explains a bad verdict (a vault that denies, a lost change); never makes one. */
  readonly causes?: readonly Reason[];
}

/** All that the verdict on a tunnel is derived from. */
export interface TunnelEvidence extends DeliveryEvidence {
  /** The tunnel as the config wants it. */
  readonly tunnel: DesiredTunnel;
  /** The spans within which readings count. */
  readonly settings: HealthSettings;
  /** The time of the verdict. */
  readonly now: Instant;
  /** Oldest to newest; an observation in which the device did not list the tunnel is left out. */
  readonly observations: readonly IpsecTunnel[];
  /** The device's routing; undefined = it was never read. */
  readonly routing: Reading<Routing> | undefined;
  /** How its own forwarding table reaches what it protects; absent where `routing` reports it. */
  readonly ways?: Reading<readonly Route[]> | undefined;
  /** Prefixes that the device lets pass in a tunnel alone; absent where it has no such means. */
  readonly blocked?: Reading<readonly string[]> | undefined;
  /** Prefixes whose block another policy precedes; absent where there are none. */
  readonly opened?: readonly OpenedPrefix[] | undefined;
  /** Absent where it is the backup of nothing. */
  readonly backup?: BackupEvidence | undefined;
  /** Whether its device can be observed. */
  readonly device: DeviceContact;
  /**
   * The links of the group whose MACsec it must ride inside, those of its device first; undefined =
   * none is asked for.
   */
  readonly carriers?: readonly CarrierLink[] | undefined;
  /** Why its last set-up or change failed, in one sentence; absent = none failed. */
  readonly refusal?: string;
  /** Whether the risk of a weak policy is still accepted; undefined = the policy is not weak. */
  readonly waiver?: "stands" | "over" | undefined;
  /** More explanations of a bad verdict; they never make a verdict worse. */
  readonly causes?: readonly Reason[];
}

/** A link that a tunnel depends on, as it is judged. */
export interface CarrierLink {
  /** `group/link`. */
  readonly id: string;
  /** The verdict on the link. */
  readonly verdict: Verdict;
  /** `taken` = BGP leads the tunnel's packets over it, or did a moment ago; absent = not known. */
  readonly path?: "taken";
  /** What an operator acts on first; undefined = every check holds. */
  readonly reason: Reason | undefined;
}

/** One of the links that a tunnel is the backup of. */
export interface BackedLink extends CarrierLink {
  /** Its port on the tunnel's device. */
  readonly port: PortName;
  /** Whether the link is drained. */
  readonly drain: "on" | "off";
}

/** The results of test traffic through a backup so far. */
export interface ProofLog {
  /** The time of the first turn that could have tried. */
  readonly since: Instant;
  /** The last success, by both clocks; undefined = none so far. */
  readonly proven: { readonly at: Instant; readonly wall: WallTime } | undefined;
  /** In a row, since it was proven last. */
  readonly failures: number;
  /** The time of the last failure; undefined = none since it was proven. */
  readonly cause: string | undefined;
}

/** The evidence of a tunnel that is the backup of links. */
interface BackupEvidence {
  readonly links: readonly BackedLink[];
  /** Absent where the device lets none of its prefixes ride under MACsec. */
  readonly backed: Reading<readonly BackedPrefix[]> | undefined;
  readonly proof: ProofLog | undefined;
}

/**
 * Returns true for a known, strong reading inside the freshness limit, the only kind that may
 * support a verdict.
 */
export function isSolid<T>(
  reading: Reading<T>,
  now: Instant,
  staleAfterMs: number,
): reading is Extract<Reading<T>, { kind: "known" }> {
  return reading.kind === "known" && reading.weak !== true && now - reading.at <= staleAfterMs;
}

/** Returns the finding for a reading that cannot be used: too old, weak, or missing. */
export function unusable(
  what: string,
  where: string,
  about: string,
  reading: Reading<unknown>,
): Finding {
  if (reading.kind === "unknown") {
    const query = reading.query === undefined ? "" : ` (${reading.query})`;
    const text = `${where} did not tell ${what}: ${whyText[reading.why]}${query}`;
    return finding("unknown", "reading-missing", about, text);
  }
  if (reading.weak === true) {
    const text = `${where} told ${what} only over a channel without authentication`;
    return finding("unknown", "reading-missing", about, text);
  }
  const text = `the last word of ${where} on ${what} is older than the freshness limit`;
  return finding("unknown", "reading-stale", about, text);
}

const whyText = {
  notSupported: "its driver cannot read it",
  queryFailed: "the query failed",
  unparsed: "the answer was not understood",
  contradicted: "session and SNMP agent of the device tell it differently",
} as const;

/**
 * Returns the verdict and reasons of a list of findings; each code occurs once, with its first
 * text, and that of a finding rather than of a cause.
 */
export function conclude(
  findings: readonly Finding[],
  causes: readonly Reason[] | undefined,
): TunnelHealth {
  if (findings.length === 0) return { verdict: "protected", reasons: [] };
  const reasons = new Map<string, Reason>();
  const verdict = worstOf(findings.map((each) => each.verdict));
  const worst = findings.filter((each) => each.verdict === verdict);
  const isConsequence = worst.every(({ because }) => because !== undefined);
  const because = isConsequence ? worst[0]?.because : undefined;
  // A label is no trouble that anything would have to explain.
  const own = new Set(findings.map(({ code }) => code));
  const explained =
    verdict === "protected" ? [] : (causes ?? []).filter(({ code }) => !own.has(code));
  for (const { code, text, next, because: cause } of [...explained, ...findings]) {
    const reason = { code, text, next, ...(cause === undefined ? {} : { because: cause }) };
    if (!reasons.has(code)) reasons.set(code, reason);
  }
  const all = [...reasons.values()];
  return { verdict, reasons: all, ...(because === undefined ? {} : { because }) };
}

/**
 * Returns the finding for a part of a device that is not observed now: always `unknown`, never the
 * last good verdict. The silence of a device is the cause for each of its parts.
 */
export function unseen(
  { device, part }: { readonly device: string; readonly part: string },
  about: string,
  contact: DeviceContact,
  now: Instant,
): Finding {
  const where = `${device} ${part}`;
  const { failing, lastObservedAt } = contact;
  const lately =
    lastObservedAt === undefined
      ? "it has not been read yet"
      : `it was last read ${Math.round((now - lastObservedAt) / 1000)} s ago`;
  if (failing === undefined) {
    const text = `the state of ${where} is not known: ${lately}`;
    if (lastObservedAt === undefined) return finding("unknown", "not-looked-yet", about, text);
    if (contact.isAgentOverloaded !== true) return finding("unknown", "reading-stale", about, text);
    const why = "the agent has too little processor time to read it";
    return finding("unknown", "agent-overloaded", about, `${text}, and ${why}`);
  }
  const text = `the state of ${where} is not known: ${lately}, and now ${failing.text}`;
  if (failing.code === "device.unparsed") return finding("unknown", "reading-missing", about, text);
  const code = "device-unreachable";
  return { ...finding("unknown", code, about, text), because: { code, about: device } };
}

/** Returns true if the device was observed after `at` and did not list the thing any more. */
export function isDropped(at: Instant, device: DeviceContact, settings: HealthSettings): boolean {
  return device.lastObservedAt !== undefined && device.lastObservedAt - at > settings.pollMs / 2;
}
