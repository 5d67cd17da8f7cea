// Begins the enrolment of links that have no key on either end, and adopts those keyed by hand.

import { LinksealError } from "#hal/error.ts";
import type { KeyRef, KeySlot, MacsecSettings, WantedSettings } from "#hal/model.ts";
import { strongValue } from "#hal/model.ts";
import { keySizeGap } from "../../compare/key-size.ts";
import { standingOf } from "../../compare/plan.ts";
import { endsWith } from "../../compare/record-age.ts";
import type { CampaignLink } from "../../model/campaign.ts";
import { gapOf, seenIf } from "../../model/claims.ts";
import { type DesiredGroup, type DesiredLink, linkId, type RiskName } from "../../model/desired.ts";
import { type LinkSnapshot, portOf, securedBy } from "../../model/link-snapshot.ts";
import { type Binding, type Memory, named, openCampaign } from "../../store/journal/memory.ts";
import { chooseKey, generationOf, readCkn } from "../polling/vault.ts";
import {
  type Asked,
  assertFresh,
  type Beginning,
  type BeginParts,
  missingRisk,
  newCampaign,
  type Waiting,
} from "./begin.ts";

/**
 * Links of the group that an observation shows without a key on either end, in the order of the
 * config.
 */
function candidates(parts: BeginParts, group: DesiredGroup): readonly DesiredLink[] {
  const { deviceCache, memory } = parts;
  return group.links.filter((link) => {
    // The last report of a far end that is silent may be old.
    if (deviceCache.peerFailure(link) !== undefined) return false;
    const standing = standingOf(
      deviceCache.snapshot(link),
      memory(),
      deviceCache.capabilities(link.device),
    );
    return standing.kind === "clear";
  });
}

/** A campaign of this intent that ended without its link enrolled is not begun again by itself. */
function endedBefore(parts: BeginParts, group: DesiredGroup, link: DesiredLink): boolean {
  const last = named(parts.memory().campaigns, group.name);
  return (
    last?.state === "done" &&
    last.intent === parts.intent &&
    last.links.some((entry) => entry.name === link.name && entry.outcome !== "enrolled")
  );
}

/**
 * Returns the enrolment that begins now, by the accepted intent or for an operator; reads the vault
 * only when a link wants a key.
 * @throws LinksealError `vault.*` with effect "none".
 */
export async function beginEnrolment(
  parts: BeginParts,
  group: DesiredGroup,
  asked: Asked | undefined,
  acceptsRisk: (risk: RiskName) => boolean,
  signal: AbortSignal,
): Promise<Beginning> {
  if (openCampaign(parts.memory(), group.name) !== undefined) return { kind: "nothing" };
  const wanted = candidates(parts, group).filter((link) =>
    asked === undefined
      ? !endedBefore(parts, group, link)
      : asked.links === undefined || asked.links.includes(link.name),
  );
  if (wanted.length === 0) return { kind: "nothing" };
  const sibling = siblingFirst(parts, group);
  if (sibling !== undefined) return { kind: "waiting", waiting: sibling };
  const verb = `linkseal enrol ${group.name}`;
  const risk = missingRisk(parts, wanted, ["breakBeforeMake"], { asked, acceptsRisk, verb });
  if (risk !== undefined) return { kind: "waiting", waiting: risk };
  const still = await stillBare(parts, group, wanted, signal);
  if (still.length === 0) return { kind: "nothing" };
  const links = await frozenKeys(parts, group, still, signal);
  return {
    kind: "begin",
    campaign: newCampaign(parts, {
      group,
      kind: "enrol",
      links,
      asked,
      reason: { code: "begin.unprotected" },
    }),
  };
}

/** A far end in a real cloud is observed rarely: what was seen a minute ago begins nothing. */
async function stillBare(
  parts: BeginParts,
  group: DesiredGroup,
  wanted: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<readonly DesiredLink[]> {
  const { deviceCache, desired } = parts;
  for (const link of wanted) {
    if (deviceCache.isPeerDue(link, 2 * desired.health.pollMs))
      await deviceCache.observePeer(link, signal);
  }
  const bare = candidates(parts, group);
  return wanted.filter((link) => bare.includes(link));
}

/**
 * A campaign beside a link that is not ours would wait for it for ever, and keep it from being
 * adopted; the owner of a link that cannot be read is not known.
 */
function siblingFirst(parts: BeginParts, group: DesiredGroup): Waiting | undefined {
  const { deviceCache, memory } = parts;
  for (const link of group.links) {
    const capabilities = deviceCache.capabilities(link.device);
    const standing = standingOf(deviceCache.snapshot(link), memory(), capabilities);
    const id = linkId(link);
    switch (standing.kind) {
      case "unmanaged": {
        const text = `${id} has a key that is not of this agent, and is no sibling to rely on`;
        const next = `linkseal adopt ${id}`;
        return { code: "campaign-waiting", refusal: "gate.leftoverKey", text, next };
      }
      case "unreadable": {
        const text = `${id} is no sibling to rely on: ${standing.why}`;
        const next = "linkseal status";
        return { code: "campaign-waiting", refusal: "gate.stale", text, next };
      }
      case "clear":
      case "managed":
    }
  }
  return undefined;
}

async function frozenKeys(
  parts: BeginParts,
  group: DesiredGroup,
  wanted: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<readonly CampaignLink[]> {
  const { vault, world } = parts;
  const links: CampaignLink[] = [];
  for (const link of wanted) {
    const { key, created, generation } = await chooseKey(vault, link, world.clock.wall(), signal);
    const { name, device, port, settings } = link;
    links.push({
      ...{ name, device, port, created, generation },
      old: undefined,
      new: { key, settings },
      overlap: "breakBeforeMake",
      outcome: undefined,
    });
  }
  await assertFresh(
    parts,
    group.name,
    links.map((link) => link.new.key),
    signal,
  );
  return links;
}

/** A link that already runs on a key of the vault, and that the agent can manage from now on. */
export interface Adoption {
  /** `group/link`. */
  readonly link: string;
  /** The key and settings that were found at both ends. */
  readonly binding: Binding;
}

/**
 * Returns what adopting these links of one group would write, from a fresh observation of both
 * ends; links that are managed already are left out, but those whose two ends have a key that the
 * journal does not know, as after a restored backup.
 * @throws LinksealError `gate.leftoverKey` or `gate.riskNotAccepted` where ends and vault disagree,
 * or the error of a device or the vault.
 */
export async function matchExisting(
  parts: BeginParts,
  links: readonly DesiredLink[],
  risks: readonly string[],
  signal: AbortSignal,
): Promise<readonly Adoption[]> {
  const { deviceCache, memory } = parts;
  const found: Adoption[] = [];
  for (const link of links) {
    const state = await deviceCache.observe(link.device, signal);
    const peer = await deviceCache.observePeer(link, signal);
    const snapshot = { link, state, peer, probe: undefined };
    const before = named(memory().bindings, linkId(link));
    if (before !== undefined && endsWith(snapshot, before.key) !== "left") continue;
    const binding = await matchOne(parts, snapshot, before, signal);
    const drift = adoptionDrift(parts, snapshot, binding);
    if (drift.length > 0 && !risks.includes("asFound")) throw foundOtherwise(link, drift);
    found.push({ link: linkId(link), binding });
  }
  if (found.length === 0) return [];
  const keys = found.map(({ binding }) => binding.key);
  // A key that an adoption replaces is on no end any more, and its version may be disabled.
  const kept = without(memory(), ...found.map(({ link }) => link));
  await assertFresh({ ...parts, memory: () => kept }, links[0]?.group ?? "", keys, signal);
  return found;
}

function without(memory: Memory, ...ids: readonly string[]): Memory {
  const kept = Object.entries(memory.bindings).filter(([id]) => !ids.includes(id));
  return { ...memory, bindings: Object.fromEntries(kept) };
}

async function matchOne(
  parts: BeginParts,
  snapshot: LinkSnapshot,
  before: Binding | undefined,
  signal: AbortSignal,
): Promise<Binding> {
  const { deviceCache, vault, memory, world } = parts;
  const { link } = snapshot;
  const unbound = without(memory(), linkId(link));
  const standing = standingOf(snapshot, unbound, deviceCache.capabilities(link.device));
  if (standing.kind !== "unmanaged") throw refused(link, notAdoptable(standing.kind));
  const port = portOf(snapshot.state, link.port);
  const all = port === undefined ? undefined : strongValue(port.keys);
  // A campaign that the journal does not know may have left the key of before beside its own.
  const slots = all?.filter(({ ckn }) => ckn !== before?.key.ckn);
  const slot = slots?.length === 1 ? slots[0] : undefined;
  const far = snapshot.peer?.pointsAt;
  const observed = port?.settings.kind === "known" ? port.settings.value : undefined;
  const settings = foundSettings(observed, link);
  const hasBoth = slot !== undefined && far !== undefined;
  const sizeGap = hasBoth ? keySizeGap(link, settings.suite) : undefined;
  if (sizeGap !== undefined) throw refused(link, sizeGap.text, sizeGap.next);
  const versions = hasBoth ? await vault.versions(link.key.cak, signal) : [];
  const version = versions.find((each) => each.enabled && each.id === far?.cakSecretId);
  const ckn = version && far && (await readCkn(vault, far.cknSecretId, signal));
  const key = ckn && far && { ckn, cakSecretId: far.cakSecretId, cknSecretId: far.cknSecretId };
  const gap = adoptionGap(snapshot, slot, key);
  if (gap !== undefined || key === undefined || version === undefined) {
    throw refused(link, gap ?? "nothing names its key");
  }
  const generation = generationOf(version);
  if ((generation ?? 0) < (before?.generation ?? 0)) {
    const next = `linkseal explain generation-rollback ${linkId(link)}`;
    throw refused(link, "both ends have an older key than the accepted one", next);
  }
  return {
    key,
    settings,
    since: world.clock.wall(),
    created: version.created,
    generation,
    intent: parts.intent,
    how: "adopted",
  };
}

/** Returns why a link is not known to run on one key of the vault; undefined = it does. */
function adoptionGap(
  { link, state, peer }: LinkSnapshot,
  only: KeySlot | undefined,
  key: KeyRef | undefined,
): string | undefined {
  const port = portOf(state, link.port);
  const isOff = port?.settings.kind === "known" && port.settings.value === undefined;
  const alone = isOff && strongValue(port.keys)?.length === 0 ? noKey : notOneKey;
  const waits = (state && strongValue(state.control))?.commitPending;
  const isRunning = peer?.provisioning === "updating" || peer?.provisioning === "unknown";
  const isSecured = port !== undefined && key !== undefined && securedBy(port, key);
  const noVersion = `the far end points at no enabled version of ${link.key.cak}`;
  const otherCkn = "the CKN on the router is not the one that the far end points at";
  return gapOf<"adopted", string>("adopted", {
    alone: () => seenIf(only !== undefined, alone),
    confirmed: () =>
      seenIf(waits === false, "a commit waits on the router, or it is not known whether one does"),
    named: () => seenIf(peer?.pointsAt !== undefined, "the far end has MACsec off"),
    settled: () =>
      seenIf(!isRunning, "a change of the far end runs, or is not known to have ended"),
    enabled: () => seenIf(key !== undefined, noVersion),
    same: () => seenIf(key?.ckn === only?.ckn, otherCkn),
    secured: () => seenIf(isSecured, "MKA is not secured by this key at the moment"),
  });
}

const noKey = "the router has no key: take MACsec off at the far end too, then enrol it";
const notOneKey = "the router does not hold exactly one key on this port";

/** Settings on the router count as accepted; a later config may want them changed. */
function foundSettings(observed: MacsecSettings | undefined, link: DesiredLink): WantedSettings {
  if (observed === undefined) return link.settings;
  const { policy: _policy, ...settings } = observed;
  return settings;
}

function notAdoptable(kind: "unreadable" | "clear" | "managed"): string {
  switch (kind) {
    case "unreadable":
      return "one of its ends cannot be read";
    case "clear":
      return "it has no key on either end: enrol it";
    case "managed":
      return "it is managed already";
  }
}

/**
 * Settings that differ from the config, one sentence each: adopted as they are only with a named
 * risk.
 */
function adoptionDrift(
  parts: BeginParts,
  snapshot: LinkSnapshot,
  binding: Binding,
): readonly string[] {
  const { deviceCache, memory } = parts;
  const { link } = snapshot;
  const pretended: Memory = {
    ...memory(),
    bindings: { ...memory().bindings, [linkId(link)]: binding },
  };
  const standing = standingOf(snapshot, pretended, deviceCache.capabilities(link.device));
  return standing.kind === "managed" ? standing.drift.map((drift) => drift.text) : [];
}

function foundOtherwise(link: DesiredLink, drift: readonly string[]): LinksealError {
  const text = `its settings differ from the config: ${drift.join("; ")} (risk asFound)`;
  return new LinksealError("gate.riskNotAccepted", text, {
    effect: "none",
    where: linkId(link),
    next: `linkseal adopt ${linkId(link)} --accept-risk=asFound`,
  });
}

function refused(link: DesiredLink, why: string, next = "linkseal links"): LinksealError {
  return new LinksealError("gate.leftoverKey", `${linkId(link)} cannot be adopted: ${why}`, {
    effect: "none",
    where: linkId(link),
    next,
  });
}
