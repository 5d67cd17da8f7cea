// The sentence of each reason and cause, for the places where a person reads it: status, page, log.

import { riskMeanings } from "./desired.ts";
import type { Cause, CauseOf, EndsCause, PlainCause, PortKeys, Reason } from "./reason.ts";
import {
  causedRows,
  causedTunnelRows,
  plainRows,
  plainTunnelRows,
  sharedCausedRows,
  sharedRows,
} from "./reason-rows.ts";
import type { TunnelChange } from "./tunnel-change.ts";

type CauseTexts = {
  readonly [Code in Cause["code"]]: string | ((cause: CauseOf<Code>) => string);
};

const keyTexts: Readonly<Record<PortKeys, string>> = {
  old: "the old key",
  both: "both keys",
  half: "half of the new settings",
  new: "the new key",
  else: "no key of this campaign, or another key or setting beside it",
};

const differs = ({ leaf, observed, wanted }: CauseOf<"macsec.setting">): string =>
  `${leaf} is ${observed} and not ${wanted}`;

/** "7 s more" of a span that must pass without a gap. */
const more = (seconds: number): string => `${seconds} s more to be sure`;

const ends = ({ keys, far }: Omit<EndsCause, "code">): string => {
  const router =
    keys === "unread" ? plainTexts["router.unread"] : `the router holds ${keyTexts[keys]}`;
  return `${router} and the far end is ${far}`;
};

/** Says of a path since when none of its round trips is answered. */
export const undelivered = ({ tried, since }: Omit<CauseOf<"tunnel.undelivered">, "code">) =>
  `nothing shows that what is sent arrives: ${tried} round trips in a row had no answer, ` +
  `the last one that had was at ${since}`;

const parked = ({ state }: CauseOf<"refused.notParked">): string =>
  `the campaign is ${state}: wait until it is parked`;

const plainTexts: Readonly<Record<PlainCause, string>> = {
  "router.unread": plainRows["draining.unread"],
  "router.commitPending": "a commit is pending on the router",
  "router.lateChange":
    "the router may still carry out a change of this agent that takes a key away",
  "router.untouched": "nothing of this campaign is on the router",
  "router.holdsBoth": plainRows["staging.both"],
  "farEnd.unread": plainRows["draining.farUnseen"],
  "farEnd.unsettled": "the far end is not settled yet",
  "farEnd.failed": "the far end reports that its change failed",
  "farEnd.foreign": "the far end is set to a key or setting that is not of this campaign",
  "farEnd.off": "the far end has MACsec off",
  "farEnd.awaited": "waiting for the far end",
  "port.oldKeyGone": plainRows["draining.oldKeyGone"],
  "port.bothKeys": "the link carries with both keys on the router: one of them still has to go",
  "staged.needed": "the staged key is needed: its commit is confirmed",
  "staged.overtaken":
    "the staged key is gone again: its commit is confirmed, as undoing it might undo more",
  "staged.reverting": plainRows["reverting.pending"],
  "sak.ofOldKey":
    "the link carries by a SAK that the old key protected: a fresh one is still to come",
  "sak.asked": "it is asked for",
  "sak.awaited": "it is not in use alone yet",
  "oldKey.notInCharge": "it is not in charge yet",
  "clocks.apart": "the clocks of the router and the agent differ by more than five minutes",
  "group.noSibling": "the group has no sibling link to carry the traffic",
  "rates.unread": "the rates cannot be read",
  "link.drainedAlready": "it is drained already",
};

const causeTexts: CauseTexts = {
  ...plainTexts,
  "ends.are": ends,
  "sak.later": ({ number, needed, cause }) =>
    `SAK ${number} of ${needed} after the first one: ${causeText(cause)}`,
  "port.keys": ({ keys }) => `the router holds ${keyTexts[keys]}`,
  "port.drifted": ({ leaf, observed, wanted }) =>
    `${leaf} of the port is ${observed} where ${wanted} was accepted: correct that first`,
  "port.aggregated": ({ aggregate, members }) =>
    `${aggregate} has ${members} members, and linkseal drains a link that has none beside it`,
  "farEnd.is": ({ far }) => `the far end is ${far}`,
  "farEnd.apart": ({ far }) => `the far end is on ${far} and does not fit the router`,
  "farEnd.besideBoth": ({ far }) => `the far end is ${far} while both keys wait on the router`,
  "router.refuses": ({ text }) => text,
  "effect.failed": ({ text }) => text,
  "gateway.refuses": ({ text }) => `the gateway refuses it: ${text}`,
  recorded: ({ text }) => text,
  "device.unread": ({ device }) => `${device} cannot be read`,
  "device.noFreshAuthentication": ({ device }) =>
    `${device} offers no fresh authentication that would prove it`,
  "device.unconfirmed": ({ device }) => `a change of ${device} is not confirmed yet`,
  "device.inCampaign": ({ device }) => `a campaign runs on ${device}`,
  "device.noDrain": ({ device }) => `${device} has no means to move traffic (FRR)`,
  "tunnel.absent": ({ tunnel }) => `${tunnel} is not there`,
  "tunnel.ikeDown": ({ tunnel }) => `IKE of ${tunnel} is not established`,
  "tunnel.noSas": ({ tunnel }) => `${tunnel} lacks an SA`,
  "tunnel.silent": ({ tunnel }) => `the gateway of ${tunnel} does not answer`,
  "tunnel.bgpUnread": ({ tunnel }) => `BGP over ${tunnel} cannot be read`,
  "tunnel.bgpDown": ({ tunnel }) => `BGP over ${tunnel} is not up`,
  "tunnel.drained": ({ tunnel }) => `${tunnel} is drained`,
  "tunnel.noWayOut": ({ tunnel, text }) => `${tunnel} has no way out of its device: ${text}`,
  "tunnel.undelivered": undelivered,
  "tunnel.otherDrained": ({ tunnel }) =>
    `${tunnel} is drained, and one of a bundle is taken out at a time`,
  "tunnel.otherChanging": ({ tunnel }) =>
    `the key of ${tunnel} is being changed, and one of a gateway changes at a time`,
  "tunnel.noNewSas": ({ tunnel }) => `no new SA of ${tunnel} came up`,
  "tunnel.mayLand": ({ tunnel }) =>
    `an earlier write may still reach the gateway of ${tunnel}, for about two minutes`,
  "tunnel.notUp": "it is not up, and nothing would be left to go on with",
  "tunnel.alone": "no other tunnel of its device has BGP to the same prefixes",
  "vault.refuses": ({ link, text }) => `the new key of ${link} cannot be read: ${text}`,
  "gate.siblingUnhealthy": ({ sibling, cause }) =>
    cause.code === "sibling.lateChange"
      ? `${sibling} ${causeText(cause)}`
      : `${sibling} is not carrying: ${causeText(cause)}`,
  "gate.stale": ({ cause }) => causeText(cause),
  "gate.window": ({ cause }) => causeText(cause),
  "gate.permit": ({ cause }) => causeText(cause),
  "gate.ownPath": ({ path }) =>
    path === "overThisLink"
      ? "the agent reaches the router, the vault or Azure over this very link"
      : "it is not known which link the agent's own traffic takes (risk ownPathUnknown)",
  "gate.riskNotAccepted": ({ risk }) => `the risk ${risk} is not accepted: ${riskMeanings[risk]}`,
  "gate.leftoverKey": ({ sibling, keys }) =>
    `${sibling} holds ${keys} keys: all but its own have to go first`,
  "gate.rightsMissing": ({ action, scope, others }) => {
    const more = others === 0 ? "" : `, nor ${others} other right${others === 1 ? "" : "s"}`;
    return `the agent's identity does not have ${action} at ${scope}${more}`;
  },
  "window.frozen": ({ until, freeze }) => `frozen until ${until} by the freeze ${freeze}`,
  "window.none": "no window opens any more",
  "window.opens": ({ window, at }) => `the window ${window} opens at ${at}`,
  "window.short": ({ minutes }) => `${minutes} min of the window are left, too few for a link`,
  "window.bakes": ({ sibling, until }) =>
    `${sibling} was changed lately: this link waits until ${until} (rotation.bake)`,
  "permit.missing": "the hub has given no permit for this campaign (risk noPermit)",
  "permit.other": "the permit on the engine is for something else than this campaign asks for",
  "permit.unknown": "the engine was not read within the last minute, so the permit is not known",
  "permit.unreadable": "what the engine holds as a freeze cannot be read",
  "permit.expired": ({ end }) => `the permit ended at ${end}`,
  "permit.frozen": ({ scope }) =>
    scope === "site" ? "the hub has frozen this site" : "the hub has frozen all sites",
  "sibling.noRoom": ({ sibling }) =>
    `${sibling} has no room for the traffic of this link (20 % must stay free)`,
  "sibling.unread": "it cannot be read",
  "sibling.linkDown": "its link is down",
  "sibling.drained": "it is drained",
  "sibling.bgpDown": "its BGP session is not up",
  "sibling.commitPending": "a commit is pending on it",
  "sibling.foreignMacsec": "it has MACsec that is not of this agent",
  "sibling.farEndKeyed": "its far end has a key and it has none",
  "sibling.unsecured": "it is not secured by its key",
  "sibling.notMustSecure": "it is not must-secure",
  "sibling.farEndMoved": "its far end was pointed at another key",
  "sibling.farEndOff": "its far end has MACsec off",
  "sibling.failed": ({ text }) => text,
  "sibling.lateChange": ({ what, sentAt, until }) =>
    `may still get a ${what} that was sent at ${sentAt} (until ${until})`,
  "health.notJudged": "it has not been evaluated yet",
  "health.old": ({ seconds }) => `it is unknown: it was last evaluated ${seconds} s ago`,
  "health.verdict": ({ verdict, reason }) =>
    reason === null ? `it is ${verdict}` : `it is ${verdict} (${reason})`,
  "evidence.none": "not observed yet",
  "mka.unread": "the MKA session cannot be read",
  "mka.port": ({ state }) => `the controlled port is ${state}`,
  "mka.otherPrincipal": ({ wanted }) => `the ${wanted} CKN is not the principal one`,
  "mka.livePeers": ({ count }) => `MKA has ${count} live peers where one is right`,
  "mka.peerWithoutSak": "the peer has not installed the SAK",
  "mka.sakOneWay": "the SAK is not in use in both directions",
  "macsec.suite": ({ suite }) => `the SA in use has ${suite ?? "no known suite"}`,
  "macsec.notMustSecure": "the port is not must-secure",
  "macsec.setting": differs,
  "frames.unread": "the frame counters cannot be read",
  "frames.reset": "the frame counters were reset",
  "farEnd.rewritten": "the document of the far end was written meanwhile",
  "frames.notValid": "frames fail validation (rxNotValid rises)",
  "frames.clear": "clear frames arrive (rxClear rises)",
  "frames.lacking": ({ count, direction }) =>
    `waiting for ${count} more protected frames in the ${direction} direction`,
  "proof.settles": ({ seconds }) => `the key works; ${more(seconds)}`,
  "proof.held": "the new key is proven",
  "carrying.settles": ({ seconds }) => `the link carries; ${more(seconds)}`,
  "port.notBoth": "the router does not show both keys",
  "port.oldNotInCharge": "the old key is not in charge of the link",
  "link.drained": "the link is still drained",
  "link.unusable": "the link is not usable",
  "link.isDrained": "the link is drained",
  "bgp.down": "BGP is not up on the link",
  "probe.unanswered": "probes are not answered",
  "drain.unread": "the rate and the routes cannot be read",
  "drain.notInForce": "the drain is not in force",
  "drain.bestPath": ({ prefix }) => `the best path to ${prefix} is over this link`,
  "drain.traffic": ({ packetsPerSecond }) => `${packetsPerSecond} packets/s still on the link`,
  "drain.quiet": ({ samples, needed }) => `quiet in ${samples} of ${needed} samples`,
  "refused.notAwaiting": ({ state }) =>
    `proceed is for a campaign that waits for the change of the far end: this one is ${state}` +
    (state === "held" ? "" : ", and goes on by itself"),
  "refused.notHeld": ({ state }) => `only a held campaign resumes: this one is ${state}`,
  "refused.notParked": parked,
  "refused.unread": "the router cannot be read, so it is not known what is left on it",
  "refused.enrolment": plainRows["reverting.farEnrol"],
  "refused.oldKeyGone": plainRows["reverting.oldKeyGone"],
  "refused.compromised":
    "the old key was declared compromised: the link carries, so nothing goes back to it",
  "refused.notCarrying": "the link does not carry, is drained, or has a commit pending",
  "refused.farEndUnread": "the far end cannot be read, and it may use the new key by now",
  "refused.farEndUpdating": "the far end is being changed: wait until it has settled",
  "refused.farEndForeign": ({ version }) =>
    "the far end is set to something that is not of this campaign: a person must set it to " +
    `what the router uses, the ${version} version, first`,
  "refused.apart": ({ far, keys, mayRevert }) =>
    `the far end is set to the ${far} version and the router holds ${keyTexts[keys]}: ${
      mayRevert ? "resume brings both to the new one, revert to the old" : "resume goes on"
    }`,
};

/** Returns what an operator does about a right that is missing. */
export function nextForRight({
  action,
  scope,
}: Pick<CauseOf<"gate.rightsMissing">, "action" | "scope">) {
  return `give the agent's identity ${action} at ${scope}, as linkseal azure setup prints it`;
}

/** Every code of a cause, for the reference of the protocol. */
export const causeCodes: readonly string[] = Object.keys(causeTexts);

/**
 * Returns the sentence of a cause; that of a precondition with a published code begins with the
 * code.
 */
export function causeText(cause: Cause): string {
  const text = bareCauseText(cause);
  return cause.code.startsWith("gate.") ? `${cause.code}: ${text}` : text;
}

/** Returns the sentence of a cause without a code, for a place that shows the code beside it. */
export function bareCauseText(cause: Cause): string {
  const text = causeTexts[cause.code] as string | ((cause: Cause) => string);
  return typeof text === "string" ? text : text(cause);
}

const otherTexts = {
  "begin.asked": "asked for",
  "begin.unprotected": "the accepted config wants these links protected",
  "begin.settings": "the accepted config wants other settings",
  "begin.broughtBack": "a reload of the router brought back a key that had been taken off",
  "next.link": "the previous link finished",
  "operator.proceed": plainRows["awaitingPeer.proceed"],
  "operator.resume": "the operator sent resume",
  "operator.revert": "the operator sent revert: back to the old key",
  "operator.abandon": "the operator sent abandon",
} as const;

type Text = string | ((cause: string) => string);

const ownTexts: Readonly<Record<string, Text>> = {
  ...{ ...plainRows, ...causedRows, ...otherTexts },
  ...{ ...plainTunnelRows, ...causedTunnelRows },
};
const sharedTexts: Readonly<Record<string, Text>> = { ...sharedRows, ...sharedCausedRows };

function textOf(code: string): Text | undefined {
  const name = code.slice(code.indexOf(".") + 1);
  if (Object.hasOwn(ownTexts, code)) return ownTexts[code];
  return Object.hasOwn(sharedTexts, name) ? sharedTexts[name] : undefined;
}

/** Returns the sentence of a reason, for an operator. */
export function reasonText(reason: Reason): string {
  if ("text" in reason) return reason.text;
  if ("by" in reason) return `${otherTexts[reason.code]} (${reason.by})`;
  if ("on" in reason) return `a newer key waits in the vault (rotate on ${reason.on})`;
  if ("state" in reason) return `in ${reason.state}, ${causeText(reason.cause)}: no rule fits`;
  const text = textOf(reason.code) ?? reason.code;
  if (typeof text === "string") return text;
  return text("cause" in reason ? causeText(reason.cause) : "");
}

/** Says why the change of a tunnel's key is where it is, and why it turned back. */
export function tunnelChangeText(change: Pick<TunnelChange, "reason" | "turnedBack">): string {
  const text = reasonText(change.reason);
  return change.turnedBack === undefined ? text : `${bareCauseText(change.turnedBack)}; ${text}`;
}

const ofTheirOwn = ["recorded", "unlisted", "begin.newerKey"];

/** Returns true if this version knows every code of a stored reason. */
export function isKnownReason(reason: Reason): boolean {
  if (!ofTheirOwn.includes(reason.code) && textOf(reason.code) === undefined) return false;
  return !("cause" in reason) || isKnownCause(reason.cause);
}

/** Returns true if this version knows every code of a stored cause. */
export function isKnownCause(cause: Cause): boolean {
  if (!Object.hasOwn(causeTexts, cause.code)) return false;
  return !("cause" in cause) || isKnownCause(cause.cause);
}
