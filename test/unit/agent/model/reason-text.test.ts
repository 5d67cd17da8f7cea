// The sentence of every reason and of every cause below one.

import { describe, expect, it } from "vitest";
import { campaignStates } from "#agent/model/campaign.ts";
import { type Cause, type CauseOf, type Reason, sameReason } from "#agent/model/reason.ts";
import {
  causedRows,
  causedTunnelRows,
  plainRows,
  plainTunnelRows,
  sharedCausedRows,
  sharedRows,
} from "#agent/model/reason-rows.ts";
import { bareCauseText, causeText, isKnownReason, reasonText } from "#agent/model/reason-text.ts";
import { table } from "#agent/rotation/campaign.ts";
import { tunnelTable } from "#agent/rotation/tunnel-change.ts";

const at = "2026-11-24T10:00:00Z";

/** One of every code of a cause, with the sentence that it makes. */
const causes: Readonly<{
  [Code in Cause["code"]]: readonly [CauseOf<Code>, string];
}> = {
  "router.unread": [{ code: "router.unread" }, "the router cannot be read"],
  "router.commitPending": [{ code: "router.commitPending" }, "a commit is pending on the router"],
  "router.lateChange": [
    { code: "router.lateChange" },
    "the router may still carry out a change of this agent that takes a key away",
  ],
  "router.untouched": [{ code: "router.untouched" }, "nothing of this campaign is on the router"],
  "router.holdsBoth": [{ code: "router.holdsBoth" }, "the router holds both keys"],
  "farEnd.unread": [{ code: "farEnd.unread" }, "the far end cannot be read"],
  "farEnd.unsettled": [{ code: "farEnd.unsettled" }, "the far end is not settled yet"],
  "farEnd.failed": [{ code: "farEnd.failed" }, "the far end reports that its change failed"],
  "farEnd.foreign": [
    { code: "farEnd.foreign" },
    "the far end is set to a key or setting that is not of this campaign",
  ],
  "farEnd.off": [{ code: "farEnd.off" }, "the far end has MACsec off"],
  "farEnd.awaited": [{ code: "farEnd.awaited" }, "waiting for the far end"],
  "port.oldKeyGone": [
    { code: "port.oldKeyGone" },
    "the old key is gone from the port while the far end still uses it",
  ],
  "port.bothKeys": [
    { code: "port.bothKeys" },
    "the link carries with both keys on the router: one of them still has to go",
  ],
  "staged.needed": [{ code: "staged.needed" }, "the staged key is needed: its commit is confirmed"],
  "staged.overtaken": [
    { code: "staged.overtaken" },
    "the staged key is gone again: its commit is confirmed, as undoing it might undo more",
  ],
  "staged.reverting": [
    { code: "staged.reverting" },
    "waiting until the router has taken the staged key back",
  ],
  "sak.ofOldKey": [
    { code: "sak.ofOldKey" },
    "the link carries by a SAK that the old key protected: a fresh one is still to come",
  ],
  "sak.asked": [{ code: "sak.asked" }, "it is asked for"],
  "sak.awaited": [{ code: "sak.awaited" }, "it is not in use alone yet"],
  "oldKey.notInCharge": [{ code: "oldKey.notInCharge" }, "it is not in charge yet"],
  "clocks.apart": [
    { code: "clocks.apart" },
    "the clocks of the router and the agent differ by more than five minutes",
  ],
  "group.noSibling": [
    { code: "group.noSibling" },
    "the group has no sibling link to carry the traffic",
  ],
  "rates.unread": [{ code: "rates.unread" }, "the rates cannot be read"],
  "link.drainedAlready": [{ code: "link.drainedAlready" }, "it is drained already"],
  "ends.are": [
    { code: "ends.are", keys: "else", far: "new" },
    "the router holds no key of this campaign, or another key or setting beside it " +
      "and the far end is new",
  ],
  "sak.later": [
    { code: "sak.later", number: 3, needed: 4, cause: { code: "sak.awaited" } },
    "SAK 3 of 4 after the first one: it is not in use alone yet",
  ],
  "effect.failed": [
    { code: "effect.failed", error: "vault.denied", text: "the vault refuses this identity" },
    "the vault refuses this identity",
  ],
  "vault.refuses": [
    { code: "vault.refuses", link: "erd-demo/primary", error: "vault.denied", text: "denied" },
    "the new key of erd-demo/primary cannot be read: denied",
  ],
  "port.keys": [{ code: "port.keys", keys: "new" }, "the router holds the new key"],
  "port.drifted": [
    { code: "port.drifted", leaf: "suite", observed: "gcm-aes-128", wanted: "gcm-aes-256" },
    "suite of the port is gcm-aes-128 where gcm-aes-256 was accepted: correct that first",
  ],
  "port.aggregated": [
    { code: "port.aggregated", aggregate: "ae7", members: 2 },
    "ae7 has 2 members, and linkseal drains a link that has none beside it",
  ],
  "farEnd.is": [{ code: "farEnd.is", far: "updating" }, "the far end is updating"],
  "farEnd.apart": [
    { code: "farEnd.apart", far: "old" },
    "the far end is on old and does not fit the router",
  ],
  "farEnd.besideBoth": [
    { code: "farEnd.besideBoth", far: "other" },
    "the far end is other while both keys wait on the router",
  ],
  "router.refuses": [
    { code: "router.refuses", error: "device.rejected", text: "no such suite" },
    "no such suite",
  ],
  "gate.siblingUnhealthy": [
    { code: "gate.siblingUnhealthy", sibling: "b", cause: { code: "sibling.drained" } },
    "gate.siblingUnhealthy: b is not carrying: it is drained",
  ],
  "gate.stale": [
    { code: "gate.stale", cause: { code: "rates.unread" } },
    "gate.stale: the rates cannot be read",
  ],
  "gate.window": [
    { code: "gate.window", cause: { code: "window.none" } },
    "gate.window: no window opens any more",
  ],
  "gate.permit": [
    { code: "gate.permit", cause: { code: "permit.missing" } },
    "gate.permit: the hub has given no permit for this campaign (risk noPermit)",
  ],
  "gate.ownPath": [
    { code: "gate.ownPath", path: "overThisLink" },
    "gate.ownPath: the agent reaches the router, the vault or Azure over this very link",
  ],
  "gate.riskNotAccepted": [
    { code: "gate.riskNotAccepted", risk: "agentOnSibling" },
    "gate.riskNotAccepted: the risk agentOnSibling is not accepted: the sibling ends on the " +
      "agent's own host: if that host fails while the link is dark or shut, both links stay dark",
  ],
  "gate.leftoverKey": [
    { code: "gate.leftoverKey", sibling: "b", keys: 3 },
    "gate.leftoverKey: b holds 3 keys: all but its own have to go first",
  ],
  "gate.rightsMissing": [
    { code: "gate.rightsMissing", action: "A/write", scope: "/subscriptions/s", others: 0 },
    "gate.rightsMissing: the agent's identity does not have A/write at /subscriptions/s",
  ],
  "window.frozen": [
    { code: "window.frozen", until: at, freeze: "2026-11-23/2026-11-23" },
    `frozen until ${at} by the freeze 2026-11-23/2026-11-23`,
  ],
  "window.none": [{ code: "window.none" }, "no window opens any more"],
  "window.opens": [
    { code: "window.opens", window: "Sat 02:00-06:00 UTC", at },
    `the window Sat 02:00-06:00 UTC opens at ${at}`,
  ],
  "window.short": [
    { code: "window.short", minutes: 2 },
    "2 min of the window are left, too few for a link",
  ],
  "window.bakes": [
    { code: "window.bakes", sibling: "b", until: at },
    `b was changed lately: this link waits until ${at} (rotation.bake)`,
  ],
  "permit.missing": [
    { code: "permit.missing" },
    "the hub has given no permit for this campaign (risk noPermit)",
  ],
  "permit.other": [
    { code: "permit.other" },
    "the permit on the engine is for something else than this campaign asks for",
  ],
  "permit.unknown": [
    { code: "permit.unknown" },
    "the engine was not read within the last minute, so the permit is not known",
  ],
  "permit.unreadable": [
    { code: "permit.unreadable" },
    "what the engine holds as a freeze cannot be read",
  ],
  "permit.expired": [{ code: "permit.expired", end: at }, `the permit ended at ${at}`],
  "permit.frozen": [{ code: "permit.frozen", scope: "site" }, "the hub has frozen this site"],
  "sibling.noRoom": [
    { code: "sibling.noRoom", sibling: "b" },
    "b has no room for the traffic of this link (20 % must stay free)",
  ],
  "sibling.unread": [{ code: "sibling.unread" }, "it cannot be read"],
  "sibling.linkDown": [{ code: "sibling.linkDown" }, "its link is down"],
  "sibling.drained": [{ code: "sibling.drained" }, "it is drained"],
  "sibling.bgpDown": [{ code: "sibling.bgpDown" }, "its BGP session is not up"],
  "sibling.commitPending": [{ code: "sibling.commitPending" }, "a commit is pending on it"],
  "sibling.foreignMacsec": [
    { code: "sibling.foreignMacsec" },
    "it has MACsec that is not of this agent",
  ],
  "sibling.farEndKeyed": [{ code: "sibling.farEndKeyed" }, "its far end has a key and it has none"],
  "sibling.unsecured": [{ code: "sibling.unsecured" }, "it is not secured by its key"],
  "sibling.notMustSecure": [{ code: "sibling.notMustSecure" }, "it is not must-secure"],
  "sibling.farEndOff": [{ code: "sibling.farEndOff" }, "its far end has MACsec off"],
  "sibling.farEndMoved": [
    { code: "sibling.farEndMoved" },
    "its far end was pointed at another key",
  ],
  "sibling.failed": [
    { code: "sibling.failed", error: "transport.closed", text: "edge-b hung up" },
    "edge-b hung up",
  ],
  "sibling.lateChange": [
    { code: "sibling.lateChange", what: "drain", sentAt: at, until: at },
    `may still get a drain that was sent at ${at} (until ${at})`,
  ],
  "health.notJudged": [{ code: "health.notJudged" }, "it has not been evaluated yet"],
  "health.old": [
    { code: "health.old", seconds: 35 },
    "it is unknown: it was last evaluated 35 s ago",
  ],
  "health.verdict": [
    { code: "health.verdict", verdict: "down", reason: "link-down" },
    "it is down (link-down)",
  ],
  "evidence.none": [{ code: "evidence.none" }, "not observed yet"],
  "mka.unread": [{ code: "mka.unread" }, "the MKA session cannot be read"],
  "mka.port": [{ code: "mka.port", state: "blocked" }, "the controlled port is blocked"],
  "mka.otherPrincipal": [
    { code: "mka.otherPrincipal", wanted: "old" },
    "the old CKN is not the principal one",
  ],
  "mka.livePeers": [{ code: "mka.livePeers", count: 2 }, "MKA has 2 live peers where one is right"],
  "mka.peerWithoutSak": [{ code: "mka.peerWithoutSak" }, "the peer has not installed the SAK"],
  "mka.sakOneWay": [{ code: "mka.sakOneWay" }, "the SAK is not in use in both directions"],
  "macsec.suite": [{ code: "macsec.suite", suite: null }, "the SA in use has no known suite"],
  "macsec.notMustSecure": [{ code: "macsec.notMustSecure" }, "the port is not must-secure"],
  "macsec.setting": [
    { code: "macsec.setting", leaf: "includeSci", observed: "false", wanted: "true" },
    "includeSci is false and not true",
  ],
  "frames.unread": [{ code: "frames.unread" }, "the frame counters cannot be read"],
  "frames.reset": [{ code: "frames.reset" }, "the frame counters were reset"],
  "farEnd.rewritten": [
    { code: "farEnd.rewritten" },
    "the document of the far end was written meanwhile",
  ],
  "frames.notValid": [{ code: "frames.notValid" }, "frames fail validation (rxNotValid rises)"],
  "frames.clear": [{ code: "frames.clear" }, "clear frames arrive (rxClear rises)"],
  "frames.lacking": [
    { code: "frames.lacking", direction: "receive", count: 20 },
    "waiting for 20 more protected frames in the receive direction",
  ],
  "proof.settles": [{ code: "proof.settles", seconds: 7 }, "the key works; 7 s more to be sure"],
  "proof.held": [{ code: "proof.held" }, "the new key is proven"],
  "carrying.settles": [
    { code: "carrying.settles", seconds: 7 },
    "the link carries; 7 s more to be sure",
  ],
  "port.notBoth": [{ code: "port.notBoth" }, "the router does not show both keys"],
  "port.oldNotInCharge": [
    { code: "port.oldNotInCharge" },
    "the old key is not in charge of the link",
  ],
  "link.drained": [{ code: "link.drained" }, "the link is still drained"],
  "link.unusable": [{ code: "link.unusable" }, "the link is not usable"],
  "link.isDrained": [{ code: "link.isDrained" }, "the link is drained"],
  "bgp.down": [{ code: "bgp.down" }, "BGP is not up on the link"],
  "probe.unanswered": [{ code: "probe.unanswered" }, "probes are not answered"],
  "drain.unread": [{ code: "drain.unread" }, "the rate and the routes cannot be read"],
  "drain.notInForce": [{ code: "drain.notInForce" }, "the drain is not in force"],
  "drain.bestPath": [
    { code: "drain.bestPath", prefix: "10.0.0.0/8" },
    "the best path to 10.0.0.0/8 is over this link",
  ],
  "drain.traffic": [
    { code: "drain.traffic", packetsPerSecond: 120 },
    "120 packets/s still on the link",
  ],
  "drain.quiet": [{ code: "drain.quiet", samples: 1, needed: 3 }, "quiet in 1 of 3 samples"],
  "gateway.refuses": [
    { code: "gateway.refuses", error: "verify.timeout", text: "no new SA" },
    "the gateway refuses it: no new SA",
  ],
  recorded: [{ code: "recorded", text: "as it was" }, "as it was"],
  "device.unread": [{ code: "device.unread", device: "e" }, "e cannot be read"],
  "device.noFreshAuthentication": [
    { code: "device.noFreshAuthentication", device: "e" },
    "e offers no fresh authentication that would prove it",
  ],
  "device.unconfirmed": [
    { code: "device.unconfirmed", device: "e" },
    "a change of e is not confirmed yet",
  ],
  "device.inCampaign": [{ code: "device.inCampaign", device: "e" }, "a campaign runs on e"],
  "device.noDrain": [
    { code: "device.noDrain", device: "e" },
    "e has no means to move traffic (FRR)",
  ],
  "tunnel.absent": [{ code: "tunnel.absent", tunnel: "h" }, "h is not there"],
  "tunnel.ikeDown": [{ code: "tunnel.ikeDown", tunnel: "h" }, "IKE of h is not established"],
  "tunnel.noSas": [{ code: "tunnel.noSas", tunnel: "h" }, "h lacks an SA"],
  "tunnel.silent": [{ code: "tunnel.silent", tunnel: "h" }, "the gateway of h does not answer"],
  "tunnel.bgpUnread": [{ code: "tunnel.bgpUnread", tunnel: "h" }, "BGP over h cannot be read"],
  "tunnel.bgpDown": [{ code: "tunnel.bgpDown", tunnel: "h" }, "BGP over h is not up"],
  "tunnel.drained": [{ code: "tunnel.drained", tunnel: "h" }, "h is drained"],
  "tunnel.noWayOut": [
    { code: "tunnel.noWayOut", tunnel: "h", text: "no route leads on" },
    "h has no way out of its device: no route leads on",
  ],
  "tunnel.undelivered": [
    { code: "tunnel.undelivered", tried: 2, since: at },
    "nothing shows that what is sent arrives: 2 round trips in a row had no answer, the last one " +
      `that had was at ${at}`,
  ],
  "tunnel.otherDrained": [
    { code: "tunnel.otherDrained", tunnel: "h" },
    "h is drained, and one of a bundle is taken out at a time",
  ],
  "tunnel.otherChanging": [
    { code: "tunnel.otherChanging", tunnel: "h" },
    "the key of h is being changed, and one of a gateway changes at a time",
  ],
  "tunnel.noNewSas": [{ code: "tunnel.noNewSas", tunnel: "h" }, "no new SA of h came up"],
  "tunnel.mayLand": [
    { code: "tunnel.mayLand", tunnel: "h" },
    "an earlier write may still reach the gateway of h, for about two minutes",
  ],
  "tunnel.notUp": [
    { code: "tunnel.notUp" },
    "it is not up, and nothing would be left to go on with",
  ],
  "tunnel.alone": [
    { code: "tunnel.alone" },
    "no other tunnel of its device has BGP to the same prefixes",
  ],
  "refused.notAwaiting": [
    { code: "refused.notAwaiting", state: "gated" },
    "proceed is for a campaign that waits for the change of the far end: this one is gated, " +
      "and goes on by itself",
  ],
  "refused.notHeld": [
    { code: "refused.notHeld", state: "gated" },
    "only a held campaign resumes: this one is gated",
  ],
  "refused.notParked": [
    { code: "refused.notParked", state: "proving" },
    "the campaign is proving: wait until it is parked",
  ],
  "refused.unread": [
    { code: "refused.unread" },
    "the router cannot be read, so it is not known what is left on it",
  ],
  "refused.enrolment": [
    { code: "refused.enrolment" },
    "an enrolment never goes back: a person must take MACsec off at both ends",
  ],
  "refused.oldKeyGone": [
    { code: "refused.oldKeyGone" },
    "the old key is gone from the port: an ordinary rotation is the way back",
  ],
  "refused.compromised": [
    { code: "refused.compromised" },
    "the old key was declared compromised: the link carries, so nothing goes back to it",
  ],
  "refused.notCarrying": [
    { code: "refused.notCarrying" },
    "the link does not carry, is drained, or has a commit pending",
  ],
  "refused.farEndUnread": [
    { code: "refused.farEndUnread" },
    "the far end cannot be read, and it may use the new key by now",
  ],
  "refused.farEndUpdating": [
    { code: "refused.farEndUpdating" },
    "the far end is being changed: wait until it has settled",
  ],
  "refused.farEndForeign": [
    { code: "refused.farEndForeign", version: "old" },
    "the far end is set to something that is not of this campaign: a person must set it to what " +
      "the router uses, the old version, first",
  ],
  "refused.apart": [
    { code: "refused.apart", far: "new", keys: "both", mayRevert: true },
    "the far end is set to the new version and the router holds both keys: resume brings both " +
      "to the new one, revert to the old",
  ],
};

describe("the sentence of a cause", () => {
  it.each(Object.values(causes))("the cause $code has its sentence", (cause, text) => {
    expect(causeText(cause)).toBe(text);
  });

  it("the bare sentence of a precondition has no code", () => {
    expect(bareCauseText(causes["gate.stale"][0])).toBe("the rates cannot be read");
  });

  it.each<readonly [Cause, string]>([
    [{ code: "gate.ownPath", path: "unknown" }, "it is not known which link"],
    [{ code: "health.verdict", verdict: "unknown", reason: null }, "it is unknown"],
    [{ code: "ends.are", keys: "unread", far: "old" }, "the router cannot be read and the far"],
    [{ code: "macsec.suite", suite: "gcm-aes-128" }, "the SA in use has gcm-aes-128"],
    [
      { code: "refused.apart", far: "old", keys: "new", mayRevert: false },
      "holds the new key: res",
    ],
    [
      { code: "gate.rightsMissing", action: "A/write", scope: "/s", others: 1 },
      "does not have A/write at /s, nor 1 other right",
    ],
    [
      { code: "gate.rightsMissing", action: "A/write", scope: "/s", others: 3 },
      "at /s, nor 3 other rights",
    ],
    [
      { code: "gate.siblingUnhealthy", sibling: "b", cause: causes["sibling.lateChange"][0] },
      "gate.siblingUnhealthy: b may still get a drain",
    ],
  ])("the sentence of a cause follows its arguments: %j", (cause, text) => {
    expect(causeText(cause)).toContain(text);
  });
});

const unread: Cause = { code: "router.unread" };
const states = campaignStates;
const reasons: readonly Reason[] = [
  ...Object.keys(plainRows).map((code) => ({ code }) as Reason),
  ...Object.keys(causedRows).map((code) => ({ code, cause: unread }) as Reason),
  ...Object.keys(plainTunnelRows).map((code) => ({ code }) as Reason),
  ...Object.keys(causedTunnelRows).map((code) => ({ code, cause: unread }) as Reason),
  ...states.flatMap((state) => [
    ...Object.keys(sharedRows).map((name) => ({ code: `${state}.${name}` }) as Reason),
    ...Object.keys(sharedCausedRows).map(
      (name) => ({ code: `${state}.${name}`, cause: unread }) as Reason,
    ),
  ]),
  { code: "unlisted", state: "proving", cause: { code: "ends.are", keys: "else", far: "other" } },
  ...(["begin.asked", "begin.unprotected", "begin.settings", "next.link"] as const).map((code) => ({
    code,
  })),
  { code: "begin.newerKey", on: "age" },
  ...(["proceed", "resume", "revert", "abandon"] as const).map((verb) => ({
    ...{ code: `operator.${verb}` as const, by: "ops" },
  })),
  { code: "recorded", text: "as an earlier version wrote it" },
];

describe("the sentence of a reason", () => {
  it.each(reasons)("the reason $code has a sentence, with its cause and operator", (reason) => {
    const text = reasonText(reason);
    expect(text).toMatch(/^\S.{5,}\S$/);
    expect(text).not.toMatch(/undefined|\[object/);
    if ("cause" in reason) expect(text).toContain(causeText(reason.cause));
    if ("by" in reason) expect(text).toContain("(ops)");
    expect(isKnownReason(reason)).toBe(true);
  });

  it.each(reasons)("the reason $code is the same after JSON", (reason) => {
    const again = JSON.parse(JSON.stringify(reason)) as Reason;
    expect(again).toEqual(reason);
    expect(sameReason(again, reason)).toBe(true);
  });

  it("there is a sentence for every row that gives a reason, and for no other code", () => {
    const rows = Object.values(table).flat();
    const given = rows.filter(({ cause }) => cause !== "kept").map(({ name }) => name);
    const own = [...Object.keys(plainRows), ...Object.keys(causedRows)];
    const shared = [...Object.keys(sharedRows), ...Object.keys(sharedCausedRows)];
    const sharedName = (name: string): string => name.slice(name.indexOf(".") + 1);
    expect(
      given.filter((name) => !own.includes(name) && !shared.includes(sharedName(name))),
    ).toEqual([]);
    expect(own.filter((code) => !given.includes(code as never))).toEqual([]);
    expect(shared.filter((name) => !given.some((row) => sharedName(row) === name))).toEqual([]);
  });

  it("there is a sentence for every row of the tunnels' table, and for no other code", () => {
    const rows = Object.values(tunnelTable).flat();
    const given = rows.filter(({ cause }) => cause !== "kept").map(({ name }) => name);
    const newer = Object.keys(plainTunnelRows).filter((code) => code.startsWith("tunnel.newer."));
    const own = [...Object.keys(plainTunnelRows), ...Object.keys(causedTunnelRows)];
    expect([...given, ...newer].toSorted()).toEqual(own.toSorted());
  });

  it("a reason whose code or cause only a later version has is not known", () => {
    expect(isKnownReason({ code: "gated.later" } as never)).toBe(false);
    expect(isKnownReason({ code: "constructor" } as never)).toBe(false);
    const later = { code: "gated.closed", cause: { code: "gate.later" } };
    expect(isKnownReason(later as never)).toBe(false);
    const below = { code: "gate.stale", cause: { code: "later" } };
    expect(isKnownReason({ code: "gated.closed", cause: below } as never)).toBe(false);
  });
});
