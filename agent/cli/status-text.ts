// A status as text: verdicts, reasons, what runs, and the next command. All input must be readable
// text (without control characters).

import { keysText } from "../model/ckn-text.ts";
import { stateText } from "../model/state-text.ts";
import { columns, spanText } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Status } from "../runtime/health/status.ts";
import type { Paint } from "./paint.ts";

type Group = Status["groups"][number];
type Link = Group["links"][number];
type Reason = Status["reasons"][number];

/** Returns the whole report. */
export function statusText(status: Status, paint: Paint): string {
  const site = paint.strong(status.site ?? "no site");
  const lines = [`${site}: ${paint.verdict(status.verdict)}  ${paint.faint(status.at)}`];
  lines.push(...reasonLines(status.reasons, paint, "  "));
  for (const group of status.groups) lines.push("", ...groupLines(group, status.at, paint));
  if (status.tunnels.length > 0) lines.push("", paint.strong("tunnels"));
  for (const { name, verdict, reasons, ...inside } of status.tunnels) {
    const bgp = inside.bgp === null ? "" : `  BGP ${bgpText(inside)}`;
    const share = inside.share === null ? "" : `  sends ${shareText(inside)}`;
    lines.push(`  ${name}  ${paint.verdict(verdict)}${bgp}${share}`);
    lines.push(...backupLines(inside, status.at).map((line) => `    ${line}`));
    lines.push(...reasonLines(reasons, paint, "    "));
  }
  if (status.warnings.length > 0) lines.push("", paint.strong("warnings"));
  for (const { code, severity, about, since, absentSince, text, next } of status.warnings) {
    const ago = (time: string): string => spanText(Date.parse(status.at) - Date.parse(time));
    const gone = absentSince === null ? "" : `, not observed for ${ago(absentSince)}`;
    const age = `${code}, for ${ago(since)}${gone}`;
    lines.push(`  ${severity}: ${about}: ${text} (${age})`, nextLine(next, "    "));
  }
  if (status.unmanaged.length > 0) lines.push("", paint.strong("unmanaged"));
  for (const { kind, name, text, next } of status.unmanaged) {
    lines.push(`  ${kind} ${name}: ${text}`, nextLine(next, "    "));
  }
  return lines.join("\n");
}

/** Returns one line, such as `demo: degraded: erd-demo/primary, hub-1`. */
export function verdictLine(status: Status, paint: Paint): string {
  const links = status.groups.flatMap((group) =>
    group.links.map(({ name, verdict }) => ({ name: `${group.name}/${name}`, verdict })),
  );
  const bad = [...links, ...status.tunnels].filter(({ verdict }) => verdict !== "protected");
  const names = bad.map(({ name, verdict }) => `${name} ${verdict}`).join(", ");
  const [reason] = status.reasons;
  const why = names !== "" ? `: ${names}` : reason === undefined ? "" : `: ${reason.text}`;
  return `${paint.strong(status.site ?? "no site")}: ${paint.verdict(status.verdict)}${why}`;
}

function groupLines(group: Group, at: string, paint: Paint): string[] {
  const lines = [`${paint.strong(group.name)}  ${paint.verdict(group.verdict)}`];
  const { rotation } = group;
  if (rotation !== null) lines.push(...campaignLines(rotation, at).map((line) => `  ${line}`));
  const rows = columns(group.links.map((link) => linkRow(link, paint)));
  for (const [index, link] of group.links.entries()) {
    const facts = [...confidentialityLines(link), ...laterSakLines(link)];
    lines.push(`  ${rows[index] ?? ""}`, ...facts.map((line) => `  ${line}`));
    lines.push(...reasonLines(link.reasons, paint, "    "));
  }
  return lines;
}

function linkRow(link: Link, paint: Paint): string[] {
  const { keyAgeDays, suite, ages } = link;
  const key = keysText(link, keyAgeDays === null ? "" : ` (${keyAgeDays} d)`);
  return [
    link.name,
    paint.verdict(link.verdict),
    `${link.device} ${link.port}`,
    suite ?? "no suite in use or none known",
    key === undefined ? "no key" : `key ${key}`,
    paint.faint(`router ${ageText(ages.controlPlaneMs)}, far end ${ageText(ages.farEndMs)}`),
  ];
}

/** Returns what keeps a link from being called wholly encrypted, beside its reasons. */
export function confidentialityLines({
  confidentiality: { offset, received },
}: Pick<Link, "confidentiality">): string[] {
  const lines: string[] = [];
  if (offset !== null && offset > 0) {
    lines.push(`  the first ${offset} octets of each frame are not encrypted (its offset)`);
  }
  if (received === "notVisible") {
    lines.push("  confidentiality of the receive direction is not visible on this platform");
  }
  if (received === "unproven") {
    lines.push("  confidentiality of the receive direction is not proven while frames are refused");
  }
  return lines;
}

/** Returns how far the watch of the SAKs after a rotation is. */
export function laterSakLines({ laterSaks }: Pick<Link, "laterSaks">): string[] {
  if (laterSaks === null) return [];
  return [`  later SAKs since its rotation: ${laterSaks.seen} of ${laterSaks.needed}`];
}

/** Returns what Azure reports about a link; nothing of it is a proof. */
export function azureLines({ azure }: Pick<Link, "azure">, at: string): string[] {
  if (azure === null) return [];
  const { until, lineUp, rxDbm, txDbm, arpPercent, bgpPercent, peerings } = azure;
  const age = until === null ? "no data" : ageText(Date.parse(at) - Date.parse(until));
  const value = (name: string, found: number | null, unit: string): string[] =>
    found === null ? [] : [`${name} ${found.toFixed(unit === "%" ? 0 : 1)} ${unit}`];
  const parts = [
    ...value("ARP", arpPercent, "%"),
    ...value("BGP", bgpPercent, "%"),
    ...(lineUp === null ? [] : [`line ${lineUp ? "up" : "down"}`]),
    ...value("light in", rxDbm, "dBm"),
    ...value("light out", txDbm, "dBm"),
    ...peerings.map(({ type, state }) => `${type} ${state}`),
  ];
  return [`  Azure Monitor (${age}): ${parts.join(", ")}`];
}

type Tunnel = Status["tunnels"][number];

/** Returns whether BGP routes into a tunnel now. */
export function bgpText({ bgp }: Pick<Tunnel, "bgp">): string {
  if (bgp === null) return "-";
  if (bgp.up === null) return `${bgp.peer} unknown`;
  if (!bgp.up) return `${bgp.peer} down`;
  return bgp.drained === true ? `${bgp.peer} up, drained` : `${bgp.peer} up`;
}

const rideWords = {
  standby: "standby for",
  carries: "carries for",
  preferred: "carries alongside",
  unknown: "may carry for",
} as const;

/** Returns which traffic uses a backup and why, and when that was proven. */
export function backupLines({ backup }: Pick<Tunnel, "backup">, at: string): string[] {
  if (backup === null) return [];
  const { group, rides, since, because, provenAt, unproven } = backup;
  const ago = (time: string): string => spanText(Date.parse(at) - Date.parse(time));
  const lasting = since === null ? "" : ` for ${ago(since)}`;
  const why = because === null ? "" : `: ${because}`;
  const proof = provenAt === null ? "not proven yet" : `proven ${ago(provenAt)} ago`;
  const lines = [`${rideWords[rides]} ${group}${lasting}${why}; ${proof}`];
  return unproven === null ? lines : [...lines, `not proven: ${unproven}`];
}

const ppkWords = { used: "IKE uses the PPK", unused: "IKE does not use the PPK" } as const;

const natWords = {
  local: "this end is",
  remote: "the gateway is",
  both: "both ends are",
} as const;

/** Returns what is unusual about the SAs of a tunnel, and whether its PPK is in use. */
export function saLines({ sas: { pairs, nat }, ppk }: Pick<Tunnel, "sas" | "ppk">): string[] {
  const second = "the gateway made a second child, or both ends rekeyed at once";
  return [
    ...(pairs === null || pairs < 2 ? [] : [`${pairs} pairs of SAs carry: ${second}`]),
    ...(nat === null || nat === "none"
      ? []
      : [`ESP travels in UDP: ${natWords[nat]} behind a NAT`]),
    ...(ppk === null ? [] : [ppkWords[ppk]]),
  ];
}

/** Returns the share of the bundle's packets that a tunnel sent. */
export function shareText({ share }: Pick<Tunnel, "share">): string {
  return share === null ? "-" : `${share.percent} % (${share.sent} packets)`;
}

export function ageText(ms: number | null): string {
  return ms === null ? "never read" : `${spanText(ms)} ago`;
}

export function reasonLines(reasons: readonly Reason[], paint: Paint, indent: string): string[] {
  return reasons.flatMap(({ code, text, next }) => [
    `${indent}${text} ${paint.faint(`(${code})`)}`,
    nextLine(next, indent),
  ]);
}

function nextLine(next: string, indent: string): string {
  return `${indent}next: ${next}`;
}

/**
 * Returns what runs, its state, for how long, what it waits for, and the command that lets it go
 * on or shows what an operator has to do.
 */
export function campaignLines(campaign: CampaignShape, at: string): string[] {
  const next = nextOf(campaign);
  const lines = campaignHead(campaign, at);
  return next === undefined ? lines : [...lines, `  next: ${next}`];
}

/** Returns what runs, its state, for how long, and what it waits for. */
export function campaignHead(campaign: CampaignShape, at: string): string[] {
  const { group, kind, link, state, since, because, links } = campaign;
  const age = spanText(Date.parse(at) - Date.parse(since));
  const where = link === null ? group : `${group}/${link}`;
  const ended = links
    .filter(({ outcome }) => outcome !== null)
    .map(({ name, outcome }) => `${name} ${outcome}`);
  const what = isGoingOn(campaign)
    ? `${because}; it goes on within seconds`
    : `${isUnfinished(campaign) ? "not finished" : stateText(state, age)}: ${because}`;
  const lines = [`${kind} ${where}: ${what}`];
  if (ended.length > 0) lines.push(`  so far: ${ended.join(", ")}`);
  return lines;
}

function nextOf(campaign: CampaignShape): string | undefined {
  const isAsked = campaign.farEnd?.when === "now";
  return isAsked ? `linkseal rotation show ${campaign.group}` : continuation(campaign);
}

/** True after `proceed`, until the next turn of the campaign leaves the state that it waited in. */
export function isGoingOn({ state, reason }: CampaignShape): boolean {
  return state === "awaitingPeer" && reason.code === "operator.proceed";
}

/** Returns the command that lets a campaign go on; undefined = it goes on by itself. */
export function continuation(campaign: CampaignShape): string | undefined {
  const { state, group } = campaign;
  if (isGoingOn(campaign)) return undefined;
  if (state === "awaitingPeer") return `linkseal rotation proceed ${group}`;
  if (state === "held") return `linkseal rotation resume ${group}`;
  return campaign.links.find(({ next }) => next !== undefined)?.next;
}

/** It has ended, and a link is left without its new key. */
function isUnfinished({ links }: CampaignShape): boolean {
  return links.some(({ next }) => next !== undefined);
}
