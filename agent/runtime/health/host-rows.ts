// Warnings about the agent's own records and process, the state folder and the config file of this
// host, and their consequences for drained links and campaigns.

import { strongValue } from "#hal/model.ts";
import type { Campaign } from "../../model/campaign.ts";
import { type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import { fileBytesMax } from "../../store/journal/chain.ts";
import { type Memory, named, openCampaign } from "../../store/journal/memory.ts";
import type { Unwritten } from "../../store/journal/state-watch.ts";
import { hindranceOf } from "../../store/journal/unwritable.ts";
import type { Finders, Finding, Scene, Subject } from "./finder.ts";

const dayMs = 86_400_000;
/** Evidence that is younger than this is not overwritten without a warning, in milliseconds. */
const evidenceMs = 366 * dayMs;
const noticeMs = 14 * dayMs;

const proposals = ({ agent }: Scene): readonly Finding[] => agent.proposals.warnings();

export const hostRows = {
  "journal-lossy": ({ agent: { journal, journalState } }) => {
    if (journalState === "corrupt") return "the journal is damaged: nothing is changed any more";
    if (journal.missing === 0) return undefined;
    return (
      `the audit log knows ${journal.missing} records that the journal lacked at the start: a ` +
      "disk lost them, or an old copy was put back"
    );
  },
  "journal-growing": ({ agent: { journal, compaction } }) => {
    const { trouble } = compaction;
    if (trouble === undefined) return undefined;
    const share = Math.ceil((100 * journal.bytes) / fileBytesMax);
    const text =
      `the journal cannot be compacted (${trouble.message}) and grows: it has ${share} % of its ` +
      "longest size, after which nothing is changed any more";
    return { text, next: trouble.next };
  },
  "evidence-rolls-over": ({ agent, wall }) => {
    const next = agent.rollOver(wall);
    if (next === undefined) return undefined;
    if (next.at - wall > noticeMs || next.at - next.from > evidenceMs) return undefined;
    const [from, until] = [isoTime(next.from), isoTime(next.until)];
    const days = Math.max(0, Math.floor((next.at - wall) / dayMs));
    const text =
      `at its present pace the audit log overwrites the evidence from ${from} to ${until} in ` +
      `about ${days} days`;
    return { text, next: `linkseal report --from ${from} --to ${until} --out FILE` };
  },
  "agent-overloaded": ({ agent: { loopLag } }) => {
    if (!loopLag.isOverload) return undefined;
    const seconds = ((loopLag.ms ?? 0) / 1_000).toFixed(1);
    return (
      `this host gives the agent too little processor time: its timers ring ${seconds} s late, ` +
      "so readings get old although the devices answer"
    );
  },
  "proposal-refused": proposals,
  "proposal-waiting": proposals,
  "audit-lossy": ({ agent: { auditTrouble } }) =>
    auditTrouble && `the audit log takes no records: ${auditTrouble.message}`,
  "config-not-applied": ({ agent: { fileText, intent } }) => {
    if (fileText === undefined || intent === undefined || fileText === intent.text)
      return undefined;
    return `the config file differs from config ${intent.number}, which is in force`;
  },
  "state-unwritable": unwritable,
} satisfies Finders<Subject>;

const until =
  "until the journal is written linkseal changes nothing on any device, but gives a link that " +
  "can carry its traffic back once its sibling is lost";

/** One warning for the site; a drained link that is dark says so by its own verdict. */
function unwritable(scene: Scene): readonly Finding[] {
  const { unwritten, memory } = scene.agent;
  const { desired } = scene.site.intent;
  const [first] = unwritten;
  if (first === undefined) return [];
  const isJournal = unwritten.some(({ what }) => what === "journal");
  const next = hindranceOf(first.error)?.next ?? first.error.next;
  const drained = desired.groups.flatMap((group) => drainedLinks(scene, group));
  const text = [
    ...unwritten.map(whatText),
    ...(isJournal ? [until] : []),
    ...drained.map(({ link, how }) => `${linkId(link)} ${how}`),
    ...desired.tunnels.flatMap(({ name }) =>
      manualDrainsOf(memory, name).map((how) => `${name} ${how}`),
    ),
    ...desired.groups.flatMap(({ name }) => campaignText(openCampaign(memory, name), isJournal)),
  ].join("; ");
  return [{ text, next }];
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
  readonly how: string;
}

/** Only drains by linkseal: a drain that an operator made at the router has its own warning. */
function drainedLinks({ agent, site }: Scene, group: DesiredGroup): readonly Drained[] {
  const { memory } = agent;
  const campaign = openCampaign(memory, group.name);
  return group.links.flatMap((link): readonly Drained[] => {
    const own = manualDrainsOf(memory, linkId(link)).map((how) => ({ link, how }));
    const observed = site.deviceCache.state(link.device);
    if (own.length > 0 || campaign === undefined) return own;
    if (observed === undefined || strongValue(observed.routing) === undefined) {
      const isUnderWay = campaign.links[campaign.at]?.name === link.name;
      return isUnderWay ? [{ link, how: "may be drained, its router is not read" }] : [];
    }
    const how = "is drained by its campaign";
    return drainOf(observed, link.port) === "on" ? [{ link, how }] : [];
  });
}

function manualDrainsOf(memory: Memory, about: string): readonly string[] {
  const drain = named(memory.drains, about);
  return drain === undefined ? [] : [`is drained for ${drain.by} since ${isoTime(drain.since)}`];
}
