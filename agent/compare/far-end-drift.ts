// The far end of a link against the config: which one it is, what differs there, and a config that
// gives the link another far end.

import type { PeerState } from "#hal/device.ts";
import type { KeyRef } from "#hal/model.ts";
import { azureCipher } from "../model/azure-words.ts";
import { type AzureSettings, type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import { fibreShowCommand } from "../rotation/far-end-command.ts";

/** One far end: a link of an ExpressRoute port or LAG, in a cloud. */
export interface FarEndPlace {
  /** The cloud of the config. */
  readonly cloud: AzureSettings["cloud"];
  /** Resource id of the port or LAG, or its name at a simulated site. */
  readonly resource: string;
  readonly link: DesiredLink["azureLink"];
}

/** A config that gives a link with a key another far end. */
export interface FarEndMove {
  /** The far end before. */
  readonly from: FarEndPlace;
  /** The far end of the planned config. */
  readonly to: FarEndPlace;
  /** `planned`: by the planned config; `done`: by the config in force, and the key is older. */
  readonly kind: "planned" | "done";
}

/** A setting of the far end that is not as the config wants it. */
interface FarEndGap {
  /** What differs. */
  readonly leaf: "key" | "suite" | "sci" | "adminState";
  /** The sentence that operators read. */
  readonly text: string;
  /** The agent mends none of them at rest. */
  readonly repair: undefined;
  /** The setting that an operator must make there. */
  readonly farEnd: string;
}

/** Returns the far end that a config gives to a link; undefined = it does not have the link. */
export function farEndPlace(
  { azure, groups }: Pick<Desired, "azure" | "groups">,
  { group, name }: Pick<DesiredLink, "group" | "name">,
): FarEndPlace | undefined {
  const found = groups.find((one) => one.name === group);
  const link = found?.links.find((one) => one.name === name);
  if (found === undefined || link === undefined) return undefined;
  return { cloud: azure.cloud, resource: found.expressRoutePort, link: link.azureLink };
}

/** Returns true for one and the same far end; Azure's resource ids ignore upper and lower case. */
export function isSameFarEnd(a: FarEndPlace | undefined, b: FarEndPlace | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const isSameResource = a.resource.toLowerCase() === b.resource.toLowerCase();
  return a.cloud === b.cloud && isSameResource && a.link === b.link;
}

/** The configs that a planned one is compared with. */
interface Before {
  /** The config in force; undefined = none. */
  readonly inForce: Desired | undefined;
  /** The config under which the link got its key; undefined = it has none, or it is lost. */
  readonly bound: Desired | undefined;
}

/** Returns the move of a link's far end; undefined = it keeps the far end that it had. */
export function farEndMove(
  desired: Desired,
  link: DesiredLink,
  { inForce, bound }: Before,
): FarEndMove | undefined {
  const to = farEndPlace(desired, link);
  const now = inForce === undefined ? undefined : farEndPlace(inForce, link);
  const first = bound === undefined ? undefined : farEndPlace(bound, link);
  if (to === undefined) return undefined;
  if (now !== undefined && !isSameFarEnd(now, to)) return { from: now, to, kind: "planned" };
  if (first !== undefined && !isSameFarEnd(first, to)) return { from: first, to, kind: "done" };
  return undefined;
}

/** Lists what differs between the far end as it was read and a key and settings. */
export function farEndGaps(
  link: DesiredLink,
  key: KeyRef,
  peer: PeerState | undefined,
): readonly FarEndGap[] {
  if (peer === undefined) return [];
  const { pointsAt, suite, sci, admin } = peer;
  const wanted = link.settings;
  const gaps: (readonly [FarEndGap["leaf"], string, string])[] = [];
  const isOff = pointsAt === undefined;
  if (pointsAt?.cakSecretId !== key.cakSecretId) {
    const ids = `cknSecretIdentifier ${key.cknSecretId} cakSecretIdentifier ${key.cakSecretId}`;
    gaps.push(["key", isOff ? "has MACsec off" : "points at another CAK version", ids]);
  }
  if (suite !== wanted.suite) {
    gaps.push(["suite", `has suite ${suite ?? "none"}`, `cipher ${azureCipher(wanted.suite)}`]);
  }
  if (sci !== (wanted.includeSci ? "on" : "off")) {
    gaps.push(["sci", `has SCI ${sci}`, `sciState ${wanted.includeSci ? "Enabled" : "Disabled"}`]);
  }
  if (admin !== "up") gaps.push(["adminState", "is administratively down", "adminState Enabled"]);
  return gaps.map(([leaf, gap, farEnd]) => ({
    ...{ leaf, text: `${link.azureLink}: the far end ${gap}` },
    ...{ repair: undefined, farEnd },
  }));
}

/** The far end of a link with a key, as a plan read it. */
interface FarEndReading {
  readonly link: DesiredLink;
  /** The key that the agent remembers for the link. */
  readonly key: KeyRef;
  /** The config's far end as it was read now; undefined = it was not read. */
  readonly peer: PeerState | undefined;
  /** Why it was not read; undefined = it was, or the reason is not known. */
  readonly failure: { readonly text: string; readonly next: string } | undefined;
  /** undefined = the link keeps the far end that it had. */
  readonly move: FarEndMove | undefined;
  /** True if an operator maintains the far end and its reading was given up (`farEndUnseen`). */
  readonly isUnseen: boolean;
}

interface FarEndNote {
  readonly about: string;
  readonly text: string;
  readonly next: string;
  readonly kind: "limit" | "check";
}

/** Notes about a far end that was not read, or that is another one than before. */
export function farEndNotes(reading: FarEndReading): readonly FarEndNote[] {
  const { link, key, peer, move, failure, isUnseen } = reading;
  const about = linkId(link);
  const asWanted = peer !== undefined && farEndGaps(link, key, peer).length === 0;
  if (move !== undefined && !(move.kind === "done" && asWanted)) return [moveNote(reading, move)];
  if (peer !== undefined) return [];
  const text = `the far end was not read${whyText(failure)}; what it has is not known`;
  const next = failure?.next ?? "linkseal status";
  return [{ about, text, next, kind: isUnseen ? "limit" : "check" }];
}

function moveNote(reading: FarEndReading, { from, to, kind }: FarEndMove): FarEndNote {
  const { link } = reading;
  const becomes = kind === "planned" ? "its far end becomes" : "its far end has become";
  const [before, after] = placeTexts(from, to);
  const fibre =
    `the fibre of ${link.device} ${link.port} must end at ${after}: if it still ends at ` +
    `${before}, this config is wrong, and a change by it cuts another link`;
  return {
    about: linkId(link),
    text: `${becomes} ${after} (before: ${before}); ${readText(reading)}; ${fibre}`,
    next: checkOf(linkId(link), to),
    kind: "check",
  };
}

function readText({ link, key, peer, failure }: FarEndReading): string {
  if (peer === undefined) return `it was not read yet${whyText(failure)}`;
  const gaps = farEndGaps(link, key, peer).map(({ text }) => text);
  return gaps.length === 0
    ? "it has the key of this link"
    : `it is not as this link needs it (${gaps.join(", ")})`;
}

const whyText = (failure: FarEndReading["failure"]): string =>
  failure === undefined ? "" : ` (${failure.text})`;

/** Names both far ends, by the names of their ports if these tell them apart. */
function placeTexts(from: FarEndPlace, to: FarEndPlace): readonly [string, string] {
  const nameOf = ({ resource }: FarEndPlace): string => resource.replace(/^.*\//, "");
  const isNamed = nameOf(from) !== nameOf(to) || isSameFarEnd(from, { ...to, link: from.link });
  const text = (place: FarEndPlace): string =>
    `${place.link} of ${isNamed ? nameOf(place) : place.resource}`;
  return [text(from), text(to)];
}

/** Returns the command that shows where the new far end's fibre is in Azure, and its key. */
function checkOf(id: string, to: FarEndPlace): string {
  const command = to.cloud === "sim" ? undefined : fibreShowCommand(to);
  return command ?? `linkseal links ${id}, which shows the far end of the config in force`;
}
