// What one observation says in the words of the campaign's tables: the port, the far end, the
// sibling.

import type { MacsecCapabilities, PeerState } from "#hal/device.ts";
import {
  type KeyRef,
  type KeySlot,
  type MacsecPort,
  type MacsecSettings,
  type Reading,
  strongValue,
  type WantedSettings,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { settingsGaps } from "../health/verify.ts";
import type { Campaign, CampaignLink, PortFacts } from "../model/campaign.ts";
import { gapOf, type Sight, seen, seenUnless, unseenFor } from "../model/claims.ts";
import {
  bgpUp,
  drainOf,
  isStrong,
  type LinkSnapshot,
  portOf,
  securedBy,
} from "../model/link-snapshot.ts";
import type { FarEnd, SiblingCause } from "../model/reason.ts";

function inClear(port: MacsecPort): boolean {
  const settings = port.settings;
  const keys = strongValue(port.keys);
  return settings.kind === "known" && settings.value === undefined && keys?.length === 0;
}

/** A change of the far end as it was observed. */
export interface Moved {
  /** When it was first observed. */
  readonly at: Instant;
  /** Whether the far end has the new key or settings, or the old ones again. */
  readonly to: "new" | "old";
}

/** The part of a port that only the rotation runner knows. */
export interface PortHistory {
  /** When the far end was first observed where the campaign sends it. */
  readonly moved: Moved | undefined;
  readonly pending: PortFacts["pending"];
  /** How its device offers to hold two keys; undefined = not known now. */
  readonly overlap: MacsecCapabilities["overlap"] | undefined;
  /** Since when it is dark with light on the fibre; undefined = it is not. */
  readonly outageSince: Instant | undefined;
  readonly settleMs: number;
  readonly now: Instant;
}

/**
 * Returns the port in terms of the campaign's tables; undefined while any part of it is unknown.
 */
export function portFacts(
  snapshot: LinkSnapshot,
  entry: CampaignLink,
  history: PortHistory,
): PortFacts | undefined {
  const { state, link } = snapshot;
  const port = portOf(state, link.port);
  const control = state === undefined ? undefined : strongValue(state.control);
  const slots = port === undefined ? undefined : strongValue(port.keys);
  if (state === undefined || port === undefined || control === undefined) return undefined;
  if (slots === undefined || state.routing.kind === "unknown") return undefined;
  const keys = keysOn(port, entry);
  return {
    keys,
    pending: history.pending,
    carriedBy: carriedBy(snapshot, entry, keys, history.moved),
    outage: outage(history),
    promotion: promotionOf(slots, entry, history.overlap),
    drain: drainOf(state, link.port),
    admin: strongValue(port.admin) === "up" ? "up" : "down",
  };
}

/** A campaign of an earlier version may name an overlap that its router does not offer any more. */
function promotionOf(
  slots: readonly KeySlot[],
  { overlap, new: wanted }: CampaignLink,
  offered: PortHistory["overlap"],
): PortFacts["promotion"] {
  const role = slots.find(({ ckn }) => ckn === wanted.key.ckn)?.role;
  const isDueByBoth = overlap === "fallback" && (offered ?? overlap) === "fallback";
  if (!isDueByBoth || role === undefined) return "none";
  return role === "primary" ? "done" : "due";
}

function keysOn(port: MacsecPort, entry: CampaignLink): PortFacts["keys"] {
  const ckns = (strongValue(port.keys) ?? []).map(({ ckn }) => ckn);
  const { ckn } = entry.new.key;
  const before = entry.old?.key.ckn;
  if (before === ckn)
    return ckns.length === 1 && ckns[0] === ckn ? settingsOn(port, entry) : "else";
  const [has, had] = [ckns.includes(ckn), before !== undefined && ckns.includes(before)];
  if (ckns.length !== Number(has) + Number(had)) return "else";
  if (has) return had ? "both" : "new";
  return had || before === undefined ? "old" : "else";
}

/** A change keeps the key: its settings tell whether the router is still as before. */
function settingsOn(port: MacsecPort, entry: CampaignLink): PortFacts["keys"] {
  const observed = strongValue(port.settings);
  const { old } = entry;
  if (observed === undefined || old === undefined) return "else";
  const gaps = settingsGaps(entry.new.settings, observed);
  if (gaps.length === 0) return "new";
  const was = new Set(settingsGaps(old.settings, observed).map(({ leaf }) => leaf));
  if (was.size === 0) return "old";
  // Some routers take settings in several steps, and their session may end in between.
  return gaps.some(({ leaf }) => was.has(leaf)) ? "else" : "half";
}

/** Settings that both ends of a link must agree on. */
export const agreedLeaves: readonly (keyof MacsecSettings)[] = ["policy", "suite", "includeSci"];

/**
 * Returns the state of the far end that half of a change fits; a mixture of both that carries
 * follows the far end.
 */
function fitOfHalf(
  { settings }: MacsecPort,
  { old, new: wanted }: CampaignLink,
  moved: Moved | undefined,
): "old" | "new" {
  const fits = (version: WantedSettings): boolean =>
    settingsGaps(version, strongValue(settings)).every(({ leaf }) => !agreedLeaves.includes(leaf));
  if (old !== undefined && fits(old.settings)) return "old";
  return fits(wanted.settings) ? "new" : (moved?.to ?? "old");
}

function carriedBy(
  snapshot: LinkSnapshot,
  entry: CampaignLink,
  keys: PortFacts["keys"],
  moved: Moved | undefined,
): PortFacts["carriedBy"] {
  const port = portOf(snapshot.state, snapshot.link.port);
  if (port === undefined || silent(snapshot, moved)) return "nothing";
  const { old } = entry;
  if (old?.key.ckn === entry.new.key.ckn) {
    if (!securedBy(port, old.key)) return "nothing";
    // MKA is content with an SCI that frames lack: without a probe only the routing misses them.
    const apart = moved !== undefined && moved.to !== keys;
    if (apart && !routed(snapshot)) return "nothing";
    if (keys === "half") return fitOfHalf(port, entry, moved);
    return keys === "new" ? "new" : "old";
  }
  if (securedBy(port, entry.new.key)) return "new";
  const before = old === undefined ? clearAndUsable(snapshot, port) : securedBy(port, old.key);
  return before ? "old" : "nothing";
}

function routed({ state, link }: LinkSnapshot): boolean {
  return state !== undefined && bgpUp(state, link.port);
}

function outage({ outageSince, now, settleMs }: PortHistory): PortFacts["outage"] {
  if (outageSince === undefined) return "none";
  return now - outageSince >= settleMs ? "lasting" : "brief";
}

function clearAndUsable({ state, link }: LinkSnapshot, port: MacsecPort): boolean {
  if (state === undefined || !inClear(port) || strongValue(port.linkUp) !== true) return false;
  return bgpUp(state, link.port);
}

// BGP outlives a silent link by its hold time, and MKA knows nothing of lost frames: an unanswered
// probe tells first.
function silent({ probe }: LinkSnapshot, moved: Moved | undefined): boolean {
  return moved !== undefined && probe !== undefined && probe.at >= moved.at && probe.answered === 0;
}

/**
 * Returns the key or settings of the far end; before `graceEnd` a put of a predecessor may still
 * take effect, so nothing there is settled.
 */
export function farEndOf(
  peer: PeerState | undefined,
  entry: CampaignLink,
  now: Instant,
  graceEnd: Instant,
): FarEnd {
  const named = peer === undefined ? "unknown" : setTo(peer, entry);
  const { provisioning = "unknown" } = peer ?? {};
  const gap = gapOf<"far-end-holds", FarEnd>("far-end-holds", {
    read: () => (peer === undefined ? unseenFor("unknown") : seen),
    alone: () => (now < graceEnd ? unseenFor("updating") : seen),
    ended: () => (provisioning === "settled" ? seen : unseenFor(provisioning)),
    named: () => (named === "other" ? unseenFor(named) : seen),
  });
  return gap ?? named;
}

/** Returns the key or settings that the far end is set to, whatever became of its last change. */
export function setTo(peer: PeerState, entry: CampaignLink): FarEnd {
  const { old } = entry;
  const isNew = pointsAt(peer, entry.new.key);
  if (old === undefined) return peer.pointsAt === undefined ? "old" : isNew ? "new" : "other";
  if (old.key.cakSecretId !== entry.new.key.cakSecretId) {
    return isNew ? "new" : pointsAt(peer, old.key) ? "old" : "other";
  }
  const [before, after] = [isSet(peer, old.settings), isSet(peer, entry.new.settings)];
  if (!isNew || !(before || after)) return "other";
  return before && after ? "either" : after ? "new" : "old";
}

/**
 * Returns the far end under the risk farEndUnseen: a link that is secured shows which key the far
 * end has; otherwise the operator's word counts, and once the person was asked nothing is known
 * without it.
 */
export function unseenFar(campaign: Campaign, snapshot: LinkSnapshot, entry: CampaignLink): FarEnd {
  const port = portOf(snapshot.state, snapshot.link.port);
  const keepsKey = entry.old?.key.ckn === entry.new.key.ckn;
  if (port !== undefined && !keepsKey) {
    if (securedBy(port, entry.new.key)) return "new";
    if (entry.old !== undefined && securedBy(port, entry.old.key)) return "old";
  }
  if (campaign.claimed) return "new";
  return campaign.told ? "unknown" : "old";
}

/** Returns true if MACsec is off at the far end; false also if its state is not known. */
export function isOff(peer: PeerState | undefined): boolean {
  return peer !== undefined && peer.pointsAt === undefined;
}

function pointsAt({ pointsAt: ids }: PeerState, key: KeyRef): boolean {
  return ids?.cakSecretId === key.cakSecretId && ids.cknSecretId === key.cknSecretId;
}

function isSet(peer: PeerState, settings: WantedSettings): boolean {
  return peer.suite === settings.suite && peer.sci === (settings.includeSci ? "on" : "off");
}

/**
 * Returns why a link is not known to be in its accepted state, protected by its key or clear before
 * its first one; undefined = it is. `sibling.unread`: something is missing, and what was read says
 * nothing against the link. A commit that waits on the device `ownCommitOn` touches another
 * link alone.
 */
export function carryGap(
  snapshot: LinkSnapshot,
  accepted: KeyRef | undefined,
  ownCommitOn?: string,
): SiblingCause | undefined {
  const { state, link, peer } = snapshot;
  const port = portOf(state, link.port);
  if (state === undefined || port === undefined) return { code: "sibling.unread" };
  const control = strongValue(state.control);
  const waits = control?.commitPending === true && link.device !== ownCommitOn;
  const sight = (
    readings: readonly Reading<unknown>[],
    why: SiblingCause | undefined,
  ): Sight<SiblingCause> =>
    why === undefined && !readings.every(isStrong)
      ? unseenFor({ code: "sibling.unread" })
      : seenUnless(why);
  const isUp = !isStrong(state.routing) || bgpUp(state, link.port);
  const own = accepted === undefined ? clearGaps(port, peer) : keyGaps(port, accepted, peer);
  const isDrained = drainOf(state, link.port) === "on";
  const isUnlit = strongValue(port.linkUp) === false;
  return gapOf<"link-carries", SiblingCause>("link-carries", {
    lit: () => sight([port.linkUp], isUnlit ? { code: "sibling.linkDown" } : undefined),
    undrained: () => sight([state.routing], isDrained ? { code: "sibling.drained" } : undefined),
    routed: () => sight([state.routing], isUp ? undefined : { code: "sibling.bgpDown" }),
    settled: () => sight([state.control], waits ? { code: "sibling.commitPending" } : undefined),
    secured: () => sight([port.session], own.secured),
    policy: () => sight([port.settings], own.policy),
    keys: () => sight([port.keys], undefined),
    far: () => seenUnless(own.far),
  });
}

/** What speaks against a link by its key, its policy and its far end. */
interface OwnGaps {
  readonly secured?: SiblingCause | undefined;
  readonly policy?: SiblingCause | undefined;
  readonly far?: SiblingCause | undefined;
}

function clearGaps(port: MacsecPort, peer: PeerState | undefined): OwnGaps {
  const isRead = isStrong(port.settings) && isStrong(port.keys);
  return {
    secured: isRead && !inClear(port) ? { code: "sibling.foreignMacsec" } : undefined,
    // Clear frames still pass for a while, and BGP outlives them by its hold time.
    far: peer?.pointsAt === undefined ? undefined : { code: "sibling.farEndKeyed" },
  };
}

function keyGaps(port: MacsecPort, accepted: KeyRef, peer: PeerState | undefined): OwnGaps {
  const isForeign = isStrong(port.session) && !securedBy(port, accepted);
  const isOpen = isStrong(port.settings) && strongValue(port.settings)?.policy !== "mustSecure";
  const isNamed = peer === undefined || pointsAt(peer, accepted);
  return {
    secured: isForeign ? { code: "sibling.unsecured" } : undefined,
    policy: isOpen ? { code: "sibling.notMustSecure" } : undefined,
    // It still works, and not for long.
    far: isNamed ? undefined : { code: isOff(peer) ? "sibling.farEndOff" : "sibling.farEndMoved" },
  };
}
