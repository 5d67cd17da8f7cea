// One turn of the agent in the abstract world, with every luck its effect may have, judged against
// what is really so.

import type { ActionKind } from "#agent/campaign/model.ts";
import {
  carrierOf,
  isClosed,
  type Oracle,
  replacementOf,
  seesNew,
  seesOld,
  stateName,
  type Taken,
} from "./campaign-look.ts";
import {
  abortedIn,
  back,
  type Config,
  doneLink,
  endOf,
  forward,
  goesBackBare,
  isHidden,
  isUp,
  linkIn,
  newKey,
  newMind,
  oldKey,
  onNew,
  onOld,
  ours,
  recordedIn,
  settled,
  siblingLost,
  stateIn,
  stateNumber,
  toldIn,
  untouchedLink,
  updating,
  type World,
  withoutToken,
  withToken,
} from "./campaign-world.ts";

export const lucks = [
  "goes well",
  "is lost",
  "loses its reply",
  "is delayed",
  "does half",
  "comes after a hand",
  "dies before it",
  "dies during it",
] as const;
export type Luck = (typeof lucks)[number];

const puts: readonly (ActionKind | undefined)[] = ["putNew", "putOld"];
const keyWork: readonly (ActionKind | undefined)[] = [
  "stage",
  "add",
  "promote",
  "removeOld",
  "removeNew",
  "replace",
  "replaceBack",
];
const noWrite: readonly ActionKind[] = ["probe", "prepare", "prepareBack", "putNew", "putOld"];

/** May an effect of this kind have this luck at all? */
export function canHave(luck: Luck, action: ActionKind | undefined, config: Config): boolean {
  if (luck === "goes well") return true;
  if (action === undefined || action === "probe") return luck === "dies before it";
  if (luck === "is delayed" || luck === "loses its reply") return puts.includes(action);
  if (luck === "dies during it" || luck === "comes after a hand") return action === "stage";
  if (luck === "does half") return config.shutsFirst && keyWork.includes(action);
  return true;
}

/** A look breaks every run whose condition no longer holds. */
function looked(world: World, config: Config): void {
  const carrier = carrierOf(world, config);
  const seen = world.routerUnseen === 0;
  if (!seen || world.drained === 0) world.quiet = 0;
  if (!(seen && canBeProven(world, config))) world.proven = 0;
  if (!seesOld(world, config)) world.oldProven = 0;
  if (!(seen && canBeSteady(world, config))) world.steady = 0;
  if (!(seen && carrier === 2 && world.cut === 0 && world.shut === 0)) world.lasting = 0;
}

export function canBeProven(world: World, config: Config): boolean {
  if (world.routerUnseen === 1 || !seesNew(world, config)) return false;
  return carrierOf(world, config) === 1;
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
  looked(world, config);
  const taken = oracle.decide(world);
  const kept = world.record;
  judgeStep(world, taken, config, report);
  journal(world, taken, config);
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

export function die(world: World): void {
  Object.assign(world, newMind);
  world.alive = 0;
  world.startGrace = 0;
  world.putGrace = 0;
  world.siblingUnsure = 0;
}

const gated = stateNumber("gated");
const doneState = stateNumber("done");

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
  const { cut, siblingCut } = world;
  Object.assign(world, newMind, untouchedLink(config));
  world.putGrace = 0;
  world.cut = siblingCut;
  world.siblingCut = cut;
}

/** The record of the hand-over is lost: the link before is under way again. */
export function handBack(world: World, config: Config): void {
  const { cut, siblingCut } = world;
  Object.assign(world, doneLink(config));
  world.cut = siblingCut;
  world.siblingCut = cut;
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
  if (luck === "is lost") return;
  if (luck === "dies during it") {
    // What its validation refuses is never sent.
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
  const shutBefore = world.shut;
  if (write(world, action, config) && shuts) world.shut = 0;
  if (action === "stage" && world.pending === ours) world.shutBefore = shutBefore;
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
    case "open":
      world.shut = 0;
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

// ---- what must never be

const takesGates: readonly ActionKind[] = [
  "stage",
  "putNew",
  "promote",
  "removeOld",
  "removeNew",
  "rekeySak",
];
const touchesKeys: readonly ActionKind[] = ["stage", "promote", "removeOld", "removeNew"];

/** The far end uses the new key, or may come to use it by what is under way. */
function farMayBeNew(world: World): boolean {
  const { hardware, document, operation, target, flight } = world;
  if (hardware === onNew || document === onNew || flight === 1 + onNew) return true;
  return operation === updating && target === onNew;
}

function judgeEffect(
  world: World,
  action: ActionKind,
  config: Config,
  report: (broken: string) => void,
): void {
  const up = isUp(world, config);
  const shuts = config.shutsFirst && keyWork.includes(action);
  const claim = (holds: boolean, what: string): void => {
    if (!holds) report(`${what} (${action})`);
  };
  claim(action !== "drain" || world.siblingDrained === 0, "P2: both links are drained");
  const state = stateName(world.record);
  const parks = ["restore", "rollBack", "confirm", "open", "probe"].includes(action);
  claim(state !== "held" || parks, "HELD: nothing but the parking rule is written");
  if (interrupts(world, action) || shuts) {
    claim(!(up && siblingLost(world)), "P2: it interrupts the only link that carries");
    claim(!(up && world.siblingUnsure === 1), "P2: nobody knows whether the sibling carries");
    const moves = action === "drain" || !up;
    claim(moves || (world.drained === 1 && world.quiet === 1), "CARRY: the link is not drained");
  }
  if (touchesKeys.includes(action) && up) {
    claim(world.drained === 1 && world.quiet === 1, "CARRY: the link is not drained");
  }
  if (takesGates.includes(action)) claim(!isClosed(world, config), "GATE: a gate is closed");
  const settles = action === "confirm" || action === "rollBack";
  if (!noWrite.includes(action) && !settles) {
    claim(world.pending === 0, "TIMER: written while a commit is pending");
  }
  if (settles) claim(world.pending === ours, "TIMER: somebody else's commit is settled");
  if (puts.includes(action)) judgePut(world, action, config, claim);
  else judgeKeys(world, action, config, claim);
}

function interrupts({ keys, hardware }: World, action: ActionKind): boolean {
  switch (action) {
    case "drain":
      return true;
    case "putNew":
      return hardware !== onNew;
    case "putOld":
      return hardware !== onOld;
    case "removeOld":
      return (keys & oldKey) !== 0;
    case "removeNew":
      return (keys & newKey) !== 0;
    case "replace":
    case "replaceBack":
    case "rekeySak":
      return true;
    case "add":
    case "confirm":
    case "open":
    case "prepare":
    case "prepareBack":
    case "probe":
    case "promote":
    case "restore":
    case "rollBack":
    case "stage":
      return false;
  }
}

type Claim = (holds: boolean, what: string) => void;

function judgePut(world: World, action: ActionKind, config: Config, claim: Claim): void {
  const breaks = config.overlap === "breakBeforeMake";
  claim(config.farEnd === "agent", "MANUAL: the far end is a person's");
  const free = world.flight === 0 && world.operation !== updating;
  claim(free, "PUTBLIND: an earlier change may still land");
  if (action === "putOld") {
    claim(config.kind !== "enrol", "P1: MACsec is not taken off a far end");
    claim(world.pending === 0, "PUTBLIND: a timer is armed");
    if (!breaks) claim((world.keys & oldKey) !== 0, "PUTBLIND: that key is not on the router");
    return;
  }
  claim(toldIn(world.record), "PUTBLIND: told is not in the journal");
  if (breaks) {
    const before = config.kind === "enrol" ? 0 : oldKey;
    claim(world.keys === before, "PUTBLIND: the router is not as before");
    claim(world.prepared === forward, "PUTBLIND: the router may refuse to follow");
    return;
  }
  claim((world.keys & newKey) !== 0, "PUTBLIND: that key is not on the router");
  claim(world.pending === 0, "PUTBLIND: a timer would take that key away");
}

function judgeKeys(world: World, action: ActionKind, config: Config, claim: Claim): void {
  const { keys, hardware, document, operation, flight } = world;
  const settledNew = document === endOf(config) && operation === settled && flight === 0;
  switch (action) {
    case "rollBack":
      claim(!farMayBeNew(world), "KEYLOST: the far end uses that key, or will");
      claim(
        !goesBackBare(world, config) || isHidden(world, config),
        "KEYLOST: what it goes back to never had the key in use",
      );
      return;
    case "removeOld":
      claim(flight !== 1 + onOld, "KEYLOST: a put of the old key may still land");
      claim(world.proven === 1 && settledNew && (keys & newKey) !== 0, "P3: without fresh proof");
      return;
    case "promote":
      claim(world.proven === 1 && hardware === onNew, "P3: the far end is not on new");
      return;
    case "removeNew":
      claim(!farMayBeNew(world), "KEYLOST: the far end uses that key, or will");
      claim(world.oldProven === 1, "P3: the old key is not proven again");
      return;
    case "prepare":
    case "prepareBack":
      judgeReplacement(world, action === "prepare", config, claim);
      return;
    case "replace":
      judgeReplacement(world, true, config, claim);
      claim(world.prepared === forward, "BLIND: the router may refuse it");
      claim(settledNew, "P3: the far end has not left the old key");
      if (!config.either) claim(carrierOf(world, config) !== 0, "P3: the old key still carries");
      return;
    case "replaceBack":
      judgeReplacement(world, false, config, claim);
      claim(world.prepared === back, "BLIND: the router may refuse it");
      claim(config.kind !== "enrol", "P1: an enrolment never goes back");
      claim(document === onOld && operation === settled, "KEYLOST: the far end is on new");
      return;
    case "stage":
      claim(!toldIn(world.record), "TIMER: armed after the far end was told");
      claim(hardware === onOld && document === onOld, "TIMER: armed while the far end is on new");
      return;
    case "drain":
    case "restore":
    case "add":
    case "confirm":
    case "putNew":
    case "putOld":
    case "rekeySak":
    case "open":
    case "probe":
      return;
  }
}

/** A candidate locks out what gives traffic back, so it waits only where it has a use. */
function judgeReplacement(world: World, ahead: boolean, config: Config, claim: Claim): void {
  const before = config.kind === "enrol" ? 0 : oldKey;
  claim(config.overlap === "breakBeforeMake", "BLIND: the router can hold both keys");
  claim(world.keys === (ahead ? before : newKey), "BLIND: the port holds something else");
}

const keysOn = ({ keys }: World): number => (keys & 1) + ((keys >> 1) & 1) + ((keys >> 2) & 1);

/** `done` only as the look shows it. */
function judgeStep(
  world: World,
  { record }: Taken,
  config: Config,
  report: (broken: string) => void,
): void {
  const from = recordedIn(world.record);
  const to = recordedIn(record);
  const arrives = to.at !== from.at || (stateIn(record) === doneState && from.state !== "done");
  if (!arrives) return;
  const reverted = to.at === from.at && to.ending === "reverted";
  const before = config.kind === "enrol" ? 0 : oldKey;
  const end = reverted ? onOld : endOf(config);
  const isSo =
    isUp(world, config) &&
    world.drained === 0 &&
    world.pending === 0 &&
    world.flight === 0 &&
    world.operation === settled &&
    world.keys === (reverted ? before : newKey) &&
    world.document === end &&
    // A fallback key that a person left alone still carries.
    (config.overlap !== "fallback" || reverted || world.promoted === 1 || world.meddled === 1) &&
    (world.staleSak === 0 || reverted);
  if (!isSo) report(`DONE: called ${reverted ? "reverted" : "a success"} and is not`);
}
