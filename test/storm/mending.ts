// The repairs of a manual operator at the two ends of a link, so that they fit each other and the
// agent's record.

import { type CampaignLink, entryOf } from "#agent/model/campaign.ts";
import { type Memory, openCampaign } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import { type Ckn, type KeyRef, parseCkn } from "#hal/model.ts";
import { openPort, setKeys, setSettings, takeOff } from "#sim/faults/manual-operators.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";

/** Returns the keys that this link may have now, its previous one first. */
function meantKeys(memory: Memory, link: SiteLink): readonly CampaignLink["new"][] {
  const campaign = openCampaign(memory, link.group);
  const binding = memory.bindings[link.id];
  const entry =
    campaign === undefined || entryOf(campaign).name !== link.name ? undefined : entryOf(campaign);
  if (entry !== undefined) return entry.old === undefined ? [entry.new] : [entry.old, entry.new];
  if (binding !== undefined) return [binding];
  const last = memory.campaigns[link.group]?.links.find((each) => each.name === link.name);
  return last === undefined ? [] : [last.new];
}

/** Repairs a link; whatever fits already stays as it is. */
export function putRight(site: Site, memory: Memory, link: SiteLink): void {
  const meant = meantKeys(memory, link);
  // An operator cannot change a router that does not answer.
  const answers = link.router.reachable();
  if (answers) openPort(link);
  const shown = portal(link);
  if (meant.length === 0 || shown === undefined || shown.provisioning === "updating") return;
  const enrols = memory.bindings[link.id] === undefined;
  const keys = link.edge.keys();
  // A first key is set only on a port without keys.
  const isForeign = keys.length > 0 && !meant.some((each) => holds(link, each));
  if (enrols && isForeign && answers) takeOff(link);
  if (enrols && link.edge.keys().length === 0) {
    const isOff = shown.pointsAt === undefined && shown.provisioning === "settled";
    if (!isOff) link.msee.manualEdit(link.azureLink, { key: "off" });
    return;
  }
  if (!enrols && answers) mendRouter(site, meant, link);
  mendFarEnd(meant, link);
  const bound = memory.bindings[link.id];
  const campaign = openCampaign(memory, link.group);
  const keeps = campaign?.kind !== "change" || entryOf(campaign).name !== link.name;
  // A first key has no settings before it: both ends get those of the campaign.
  const wanted = enrols ? meant[0] : bound;
  if (wanted !== undefined && keeps) {
    if (answers) setSettings(link, wanted.settings);
    mendFarSettings(meant, wanted.settings, link);
  }
}

/** Sets the far end as the agent accepted it, with whichever of the two keys it has. */
function mendFarSettings(
  meant: readonly CampaignLink["new"][],
  settings: CampaignLink["new"]["settings"],
  link: SiteLink,
): void {
  const id = portal(link)?.pointsAt?.cakSecretId;
  const there = meant.find(({ key }) => key.cakSecretId === id);
  if (there !== undefined) pointFarEnd(link, { ...there, settings });
}

export function holds(link: SiteLink, { key }: CampaignLink["new"]): boolean {
  return link.edge.keys().some(({ ckn }) => ckn === key.ckn);
}

/** Writes the settings that the portal shows again: the hardware may have missed them. */
export function putAgain(link: SiteLink): void {
  if (portal(link)?.provisioning !== "updating") link.msee.manualEdit(link.azureLink, {});
}

/** Points the far end there, unless the portal shows that this is done or under way. */
export function pointFarEnd(link: SiteLink, { key, settings }: CampaignLink["new"]): void {
  const shown = portal(link);
  if (shown === undefined || shown.provisioning === "updating") return;
  const sci = settings.includeSci ? "on" : "off";
  const there = shown.pointsAt?.cakSecretId === key.cakSecretId;
  const alike = there && shown.suite === settings.suite && shown.sci === sci;
  if (alike && shown.provisioning === "settled") return;
  link.msee.manualEdit(link.azureLink, { key, suite: settings.suite, sci });
}

/**
 * Gives the far end the two versions whose CKN is on the router: a vault that served old values may
 * have given the agent a pair that never existed.
 */
export function matchFarEnd(site: Site, link: SiteLink): void {
  const shown = portal(link);
  const onRouter = link.edge.keys().map(({ ckn }) => ckn);
  const key = site.vault.pairs(link.key).find(({ ckn }) => onRouter.includes(ckn));
  if (key === undefined || shown?.provisioning !== "settled") return;
  if (shown.pointsAt?.cknSecretId === key.cknSecretId) return;
  link.msee.manualEdit(link.azureLink, { key });
}

/**
 * Removes foreign keys, restores the vault's octets of the others, and gives a port that has lost
 * all of the link's keys one of them back.
 */
function mendRouter(site: Site, meant: readonly CampaignLink["new"][], link: SiteLink): void {
  const present = link.router.configured(link.port)?.keys ?? [];
  const ours = present.flatMap((slot) => {
    const known = meant.find(({ key }) => key.ckn === slot.ckn);
    return known === undefined ? [] : [{ ...slot, ...keyOf(site, known.key) }];
  });
  const right = ours.every(({ ckn, cak }) => link.edge.holdsCak(ckn, cak));
  if (right && ours.length === present.length && ours.length > 0) return;
  const far = farCkn(site, link);
  const lost = meant.find(({ key }) => key.ckn === far) ?? meant[0];
  if (ours.length > 0) setKeys(link, ours);
  else if (lost !== undefined) setKeys(link, [{ ...keyOf(site, lost.key), role: "primary" }]);
}

function keyOf(site: Site, key: KeyRef): { readonly ckn: Ckn; readonly cak: Uint8Array } {
  const cak = Uint8Array.from(Buffer.from(site.vault.valueForFarEnd(key.cakSecretId), "hex"));
  return { ckn: key.ckn, cak };
}

function mendFarEnd(meant: readonly CampaignLink["new"][], link: SiteLink): void {
  const shown = portal(link);
  const held = meant.filter((each) => holds(link, each));
  const fits = held.some(({ key }) => key.cakSecretId === shown?.pointsAt?.cakSecretId);
  const [first] = held.length > 0 ? held : meant;
  if (first === undefined) return;
  if (!fits) pointFarEnd(link, first);
  else if (shown?.provisioning === "failed" || !isSecured(link)) putAgain(link);
}

function isSecured({ far }: SiteLink): boolean {
  return far.session().controlledPort === "secured";
}

function farCkn(site: Site, link: SiteLink): Ckn | undefined {
  const id = portal(link)?.pointsAt?.cknSecretId;
  return id === undefined ? undefined : parseCkn(site.vault.valueForFarEnd(id));
}

function portal(link: SiteLink) {
  try {
    return link.msee.observe(link.azureLink);
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}
