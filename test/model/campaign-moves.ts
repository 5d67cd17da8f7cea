// One turn of the agent in the abstract world, with every luck its effect may have, judged against
// what is really so.

import type { ActionKind } from "#agent/model/campaign.ts";
import { judgeEffect, judgeStep, keysOn, keyWork, noWrite, puts } from "./campaign-claims.ts";
import {
  carrierOf,
  isAtRisk,
  type Oracle,
  observesNew,
  observesOld,
  replacementOf,
  type Taken,
} from "./campaign-observation.ts";
import {
  abortedIn,
  back,
  type Config,
  doneLink,
  finals,
  forward,
  isHalf,
  isUp,
  linkIn,
  newKey,
  newProcessState,
  oldKey,
  onNew,
  onOld,
  ours,
  stateIn,
  stateNumber,
  untouchedLink,
  updating,
  type World,
  withoutToken,
  withShut,
  withToken,
} from "./campaign-world.ts";

export const lucks = [
  "goes well",
  "is lost",
  "loses its reply",
  "is delayed",
  "does half",
  "changes half",
  "leaves a dead SAK",
  "comes after a hand",
  "comes late",
  "dies before it",
  "dies during it",
] as const;
export type Luck = (typeof lucks)[number];

/** May an effect of this kind have this luck at all? */
export function canHave(luck: Luck, action: ActionKind | undefined, config: Config): boolean {
  if (luck === "goes well") return true;
  if (action === undefined || action === "probe") return luck === "dies before it";
  if (luck === "is delayed" || luck === "loses its reply") return puts.includes(action);
  // A router that takes no request for a SAK shuts the port and opens it.
  if (action === "rekeySak" && (luck === "does half" || luck === "dies during it")) return true;
  if (luck === "dies during it" || luck === "comes after a hand") return action === "stage";
  if (luck === "comes late") return action !== undefined && lateFinalOf(action) > 0;
  if (luck === "changes half") {
    return config.half !== undefined && (action === "replace" || action === "replaceBack");
  }
  if (luck === "leaves a dead SAK") return action === "renewSak";
  if (luck === "does half") return config.shutsFirst && keyWork.includes(action);
  return true;
}

/** An observation breaks every run whose condition no longer holds. */
function observed(world: World, config: Config): void {
  const carrier = carrierOf(world, config);
  const seen = world.routerUnseen === 0;
  if (!seen || world.drained === 0) world.quiet = 0;
  if (!(seen && canBeProven(world, config))) world.proven = 0;
  if (!observesOld(world, config)) world.oldProven = 0;
  if (seen && !(world.keys === (oldKey | newKey) && carrier === 1)) {
    world.laterAsked = 0;
    world.laterProven = 0;
  }
  if (!(seen && canBeSteady(world, config))) world.steady = 0;
  if (!(seen && carrier === 2 && world.cut === 0 && world.shut === 0)) world.lasting = 0;
}

export function canBeProven(world: World, config: Config): boolean {
  if (world.routerUnseen === 1 || !observesNew(world, config)) return false;
  return carrierOf(world, config) === 1 && !isHalf(world, config);
}

export function canBeSteady(world: World, config: Config): boolean {
  return world.routerUnseen === 0 && world.drained === 0 && isUp(world, config);
}

/** One turn: look, decide, journal, effect. `report` hears of every broken promise. */
export function turn(
  world: World,
  oracle: Oracle,
  luck: Luck,
  report: (broken: string) => void,
): Taken {
  const { config } = oracle;
  observed(world, config);
  const taken = oracle.decide(world);
  const kept = world.record;
  lookAtPort(world, taken, config);
  judgeStep(world, taken, config, report);
  journal(world, taken, config);
  if (asking.includes(stateIn(world.record)) && config.farEnd === "manual") world.sought = 1;
  if (luck === "dies before it") {
    die(world);
  } else if (taken.action !== undefined && linkIn(kept) === linkIn(world.record)) {
    const many = keysOn(world);
    if (luck !== "is lost") judgeEffect(world, taken.action, config, report);
    affect(world, taken.action, luck, config);
    if (luck === "dies during it") die(world);
    if (keysOn(world) > Math.max(2, many)) report("P6: three keys on one link");
  }
  return taken;
}

/** Whose shut port it is can be known only once it was seen open. */
function lookAtPort(world: World, { action }: Taken, config: Config): void {
  if (config.urgency !== "emergency") return;
  const isOpen = world.routerUnseen === 0 && world.shut === 0 && world.pending === 0;
  if (action === "rekeySak" || action === "rollBack") world.seenOpen = 0;
  else if (isOpen && finals[world.lateFinal] !== "rekeySak") world.seenOpen = 1;
}

export function die(world: World): void {
  Object.assign(world, newProcessState);
  world.alive = 0;
  world.startGrace = 0;
  world.putGrace = 0;
  world.siblingUnsure = 0;
  // What the next process reads of it first counts: nothing.
  if (world.siblingUnread === 1) world.siblingUnread = 2;
}

/** The states in which a person reads that the far end is to be changed. */
const asking = [stateNumber("awaitingPeer"), stateNumber("switching")];
const gated = stateNumber("gated");
const done = stateNumber("done");

/** Journal first: the campaign has moved before the effect is tried. */
function journal(world: World, { action, record }: Taken, config: Config): void {
  const before = world.record;
  if (config.urgency === "emergency" && (action === "removeOld" || action === "replace")) {
    world.staleSak = 1;
  }
  if (record === before) return;
  world.before = before;
  world.record = record;
  if (linkIn(record) !== linkIn(before)) {
    handOver(world, config);
    return;
  }
  const moved = stateIn(record) !== stateIn(before);
  if (!moved && !(abortedIn(record) && !abortedIn(before))) return;
  world.overdue = 0;
  world.steady = 0;
  if (moved && stateIn(before) === gated) {
    world.refused = 0;
    world.losing = 0;
  }
}

/** The next link's turn: the one that is done becomes the sibling. */
function handOver(world: World, config: Config): void {
  const { cut, siblingCut, lateFinal } = world;
  Object.assign(world, newProcessState, untouchedLink(config));
  world.putGrace = 0;
  world.cut = siblingCut;
  world.siblingCut = cut;
  world.siblingLate = Number(finals[lateFinal] === "drain");
  handSight(world);
}

/** Each router is read or not, whichever link is under way. */
function handSight(world: World): void {
  const { siblingUnread, routerUnseen } = world;
  world.routerUnseen = Number(siblingUnread !== 0);
  world.siblingUnread = routerUnseen === 1 ? 2 : 0;
}

/** The record of the hand-over is lost: the link before is under way again. */
export function handBack(world: World, config: Config): void {
  const { cut, siblingCut, siblingLate } = world;
  Object.assign(world, doneLink(config));
  world.cut = siblingCut;
  world.siblingCut = cut;
  world.lateFinal = siblingLate === 1 ? finals.indexOf("drain") : 0;
  world.siblingLate = 0;
  handSight(world);
}

function affect(world: World, action: ActionKind, luck: Luck, config: Config): void {
  if (puts.includes(action)) {
    put(world, action === "putOld" ? onOld : onNew, luck);
    return;
  }
  if (!noWrite.includes(action)) {
    const isReplacement = action === "replace" || action === "replaceBack";
    if (isReplacement && replacementOf(world) !== 1) return;
    // A token is journaled once the change is valid, whatever becomes of the change itself.
    if (action === "stage" && world.refuses === 0) {
      world.before = withoutToken(world.record);
      world.record = withToken(world.record);
    }
    world.prepared = 0;
  }
  // The runner looks again right before it drains.
  if (action === "drain" && isAtRisk(world, config)) return;
  if (luck === "is lost") return;
  if (action === "rekeySak" && (luck === "does half" || luck === "dies during it")) {
    shutForSak(world);
    return;
  }
  if (luck === "dies during it") {
    // What the turn observes may ask for something else.
    if (action !== "stage") return;
    // A change that its validation refuses is never sent.
    world.late = 1 - world.refuses;
    return;
  }
  if (luck === "comes after a hand") {
    world.keys &= ~oldKey;
    world.meddled = 1;
  }
  const shuts = config.shutsFirst && keyWork.includes(action);
  if (shuts) world.shut = 1;
  if (luck === "does half") return;
  if (luck === "leaves a dead SAK") world.deadSak = 1;
  if (luck === "changes half") {
    world.keys = oldKey | newKey;
    return;
  }
  if (luck === "comes late") {
    world.lateFinal = lateFinalOf(action);
    return;
  }
  const shutBefore = world.shut;
  if (write(world, action, config) && shuts) world.shut = 0;
  if (action === "stage" && world.pending === ours) world.shutBefore = shutBefore;
}

/** Only an emergency may shut a port for something else than a change of a key. */
export const mayShutByHand = ({ shut, pending }: World, { urgency }: Config): boolean =>
  urgency === "emergency" && shut === 0 && pending === 0;

/** A person shuts the port, or opens it again. */
export function turnByHand(world: World): void {
  world.handShut = 1 - world.handShut;
  world.shut = world.handShut;
}

/** The first half of a fresh SAK; the second one opens the port. */
function shutForSak(world: World): void {
  world.shut = 1;
  world.staleSak = 0;
}

const lateFinalOf = (action: ActionKind): number =>
  Math.max(
    0,
    finals.findIndex((each) => each === action),
  );

/** The router carries out a change that the agent gave up; a key that is gone stays gone. */
export function landFinal(world: World, config: Config): void {
  const action = finals[world.lateFinal];
  world.lateFinal = 0;
  if (action === undefined) return;
  if (action === "rekeySak") {
    // Where no campaign is under way, manual-drain.ts opens it.
    if (stateIn(world.record) === done) return;
    shutForSak(world);
    // `#mayShutLate` of rotation-runner.ts.
    world.record = withShut(world.record);
    return;
  }
  const left = { removeOld: newKey, removeNew: oldKey, drain: 0, replace: 0, replaceBack: 0 }[
    action
  ];
  // A router keeps the last key of a port.
  if (left !== 0 && (world.keys & left) === 0) return;
  write(world, action, config);
  if (config.shutsFirst && action !== "drain") world.shut = 0;
}

/** The change itself; false = the router refused it. */
function write(world: World, action: ActionKind, config: Config): boolean {
  switch (action) {
    case "drain":
    case "restore":
      world.drained = Number(action === "drain");
      return true;
    case "stage":
    case "add":
      return join(world, action);
    case "confirm":
      if (world.pending === ours) settle(world);
      return true;
    case "rollBack":
      if (world.pending === ours) revert(world);
      return true;
    case "prepare":
    case "prepareBack":
      return prepare(world, action === "prepare" ? forward : back);
    case "promote":
      world.promoted = 1;
      return true;
    case "removeOld":
      world.keys &= ~oldKey;
      return true;
    case "removeNew":
      world.keys &= ~newKey;
      world.deadSak = 0;
      world.promoted = 0;
      if (config.kind === "enrol") world.mustSecure = 0;
      return true;
    case "replace":
      world.keys = newKey;
      world.mustSecure = 1;
      return true;
    case "replaceBack":
      world.keys = oldKey;
      return true;
    case "rekeySak":
      world.staleSak = 0;
      return true;
    case "renewSak":
      world.laterAsked = 1;
      return true;
    case "open":
      world.shut = 0;
      world.handShut = 0;
      return true;
    case "probe":
    case "putNew":
    case "putOld":
      return true;
  }
}

function join(world: World, action: "stage" | "add"): boolean {
  if (world.refuses === 1) {
    world.refused = forward;
    return false;
  }
  if (action === "stage") {
    world.pending = ours;
    world.keysBefore = world.keys;
    world.moved = 0;
  }
  world.keys |= newKey;
  return true;
}

function prepare(world: World, direction: number): boolean {
  if (world.refuses === 1) world.refused = direction;
  else world.prepared = direction;
  return true;
}

export function settle(world: World): void {
  world.pending = 0;
  world.keysBefore = 0;
  world.shutBefore = 0;
  world.moved = 0;
  world.record = withoutToken(world.record);
}

export function revert(world: World): void {
  world.keys = world.keysBefore;
  world.shut = world.shutBefore;
  settle(world);
}

function put(world: World, target: number, luck: Luck): void {
  if (luck !== "goes well") world.putGrace = 1;
  if (luck === "is delayed") world.flight = 1 + target;
  if (luck === "is lost" || luck === "is delayed") return;
  world.operation = updating;
  world.target = target;
}
