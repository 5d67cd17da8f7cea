// Begins what a new intent demands: the enrolment of links that have no key on either end, and
// adoption by hand.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { type KeyRef, strongValue } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  linkId,
  type RiskName,
} from "../desired.ts";
import { type Binding, type Memory, named, openCampaign } from "../journal/memory.ts";
import type { Lookout } from "../lookout.ts";
import { standingOf } from "../plan.ts";
import { assertDistinct, chooseKey, readCkn } from "../vault.ts";
import type { Campaign, CampaignLink } from "./campaign.ts";
import { type LinkView, portOf, securedBy } from "./facts.ts";

export interface EnrolmentParts {
  readonly world: World;
  readonly desired: Desired;
  readonly intent: number;
  readonly lookout: Lookout;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
}

/** Why links that want a key get none, and the command that goes on from there. */
export interface Waiting {
  readonly code: string;
  /** As what a command that asked for it is refused. */
  readonly refusal: ErrorCode;
  readonly text: string;
  readonly next: string;
}

export type Beginning =
  | { readonly kind: "nothing" }
  | { readonly kind: "waiting"; readonly waiting: Waiting }
  | { readonly kind: "begin"; readonly campaign: Campaign };

export interface Asked {
  readonly by: string;
  readonly risks: readonly RiskName[];
  /** Only these links; undefined = every link of the group that wants a key. */
  readonly links: readonly string[] | undefined;
}

/** Links of the group that a look shows without a key on either end, in the order of the config. */
function candidates(parts: EnrolmentParts, group: DesiredGroup): readonly DesiredLink[] {
  const { lookout, memory } = parts;
  return group.links.filter((link) => {
    // What the far end said before it fell silent may be long past.
    if (lookout.peerFailure(link) !== undefined) return false;
    const standing = standingOf(lookout.view(link), memory(), lookout.capabilities(link.device));
    return standing.kind === "clear";
  });
}

/** A campaign of this intent that ended without its link enrolled is not begun again by itself. */
function endedBefore(parts: EnrolmentParts, group: DesiredGroup, link: DesiredLink): boolean {
  const last = named(parts.memory().campaigns, group.name);
  return (
    last?.state === "done" &&
    last.intent === parts.intent &&
    last.links.some((entry) => entry.name === link.name && entry.outcome !== "enrolled")
  );
}

/**
 * What the accepted intent, or an operator, makes begin now. Reads the vault only when a link wants
 * a key. Throws `vault.*` with effect "none".
 */
export async function beginEnrolment(
  parts: EnrolmentParts,
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
  const risks = asked?.risks ?? [];
  if (!risks.includes("breakBeforeMake") && !acceptsRisk("breakBeforeMake")) {
    return { kind: "waiting", waiting: riskMissing(group) };
  }
  const links = await frozenKeys(parts, group, wanted, signal);
  const at = parts.world.clock.wall();
  return {
    kind: "begin",
    campaign: {
      group: group.name,
      kind: "enrol",
      links,
      at: 0,
      state: "queued",
      since: at,
      because:
        asked === undefined ? "the accepted intent wants these links protected" : "asked for",
      told: false,
      asked: false,
      heldFrom: undefined,
      risks,
      by: asked?.by ?? `intent ${parts.intent}`,
      intent: parts.intent,
    },
  };
}

/**
 * A campaign beside a link that is not ours would wait for it for ever, and keep it from being
 * adopted; of one that cannot be read nobody knows whose it is.
 */
function siblingFirst(parts: EnrolmentParts, group: DesiredGroup): Waiting | undefined {
  const { lookout, memory } = parts;
  for (const link of group.links) {
    const capabilities = lookout.capabilities(link.device);
    const standing = standingOf(lookout.view(link), memory(), capabilities);
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

function riskMissing(group: DesiredGroup): Waiting {
  return {
    code: "campaign-waiting",
    refusal: "gate.riskNotAccepted",
    text: "a first key interrupts each link in turn, and nobody accepted the risk breakBeforeMake",
    next: `linkseal enrol ${group.name} --accept-risk=breakBeforeMake`,
  };
}

async function frozenKeys(
  parts: EnrolmentParts,
  group: DesiredGroup,
  wanted: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<readonly CampaignLink[]> {
  const { vault, world, memory } = parts;
  const links: CampaignLink[] = [];
  for (const link of wanted) {
    const { key, created } = await chooseKey(vault, link, world.clock.wall(), signal);
    const { name, device, port } = link;
    links.push({ name, device, port, key, created, outcome: undefined });
  }
  const keys = links.map((link) => link.key);
  await assertDistinct(vault, [...keys, ...boundKeys(memory(), group.name, keys)], signal);
  return links;
}

/** Keys that new ones must differ from: those of the group, and any that has the same name. */
function boundKeys(memory: Memory, group: string, keys: readonly KeyRef[]): readonly KeyRef[] {
  return Object.entries(memory.bindings)
    .filter(
      ([id, { key }]) =>
        id.split("/", 1)[0] === group || keys.some((wanted) => wanted.ckn === key.ckn),
    )
    .map(([, { key }]) => key);
}

export interface Adoption {
  /** `group/link`. */
  readonly link: string;
  readonly binding: Binding;
}

/**
 * What adopting these links of one group would write, from a fresh look at both ends; links that
 * are managed already are left out. Throws the reason where ends and vault disagree.
 */
export async function matchExisting(
  parts: EnrolmentParts,
  links: readonly DesiredLink[],
  risks: readonly string[],
  signal: AbortSignal,
): Promise<readonly Adoption[]> {
  const { lookout, memory, vault } = parts;
  const found: Adoption[] = [];
  for (const link of links) {
    const state = await lookout.look(link.device, signal);
    const peer = await lookout.lookPeer(link, signal);
    if (memory().bindings[linkId(link)] !== undefined) continue;
    const view = { link, state, peer, probe: undefined };
    const binding = await matchOne(parts, view, signal);
    const drift = adoptionDrift(parts, view, binding);
    if (drift.length > 0 && !risks.includes("asFound")) throw foundOtherwise(link, drift);
    found.push({ link: linkId(link), binding });
  }
  if (found.length === 0) return [];
  const keys = found.map(({ binding }) => binding.key);
  const others = boundKeys(memory(), links[0]?.group ?? "", keys);
  await assertDistinct(vault, [...others, ...keys], signal);
  return found;
}

async function matchOne(
  parts: EnrolmentParts,
  view: LinkView,
  signal: AbortSignal,
): Promise<Binding> {
  const { lookout, vault, memory, world } = parts;
  const { link } = view;
  const standing = standingOf(view, memory(), lookout.capabilities(link.device));
  if (standing.kind !== "unmanaged") throw refused(link, notAdoptable(standing.kind));
  const port = portOf(view.state, link.port);
  const slots = port === undefined ? undefined : strongValue(port.keys);
  const slot = slots?.[0];
  const far = view.peer?.pointsAt;
  const bare = port?.settings.kind === "known" && port.settings.value === undefined;
  if (bare && slots?.length === 0) {
    throw refused(link, "the router has no key: take MACsec off at the far end too, then enrol it");
  }
  if (port === undefined || slot === undefined || slots?.length !== 1) {
    throw refused(link, "the router does not hold exactly one key on this port");
  }
  if (far === undefined) throw refused(link, "the far end has MACsec off");
  const versions = await vault.versions(link.key.cak, signal);
  const version = versions.find((each) => each.id === far.cakSecretId);
  if (version?.enabled !== true) {
    throw refused(link, `the far end points at no enabled version of ${link.key.cak}`);
  }
  const ckn = await readCkn(vault, far.cknSecretId, signal);
  if (ckn !== slot.ckn) {
    throw refused(link, "the CKN on the router is not the one that the far end points at");
  }
  const key: KeyRef = { ckn, cakSecretId: far.cakSecretId, cknSecretId: far.cknSecretId };
  if (!securedBy(port, key)) throw refused(link, "MKA is not secured by this key at the moment");
  return { key, since: world.clock.wall(), created: version.created, how: "adopted" };
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
function adoptionDrift(parts: EnrolmentParts, view: LinkView, binding: Binding): readonly string[] {
  const { lookout, memory } = parts;
  const { link } = view;
  const pretended: Memory = {
    ...memory(),
    bindings: { ...memory().bindings, [linkId(link)]: binding },
  };
  const standing = standingOf(view, pretended, lookout.capabilities(link.device));
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

function refused(link: DesiredLink, why: string): LinksealError {
  return new LinksealError("gate.leftoverKey", `${linkId(link)} cannot be adopted: ${why}`, {
    effect: "none",
    where: linkId(link),
    next: "linkseal links",
  });
}

/** Accepted in the config and not past its date. */
export function riskAccepted(desired: Desired, risk: RiskName, now: WallTime): boolean {
  return desired.acceptRisks.some((entry) => entry.risk === risk && now < entry.until);
}
