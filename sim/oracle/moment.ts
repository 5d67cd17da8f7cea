// The input of every checker of a promise: one group before and after an event, and what happened
// in between.

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

/** The agent can see a link that it observed this recently, in milliseconds. */
export const observedMs = 30_000;

/** The result of an observation for one link: what the agent could learn at that time. */
export interface LinkObservation {
  readonly at: Instant;
  readonly inService: boolean;
  /** The beginning of the uninterrupted series of observations. */
  readonly observedSince: Instant;
}

/** The agent's knowledge when it sent a commit. */
export interface Knowledge {
  readonly at: Instant;
  readonly observations: ReadonlyMap<string, LinkObservation>;
}

export interface Moment {
  readonly at: Instant;
  /** undefined at the first moment of the group. */
  readonly before: GroupTruth | undefined;
  readonly now: GroupTruth;
  /** The effects on links of the group since `before`, in order. */
  readonly effects: readonly EffectEvent[];
  /** The links that a fault disturbed since `before`. */
  readonly disturbed: ReadonlySet<string>;
  /** The newest successful observation of each link. */
  readonly observations: ReadonlyMap<string, LinkObservation>;
  /** The time since which the counters of a link were seen to move without a standstill. */
  readonly movesSince: ReadonlyMap<string, Instant>;
  /** The agent's knowledge at the last commit of each device, and at the commit of each token. */
  readonly known: ReadonlyMap<string, Knowledge>;
  /** The time at which the agent last asked to revert a commit, by its token. */
  readonly takenBack: ReadonlyMap<string, Instant>;
  /**
   * The time at which the agent last asked to restore a link's traffic or open its port, granted or
   * not.
   */
  readonly asked: ReadonlyMap<string, Instant>;
  /** The links whose campaign waits, with the time since which it reports that. */
  readonly parked: ReadonlyMap<string, Instant>;
  /** The links of a running campaign or of an operator's drain; undefined if not reported. */
  readonly meant: ReadonlySet<string> | undefined;
  /** The keys that the agent asked a link's router to take, granted or not, with the last time. */
  readonly tried: ReadonlyMap<string, ReadonlyMap<Ckn, Instant>>;
  /** The time at which the agent's disk last lost its content. */
  readonly forgotAt: Instant | undefined;
}

/** Checks one promise; it remembers what it needs between moments. */
export type Checker = (moment: Moment) => readonly Finding[];

/**
 * True if the link carries data in its accepted state: protected, or in the clear as the operator
 * left both ends.
 */
export function inService(link: LinkTruth): boolean {
  if (!link.carries || link.drained || !link.bgpUp) return false;
  return link.secured || (link.policy === undefined && link.farKey === undefined);
}

/** Returns what an observation showed; undefined if it was inconclusive. */
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

/** Returns the time at which the agent asked the router for this; undefined if it is not known. */
export function sentAt({ known }: Moment, { token }: EffectEvent): Instant | undefined {
  return token === undefined ? undefined : known.get(token)?.at;
}
