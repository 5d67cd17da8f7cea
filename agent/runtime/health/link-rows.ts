// Warnings about a link besides its verdict: drift, its far end, its drain, its key and its BGP.

import type { LinkSetting, PeerDetails, PeerState } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import { wallAfter } from "#hal/world.ts";
import { endsOf, vaultBaseOf } from "../../compare/ends.ts";
import { standingOf } from "../../compare/plan.ts";
import { driftFindings, sidesOf } from "../../compare/rules.ts";
import { partText, takenBackOn } from "../../health/in-force.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import type { RightsReport } from "../../model/rights-report.ts";
import { named, openCampaign } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import { warningOf } from "./causes.ts";
import type { Finders, Finding, Scene, Subject } from "./finder.ts";

/** A link or a tunnel, and the port of a link or the name of a tunnel on its device. */
export interface Drainable extends Subject {
  readonly device: string;
  readonly port: string;
  /** The group of a link; absent = a tunnel. */
  readonly group?: DesiredGroup;
}

export interface LinkSubject extends Drainable {
  readonly link: DesiredLink;
  readonly group: DesiredGroup;
}

/**
 * The lead time in milliseconds: enough to put a fresh pair into the vault and to wait for a
 * window. A short-lived key gets the share below instead.
 */
const agesSoonMs = 14 * 86_400_000;
const agesSoonShare = 4;

export const linkRows = {
  // A campaign changes a link on purpose, so only a link at rest can drift.
  drift: ({ agent: { memory }, site: { deviceCache, intent } }, { about, link }) => {
    if (openCampaign(memory, link.group) !== undefined) return undefined;
    const capabilities = deviceCache.capabilities(link.device);
    const standing = standingOf(deviceCache.snapshot(link), memory, capabilities);
    if (standing.kind !== "managed" && standing.kind !== "clear") return undefined;
    const drift = standing.kind === "managed" ? standing.drift : [];
    const key = memory.bindings[about]?.key;
    const vaultBase = vaultBaseOf(intent.desired.azure, [key?.cakSecretId]);
    const between = driftFindings(endsOf(deviceCache, link, vaultBase, key)).map(sidesOf);
    const text = [...drift.map((own) => own.text), ...between].join("; ");
    if (text === "") return undefined;
    // No plan of ours changes the far end: a person does, by what both ends show then.
    const isFar = between.length > 0 || drift.some(({ farEnd }) => farEnd !== undefined);
    return isFar ? { text, next: `linkseal ends ${about}` } : text;
  },
  "far-end-unfollowed": ({ site: { deviceCache, rights } }, { link }) => {
    const unfollowed = deviceCache.peer(link)?.state.details?.unfollowed;
    if (deviceCache.peerFailure(link) !== undefined || unfollowed === undefined) return undefined;
    const isWholeRights = isWhole(rights.report({ kind: "campaign", group: link.group }));
    const { text, next } = isWholeRights ? begunByAnother(unfollowed) : unfollowed;
    return { text, next };
  },
  // Unless an operator maintains it and has accepted the risk.
  "far-end-unreadable": ({ site, wall }, { link }) => {
    const failure = site.deviceCache.peerFailure(link);
    const { desired } = site.intent;
    const isManual = desired.azure.farEnd === "manual";
    if (failure === undefined || (isManual && riskAccepted(desired, "farEndUnseen", wall))) {
      return undefined;
    }
    return { text: failure.text, next: failure.next };
  },
  "far-end-lost-update": ({ site: { deviceCache } }, { link }) => {
    const state = deviceCache.peer(link)?.state;
    const lostUpdate = state?.details?.lostUpdate;
    return state && lostUpdate && lostText(state, lostUpdate);
  },
  "reload-took-back": ({ agent: { memory } }, { link }) => {
    const parts = takenBackOn(memory, link);
    if (parts.length === 0) return undefined;
    const text = `since a reload of ${link.device}, this of linkseal is not in force`;
    const isKeys = parts.some(({ kind }) => kind !== "port.restore");
    const next = isKeys ? `linkseal rotate ${link.group}` : `linkseal links ${linkId(link)}`;
    return { text: `${text}: ${parts.map(partText).join("; ")}`, next };
  },
  "drained-by-hand": drain,
  "drain-not-in-force": drain,
  "key-age": keyAge,
  "key-age-soon": keyAge,
  // Faults that a router reports about its BGP sessions over a link, besides up and down.
  "bgp-trouble": ({ site }, { link }) => {
    const { state } = site.deviceCache.snapshot(link);
    const routing = state === undefined ? undefined : strongValue(state.routing);
    const troubles = (routing?.sessions ?? [])
      .filter(({ port }) => port === link.port)
      .flatMap(({ trouble }) => trouble ?? []);
    return troubles.length === 0 ? undefined : troubles.join("; ");
  },
  "commit-lost": ({ site }, { link }) => lostCommit(site.troubles(link)),
} satisfies Finders<LinkSubject>;

/** A change that the device accepted and lost, whatever the verdict is. */
export function lostCommit(troubles: readonly LinksealError[]): string | undefined {
  return troubles.find(({ code }) => warningOf(code) === "commit-lost")?.message;
}

/** A drain outside a campaign: one that the router shows, or one that only the journal has. */
export function drain(
  { agent: { memory }, site }: Scene,
  { about, device, port, group }: Drainable,
): Finding | undefined {
  const recorded = named(memory.drains, about);
  const observed = observedDrain(site.deviceCache.state(device), port);
  const byHand = (text: string): Finding => ({ code: "drained-by-hand", text });
  if (recorded === undefined) {
    if (observed !== "on") return undefined;
    if (group !== undefined && openCampaign(memory, group.name) !== undefined) return undefined;
    // The warning about the reload names it.
    if (takenBackOn(memory, { device, port }).some(({ kind }) => kind === "port.restore")) return;
    // An operator on the router drained it, or a campaign whose record a disk lost: it is undone
    // unasked only once the sibling is lost.
    return byHand("its traffic is moved away on the router, and linkseal knows no reason for it");
  }
  const isForAuth = recorded.until === "authenticated";
  // This takes seconds, or until the router is reachable again; its failure has its own warning.
  if (isForAuth && named(memory.auths, about)?.next?.state === "switching") return undefined;
  const why = isForAuth ? "to authenticate anew" : "by hand";
  const record = `(${recorded.by}, since ${isoTime(recorded.since)})`;
  if (observed === "off") {
    const text = `${device} shows no drain of it, so it can carry traffic`;
    const code = "drain-not-in-force";
    return { code, text: `its drain ${why} ${record} is not in force: ${text}` };
  }
  const doubt = observed === "unknown" ? `; ${device} does not show now whether it still is` : "";
  return byHand(`its traffic was moved away ${why} ${record}${doubt}`);
}

function observedDrain(state: DeviceState | undefined, port: string): "on" | "off" | "unknown" {
  if (state === undefined || strongValue(state.routing) === undefined) return "unknown";
  return drainOf(state, port);
}

/** A link's key that is older than `rotate.maxAge`, or soon will be. */
function keyAge(
  { agent: { memory }, wall }: Scene,
  { about, group }: LinkSubject,
): Finding | undefined {
  const { maxAgeMs } = group.rotate;
  const created = memory.bindings[about]?.created;
  if (maxAgeMs === undefined || created === undefined) return undefined;
  const end = wallAfter(created, maxAgeMs);
  const made = `the key was made at ${isoTime(created)} and is too old`;
  if (wall >= end) return { code: "key-age", text: `${made} since ${isoTime(end)}` };
  const leadMs = Math.min(agesSoonMs, maxAgeMs / agesSoonShare);
  if (wall < wallAfter(end, -leadMs)) return undefined;
  return { code: "key-age-soon", text: `${made} from ${isoTime(end)} on` };
}

function isWhole(rights: RightsReport | undefined): boolean {
  return rights !== undefined && rights.missing.length === 0 && rights.unknown.length === 0;
}

/** Azure shows the result of an operation only to the identity that began it. */
function begunByAnother({ text }: { readonly text: string }) {
  const why = "another identity began it, or a deny assignment refuses it";
  return {
    text: `${text}, although it has Microsoft.Network/locations/operations/read: ${why}`,
    next:
      "wait if azure.identity was changed: the document of the port decides instead; else look " +
      "for deny assignments in the subscription",
  };
}

/** Another writer's change of this link while its sibling was written. */
function lostText(
  state: LinkSetting,
  { ours, theirs }: NonNullable<PeerDetails["lostUpdate"]>,
): string {
  const [before, after, now] = [ours, theirs, state].map(settingText);
  const end =
    now === before
      ? "it is as before again: our write took that change back"
      : now === after
        ? "it is so now"
        : `now it has ${now}`;
  const what = "while its sibling was written, another writer changed it";
  return `${what} from ${before} to ${after}; ${end}`;
}

function settingText({ pointsAt, suite, sci, admin }: LinkSetting): string {
  const key = pointsAt === undefined ? "MACsec off" : keyText(pointsAt);
  return `${key}, ${suite ?? "no known cipher"}, SCI ${sci}, admin ${admin}`;
}

function keyText({ cakSecretId, cknSecretId }: NonNullable<PeerState["pointsAt"]>): string {
  return `CAK ${versionText(cakSecretId)} and CKN ${versionText(cknSecretId)}`;
}

/** Returns NAME/VERSION of a secret id; an id of another form is shown as it is. */
function versionText(id: string): string {
  return /\/secrets\/([0-9A-Za-z-]{1,127}\/[0-9a-f]{32})$/.exec(id)?.[1] ?? id;
}
