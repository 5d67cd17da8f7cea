// What the real machine says about a world: the facts of one observation, and the step taken on it.
// Asked once for each record and each set of facts, however many worlds show them.

import {
  type ActionKind,
  type Campaign,
  campaignStates,
  type Facts,
  type Guards,
  type LaterSaks,
  laterSaksNeeded,
  type PortFacts,
  type Table,
} from "#agent/model/campaign.ts";
import type { FarEnd } from "#agent/model/reason.ts";
import { type advance, decideBy } from "#agent/rotation/campaign.ts";
import { isUntaken } from "#agent/rotation/permit.ts";
import type { command } from "#agent/rotation/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { campaignOf, held, refused, shut, waiting, withheld } from "../unit/kit/campaign-kit.ts";
import {
  back,
  backIn,
  type Config,
  failed,
  finals,
  foreign,
  forward,
  hasToken,
  isHalf,
  isUp,
  newKey,
  oldKey,
  onNew,
  onOther,
  ours,
  type Recorded,
  recordedIn,
  recordOf,
  siblingSeenLost,
  stateIn,
  stateNumber,
  toldIn,
  updating,
  type World,
} from "./campaign-world.ts";

const noon = 0 as WallTime;
const success = { enrol: "enrolled", change: "changed", rotate: "rotated" } as const;

/** The campaign that a record in the journal stands for. */
export function campaignIn(record: number, config: Config): Campaign {
  const recorded = recordedIn(record);
  const { kind, overlap, retire, urgency } = config;
  const { state, at, touched, told, asked, soaked, aborted, shut, token, again } = recorded;
  const goal = recorded.back ? ("revert" as const) : ("forward" as const);
  const done = { touched, told, asked, soaked, aborted, shut, again };
  const marks = { ...done, goal, token: token ? "t" : undefined };
  const campaign = campaignOf(state, { kind, retire, urgency, at, ...marks }, overlap);
  const links = campaign.links.map((link, index) => {
    if (index < at) return { ...link, outcome: success[kind] };
    if (index > at || recorded.ending === "none") return link;
    return { ...link, outcome: recorded.ending === "success" ? success[kind] : recorded.ending };
  });
  return { ...campaign, links };
}

export function recordFor(campaign: Campaign): number {
  const { state, at, touched, told, asked, soaked, aborted, shut, goal, token } = campaign;
  const again = campaign.again === true;
  const outcome = state === "done" ? campaign.links[at]?.outcome : undefined;
  const ending: Recorded["ending"] =
    outcome === undefined
      ? "none"
      : outcome === "reverted" || outcome === "abandoned"
        ? outcome
        : "success";
  return recordOf({
    ...{ state, touched, told, asked, soaked, aborted, shut, ending, again },
    at: at === 0 ? 0 : 1,
    back: goal === "revert",
    token: token !== undefined,
  });
}

// ---- what an observation shows

const farEnds: readonly FarEnd[] = [
  "old",
  "new",
  "either",
  "other",
  "updating",
  "failed",
  "unknown",
];
const [farOld, farNew, farEither, farOther, farUpdating, farFailed, farUnknown] = [
  0, 1, 2, 3, 4, 5, 6,
];

function farObserved(world: World, config: Config): number {
  if (world.farUnseen === 1) return farUnknown;
  const may = world.operation === updating || world.startGrace === 1 || world.putGrace === 1;
  if (may) return farUpdating;
  if (world.operation === failed) return farFailed;
  if (world.document === onOther) return farOther;
  if (config.either) return farEither;
  return world.document === onNew ? farNew : farOld;
}
export const observesNew = (world: World, config: Config): boolean => {
  const far = farObserved(world, config);
  return far === farNew || far === farEither;
};

/** A router of one key never has both, and one that takes two changes none by half. */
const keysObserved = (index: number, { half }: Config): PortFacts["keys"] =>
  (["old", half === undefined ? "both" : "half", "new", "else"] as const)[index] ?? "else";
function keysIn(world: World, config: Config): number {
  const { keys } = world;
  if (keys === newKey) return 2;
  if (keys === (config.kind === "enrol" ? 0 : oldKey)) return 0;
  if (isHalf(world, config)) return 1;
  return keys === (oldKey | newKey) && config.overlap !== "breakBeforeMake" ? 1 : 3;
}

const carriers = ["old", "new", "nothing"] as const;
/** Under which key frames pass. */
export function carrierOf(world: World, config: Config): number {
  if (!isUp(world, config)) return 2;
  if (config.either) return world.keys === newKey ? 1 : 0;
  return world.hardware === onNew ? 1 : 0;
}

/** Only where both keys can meet is the old one proven before the new one goes. */
export function observesOld(world: World, config: Config): boolean {
  if (config.overlap === "breakBeforeMake" || carrierOf(world, config) !== 0) return false;
  return world.routerUnseen === 0 && farObserved(world, config) === farOld;
}

/** A record that lost its token cannot tell whose commit it is. */
export function pendingObserved(world: World): number {
  return world.pending === ours && !hasToken(world.record) ? foreign : world.pending;
}

const siblingUnsure = ({ siblingUnsure: unjudged, siblingLate, siblingUnread }: World): boolean =>
  unjudged === 1 || siblingLate === 1 || siblingUnread === 1;

const losses = ["nothing", "old", "new", "both"] as const;
/** `mayLose` of late.ts. */
function mayLose({ lateFinal }: World, { kind }: Config): number {
  switch (finals[lateFinal]) {
    case "removeOld":
      return 1;
    case "removeNew":
      return 2;
    case "replace":
      return { change: 3, rotate: 1, enrol: 0 }[kind];
    case "replaceBack":
      return kind === "change" ? 3 : 2;
    case "drain":
    case "rekeySak":
    case undefined:
      return 0;
  }
}

/** A link waits while its drain would need the risk `agentOnSibling`. */
export const isAtRisk = ({ hardened, drained }: World, { fate }: Config): boolean =>
  fate?.asked === "begins, drains" && hardened === 1 && drained === 0;

/** `withheld` of fact-collector.ts: the link is not taken as far as it is seen. */
function isWithheld(world: World, config: Config): boolean {
  if (world.withheld === 0 || world.routerUnseen === 1) return false;
  const { record, drained } = world;
  const goal = backIn(record) ? "revert" : "forward";
  const keys = keysObserved(keysIn(world, config), config);
  const campaign = { goal, told: toldIn(record), state: stateName(record) } as const;
  return isUntaken(campaign, { keys, drain: drained === 1 ? "on" : "off" });
}

/** `unmetPrecondition` of preconditions.ts. */
export function isClosed(world: World, config: Config): boolean {
  if (siblingSeenLost(world) || siblingUnsure(world)) return true;
  if (isAtRisk(world, config)) return true;
  if (world.routerUnseen === 1 || world.pending !== 0) return true;
  const far = farObserved(world, config);
  if (far === farUpdating || far === farUnknown) return true;
  if (backIn(world.record)) return false;
  const begun =
    world.drained === 1 || toldIn(world.record) || [1, 2].includes(keysIn(world, config));
  if (!begun && !isUp(world, config)) return true;
  if (far === farFailed || far === farOther || world.windowShut === 1) return true;
  return isWithheld(world, config);
}

const reverting = stateNumber("reverting");
const replacements = ["absent", "valid", "refused"] as const;
export function replacementOf({ record, prepared, refused }: World): number {
  const direction = stateIn(record) === reverting ? back : forward;
  return refused === direction ? 2 : prepared === direction ? 1 : 0;
}

const outages = ["none", "brief", "lasting"] as const;

function promotionIn(isDone: number, keys: number, config: Config): PortFacts["promotion"] {
  const isThere = ["both", "new"].includes(keysObserved(keys, config));
  if (isDone === 1) return "done";
  return config.promotes && isThere ? "due" : "none";
}

const laterSaks: readonly LaterSaks[] = [
  { kind: "notOffered" },
  { kind: "due", number: 1 },
  { kind: "waiting", number: laterSaksNeeded, cause: { code: "sak.awaited" } },
  { kind: "proven" },
];
function laterSaksIn({ laterAsked, laterProven }: World, { asksSaks }: Config): number {
  if (!asksSaks) return 0;
  return laterProven === 1 ? 3 : laterAsked === 1 ? 2 : 1;
}

/** One observation, in 32 bits, and one beside them: the link is withheld. */
export function observeWorld(world: World, config: Config): number {
  return bitsOf(world, config) + (isWithheld(world, config) ? withheldBit : 0);
}

const withheldBit = 2 ** 32;

function bitsOf(world: World, config: Config): number {
  const carrier = carrierOf(world, config);
  const isOutage = carrier === 2 && world.cut === 0 && world.shut === 0;
  const isDone = config.promotes && (world.keys & newKey) !== 0 && world.promoted === 1;
  const keys = keysIn(world, config);
  const portFacts =
    world.routerUnseen === 1
      ? 0
      : 1 |
        (keys << 1) |
        (pendingObserved(world) << 3) |
        (carrier << 5) |
        ((isOutage ? 1 + world.lasting : 0) << 7) |
        (Number(isDone) << 9) |
        (world.drained << 10) |
        (world.shut << 11);
  const isStaged =
    world.routerUnseen === 0 && keysObserved(keys, config) === "both" && carrier === 0;
  return (
    portFacts |
    (farObserved(world, config) << 12) |
    (Number(siblingSeenLost(world)) << 15) |
    (Number(isClosed(world, config)) << 16) |
    (world.quiet << 17) |
    (Number(isStaged) << 18) |
    (world.proven << 19) |
    (world.steady << 20) |
    ((1 - world.staleSak) << 21) |
    (replacementOf(world) << 22) |
    (world.losing << 24) |
    (world.overdue << 25) |
    (world.oldProven << 26) |
    (Number(siblingUnsure(world)) << 27) |
    (mayLose(world, config) << 28) |
    (laterSaksIn(world, config) << 30)
  );
}

export function factsIn(observation: number, config: Config): Facts {
  const bits = (at: number, many: number): number => (observation >> at) & (2 ** many - 1);
  const evidence = (at: number) => (bits(at, 1) === 1 ? held : waiting);
  const replacement = replacements[bits(22, 2)] ?? "absent";
  return {
    port:
      bits(0, 1) === 0
        ? undefined
        : {
            keys: keysObserved(bits(1, 2), config),
            pending: (["none", "ours", "foreign"] as const)[bits(3, 2)] ?? "none",
            carriedBy: carriers[bits(5, 2)] ?? "nothing",
            outage: outages[bits(7, 2)] ?? "none",
            promotion: promotionIn(bits(9, 1), bits(1, 2), config),
            drain: bits(10, 1) === 1 ? "on" : "off",
            admin: bits(11, 1) === 1 ? "down" : "up",
          },
    far: farEnds[bits(12, 3)] ?? "unknown",
    sibling: bits(15, 1) === 1 ? "lost" : bits(27, 1) === 1 ? "unsure" : "carrying",
    unmetPrecondition: bits(16, 1) === 1 ? shut : undefined,
    // The bits below it are those of a number that may be negative.
    withheld: observation >= withheldBit / 2 ? withheld : undefined,
    drained: evidence(17),
    staged: evidence(18),
    proof: evidence(19),
    oldProof: evidence(26),
    carrying: evidence(20),
    freshSak: bits(21, 1) === 1,
    laterSaks: laterSaks[bits(30, 2)] ?? { kind: "notOffered" },
    replacement:
      replacement === "refused" ? { kind: "refused", cause: refused } : { kind: replacement },
    lostCommits: bits(24, 1) * 3,
    mayLose: losses[bits(28, 2)] ?? "nothing",
    overdue: bits(25, 1) === 1,
    farEnd: config.farEnd,
    shutsFirst: config.shutsFirst,
  };
}

// ---- the real machine

export interface Taken {
  readonly row: string;
  readonly action: ActionKind | undefined;
  /** The record after the step. */
  readonly record: number;
}

/** A question to the machine, and the row that answered it. */
export interface Pair {
  readonly campaign: Campaign;
  readonly facts: Facts;
  readonly row: string;
}

export interface Machine {
  readonly table: Table;
  readonly guards: Guards;
  readonly advance: typeof advance;
  readonly command: typeof command;
}

/** The real `decide` and `advance`, each asked once. */
export class Oracle {
  readonly config: Config;
  /** Every row that was taken, and how often it was new. */
  readonly rows = new Map<string, number>();
  readonly #machine: Machine;
  readonly #known = new Map<number, Map<number, Taken>>();

  constructor(config: Config, machine: Machine) {
    this.config = config;
    this.#machine = machine;
  }

  /** Everything that the machine was asked, and the row that it took. */
  *pairs(): Generator<Pair> {
    for (const [record, observations] of this.#known) {
      const campaign = campaignIn(record, this.config);
      for (const [observation, { row }] of observations) {
        yield { campaign, facts: factsIn(observation, this.config), row };
      }
    }
  }

  decide(world: World): Taken {
    const observation = observeWorld(world, this.config);
    let known = this.#known.get(world.record);
    if (known === undefined) {
      known = new Map();
      this.#known.set(world.record, known);
    }
    const seen = known.get(observation);
    if (seen !== undefined) return seen;
    const campaign = campaignIn(world.record, this.config);
    const facts = factsIn(observation, this.config);
    const step = decideBy(this.#machine.table, this.#machine.guards, campaign, facts);
    const record = recordFor(this.#machine.advance(campaign, step, noon));
    const taken = { row: step.row, action: step.action, record };
    this.rows.set(step.row, (this.rows.get(step.row) ?? 0) + 1);
    known.set(observation, taken);
    return taken;
  }
}

export const stateName = (record: number) => campaignStates[stateIn(record)] ?? "queued";
