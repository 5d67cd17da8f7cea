// What a wave does next, from its record and what sites and hubs wrote: pure. Two hubs that compute
// this at the same time write it by compare-and-set, so that only one of them does it.

import { type WallTime, wallAfter } from "#hal/world.ts";
import type { Ask, Permit } from "../fleet/records.ts";
import { groupKey } from "../fleet/subjects.ts";
import {
  type Act,
  isOpen,
  type Member,
  type MemberState,
  type Wave,
  type WaveState,
} from "../fleet/wave.ts";
import { type Verdict, verdictOrder } from "../model/health.ts";

/** What a site's status says of it. */
export interface SiteHealth {
  readonly verdict: Verdict;
  /** By the site's clock. */
  readonly at: WallTime;
}

/** A freeze that counts: a person's, or one that could not be read. */
export interface FreezeInForce {
  readonly by: string;
  readonly why: string;
}

/** What a hub has read for one step, as far as `needsOf` asks for it. */
export interface WaveView {
  /** The hub's wall clock. */
  readonly now: WallTime;
  /** Asks of the stage by SITE.GROUP; absent = there is none, or none that can be read. */
  readonly asks: ReadonlyMap<string, Ask>;
  /** Keys of the stage under which there is an ask that cannot be read. */
  readonly unreadable: ReadonlySet<string>;
  /** Statuses of the stage's sites; absent = there is none, or none that can be read. */
  readonly sites: ReadonlyMap<string, SiteHealth>;
  /** Freezes in force: by site, and that of all under `fleetFreezeKey`. */
  readonly freezes: ReadonlyMap<string, FreezeInForce>;
}

/** What of the engine the next step of a wave depends on, beside the freeze of all. */
interface WaveNeeds {
  /** Members whose asks count. */
  readonly asks: readonly Member[];
  /** Names of sites whose statuses count. */
  readonly statuses: readonly string[];
  /** Names of sites whose freezes count. */
  readonly freezes: readonly string[];
}

/**
 * Returns what has to be read for the next step: a stage of 1,000 groups that bakes for hours, or
 * of which ten are not over yet, must not cost thousands of requests a second.
 */
export function needsOf(wave: Wave): WaveNeeds {
  const isBaking = wave.bakingSince !== null;
  const stage = stageOf(wave);
  const isIn = ({ state }: Member, ...kinds: readonly MemberState["kind"][]): boolean =>
    kinds.includes(state.kind);
  // A site that reached its end is judged once all of its stage have.
  const watched = (member: Member): boolean => isBaking && isIn(member, "reached");
  const sitesOf = (f: (member: Member) => boolean): readonly string[] => [
    ...new Set(stage.filter(f).map(({ site }) => site)),
  ];
  return {
    asks: stage.filter((member) => watched(member) || isOpen(member) || isIn(member, "waiting")),
    statuses: sitesOf((member) => watched(member) || isIn(member, "waiting")),
    freezes: sitesOf((member) => isIn(member, "waiting", "permitted", "begun")),
  };
}

/** The key of all sites in `WaveView.freezes`; no site has this name: it is no word of a config. */
export const allSites = "*";

/**
 * A status that is this far from the hub's clock is not believed, in milliseconds: sites write one
 * every 30 s.
 */
export const statusMsMax = 300_000;

/**
 * After the end of a campaign a site has this long to be as well as before, in milliseconds: its
 * links are observed again.
 */
export const settleMs = 60_000;

/** Why a member waits, or why its stage does. */
export type WaitCode =
  /** An earlier stage is not over. */
  | "stage"
  /** The site has not asked. */
  | "noAsk"
  /** The ask of the site cannot be read. */
  | "unreadableAsk"
  /** It asks for another kind of campaign. */
  | "otherKind"
  /** A campaign is under way that the wave gave no permit for. */
  | "underWay"
  /** Its last campaign has ended, and it has not asked again. */
  | "ended"
  | "siteFrozen"
  /** The site's status is absent, unreadable, or too far from the hub's clock. */
  | "noStatus"
  /** Another group of the site is open. */
  | "siteOpen"
  /** As many as may be are open. */
  | "share";

/** The members of the stage under way; none if the wave is done. */
const stageOf = ({ stages, stage }: Wave): readonly Member[] => stages[stage] ?? [];

/** The key of a member's ask and permit. */
export const keyOf = ({ site, group }: Member): string => groupKey(site, group);

/** Returns the record after one step; the same object if nothing is to be changed. */
export function advance(wave: Wave, view: WaveView): Wave {
  if (wave.state.kind === "done") return wave;
  const seen = withStage(wave, (member) => observed(member, wave, view));
  const watched = stopped(watchedSites(seen, view), wave, view);
  const thawed = withFreeze(watched, view);
  if (thawed.state.kind !== "running") return thawed;
  const moved = nextStage(thawed, view);
  return moved.state.kind === "running" ? given(moved, view) : moved;
}

/** Returns why members wait, by SITE.GROUP; those that get their permit in the next step do not. */
export function waitsOf(wave: Wave, view: WaveView): ReadonlyMap<string, WaitCode> {
  const open = openNow(wave, view);
  const present = new Set(stageOf(wave));
  const waits = new Map<string, WaitCode>();
  for (const member of wave.stages.flat()) {
    if (member.state.kind !== "waiting") continue;
    const why = present.has(member) ? whyWaits(member, wave, view, open) : "stage";
    if (why !== undefined) waits.set(keyOf(member), why);
  }
  return waits;
}

/** The members of the stage that are open. */
interface OpenNow {
  count: number;
  /** Their sites. */
  readonly sites: Set<string>;
}

function openNow(wave: Wave, view: WaveView): OpenNow {
  const open = stageOf(wave).filter((member) => countsAsOpen(member, view));
  return { count: open.length, sites: new Set(open.map(({ site }) => site)) };
}

/** Why a waiting member of the stage waits; undefined = for nothing. */
function whyWaits(member: Member, wave: Wave, view: WaveView, open: OpenNow): WaitCode | undefined {
  const ask = view.asks.get(keyOf(member));
  if (ask === undefined) return view.unreadable.has(keyOf(member)) ? "unreadableAsk" : "noAsk";
  if (ask.state.kind === "begun") return "underWay";
  if (ask.state.kind === "ended") return "ended";
  if (ask.kind !== wave.kind) return "otherKind";
  if (view.freezes.has(member.site)) return "siteFrozen";
  if (freshHealth(member, view) === undefined) return "noStatus";
  if (open.sites.has(member.site)) return "siteOpen";
  return open.count >= wave.shareMax ? "share" : undefined;
}

/**
 * Returns the permits that have to be in the engine for this record, by their keys. A hub writes
 * them after the record, so that one that died in between is completed by the next.
 */
export function permitsOf(wave: Wave, view: WaveView): ReadonlyMap<string, Permit> {
  const permits = new Map<string, Permit>();
  if (wave.state.kind !== "running") return permits;
  for (const member of stageOf(wave)) {
    const { state } = member;
    if (state.kind !== "permitted" && state.kind !== "begun") continue;
    const ask = view.asks.get(keyOf(member));
    if (ask === undefined || ask.nonce !== state.nonce || ask.state.kind === "ended") continue;
    if (view.freezes.has(member.site)) continue;
    const { nonce, site, group, kind, config, keys } = ask;
    const asked = { nonce, site, group, kind, config, keys };
    permits.set(keyOf(member), { ...asked, wave: wave.name, notAfter: state.notAfter });
  }
  return permits;
}

/** Returns the members whose permit has to be taken back, because their wave is stopped. */
export function toWithdraw(wave: Wave): readonly Member[] {
  if (wave.state.kind !== "stopped") return [];
  return stageOf(wave).filter(({ state }) => state.kind === "permitted" && !state.isWithdrawn);
}

/** Returns the record in which the permits of `toWithdraw` are taken back. */
export function withdrawn(wave: Wave): Wave {
  const taken = new Set(toWithdraw(wave));
  return withStage(wave, (member) => {
    const { state } = member;
    if (!taken.has(member) || state.kind !== "permitted") return member;
    return { ...member, state: { ...state, isWithdrawn: true } };
  });
}

/** Returns the record of a wave that a person stops; the same object if it does not run. */
export function stop(wave: Wave, act: Act, why: string): Wave {
  const { kind } = wave.state;
  if (kind === "done" || kind === "stopped") return wave;
  return { ...wave, state: { ...act, kind: "stopped", why } };
}

/** Returns the record after a person withdrew the permit of a group; it stops the wave. */
export function withdrawMember(wave: Wave, key: string, act: Act): Wave {
  const failed = withStage(wave, (member) => {
    const { state } = member;
    if (keyOf(member) !== key) return member;
    if (state.kind !== "permitted" && state.kind !== "begun") return member;
    const { nonce, notAfter } = state;
    const taken = { nonce, notAfter, at: act.at, why: "withdrawn", isOpen: true } as const;
    return { ...member, state: { ...taken, kind: "failed" } };
  });
  return failed === wave ? wave : stop(failed, act, `the permit of ${key} was withdrawn`);
}

/**
 * Returns the record of a wave that a person resumes, without some of its groups. A campaign that
 * may be under way goes on to count, and its group cannot be left out; one that is over may be
 * asked for again.
 */
export function resume(wave: Wave, act: Act, without: ReadonlySet<string>): Wave {
  const stages = wave.stages.map((stage) =>
    stage.map((member): Member => {
      const after = { ...member, state: resumedState(member.state, act.at) };
      if (!without.has(keyOf(member)) || isOpen(after)) return after;
      return { ...after, state: { kind: "leftOut", at: act.at } };
    }),
  );
  const state: WaveState = wave.state.kind === "stopped" ? { kind: "running" } : wave.state;
  return { ...wave, state, stages, resumed: act, bakingSince: null };
}

function resumedState(state: MemberState, at: WallTime): MemberState {
  if (state.kind === "permitted") return { ...state, isWithdrawn: false };
  if (state.kind !== "failed") return state;
  const { nonce, notAfter, why } = state;
  if (why === "worse") return { kind: "reached", nonce, at, notAfter };
  // It may never have begun.
  if (why === "withdrawn") {
    return state.isOpen
      ? { kind: "permitted", nonce, at, notAfter, isWithdrawn: false }
      : { kind: "waiting" };
  }
  const isLate = why === "late" && state.isOpen;
  return isLate ? { kind: "begun", nonce, at, notAfter } : { kind: "waiting" };
}

function withStage(wave: Wave, change: (member: Member) => Member): Wave {
  const before = stageOf(wave);
  const after = before.map(change);
  if (after.every((member, index) => member === before[index])) return wave;
  return { ...wave, stages: wave.stages.map((all, at) => (at === wave.stage ? after : all)) };
}

/** What its site wrote since, of a member that has or had a permit. */
function observed(member: Member, wave: Wave, view: WaveView): Member {
  const { state } = member;
  const ask = view.asks.get(keyOf(member));
  switch (state.kind) {
    case "waiting":
    case "reached":
    case "leftOut":
      return member;
    case "failed":
      return state.isOpen && ask !== undefined && isOver(state.nonce, ask)
        ? { ...member, state: { ...state, isOpen: false } }
        : member;
    case "permitted":
    case "begun":
      return ask === undefined || ask.nonce === state.nonce
        ? ownAsk(member, state, ask, wave, view.now)
        : otherAsk(member, state, ask, view.now);
  }
}

function isOver(nonce: string, ask: Ask): boolean {
  return ask.nonce === nonce ? ask.state.kind === "ended" : ask.state.kind !== "begun";
}

type Open = MemberState & { readonly kind: "permitted" | "begun" };

/** The ask that the permit is for; undefined = it cannot be read. */
function ownAsk(
  member: Member,
  state: Open,
  ask: Ask | undefined,
  wave: Wave,
  now: WallTime,
): Member {
  const { nonce, notAfter } = state;
  const own = { nonce, at: now, notAfter };
  if (ask?.state.kind === "ended") {
    return ask.state.end === "reached"
      ? { ...member, state: { ...own, kind: "reached" } }
      : { ...member, state: { ...own, kind: "failed", why: "notReached", isOpen: false } };
  }
  if (state.kind === "begun") {
    if (now < state.at + wave.lateMs) return member;
    return { ...member, state: { ...own, kind: "failed", why: "late", isOpen: true } };
  }
  return ask?.state.kind === "begun" ? { ...member, state: { ...own, kind: "begun" } } : member;
}

/**
 * The site asks for another campaign, so that the one of the permit is over: how is not known, even
 * if the site was never seen to begin it.
 */
function otherAsk(member: Member, state: Open, ask: Ask, now: WallTime): Member {
  const { nonce, notAfter } = state;
  const isUnderWay = ask.state.kind === "begun";
  const why = isUnderWay ? "otherCampaign" : "unknownEnd";
  const failed = { nonce, notAfter, at: now, why, isOpen: isUnderWay } as const;
  return { ...member, state: { ...failed, kind: "failed" } };
}

/** While a stage bakes, a site whose verdict stays worse than before fails its members. */
function watchedSites(wave: Wave, view: WaveView): Wave {
  if (wave.bakingSince === null) return wave;
  return withStage(wave, (member) => {
    const { state } = member;
    if (state.kind !== "reached" || judged(member, view, settleMs) !== "worse") return member;
    const failed = { ...state, at: view.now, why: "worse", isOpen: false } as const;
    return { ...member, state: { ...failed, kind: "failed" } };
  });
}

/** What a status says that is fresh, and newer than the end of the campaign by `laterMs`. */
function judged(member: Member, view: WaveView, laterMs: number): "well" | "worse" | "unknown" {
  const health = freshHealth(member, view);
  const ask = view.asks.get(keyOf(member));
  const endedAt = ask?.state.kind === "ended" ? ask.state.at : (ask?.at ?? 0);
  if (health === undefined || health.at < endedAt + laterMs) return "unknown";
  const before = member.before ?? "unprotected";
  return verdictOrder.indexOf(health.verdict) > verdictOrder.indexOf(before) ? "worse" : "well";
}

/** Stops a wave at its first failure. `before`: the record before this step. */
function stopped(wave: Wave, before: Wave, view: WaveView): Wave {
  const failed = stageOf(wave).find(
    ({ state }, index) =>
      state.kind === "failed" && stageOf(before)[index]?.state.kind !== "failed",
  );
  if (failed?.state.kind !== "failed") return wave;
  const act = { at: view.now, by: "hub" };
  return stop(wave, act, `${keyOf(failed)}: ${failed.state.why}`);
}

function withFreeze(wave: Wave, { now, freezes }: WaveView): Wave {
  const freeze = freezes.get(allSites);
  if (wave.state.kind === "running" && freeze !== undefined) {
    return { ...wave, state: { kind: "frozen", at: now, ...freeze } };
  }
  const isThawed = wave.state.kind === "frozen" && freeze === undefined;
  return isThawed ? { ...wave, state: { kind: "running" } } : wave;
}

/** Begins to bake a stage whose members have ended, and leaves it when it has baked. */
function nextStage(wave: Wave, view: WaveView): Wave {
  const stage = stageOf(wave);
  const isOver = stage.every(({ state: { kind } }) => kind === "reached" || kind === "leftOut");
  if (!isOver) return wave;
  const reached = stage.filter(({ state }) => state.kind === "reached");
  const since = wave.bakingSince ?? view.now;
  const isBaked =
    view.now >= since + wave.bakeMs &&
    reached.every((member) => judged(member, view, 0) === "well");
  if (reached.length > 0 && (wave.bakingSince === null || !isBaked)) {
    return wave.bakingSince === null ? { ...wave, bakingSince: since } : wave;
  }
  const next = { ...wave, stage: wave.stage + 1, bakingSince: null };
  const isLast = next.stage === wave.stages.length;
  return isLast ? { ...next, state: { kind: "done", at: view.now } } : next;
}

function freshHealth({ site }: Member, { sites, now }: WaveView): SiteHealth | undefined {
  const health = sites.get(site);
  return health === undefined || Math.abs(now - health.at) > statusMsMax ? undefined : health;
}

/** Also a campaign that the wave gave no permit for. */
function countsAsOpen(member: Member, { asks }: WaveView): boolean {
  const isBegun = asks.get(keyOf(member))?.state.kind === "begun";
  return isOpen(member) || (member.state.kind === "waiting" && isBegun);
}

/** Gives permits to those who wait, as far as the share goes. */
function given(wave: Wave, view: WaveView): Wave {
  const open = openNow(wave, view);
  const { now } = view;
  return withStage(wave, (member) => {
    const ask = view.asks.get(keyOf(member));
    if (ask === undefined) return member;
    const isWaiting = member.state.kind === "waiting";
    const isDue = isWaiting && whyWaits(member, wave, view, open) === undefined;
    if (!isDue && !isExpired(member, ask, view)) return member;
    if (isDue) {
      open.count += 1;
      open.sites.add(member.site);
    }
    const notAfter = wallAfter(now, wave.permitMs);
    const state: MemberState = {
      ...{ kind: "permitted", nonce: ask.nonce, at: now, notAfter, isWithdrawn: false },
    };
    return { ...member, before: isWaiting ? verdictOf(member, view) : member.before, state };
  });
}

const verdictOf = (member: Member, view: WaveView): Verdict | null =>
  freshHealth(member, view)?.verdict ?? null;

/** True if the time of a permit is over, and nothing has begun by it. */
function isExpired({ site, state }: Member, ask: Ask, view: WaveView): boolean {
  if (state.kind !== "permitted" || ask.state.kind !== "asking") return false;
  return view.now >= state.notAfter && !view.freezes.has(site);
}
