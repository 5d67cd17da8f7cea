// Begins rotations (by policy or by hand) and changes of settings that a new intent wants.

import { type Drift, removesKey } from "../../compare/drift.ts";
import { keySizeGap } from "../../compare/key-size.ts";
import { standingOf } from "../../compare/plan.ts";
import { endsWith } from "../../compare/record-age.ts";
import { takenBackOn } from "../../health/in-force.ts";
import type { CampaignLink, Overlap } from "../../model/campaign.ts";
import { type DesiredGroup, type DesiredLink, linkId, type RiskName } from "../../model/desired.ts";
import { causeText } from "../../model/reason-text.ts";
import { type BoundLink, changeOf, forNextKey, sameSettings } from "../../rotation/change.ts";
import { rotationDue } from "../../rotation/policy.ts";
import { windowAt } from "../../rotation/window.ts";
import { type Binding, named, openCampaign } from "../../store/journal/memory.ts";
import { type ChosenKey, chooseKey } from "../polling/vault.ts";
import {
  type Accepting,
  type Asked,
  assertFresh,
  type Beginning,
  type BeginParts,
  missingRisk,
  newCampaign,
  type Waiting,
} from "./begin.ts";

function boundLinks(
  { memory }: BeginParts,
  group: DesiredGroup,
  asked: Asked | undefined,
): readonly BoundLink[] {
  return group.links.flatMap((link) => {
    const binding = named(memory().bindings, linkId(link));
    const meant = asked?.links === undefined || asked.links.includes(link.name);
    return binding === undefined || !meant ? [] : [{ link, binding }];
  });
}

function waiting(text: string, next: string, refusal: Waiting["refusal"]): Beginning {
  return { kind: "waiting", waiting: { code: "campaign-waiting", refusal, text, next } };
}

/** How the router can hold two keys; undefined = there is no session with it. */
function overlapOf({ deviceCache }: BeginParts, { device }: DesiredLink): Overlap | undefined {
  const overlap = deviceCache.capabilities(device)?.macsec?.overlap;
  return overlap === "none" ? "breakBeforeMake" : overlap;
}

/**
 * Returns the links that a rotation would freeze now, with their newest keys.
 * @throws LinksealError `vault.*`.
 */
export async function rotatable(
  parts: BeginParts,
  group: DesiredGroup,
  asked: Asked | undefined,
  signal: AbortSignal,
): Promise<readonly (BoundLink & { readonly newest: ChosenKey })[]> {
  const found = [];
  for (const { link, binding } of boundLinks(parts, group, asked)) {
    const newest = await chooseKey(
      parts.vault,
      forNextKey(link, binding),
      parts.world.clock.wall(),
      signal,
      binding.key,
    );
    found.push({ link, binding, newest });
  }
  return found;
}

/**
 * Returns the rotation that the policy makes due or that an operator asks for.
 * @throws LinksealError `vault.*` with effect "none".
 */
export async function beginRotation(
  parts: BeginParts,
  group: DesiredGroup,
  accepting: Omit<Accepting, "verb">,
  signal: AbortSignal,
): Promise<Beginning> {
  const { asked } = accepting;
  if (openCampaign(parts.memory(), group.name) !== undefined) return { kind: "nothing" };
  if (asked === undefined && group.rotate.on === "hand") return { kind: "nothing" };
  const drained = group.links.find((link) => parts.memory().drains[linkId(link)] !== undefined);
  if (drained !== undefined) {
    const id = linkId(drained);
    return waiting(`${id} was drained by hand`, `linkseal undrain ${id}`, "gate.busy");
  }
  const back = broughtBack(parts, group, asked);
  if (back.length > 0 && asked !== undefined) return takeOff(parts, group, back, accepting);
  const known = await rotatable(parts, group, asked, signal);
  const fresh = known.filter(({ binding, newest }) => isNewer(binding, newest));
  const chosen =
    asked === undefined ? dueOf(parts, group, known) : fresh.map((each) => each.link.name);
  const wanted = fresh.filter(({ link }) => chosen.includes(link.name));
  const failed = asked === undefined ? triedBefore(parts, group, wanted) : undefined;
  if (failed !== undefined) {
    const text = `the last rotation of ${linkId(failed.link)} to its newest key did not succeed`;
    return waiting(text, `linkseal rotate ${group.name}`, "gate.busy");
  }
  if (wanted.length === 0) {
    if (asked === undefined) return { kind: "nothing" };
    const text = "the vault holds no newer key pair for any of these links";
    return waiting(text, "linkseal keys list", "vault.unpaired");
  }
  return (
    outsideWindow(parts, group, accepting) ??
    (await freeze(parts, group, wanted, accepting, signal))
  );
}

/**
 * The links whose last campaign took off a key that a reload of the router brought back: the same
 * campaign ends the same way once more.
 */
function broughtBack(
  parts: BeginParts,
  group: DesiredGroup,
  asked: Asked | undefined,
): readonly CampaignLink[] {
  const memory = parts.memory();
  const last = named(memory.campaigns, group.name)?.links ?? [];
  return boundLinks(parts, group, asked).flatMap(({ link, binding }) => {
    const { key, settings, created, generation } = binding;
    const taken = takenBackOn(memory, link);
    const entry = last.find(({ name, old, new: { key: used } }) => {
      const isOff = old !== undefined && taken.some((part) => removesKey(part, old.key.ckn));
      return isOff && name === link.name && used.ckn === key.ckn;
    });
    if (entry === undefined) return [];
    return [{ ...entry, created, generation, new: { key, settings }, outcome: undefined }];
  });
}

/** The far end has left these keys, so nothing but the router is changed. */
function takeOff(
  parts: BeginParts,
  group: DesiredGroup,
  links: readonly CampaignLink[],
  accepting: Omit<Accepting, "verb">,
): Beginning {
  const closed = outsideWindow(parts, group, accepting);
  if (closed !== undefined) return closed;
  const wanted = group.links.filter(({ name }) => links.some((one) => one.name === name));
  const verb = `linkseal rotate ${group.name}`;
  const risk = missingRisk(parts, wanted, rotationRisks(group, links), { ...accepting, verb });
  if (risk !== undefined) return { kind: "waiting", waiting: risk };
  const reason = { code: "begin.broughtBack" } as const;
  const { asked } = accepting;
  return {
    kind: "begin",
    campaign: newCampaign(parts, { group, kind: "rotate", links, asked, reason }),
  };
}

/** A rotation that a policy began and that was taken back is not begun again by itself. */
function triedBefore(
  { memory }: BeginParts,
  group: DesiredGroup,
  wanted: readonly (BoundLink & { readonly newest: ChosenKey })[],
): BoundLink | undefined {
  const last = named(memory().campaigns, group.name);
  return wanted.find(({ link, newest }) =>
    last?.links.some(
      ({ name, outcome, new: tried }) =>
        name === link.name &&
        (outcome === "reverted" || outcome === "abandoned") &&
        tried.key.cakSecretId === newest.key.cakSecretId,
    ),
  );
}

/**
 * Returns true if the vault's key is newer; the same version, or an older one that is enabled
 * again, does not begin a rotation.
 */
export function isNewer(binding: Binding, { key, created, generation }: ChosenKey): boolean {
  if (key.cakSecretId === binding.key.cakSecretId) return false;
  if (generation !== undefined) return generation > (binding.generation ?? -1);
  return created > binding.created;
}

function dueOf(
  parts: BeginParts,
  group: DesiredGroup,
  known: readonly (BoundLink & { readonly newest: ChosenKey })[],
): readonly string[] {
  const due = rotationDue({
    policy: group.rotate,
    freezes: group.freezes,
    links: known.map(({ link, binding, newest }) => ({
      name: link.name,
      bound: binding,
      newest: isNewer(binding, newest) ? newest : undefined,
    })),
    wall: parts.world.clock.wall(),
  });
  return due.kind === "due" ? due.links : [];
}

/** An operator may go on outside a window, by name. */
function outsideWindow(
  parts: BeginParts,
  group: DesiredGroup,
  { asked, acceptsRisk }: Omit<Accepting, "verb">,
): Beginning | undefined {
  const state = windowAt(group.rotate.windows, group.freezes, parts.world.clock.wall());
  const accepted =
    asked?.urgency === "emergency" ||
    asked?.risks.includes("outsideWindow") === true ||
    acceptsRisk("outsideWindow");
  if (state.kind === "open" || accepted) return undefined;
  return waiting(causeText(state.why), `linkseal rotate ${group.name} --now`, "gate.window");
}

async function freeze(
  parts: BeginParts,
  group: DesiredGroup,
  wanted: readonly (BoundLink & { readonly newest: ChosenKey })[],
  accepting: Omit<Accepting, "verb">,
  signal: AbortSignal,
): Promise<Beginning> {
  const links: CampaignLink[] = [];
  for (const each of wanted) {
    const entry = rotated(parts, each);
    if (entry === undefined) {
      const text = `${each.link.device} has no session now, so it is not known how it holds keys`;
      return waiting(text, "linkseal status", "gate.stale");
    }
    links.push(entry);
  }
  const risks = rotationRisks(group, links);
  const verb = `linkseal rotate ${group.name}`;
  const risk = missingRisk(
    parts,
    wanted.map((each) => each.link),
    risks,
    { ...accepting, verb },
  );
  if (risk !== undefined) return { kind: "waiting", waiting: risk };
  await assertFresh(
    parts,
    group.name,
    links.map((link) => link.new.key),
    signal,
  );
  const { asked } = accepting;
  const left = leftLink(parts, group);
  if (left !== undefined) {
    if (asked === undefined) return { kind: "nothing" };
    const text = `both ends of ${left} have left the key of the journal`;
    return waiting(text, `linkseal adopt ${left}`, "gate.leftoverKey");
  }
  const reason = { code: "begin.newerKey", on: group.rotate.on } as const;
  return {
    kind: "begin",
    campaign: newCampaign(parts, { group, kind: "rotate", links, asked, reason }),
  };
}

/** Returns the first link that both ends have left: it would keep the campaign waiting for ever. */
function leftLink(parts: BeginParts, group: DesiredGroup): string | undefined {
  const bound = boundLinks(parts, group, undefined);
  const left = bound.find(
    ({ link, binding }) => endsWith(parts.deviceCache.snapshot(link), binding.key) === "left",
  );
  return left && linkId(left.link);
}

/** The link as it is frozen for a rotation; undefined = there is no session with its router. */
export function rotated(
  parts: BeginParts,
  { link, binding, newest }: BoundLink & { readonly newest: ChosenKey },
): CampaignLink | undefined {
  const overlap = overlapOf(parts, link);
  if (overlap === undefined) return undefined;
  const { name, device, port } = link;
  const { key, created, generation } = newest;
  const { settings } = binding;
  return {
    ...{ name, device, port, overlap, created, generation },
    old: { key: binding.key, settings },
    new: { key, settings },
    outcome: undefined,
  };
}

export function rotationRisks(
  group: DesiredGroup,
  links: readonly CampaignLink[],
): readonly RiskName[] {
  const risks: RiskName[] = group.drain === "none" ? ["noDrain"] : [];
  if (links.some(({ overlap }) => overlap === "breakBeforeMake")) risks.push("breakBeforeMake");
  return risks;
}

/**
 * Returns the change of settings that a newer intent wants for links that were accepted with
 * others.
 */
export function beginChange(
  parts: BeginParts,
  group: DesiredGroup,
  accepting: Omit<Accepting, "verb">,
): Beginning {
  if (openCampaign(parts.memory(), group.name) !== undefined) return { kind: "nothing" };
  const wanted = boundLinks(parts, group, accepting.asked).filter((bound) =>
    wantsChange(parts, group, bound, accepting.asked),
  );
  if (wanted.length === 0) return { kind: "nothing" };
  // A config that was accepted by an earlier version may want it all the same.
  const [gap] = wanted.flatMap(({ link, binding }) => {
    return keySizeGap(link, binding.settings.suite) ?? [];
  });
  if (gap !== undefined) return waiting(gap.text, gap.next, "config.conflict");
  const verb = `linkseal enrol ${group.name}`;
  const links = wanted.map(({ link }) => link);
  const risk = missingRisk(parts, links, ["breakBeforeMake"], { ...accepting, verb });
  if (risk !== undefined) return { kind: "waiting", waiting: risk };
  const reason = { code: "begin.settings" } as const;
  const { asked } = accepting;
  const changes = wanted.map((bound) => changeOf(bound));
  return {
    kind: "begin",
    campaign: newCampaign(parts, { group, kind: "change", links: changes, asked, reason }),
  };
}

/**
 * Returns true if an intent that was accepted after the settings wants others; drift alone begins
 * no change (P4).
 */
function wantsChange(
  parts: BeginParts,
  group: DesiredGroup,
  bound: BoundLink,
  asked: Asked | undefined,
): boolean {
  const { link, binding } = bound;
  if (asked === undefined && binding.intent >= parts.intent) return false;
  if (sameSettings(bound)) return false;
  const last = named(parts.memory().campaigns, group.name);
  // Only an operator tries again what has ended before.
  const ended = asked === undefined && last?.kind === "change" && last.intent === parts.intent;
  if (ended) return false;
  const { deviceCache, memory } = parts;
  const standing = standingOf(
    deviceCache.snapshot(link),
    memory(),
    deviceCache.capabilities(link.device),
  );
  // A drift that the driver repairs without interrupting the port needs no campaign.
  return standing.kind === "managed" && standing.drift.some((drift) => !isHitless(drift));
}

const isHitless = ({ repair }: Drift): boolean => repair !== undefined;
