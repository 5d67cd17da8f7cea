// Why a tunnel did not come up: charon's answer is the same for every reason, and only its log
// shows which it was.

import { foreignText } from "#hal/foreign-text.ts";
import type { LogLine } from "./parsers.ts";

export type FailureCause =
  | "psk"
  | "ikeProposal"
  | "espProposal"
  | "pfsGroup"
  | "trafficSelectors"
  | "certificate"
  | "identity"
  | "ppk"
  | "noPpk"
  | "noPsk"
  | "gatewayBusy"
  | "noMoreChildren"
  | "kernel"
  | "peerSilent";

export const causeTexts: Readonly<Record<FailureCause, string>> = {
  psk: "the ends have different pre-shared keys",
  ikeProposal:
    "the ends agree on no algorithms for IKE, or the gateway has no connection for our address",
  espProposal: "the ends agree on no algorithms for ESP",
  pfsGroup: "the ends have different groups for rekeying, which would end the tunnel unseen",
  trafficSelectors:
    "the gateway refuses our traffic selectors: any-to-any, or with IKEv1 the pair of prefixes",
  certificate: "a certificate of one end is not taken by the other",
  identity: "the gateway shows another identity than remote.id names",
  ppk: "the gateway uses no PPK, and auth.ppkUse requires it",
  noPpk: "charon has no PPK under the name that auth.ppkId gives it",
  noPsk: "charon has no pre-shared key for the two identities",
  gatewayBusy:
    "the gateway answers TEMPORARY_FAILURE: it is changing SAs, or another connection of it has " +
    "the same traffic selectors",
  noMoreChildren: "the gateway takes no further SAs under this IKE SA (NO_ADDITIONAL_SAS)",
  kernel: "this host's kernel refuses the SAs: an algorithm or a module is missing (esp4, esp6)",
  peerSilent: "the gateway does not answer",
};

/** The causes that concern the child alone: IKE is up with each of them (RFC 7296, 1.2, 2.21). */
const childCauses: ReadonlySet<FailureCause> = new Set([
  "espProposal",
  "pfsGroup",
  "trafficSelectors",
  "gatewayBusy",
  "noMoreChildren",
]);

/** The phase of a tunnel in which a log line was written. */
export type Stage = "initiate" | "rekey";

type Row = readonly [RegExp, FailureCause];

// Patterns for the wording of charon's sources; the first match counts.
const rows: readonly Row[] = [
  [/constraint check failed: identity|ID[ir]r '.*' does not match to/i, "identity"],
  [/PPK required but no PPK found/i, "noPpk"],
  [/PPK required but|requires? a PPK/i, "ppk"],
  [
    /constraint check failed|no trusted .* public key|certificate .*(?:invalid|expired)/i,
    "certificate",
  ],
  [/no private key found|no issuer certificate found/i, "certificate"],
  [/no shared key found/i, "noPsk"],
  [/AUTHENTICATION_FAILED|MAC mismatched|authentication of .* failed/i, "psk"],
  // In main mode the PSK encrypts: the end with another one cannot read the third message pair.
  [/could not decrypt payloads|PAYLOAD_MALFORMED/i, "psk"],
  // The short names of notifies in the line that charon writes for a message.
  [/parsed IKE_AUTH response .*N\(NO_PROP\)/i, "espProposal"],
  [/parsed IKE_AUTH response .*N\(TS_UNACCEPT\)/i, "trafficSelectors"],
  [/TS_UNACCEPTABLE|no acceptable traffic selectors found/i, "trafficSelectors"],
  [/NO_ADDITIONAL_SAS/i, "noMoreChildren"],
  [/unable to (?:install .*IPsec SAs?|add SAD entry)/i, "kernel"],
  [/giving up after \d+ retransmits|peer not responding/i, "peerSilent"],
];
/** Which proposal is refused here depends on how far the two ends have come. */
const noProposal = /NO_PROPOSAL_CHOSEN|no acceptable proposal found|INVALID_KE_PAYLOAD/i;
const noChild = /no CHILD_SA built|failed to establish CHILD_SA|CREATE_CHILD_SA/i;
/** IKEv1 has one notify for both: the identities of main mode, and the selectors of quick mode. */
const invalidId = /INVALID_ID_INFORMATION/i;
const isBusy = /received TEMPORARY_FAILURE/i;
const established = /IKE_SA \S+ established between/i;
/**
 * A main-mode gateway that answered the first two messages and ignores the third (RFC 2409, 5.4).
 */
const ignored = /sending retransmit \d+ of request message ID 0, seq 3/i;
const silent = /giving up after \d+ retransmits/i;

/** Returns the cause that the lines show; undefined = no line matches a known cause. */
export function causeIn(lines: readonly LogLine[], stage: Stage): FailureCause | undefined {
  let hasIke = stage === "rekey";
  let isIgnored = false;
  let found: FailureCause | undefined;
  for (const { text } of lines) {
    hasIke ||= established.test(text);
    isIgnored ||= !hasIke && ignored.test(text);
    if (isIgnored && silent.test(text)) found ??= "psk";
    // After a wrongly guessed group the exchange goes on with the right one.
    if (/INVALID_KE_PAYLOAD.*retrying|peer didn't accept DH group/i.test(text)) continue;
    if (noProposal.test(text)) {
      if (stage === "rekey") found ??= "pfsGroup";
      else found ??= hasIke || noChild.test(text) ? "espProposal" : "ikeProposal";
      continue;
    }
    if (invalidId.test(text)) found ??= hasIke ? "trafficSelectors" : "psk";
    found ??= rows.find(([pattern]) => pattern.test(text))?.[1];
  }
  // Charon tries a busy gateway again (RFC 7296, 2.25), and the next answer counts.
  return found ?? (lines.some(({ text }) => isBusy.test(text)) ? "gatewayBusy" : undefined);
}

/** Returns what the silence of a gateway means at this point of a try, as a sentence. */
export function silenceText(lines: readonly LogLine[]): string {
  const isIgnored = lines.some(({ text }) => ignored.test(text));
  return isIgnored ? `${causeTexts.psk}, or ${causeTexts.peerSilent}` : causeTexts.peerSilent;
}

const isAnswered = /parsed \S+ response/i;
const hasAlgorithms = /generating IKE_AUTH request/i;
const hasIkeSa = /IKE_SA \S+ (?:established|rekeyed) between/i;

/**
 * Returns true if a line of a later try shows that this cause of an earlier one is no longer so.
 */
export function disproves(text: string, cause: FailureCause): boolean {
  if (cause === "peerSilent") return isAnswered.test(text) || hasIkeSa.test(text);
  if (cause === "ikeProposal") return hasAlgorithms.test(text) || hasIkeSa.test(text);
  return hasIkeSa.test(text) && !childCauses.has(cause);
}

/** How charon 6.0 logs that a peer's identity is not the configured one, by version of IKE. */
const unlike = {
  v2: /identity '([^']*)' \(\w+\) required, not matched by '([^']*)'/i,
  v1: /ID[ir]r '([^']*)' does not match to '([^']*)'/i,
} as const;

/** Returns a cause as a sentence, with the identities that the lines name. */
export function causeText(cause: FailureCause, lines: readonly LogLine[]): string {
  if (cause === "psk") return refusedText(lines);
  if (cause !== "identity") return causeTexts[cause];
  for (const { text } of lines.toReversed()) {
    const [, wanted, shown] = unlike.v2.exec(text) ?? [];
    const [, shownV1 = shown, wantedV1 = wanted] = unlike.v1.exec(text) ?? [];
    if (shownV1 === undefined || wantedV1 === undefined) continue;
    const expected = `${foreignText(wantedV1)} is expected (remote.id)`;
    return `the gateway shows the identity ${foreignText(shownV1)}, and ${expected}`;
  }
  return causeTexts.identity;
}

// The payloads of IKE_AUTH and the notifies of RFC 8784 in charon's lines for messages.
const showsCertificate = /IKE_AUTH request \d+ \[[^\]]*\bCERT\b/i;
const usesPpk = /generating IKE_(?:SA_INIT|AUTH) .*PPK/i;

/** A refused authentication has the same notify for each secret: those in use are named. */
function refusedText(lines: readonly LogLine[]): string {
  const shows = (pattern: RegExp): boolean => lines.some(({ text }) => pattern.test(text));
  const isCertified = shows(showsCertificate);
  const ends = isCertified
    ? "the ends have certificates that the other does not take"
    : causeTexts.psk;
  const ppks = isCertified ? ", or different PPKs" : " or PPKs";
  const unknownEnds =
    "the gateway knows no connection between the identity that we show and the one that we ask for";
  return `${ends}${shows(usesPpk) ? ppks : ""}, or ${unknownEnds}`;
}
