// Warnings about the state folder and the config file of this host, and their consequences for
// drained links and campaigns.

import { strongValue } from "#hal/model.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import type { Campaign } from "../../model/campaign.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import type { LinkHealth } from "../../model/health.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import { type Memory, named, openCampaign } from "../../store/journal/memory.ts";
import type { Unwritten } from "../../store/journal/state-watch.ts";
import { hindranceOf } from "../../store/journal/unwritable.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";

export interface UnwritableScene {
  readonly agent: Pick<EvaluatedAgent, "memory" | "unwritten">;
  readonly supervisor: Pick<SiteView, "intent" | "deviceCache">;
  readonly health: (link: DesiredLink) => LinkHealth;
}

/** Warns of faults of the state folder and the config of this host. */
export function siteWarnings(agent: EvaluatedAgent): Raised[] {
  const { fileText, intent, journalState, auditTrouble } = agent;
  const raised: Raised[] = [...agent.hostWarnings];
  if (journalState === "corrupt") {
    const text = "the journal is damaged: nothing is changed any more";
    raised.push(raise("journal-lossy", "site", text));
  }
  if (auditTrouble !== undefined) {
    const text = `the audit log takes no records: ${auditTrouble.message}`;
    raised.push(raise("audit-lossy", "site", text));
  }
  if (fileText !== undefined && intent !== undefined && fileText !== intent.text) {
    const text = `the config file differs from config ${intent.number}, which is in force`;
    raised.push(raise("config-not-applied", "site", text));
  }
  return raised;
}

/** One warning for the site, and one for each drained link whose traffic no other link carries. */
export function unwritableWarnings(scene: UnwritableScene): readonly Raised[] {
  const { unwritten, memory } = scene.agent;
  const { desired } = scene.supervisor.intent;
  const [first] = unwritten;
  if (first === undefined) return [];
  const isJournal = unwritten.some(({ what }) => what === "journal");
  const next = hindranceOf(first.error)?.next ?? first.error.next;
  const drained = desired.groups.flatMap((group) => drainedLinks(scene, group));
  const text = [
    ...unwritten.map(whatText),
    ...(isJournal ? ["linkseal changes nothing on any device until the journal is written"] : []),
    ...drained.map(({ link, how }) => `${linkId(link)} ${how}`),
    ...desired.tunnels.flatMap(({ name }) =>
      manualDrainsOf(memory, name).map((how) => `${name} ${how}`),
    ),
    ...desired.groups.flatMap(({ name }) => campaignText(openCampaign(memory, name), isJournal)),
  ].join("; ");
  const stranded = isJournal ? drained.flatMap((each) => strandedWarning(scene, each, next)) : [];
  return [{ ...raise("state-unwritable", "site", text), next }, ...stranded];
}

function whatText({ what, error }: Unwritten): string {
  return `the ${what} cannot be written: ${hindranceOf(error)?.why ?? error.message}`;
}

function campaignText(campaign: Campaign | undefined, isJournal: boolean): readonly string[] {
  if (campaign === undefined) return [];
  const { group, kind, state, since } = campaign;
  const verb = isJournal ? "waits" : "is";
  return [`the campaign of ${group} (${kind}) ${verb} in ${state} since ${isoTime(since)}`];
}

interface Drained {
  readonly link: DesiredLink;
  readonly group: DesiredGroup;
  readonly how: string;
}

/** Only drains by linkseal: a drain that an operator made at the router has its own warning. */
function drainedLinks(
  { agent, supervisor }: UnwritableScene,
  group: DesiredGroup,
): readonly Drained[] {
  const { memory } = agent;
  const campaign = openCampaign(memory, group.name);
  return group.links.flatMap((link): readonly Drained[] => {
    const own = manualDrainsOf(memory, linkId(link)).map((how) => ({ link, group, how }));
    const observed = supervisor.deviceCache.state(link.device);
    if (own.length > 0 || campaign === undefined) return own;
    if (observed === undefined || strongValue(observed.routing) === undefined) {
      const isUnderWay = campaign.links[campaign.at]?.name === link.name;
      return isUnderWay ? [{ link, group, how: "may be drained, its router is not read" }] : [];
    }
    const how = "is drained by its campaign";
    return drainOf(observed, link.port) === "on" ? [{ link, group, how }] : [];
  });
}

function manualDrainsOf(memory: Memory, about: string): readonly string[] {
  const drain = named(memory.drains, about);
  if (drain === undefined) return [];
  return [`is drained for ${drain.by} since ${isoTime(drain.since)}`];
}

/** The worst case of P2: the traffic cannot be returned before the journal can be written. */
function strandedWarning(
  { health }: UnwritableScene,
  { link, group, how }: Drained,
  next: string,
): readonly Raised[] {
  const others = group.links.filter((each) => each !== link);
  const verdicts = others.map((each) => ({ name: each.name, verdict: health(each).verdict }));
  const carries = ({ verdict }: (typeof verdicts)[number]): boolean =>
    verdict === "protected" || verdict === "degraded";
  if (verdicts.some(carries)) return [];
  const siblings = verdicts.map(({ name, verdict }) => `${name} is ${verdict}`).join(", ");
  const text = `it ${how} and ${siblings}: linkseal cannot give its traffic back`;
  const manualToo = `${next}; or take its drain away at ${link.device}`;
  return [{ ...raise("state-unwritable", linkId(link), text), next: manualToo }];
}
