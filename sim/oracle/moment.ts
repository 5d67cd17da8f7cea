// What every checker of a promise sees: one group before and after an event, and what happened in
// between.

import { type Ckn, type MacsecPort, type Reading, type Routing, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { EffectEvent, GroupTruth, LinkTruth } from "../base/truth.ts";

export type Promised = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7";

export interface Finding {
  readonly promise: Promised;
  /** The effect or transition that broke it. */
  readonly event: string;
  readonly text: string;
}

/** A link that was looked at so lately is one that the agent can see. */
export const seenMs = 30_000;

/** The agent read a device: what it could learn about a link at that time. */
export interface LinkLook {
  readonly at: Instant;
  readonly inService: boolean;
  /** Since when it was looked at again and again. */
  readonly seenSince: Instant;
}

/** What the agent knew when it sent a commit. */
export interface Knowledge {
  readonly at: Instant;
  readonly looks: ReadonlyMap<string, LinkLook>;
}

export interface Moment {
  readonly at: Instant;
  /** undefined = the first moment of the group. */
  readonly before: GroupTruth | undefined;
  readonly now: GroupTruth;
  /** On links of the group since `before`, in order. */
  readonly effects: readonly EffectEvent[];
  /** Links that the world disturbed by a fault since `before`. */
  readonly disturbed: ReadonlySet<string>;
  /** Newest successful look per link. */
  readonly looks: ReadonlyMap<string, LinkLook>;
  /** Since when the counters of a link were seen to move without a standstill. */
  readonly movesSince: ReadonlyMap<string, Instant>;
  /** By device, as of its last commit, and by the token of each. */
  readonly known: ReadonlyMap<string, Knowledge>;
  /** By the token of a commit: when the agent last asked to take it back. */
  readonly takenBack: ReadonlyMap<string, Instant>;
  /** When the agent last asked to restore a link's traffic or to open its port, granted or not. */
  readonly asked: ReadonlyMap<string, Instant>;
  /** Links whose campaign waits for something or somebody, and since when it says so. */
  readonly parked: ReadonlyMap<string, Instant>;
  /** Links of a campaign under way, or that an operator drains; undefined = not reported. */
  readonly meant: ReadonlySet<string> | undefined;
  /** Keys that the agent asked the router of a link to take, granted or not, and when last. */
  readonly tried: ReadonlyMap<string, ReadonlyMap<Ckn, Instant>>;
  /** When the agent's disk last lost what was on it. */
  readonly forgotAt: Instant | undefined;
}

/** One promise; it remembers what it needs between moments. */
export type Checker = (moment: Moment) => readonly Finding[];

/** Carries data in its accepted state: protected, or in clear as the operator left both ends. */
export function inService(link: LinkTruth): boolean {
  if (!link.carries || link.drained || !link.bgpUp) return false;
  return link.secured || (link.policy === undefined && link.farKey === undefined);
}

/** What a look showed; undefined = it could not tell. */
export function shownInService(port: MacsecPort, routing: Reading<Routing>): boolean | undefined {
  const linkUp = strongValue(port.linkUp);
  const session = strongValue(port.session);
  const routes = strongValue(routing);
  if (linkUp === undefined || session === undefined || routes === undefined) return undefined;
  const settings = port.settings.kind === "known" ? port.settings.value : undefined;
  const open =
    session.controlledPort === "secured" ||
    (session.controlledPort === "unprotected" && settings === undefined);
  const bgp = routes.sessions.some((peering) => peering.port === port.port && peering.up);
  const drained = routes.drains.some((drain) => drain.port === port.port);
  return linkUp && open && bgp && !drained;
}

export function linkOf(group: GroupTruth | undefined, id: string | undefined) {
  return group?.links.find((link) => link.id === id);
}

export function describeEffect(effect: EffectEvent): string {
  const key = effect.ckn === undefined ? "" : ` key ${shortCkn(effect.ckn)}`;
  const where = effect.link ?? effect.port ?? "";
  return `${effect.by} ${effect.what}${key} at ${effect.place} ${where}`.trimEnd();
}

export function shortCkn(ckn: Ckn): string {
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 6)}…${ckn.slice(-4)}`;
}

/** When the router was told to do this; undefined = nobody is known to have done so. */
export function toldAt({ known }: Moment, { token }: EffectEvent): Instant | undefined {
  return token === undefined ? undefined : known.get(token)?.at;
}
