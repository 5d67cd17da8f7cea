// Keys that an emergency declared compromised: each is an error until every place that can hold it
// was seen without it. A place that cannot be read counts as one that holds it.

import { type Reading, strongValue } from "#hal/model.ts";
import { type Instant, type WallTime, wallAfter } from "#hal/world.ts";
import { judge, sightOf } from "../model/claims.ts";
import { type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import { type LinkHealth, verdictOrder, worstOf } from "../model/health.ts";
import { isoTime } from "../model/iso-time.ts";
import { isStrong, type Observations, portOf } from "../model/link-snapshot.ts";
import { nextFor } from "../model/warning-rows.ts";
import { type CompromisedKey, type Memory, named, openCampaign } from "../store/journal/memory.ts";

/** The places of a site as they were last read. */
export interface Places {
  /** The accepted config. */
  readonly desired: Desired;
  /** The campaigns, and the commits that are not known to be saved. */
  readonly memory: Pick<Memory, "campaigns" | "unsaved">;
  /** The last observations of devices and far ends. */
  readonly observed: Pick<Observations, "failure" | "peerFailure" | "snapshot"> & {
    /** When a far end was last read; undefined = never. */
    peer(link: DesiredLink): { readonly at: Instant } | undefined;
  };
  /** The present moment. */
  readonly now: Instant;
  /** The same by the wall clock. */
  readonly wall: WallTime;
}

/** Where a declared key is; both lists are empty once it is gone from every place. */
export interface Whereabouts {
  /** The places that were seen to hold it. */
  readonly held: readonly string[];
  /** The places of its own link that were not seen without it since it was declared. */
  readonly unread: readonly string[];
}

/** Returns where a key is, on any link; undefined = no config names its own link. */
export function whereabouts(key: CompromisedKey, places: Places): Whereabouts | undefined {
  const links = places.desired.groups.flatMap((group) => group.links);
  if (!links.some((link) => linkId(link) === key.link)) return undefined;
  const found = links.map((link) => {
    const all = [routerOf(key, link, places), startupOf(link, places), farEndOf(key, link, places)];
    const isOwn = linkId(link) === key.link;
    return {
      held: all.flatMap((each) => (each.kind === "held" ? [each.place] : [])),
      unread: isOwn ? all.flatMap((each) => (each.kind === "unread" ? [each.place] : [])) : [],
    };
  });
  return { held: found.flatMap((each) => each.held), unread: found.flatMap((each) => each.unread) };
}

/** Returns true if every place was seen without the key. */
export function isGone({ held, unread }: Whereabouts): boolean {
  const { kind } = judge("key-gone", {
    absent: () => sightOf(held.length === 0),
    read: () => sightOf(unread.length === 0 || undefined),
  });
  return kind === "holds";
}

type Place = { readonly kind: "held" | "unread" | "free"; readonly place: string };

/** Each slot counts, and each MKA participant: a router may run one that its slots do not list. */
function routerOf(key: CompromisedKey, link: DesiredLink, places: Places): Place {
  const { observed } = places;
  const place = `the router ${link.device}`;
  const port = portOf(observed.snapshot(link).state, link.port);
  const keys = port === undefined ? undefined : strongValue(port.keys);
  const session = port === undefined ? undefined : strongValue(port.session);
  const ckns = [...(keys ?? []), ...(session?.participants ?? [])].map(({ ckn }) => ckn);
  if (ckns.includes(key.ckn)) return { kind: "held", place };
  const isSeen =
    observed.failure(link.device) === undefined &&
    port !== undefined &&
    [port.keys, port.session].every((each) => isStrong(each) && isSince(key, each, places));
  return { kind: isSeen ? "free" : "unread", place };
}

function isSince({ since }: CompromisedKey, reading: Reading<unknown>, places: Places): boolean {
  if (reading.kind !== "known") return false;
  const { now, wall, desired } = places;
  const ageMs = now - reading.at;
  return ageMs <= desired.health.staleAfterMs && wallAfter(wall, -ageMs) > since;
}

/** No driver reads a startup configuration, which shows keys: it counts once it is saved. */
function startupOf({ device }: DesiredLink, { memory }: Places): Place {
  const waiting = named(memory.unsaved, device) ?? [];
  const place = `the startup configuration of ${device}, which is not known to be saved`;
  const { kind } = judge("commit-saved", { answered: () => sightOf(waiting.length === 0) });
  return { kind: kind === "holds" ? "free" : "unread", place };
}

function farEndOf(key: CompromisedKey, link: DesiredLink, places: Places): Place {
  const { observed, now, wall } = places;
  const place = `the far end of ${linkId(link)}`;
  const { peer } = observed.snapshot(link);
  const at = observed.peer(link)?.at;
  if (peer?.pointsAt?.cakSecretId === key.cakSecretId) return { kind: "held", place };
  const isSeen =
    at !== undefined &&
    peer?.provisioning === "settled" &&
    observed.peerFailure(link) === undefined &&
    wallAfter(wall, at - now) > key.since;
  return { kind: isSeen ? "free" : "unread", place };
}

/** What the vault does not know yet, and why. */
export type Unrecorded = (id: string) => string | undefined;

/** Returns the health of a link with an error for each declared key of it that is not gone. */
export function withCompromised(
  health: LinkHealth,
  link: DesiredLink,
  compromised: Memory["compromised"],
  places: Places,
  unrecorded: Unrecorded,
): LinkHealth {
  const about = linkId(link);
  const texts = Object.values(compromised).flatMap((key) => {
    const where = key.link === about ? whereabouts(key, places) : undefined;
    if (where === undefined || isGone(where)) return [];
    // Once it was gone, only the sight of it counts.
    if (key.gone !== undefined && where.held.length === 0) return [];
    return [sentence(key, where, unrecorded(key.cakSecretId))];
  });
  if (texts.length === 0) return health;
  const runs = openCampaign(places.memory as Memory, link.group) !== undefined;
  const code = "compromised-key-in-use";
  const next = runs ? `linkseal rotation show ${link.group}` : nextFor(code, about);
  const reason = { code, text: texts.join("; "), next } as const;
  const isWorse = verdictOrder.indexOf(health.verdict) > verdictOrder.indexOf("degraded");
  return {
    ...health,
    verdict: worstOf([health.verdict, "degraded"]),
    reasons: isWorse ? [...health.reasons, reason] : [reason, ...health.reasons],
  };
}

function sentence(
  { ckn, since, by }: CompromisedKey,
  { held, unread }: Whereabouts,
  unrecorded: string | undefined,
): string {
  const what = `the key ${ckn.slice(0, 8)} was declared compromised at ${isoTime(since)} (${by})`;
  return [
    what,
    ...(held.length === 0 ? [] : [`it is still held by ${held.join(", ")}`]),
    ...(unread.length === 0 ? [] : [`not seen without it since then: ${unread.join(", ")}`]),
    ...(unrecorded === undefined ? [] : [`recorded on this host only: ${unrecorded}`]),
  ].join("; ");
}
