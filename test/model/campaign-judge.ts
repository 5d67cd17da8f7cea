// What must hold in a world at rest: nothing waits for ever, nothing is left as it should not be.

import type { ActionKind } from "#agent/model/campaign.ts";
import { command } from "#agent/rotation/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { isTaken } from "./campaign-claims.ts";
import { turn, turnByHand } from "./campaign-moves.ts";
import {
  campaignIn,
  carrierOf,
  isClosed,
  type Oracle,
  observesNew,
  pendingObserved,
  recordFor,
  stateName,
} from "./campaign-observation.ts";
import {
  backIn,
  type Config,
  copy,
  finals,
  foreign,
  goesBackBare,
  isHalf,
  isHidden,
  isUp,
  linkIn,
  matches,
  onNew,
  onOld,
  ours,
  settled,
  shutIn,
  siblingLost,
  siblingSeenLost,
  start,
  strangeKey,
  toldIn,
  updating,
  type World,
} from "./campaign-world.ts";

const ignore = (): void => undefined;
const turnsMax = 8;
/** One to see that the key is needed, and one to keep it. */
const keepingTurnsMax = 2;
const healingTurnsMax = 40;
/** A campaign that still waits then waits for its deadline. */
const deadlineTurn = 20;
const noon = 0 as WallTime;
const nothingObserved = { port: undefined, far: "unknown", oldKey: "trusted" } as const;
const parking = ["gated", "awaitingPeer", "held"];
const scratches = new Map<Oracle, World>();

function scratchOf(oracle: Oracle): World {
  const known = scratches.get(oracle);
  if (known !== undefined) return known;
  const scratch = start(oracle.config, 0, 0, 0);
  scratches.clear();
  scratches.set(oracle, scratch);
  return scratch;
}

/** The agent alone, for a few turns, while nothing else happens; true once `until` holds. */
function settles(world: World, oracle: Oracle, until: (world: World) => boolean): boolean {
  const to = scratchOf(oracle);
  copy(world, to);
  for (let turns = 0; turns < turnsMax; turns += 1) {
    if (until(to)) return true;
    if (stateName(to.record) === "done") return false;
    turn(to, oracle, "goes well", ignore);
  }
  return until(to);
}

export function judgeWorld(world: World, oracle: Oracle, report: (broken: string) => void): void {
  const { config } = oracle;
  if (world.alive === 0) return;
  const state = stateName(world.record);
  if (state === "done") return;
  if (world.withheld === 1) judgePermit(world, oracle, report);
  const link = linkIn(world.record);
  const left = (to: World): boolean => linkIn(to.record) !== link || stateName(to.record) !== state;
  if (world.routerUnseen === 1) return;
  judgeTraffic(world, oracle, report, left);
  // The agent cannot know a change that came late if the record of it was lost.
  if (pendingObserved(world) === ours && !mayBeArmed(world)) {
    report(`TIMER: a commit of ours is armed in ${state}`);
  }
  if (!parking.includes(state)) return;
  if (world.pending !== 0) {
    judgePending(world, oracle, report);
    return;
  }
  // A journal that lost the record of the shut port has lost who shut it.
  const isOurs = shutIn(world.record) || (world.tailLost === 0 && world.handShut === 0);
  const ownWay =
    world.shut === 1 && isOurs && !settles(world, oracle, (to) => to.shut === 0 || left(to));
  if (ownWay) report(`DARKWAIT: the port stays shut in ${state}`);
  const isOpen = state === "gated" && world.meddled === 0 && !isClosed(world, config);
  if (isHalf(world, config) && isOpen && !settles(world, oracle, left)) {
    report("HALF: a change that a repeat would finish waits in gated");
  }
  if (waitsInOutage(world, config, state) && !settles(world, oracle, left)) {
    report(`DARKWAIT: the link is dark by our own setting in ${state}`);
  }
}

const waits: readonly string[] = ["queued", "gated"];
const giving: readonly ActionKind[] = [
  ...(["restore", "confirm", "rollBack", "open", "add", "putOld", "replaceBack"] as const),
  "removeNew",
];

/** P8: a hub that withholds delays a link that is not taken, and changes nothing else. */
function judgePermit(world: World, oracle: Oracle, report: (broken: string) => void): void {
  const { row, action, record } = oracle.decide(world);
  const free = scratchOf(oracle);
  copy(world, free);
  free.withheld = 0;
  const other = oracle.decide(free);
  if (row === other.row && action === other.action && record === other.record) return;
  const state = stateName(world.record);
  const place = `${row} in ${state}`;
  // What a person moved is not taken by us, and a journal that lost its record cannot know of it;
  // following the far end waits for no permit.
  const isKnown = world.meddled === 0 && world.tailLost === 0;
  if (isTaken(world) && isKnown && !waits.includes(state)) {
    report(`P8: a link that is taken waits for a permit (${place})`);
  }
  const isFree = other.action === undefined || !giving.includes(other.action);
  if (!isFree) report(`P8: an effect that gives waits for a permit (${place})`);
  if (action !== undefined && action !== "probe") report(`P8: an effect needs it (${place})`);
  if (stateName(record) !== "gated") report(`P8: it waits elsewhere than in gated (${place})`);
}

function judgeTraffic(
  world: World,
  oracle: Oracle,
  report: (broken: string) => void,
  left: (to: World) => boolean,
): void {
  const { config } = oracle;
  if (world.drained === 0 || !isUp(world, config) || isHidden(world, config)) return;
  if (pendingObserved(world) === 2) return;
  const state = stateName(world.record);
  const link = linkIn(world.record);
  const isBack = (to: World): boolean => to.drained === 0 || linkIn(to.record) !== link;
  if (siblingSeenLost(world) && world.farUnseen === 0 && !settles(world, oracle, isBack)) {
    report(`P2: the sibling is lost and this usable link stays drained in ${state}`);
  }
  if (!parking.includes(state) || mayWaitPending(world)) return;
  if (!settles(world, oracle, (to) => isBack(to) || left(to))) {
    report(`P2: a usable link stays drained in ${state}`);
  }
}

/** It is not known yet whether the pending key is needed. */
function mayWaitPending(world: World): boolean {
  return world.pending === ours && (world.farUnseen === 1 || world.operation === updating);
}

/** The step has begun, and no observation shows yet what is pending. */
const armedIn = ["staging", "gated", "draining", "held", "restoring", "awaitingPeer", "staged"];
function mayBeArmed({ record }: World): boolean {
  return armedIn.includes(stateName(record));
}

function judgePending(world: World, oracle: Oracle, report: (broken: string) => void): void {
  if (pendingObserved(world) !== ours || world.farUnseen === 1 || !isUp(world, oracle.config))
    return;
  if (settles(world, oracle, (to) => to.pending === 0)) return;
  if (world.operation === updating) return;
  // A campaign taken up again to go back rolls nothing back by itself: silence until the timer.
  if (toldIn(world.record) && backIn(world.record) && world.hardware === onOld) return;
  report(`TIMER: a commit of ours stays pending in ${stateName(world.record)}`);
}

/** Both ends rest, and do not fit each other by what this campaign did to the router. */
function waitsInOutage(world: World, config: Config, state: string): boolean {
  if (state === "held" || world.lasting === 0 || world.farUnseen === 1) return false;
  if (siblingLost(world) || world.cut === 1 || matches(world, config)) return false;
  if (world.operation !== settled || world.flight !== 0 || world.windowShut === 1) return false;
  if (world.startGrace === 1 || world.putGrace === 1 || world.meddled === 1) return false;
  return world.document === onOld && world.hardware === onOld && isClosed(world, config) === false;
}

/** Time and healing, in one go; true once the link carries again. */
function heals(world: World, oracle: Oracle): boolean {
  const to = scratchOf(oracle);
  copy(world, to);
  const well = { cut: 0, siblingCut: 0, siblingDrained: 0, siblingUnsure: 0, siblingUnread: 0 };
  const open = {
    routerUnseen: 0,
    farUnseen: 0,
    windowShut: 0,
    refuses: 0,
    startGrace: 0,
    putGrace: 0,
  };
  for (let turns = 0; turns < healingTurnsMax; turns += 1) {
    Object.assign(to, well, open, { alive: 1 });
    if (to.pending === foreign) to.pending = 0;
    if (turns === deadlineTurn && !parking.includes(stateName(to.record))) to.overdue = 1;
    to.keys &= ~strangeKey;
    if (to.handShut === 1) turnByHand(to);
    if (isUp(to, oracle.config)) return true;
    if (stateName(to.record) === "held") resume(to, oracle.config);
    turn(to, oracle, "goes well", ignore);
    if (to.operation === updating) Object.assign(to, { document: to.target, operation: settled });
    to.hardware = to.document;
    to.quiet = to.drained;
    to.lasting = Number(carrierOf(to, oracle.config) === 2);
  }
  return false;
}

function resume(world: World, config: Config): void {
  const input = { verb: "resume", farEndDone: false, by: "test" } as const;
  const verdict = command(campaignIn(world.record, config), input, nothingObserved, noon);
  if (verdict.kind === "accepted") world.record = recordFor(verdict.campaign);
}

/** What people did since, or a record that is lost, no agent could know of. */
export function judgeLate(before: World, after: World, config: Config): string | undefined {
  if (before.meddled === 1 || before.tailLost === 1) return undefined;
  // A port that was shut is opened again.
  const shuts = finals[before.lateFinal] === "rekeySak";
  const isCut = !shuts && isUp(before, config) && !isUp(after, config) && !followsPaper(before);
  if (isCut) return `LATE: it cuts the link in ${stateName(before.record)}`;
  const takesSibling = after.siblingDrained > before.siblingDrained && before.siblingCut === 0;
  const isTheirs = before.cut === 1 || before.handShut === 1;
  const isOut = before.drained === 1 || (!isTheirs && !isUp(before, config));
  return takesSibling && isOut ? "LATE: both links are out by our doing" : undefined;
}

/**
 * A replacement follows a far end that reads changed and is not yet, which a dark link cannot show:
 * carried out in time it would leave the same two ends. No machine can avoid that. One that waited
 * for light would never replace on a router whose line protocol is down while MACsec is (IOS XR
 * 26.2.1, docs/sources.md), and such a link would stay dark. A machine that sends the replacement
 * while the link is seen to use the old key breaks P3, and one that moves the far end back
 * meanwhile is not excused.
 */
function followsPaper({ lateFinal, document, hardware, operation }: World): boolean {
  if (operation !== settled) return false;
  const action = finals[lateFinal];
  if (action === "replace") return document === onNew && hardware === onOld;
  return action === "replaceBack" && document === onOld && hardware === onNew;
}

/** `residual`: the one case that the design names, and a later observation mends it. */
export function judgeTimer(before: World, after: World, oracle: Oracle): string | undefined {
  const verdict = timerVerdict(before, after, oracle);
  // A key that a person took before the commit came is theirs to put back once more.
  const isTheirs = goesBackBare(before, oracle.config);
  if (verdict !== "residual" || isTheirs || heals(after, oracle)) return verdict;
  return `TIMER: what it took away never comes back, from ${stateName(after.record)}`;
}

function timerVerdict(before: World, after: World, oracle: Oracle): string | undefined {
  const { config } = oracle;
  if (!matches(before, config) || matches(after, config)) return undefined;
  // A campaign that was taken up again to go back asks for old, whatever it asked for before.
  const asksForNew = toldIn(before.record) && !backIn(before.record);
  const unasked = before.moved === 1 && before.hardware === onNew && !asksForNew;
  const bare = goesBackBare(before, config);
  if (!unasked && !bare) return "TIMER: it takes away the key that the far end uses";
  if (isHidden(before, config)) return "residual";
  // Right after its start nothing at the far end counts as settled: it may be on its way to old.
  if (before.startGrace === 1 && backIn(before.record)) return "residual";
  if (before.alive === 0 || before.routerUnseen === 1) return "residual";
  if (pendingObserved(before) !== ours && before.tailLost === 1) return "residual";
  const to = scratchOf(oracle);
  copy(before, to);
  // It had no turn since: its next ones would keep the key.
  for (let turns = 0; turns < keepingTurnsMax; turns += 1) {
    if (turn(to, oracle, "goes well", ignore).action === "confirm") return "residual";
  }
  const shows = bare || observesNew(before, config) || carrierOf(before, config) === 1;
  if (!shows) return "residual";
  return `TIMER: it takes a key away that the agent could keep, in ${stateName(before.record)}`;
}
