// What no effect and no step of the agent may ever be, held against what is really so.

import type { ActionKind } from "#agent/model/campaign.ts";
import { carrierOf, isClosed, stateName, type Taken } from "./campaign-observation.ts";
import {
  back,
  backIn,
  type Config,
  endOf,
  finals,
  forward,
  goesBackBare,
  isHalf,
  isHidden,
  isUp,
  newKey,
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
  updating,
  type World,
} from "./campaign-world.ts";

const doneState = stateNumber("done");
export const puts: readonly (ActionKind | undefined)[] = ["putNew", "putOld"];
export const keyWork: readonly (ActionKind | undefined)[] = [
  "stage",
  "add",
  "promote",
  "removeOld",
  "removeNew",
  "replace",
  "replaceBack",
];
export const noWrite: readonly ActionKind[] = [
  "probe",
  "prepare",
  "prepareBack",
  "putNew",
  "putOld",
];

const needsPreconditions: readonly ActionKind[] = [
  "stage",
  "putNew",
  "promote",
  "removeOld",
  "removeNew",
  "rekeySak",
  "renewSak",
];
const touchesKeys: readonly ActionKind[] = ["stage", "promote", "removeOld", "removeNew"];

/** The far end uses the new key, or may come to use it by what is under way. */
function farMayBeNew(world: World): boolean {
  const { hardware, document, operation, target, flight } = world;
  if (hardware === onNew || document === onNew || flight === 1 + onNew) return true;
  return operation === updating && target === onNew;
}

export function judgeEffect(
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
  const takes = interrupts(world, action) || shuts || action === "stage";
  claim(!takes || world.withheld === 0 || isTaken(world), "P8: a link is taken without a permit");
  if (interrupts(world, action) || shuts) {
    claim(!(up && siblingLost(world)), "P2: it interrupts the only link that carries");
    const isKnown = world.siblingUnsure === 0 && world.siblingUnread === 0;
    claim(!up || isKnown, "P2: it is not known whether the sibling carries");
    const moves = action === "drain" || !up;
    claim(moves || (world.drained === 1 && world.quiet === 1), "CARRY: the link is not drained");
  }
  if (touchesKeys.includes(action) && up) {
    claim(world.drained === 1 && world.quiet === 1, "CARRY: the link is not drained");
  }
  if (needsPreconditions.includes(action))
    claim(!isClosed(world, config), "GATE: a gate is closed");
  const settles = action === "confirm" || action === "rollBack";
  if (!noWrite.includes(action) && !settles) {
    claim(world.pending === 0, "TIMER: written while a commit is pending");
  }
  if (settles) claim(world.pending === ours, "TIMER: a foreign commit is settled");
  if (puts.includes(action)) judgePut(world, action, config, claim);
  else judgeKeys(world, action, config, claim);
}

/** Whether anything of the campaign has reached the link, or may have. */
export function isTaken(world: World): boolean {
  const { drained, keys, hardware, document, operation, flight, record } = world;
  if (drained === 1 || (keys & newKey) !== 0 || toldIn(record) || backIn(record)) return true;
  return hardware !== onOld || document !== onOld || operation !== settled || flight !== 0;
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
    case "renewSak":
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
    const isBefore = world.keys === before || isHalf(world, config);
    claim(isBefore, "PUTBLIND: the router is not as before");
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
      claim(!lacksLaterSaks(world, config), "P3: the later SAKs are not proven");
      return;
    case "promote":
      claim(world.proven === 1 && hardware === onNew, "P3: the far end is not on new");
      claim(!lacksLaterSaks(world, config), "P3: the later SAKs are not proven");
      claim(config.promotes, "KEYS: both keys change their roles where none has to");
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
    case "renewSak":
      claim(config.asksSaks && config.urgency === "planned", "SAK: none is to be asked for");
      claim(keys === (oldKey | newKey), "SAK: there is no old key to go back to");
      claim(finals[world.lateFinal] !== "removeOld", "SAK: the old key may still go");
      claim(world.proven === 1 && settledNew, "SAK: the one in use is not proven");
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
    case "probe":
      return;
    case "open": {
      const isTheirs = world.handShut === 1 && world.seenOpen === 1 && world.tailLost === 0;
      claim(!isTheirs, "HAND: a port that a person shut is opened");
    }
  }
}

const lacksLaterSaks = ({ laterProven }: World, { asksSaks, urgency }: Config): boolean =>
  asksSaks && urgency === "planned" && laterProven === 0;

/** A candidate locks out what gives traffic back, so it waits only where it has a use. */
function judgeReplacement(world: World, ahead: boolean, config: Config, claim: Claim): void {
  const before = config.kind === "enrol" ? 0 : oldKey;
  claim(config.overlap === "breakBeforeMake", "BLIND: the router can hold both keys");
  const isOurs = world.keys === (ahead ? before : newKey) || isHalf(world, config);
  claim(isOurs, "BLIND: the port holds something else");
}

export const keysOn = ({ keys }: World): number =>
  (keys & 1) + ((keys >> 1) & 1) + ((keys >> 2) & 1);

/** `done` only as the observation shows it. */
export function judgeStep(
  world: World,
  { record }: Taken,
  config: Config,
  report: (broken: string) => void,
): void {
  const from = recordedIn(world.record);
  const to = recordedIn(record);
  const isGivenUp = to.state === "held" && from.state !== "held";
  // The way back of a person's far end is the person's.
  const isTheirs = config.farEnd === "manual" && from.state === "reverting";
  if (isGivenUp && !isTheirs && mayFinish(world, config)) {
    report(`HALF: a change that a repeat would finish is given up (${from.state})`);
  }
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
    (!config.promotes || reverted || world.promoted === 1 || world.meddled === 1) &&
    (world.staleSak === 0 || reverted);
  if (!isSo) report(`DONE: called ${reverted ? "reverted" : "a success"} and is not`);
}

/** Half of a change of ours is on the router, and nothing keeps the other half from it. */
function mayFinish(world: World, config: Config): boolean {
  if (!isHalf(world, config) || world.meddled === 1 || world.overdue === 1) return false;
  // A journal that lost its last record may have forgotten the way back.
  if (world.tailLost === 1) return false;
  const { refused, losing, routerUnseen, farUnseen, pending } = world;
  if (refused !== 0 || losing === 1 || routerUnseen === 1 || pending !== 0) return false;
  return farUnseen === 0 && world.operation === settled;
}

/** What a campaign that an operator abandons may leave, for no agent looks after it any more. */
export function judgeAbandon(world: World, config: Config): string | undefined {
  if (carriesOnOne(world, config) || isAsFound(world)) return undefined;
  return `ABANDON: the link is not as it was, and does not carry (${stateName(world.record)})`;
}

/** The link has its traffic and one version at both ends, as far as they can be read. */
function carriesOnOne(world: World, config: Config): boolean {
  const { drained, pending, hardware, document, keys } = world;
  if (!isUp(world, config) || drained === 1 || pending !== 0) return false;
  if (hardware === onNew && keys !== newKey) return false;
  return hardware === document || world.farUnseen === 1;
}

/** Nothing of the campaign has reached either end or the person there, or is on its way. */
function isAsFound(world: World): boolean {
  // A journal that lost a record has lost what the campaign did.
  if (world.tailLost === 1) return true;
  const { keys, drained, shut, handShut, pending, hardware, document, operation } = world;
  if ((keys & newKey) !== 0 || drained === 1 || pending === ours) return false;
  if (shut === 1 && handShut === 0) return false;
  const { sought, flight, late, lateFinal } = world;
  if (sought === 1 || flight !== 0 || late === 1 || lateFinal !== 0) return false;
  // Unasked, a person may do anything to the far end.
  if (world.meddled === 1) return true;
  return hardware === onOld && document === onOld && operation === settled;
}
