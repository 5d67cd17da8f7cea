// Previews a rotation: its steps, and what would keep it from beginning or going on. It reads the
// vault and both ends, and writes nothing.

import { isErrorCode } from "#hal/error.ts";
import type { Plan } from "../../compare/plan.ts";
import { numbered } from "../../compare/sends.ts";
import type { CampaignLink } from "../../model/campaign.ts";
import { type DesiredGroup, type DesiredLink, linkId, type RiskName } from "../../model/desired.ts";
import type { LinkSnapshot } from "../../model/link-snapshot.ts";
import { waitsTooShort } from "../../model/proof-time.ts";
import { bareCauseText, causeText, nextForRight } from "../../model/reason-text.ts";
import type { BoundLink } from "../../rotation/change.ts";
import { farEndOf } from "../../rotation/facts.ts";
import { forecast } from "../../rotation/forecast.ts";
import { waitsForPermit } from "../../rotation/permit.ts";
import { unmetPrecondition } from "../../rotation/preconditions.ts";
import { type Alarm, siblingOf } from "../../rotation/sibling.ts";
import { windowAt } from "../../rotation/window.ts";
import { named, openCampaign } from "../../store/journal/memory.ts";
import { type Asked, type BeginParts, missingRisks, type Waiting } from "./begin.ts";
import { type ManagementPathParts, managementPathOf } from "./management-path.ts";
import { isNewer, rotatable, rotated, rotationRisks } from "./rotation.ts";

export interface PreviewParts extends BeginParts, Pick<ManagementPathParts, "managementAddresses"> {
  readonly acceptsRisk: (risk: RiskName) => boolean;
  /** Why no campaign may begin besides those that are open; undefined = one may. */
  readonly full: Waiting | undefined;
  /** The objection of the health evaluator to relying on a link; undefined = none. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
}

type Note = Plan["notes"][number];

/**
 * Returns the steps of a rotation that an operator might begin now, and what is in its way.
 * @throws LinksealError `vault.*` with effect "none".
 */
export async function previewRotation(
  parts: PreviewParts,
  group: DesiredGroup,
  asked: Asked,
  signal: AbortSignal,
): Promise<Plan> {
  const known = await rotatable(parts, group, asked, signal);
  const notes: Note[] = [...strangers(parts, group, asked)];
  const links: CampaignLink[] = [];
  for (const each of known) {
    const id = linkId(each.link);
    if (!isNewer(each.binding, each.newest)) {
      const text = "it runs on the newest key pair of the vault already";
      notes.push({ about: id, text, next: "linkseal keys list" });
      continue;
    }
    const entry = rotated(parts, each);
    if (entry === undefined)
      notes.push(holding("gate.stale", id, unreached(each), "linkseal status"));
    else links.push(entry);
  }
  if (links.length > 0) notes.push(...(await obstacles(parts, group, asked, links, signal)));
  const { desired, memory, deviceCache } = parts;
  const drafts = forecast({
    ...{ desired, group, links, kind: "rotate", urgency: asked.urgency },
    measures: memory().measures,
    capabilities: (device) => deviceCache.capabilities(device),
  });
  // What its later steps send depends on what the earlier ones have made of the router.
  const steps = numbered(drafts, () => undefined);
  return { schema: "linkseal.plan/1", wouldChange: steps.length > 0, steps, notes };
}

const unreached = ({ link }: BoundLink): string =>
  `${link.device} has no session now, so it is not known how it holds keys`;

function holding(code: NonNullable<Note["code"]>, about: string, text: string, next: string): Note {
  return { code, about, text, next };
}

/** Links that were asked for and have no key of this agent. */
function strangers({ memory }: PreviewParts, group: DesiredGroup, asked: Asked): readonly Note[] {
  return group.links
    .filter(({ name }) => asked.links === undefined || asked.links.includes(name))
    .map(linkId)
    .filter((id) => named(memory().bindings, id) === undefined)
    .map((id) => ({
      about: id,
      text: "it runs on no key of this agent, so there is none to rotate",
      next: `linkseal adopt ${id}, or linkseal enrol ${id}`,
    }));
}

async function obstacles(
  parts: PreviewParts,
  group: DesiredGroup,
  asked: Asked,
  links: readonly CampaignLink[],
  signal: AbortSignal,
): Promise<readonly Note[]> {
  const snapshots = await observe(parts, group, signal);
  const preconditions = links.map((entry) =>
    preconditionOf(parts, asked, entry, snapshots, signal),
  );
  return [
    ...busy(parts, group, asked),
    ...bounded(parts, group),
    ...closedWindow(parts, group, asked),
    ...risksOf(parts, group, asked, links),
    ...slowProofs(parts, group, links),
    ...shutPorts(parts, links),
    ...(await Promise.all(preconditions)).flat(),
  ];
}

function busy({ memory }: PreviewParts, group: DesiredGroup, { urgency }: Asked): readonly Note[] {
  const campaign = openCampaign(memory(), group.name);
  const drained = group.links
    .map(linkId)
    .filter((id) => named(memory().drains, id) !== undefined)
    .map((id) => holding("gate.busy", id, "it was drained by hand", `linkseal undrain ${id}`));
  if (campaign === undefined) return drained;
  const isForHub = waitsForPermit(campaign);
  // An emergency ends it.
  if (isForHub && urgency === "emergency") return drained;
  const text = `a campaign (${campaign.kind}) runs on this group: ${campaign.state}`;
  const next = `linkseal rotation ${isForHub ? "abandon" : "show"} ${group.name}`;
  return [holding("gate.busy", group.name, text, next), ...drained];
}

function bounded({ full }: PreviewParts, group: DesiredGroup): readonly Note[] {
  return full === undefined ? [] : [holding(full.refusal, group.name, full.text, full.next)];
}

function closedWindow(
  { world, acceptsRisk }: PreviewParts,
  group: DesiredGroup,
  asked: Asked,
): readonly Note[] {
  const state = windowAt(group.rotate.windows, group.freezes, world.clock.wall());
  const free =
    asked.urgency === "emergency" ||
    asked.risks.includes("outsideWindow") ||
    acceptsRisk("outsideWindow");
  if (state.kind === "open" || free) return [];
  return [
    holding("gate.window", group.name, causeText(state.why), `linkseal rotate ${group.name} --now`),
  ];
}

/** One command accepts them all. */
function risksOf(
  parts: PreviewParts,
  group: DesiredGroup,
  asked: Asked,
  links: readonly CampaignLink[],
): readonly Note[] {
  const meant = group.links.filter(({ name }) => links.some((entry) => entry.name === name));
  const { acceptsRisk } = parts;
  const missing = missingRisks(parts, meant, rotationRisks(group, links), { asked, acceptsRisk });
  const next = `linkseal rotate ${group.name} --accept-risk=${missing.join(",")}`;
  return missing.map((risk) =>
    holding("gate.riskNotAccepted", group.name, `the risk ${risk} is not accepted`, next),
  );
}

/** No precondition waits for it: the proof alone would come too late. */
function slowProofs(
  { deviceCache, desired }: PreviewParts,
  group: DesiredGroup,
  links: readonly CampaignLink[],
): readonly Note[] {
  return links.flatMap(({ name, device }): readonly Note[] => {
    if (deviceCache.capabilities(device)?.probe === true) return [];
    const about = `${group.name}/${name}`;
    return waitsTooShort(desired.rotation).map(({ key, least, why }) => ({
      about,
      text: why,
      next: `set rotation.${key} to ${least} in the config, then linkseal apply`,
    }));
  });
}

/** No precondition waits for it either: it is why a step has a time of outage. */
function shutPorts(
  { desired, deviceCache }: PreviewParts,
  links: readonly CampaignLink[],
): readonly Note[] {
  return desired.devices.flatMap(({ name, quirks }): readonly Note[] => {
    const bug = deviceCache.capabilities(name)?.macsec?.shutForKey?.bug;
    const isMeant = quirks.includes("shutBeforeKeyChange");
    if (bug === undefined || !isMeant || !links.some(({ device }) => device === name)) return [];
    const text = `its port is shut while its key changes (quirk shutBeforeKeyChange: ${bug})`;
    return [{ about: name, text, next: "read the section of the bug in docs/iosxe.md" }];
  });
}

async function observe(
  { deviceCache }: PreviewParts,
  group: DesiredGroup,
  signal: AbortSignal,
): Promise<readonly LinkSnapshot[]> {
  const snapshots = group.links.map(async (link) => {
    const [state, peer] = await Promise.all([
      deviceCache.observe(link.device, signal),
      deviceCache.observePeer(link, signal),
    ]);
    return { ...deviceCache.snapshot(link), state, peer };
  });
  return await Promise.all(snapshots);
}

async function preconditionOf(
  parts: PreviewParts,
  asked: Asked,
  entry: CampaignLink,
  snapshots: readonly LinkSnapshot[],
  signal: AbortSignal,
): Promise<readonly Note[]> {
  const { world, acceptsRisk } = parts;
  const snapshot = snapshots.find(({ link }) => link.name === entry.name);
  if (snapshot === undefined) return [];
  const now = world.clock.now();
  const unmet = unmetPrecondition({
    snapshot,
    siblings: snapshots.filter((each) => each !== snapshot).map((each) => siblingOf(parts, each)),
    far: farEndOf(snapshot.peer, entry, now, now),
    accepted: entry.old?.settings,
    phase: "beforeDrain",
    withheld: undefined,
    // Reported with all risks that are missing.
    fate: "apart",
    managementPath: await managementPathOf(parts, snapshot.link, signal),
    acceptsUnknownPath: asked.risks.includes("ownPathUnknown") || acceptsRisk("ownPathUnknown"),
    hostWall: world.clock.wall(),
    // Told with the command that does without.
    windows: undefined,
  });
  if (unmet === undefined) return [];
  const code = isErrorCode(unmet.code) ? unmet.code : "gate.stale";
  const id = linkId(snapshot.link);
  const next = unmet.code === "gate.rightsMissing" ? nextForRight(unmet) : `linkseal links ${id}`;
  return [holding(code, id, bareCauseText(unmet), next)];
}
