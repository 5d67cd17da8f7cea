// What may happen between two turns of the agent: time, healing, faults, manual operators, the
// operator of the agent.

import { command } from "#agent/rotation/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { judgeAbandon } from "./campaign-claims.ts";
import {
  canBeProven,
  canBeSteady,
  die,
  handBack,
  landFinal,
  mayShutByHand,
  revert,
  settle,
  turnByHand,
} from "./campaign-moves.ts";
import {
  campaignIn,
  carrierOf,
  factsIn,
  observesOld,
  observeWorld,
  recordFor,
  stateName,
} from "./campaign-observation.ts";
import {
  type Config,
  copy,
  failed,
  foreign,
  linkIn,
  newKey,
  oldKey,
  onNew,
  onOld,
  onOther,
  ours,
  settled,
  siblingLost,
  start,
  stateIn,
  strangeKey,
  updating,
  type World,
} from "./campaign-world.ts";

/** `fair` = time and healing: what must lead to an end. */
export type Kind = "fair" | "fault";
/** Takes a changed copy of the world; it is used again right after. */
export type Emit = (to: World, label: string, kind: Kind) => void;

/** Answers the operator's commands, and hears which of them broke what. */
export interface Operator {
  readonly command: typeof command;
  readonly report: (broken: string, label: string) => void;
}

export const landing = "a late final change is carried out";
export const agentStarts = "the agent starts";
export const hostEnds = "the agent's host ends, and the sibling with it";
export const siblingLanding = "a late drain of the sibling is carried out";

const parked = ["queued", "gated", "awaitingPeer", "held", "done"];
const noon = 0 as WallTime;

const mayEnd = ({ flight, late }: World): boolean => flight === 0 && late === 0;

export class Events {
  readonly #config: Config;
  readonly #emit: Emit;
  readonly #operator: Operator;
  readonly #to: World;
  #from: World;

  constructor(
    config: Config,
    emit: Emit,
    operator: Operator = { command, report: () => undefined },
  ) {
    this.#config = config;
    this.#emit = emit;
    this.#operator = operator;
    this.#to = start(config, 0, 0, 0);
    this.#from = this.#to;
  }

  of(world: World): void {
    this.#from = world;
    this.#time();
    this.#farTime();
    if (stateName(world.record) !== "done") {
      this.#healing();
      this.#faults();
      this.#manualOperators();
      if (this.#config.permits !== undefined) this.#hub();
    }
    this.#words();
  }

  #fair(label: string, change: (to: World) => void): void {
    copy(this.#from, this.#to);
    change(this.#to);
    this.#emit(this.#to, label, "fair");
  }

  #fault(label: string, change: (to: World) => void): void {
    copy(this.#from, this.#to);
    this.#to.faultsLeft -= 1;
    change(this.#to);
    this.#emit(this.#to, label, "fault");
  }

  #time(): void {
    const world = this.#from;
    const config = this.#config;
    if (world.alive === 0) {
      this.#fair(agentStarts, (to) => {
        to.alive = 1;
        to.startGrace = 1;
        to.siblingUnsure = 1;
      });
    } else if (stateName(world.record) !== "done") {
      this.#knowing(world, config);
    }
    if (world.late === 1) this.#lateStage(world);
    this.#lateFinals(world);
    if (world.pending !== 0) {
      if (world.pending === ours) this.#fair("the confirm timer fires", revert);
      else {
        // A late commit of ours may still land, and the record knows its token.
        this.#fair("the foreign commit ends", (to) => {
          to.pending = 0;
        });
      }
    }
  }

  #lateFinals(world: World): void {
    if (world.lateFinal !== 0) {
      this.#fair("a late final change is dropped", (to) => {
        to.lateFinal = 0;
      });
      if (world.pending === 0) {
        this.#fair(landing, (to) => landFinal(to, this.#config));
      }
    }
    if (world.siblingLate === 0) return;
    this.#fair("a late drain of the sibling is dropped", (to) => {
      to.siblingLate = 0;
    });
    this.#fair(siblingLanding, (to) => {
      to.siblingLate = 0;
      to.siblingDrained = 1;
    });
  }

  /** It lands before the grace that follows a start is over, or never. */
  #lateStage(world: World): void {
    this.#fair("a late staging commit is dropped", (to) => {
      to.late = 0;
    });
    if (world.pending !== 0 || world.refuses === 1) return;
    this.#fair("a late staging commit lands", (to) => {
      to.late = 0;
      to.pending = ours;
      to.keysBefore = to.keys;
      to.keys |= newKey;
      to.moved = Number(to.document !== onOld || to.hardware !== onOld);
    });
  }

  #knowing(world: World, config: Config): void {
    if (
      world.overdue === 0 &&
      world.startGrace === 0 &&
      !parked.includes(stateName(world.record))
    ) {
      this.#fair("the deadline passes", (to) => {
        to.overdue = 1;
      });
    }
    if ((world.startGrace === 1 || world.putGrace === 1) && mayEnd(world)) {
      this.#fair("the grace of a put ends", (to) => {
        to.startGrace = 0;
        to.putGrace = 0;
      });
    }
    if (world.siblingUnread === 1) {
      this.#fair("the last reading of the sibling is too old", (to) => {
        to.siblingUnread = 2;
      });
    }
    const seen = world.routerUnseen === 0;
    if (world.quiet === 0 && seen && world.drained === 1) {
      this.#fair("long quiet", (to) => {
        to.quiet = 1;
      });
    }
    if (world.proven === 0 && canBeProven(world, config)) {
      this.#fair("long proven", (to) => {
        to.proven = 1;
      });
    }
    if (world.oldProven === 0 && observesOld(world, config) && (world.keys & newKey) !== 0) {
      this.#fair("long proven by the old key", (to) => {
        to.oldProven = 1;
      });
    }
    if (world.laterAsked === 1 && world.proven === 1 && canBeProven(world, config)) {
      this.#fair("the later SAK is proven, and more are needed", (to) => {
        to.laterAsked = 0;
      });
      this.#fair("the last later SAK is proven", (to) => {
        to.laterAsked = 0;
        to.laterProven = 1;
      });
    }
    if (world.steady === 0 && canBeSteady(world, config)) {
      this.#fair("long steady", (to) => {
        to.steady = 1;
      });
    }
    const isOutage = carrierOf(world, config) === 2 && world.cut === 0 && world.shut === 0;
    if (world.lasting === 0 && seen && isOutage) {
      this.#fair("long dark", (to) => {
        to.lasting = 1;
      });
    }
  }

  #farTime(): void {
    const world = this.#from;
    if (world.operation === updating) {
      this.#fair("the far end settles", (to) => {
        to.document = to.target;
        to.hardware = to.target;
        to.operation = settled;
        to.target = 0;
      });
      if (world.hardware !== world.target) {
        this.#fair("the far end's hardware changes first", (to) => {
          to.hardware = to.target;
        });
      }
    } else if (world.operation === settled && world.document !== world.hardware) {
      this.#fair("the far end's hardware follows late", (to) => {
        to.hardware = to.document;
      });
    }
    if (world.flight !== 0) {
      this.#fair("a late put is dropped", (to) => {
        to.flight = 0;
      });
      if (world.operation !== updating) {
        this.#fair("a late put lands", (to) => {
          to.operation = updating;
          to.target = to.flight - 1;
          to.flight = 0;
        });
      }
    }
    if (this.#isAsked(world)) {
      this.#fair("the person changes the far end as asked", (to) => {
        to.operation = updating;
        to.target = onNew;
      });
    }
  }

  #isAsked({ record, operation, document, keys }: World): boolean {
    if (this.#config.farEnd === "agent" || stateName(record) !== "switching") return false;
    if (operation === updating || document !== onOld) return false;
    // Only rows that have the new key on the router ask; other searches let the person act sooner.
    const { fate, overlap } = this.#config;
    return fate === undefined || overlap === "breakBeforeMake" || (keys & newKey) !== 0;
  }

  /** A hub that may do whatever it likes costs no fault. */
  #hub(): void {
    const { withheld } = this.#from;
    if (withheld === 1) {
      this.#fair("the hub permits", (to) => {
        to.withheld = 0;
      });
      return;
    }
    copy(this.#from, this.#to);
    this.#to.withheld = 1;
    this.#emit(this.#to, "the hub withholds", "fault");
  }

  #healing(): void {
    const world = this.#from;
    const heals: readonly (readonly [keyof World, string])[] = [
      ["cut", "the fibre heals"],
      ["siblingCut", "the sibling's fibre heals"],
      ["siblingDrained", "the sibling is undrained"],
      ["siblingUnsure", "the sibling is judged"],
      ["siblingUnread", "the sibling's router answers again"],
      ["routerUnseen", "the router answers again"],
      ["farUnseen", "the far end answers again"],
      ["windowShut", "the window opens again"],
      ["refuses", "the router is mended"],
    ];
    if (world.handShut === 1) this.#fair("the person opens the port", turnByHand);
    if (world.hardened === 1 && world.drained === 0) {
      this.#fair("a config gives drains their means back", (to) => {
        to.hardened = 0;
      });
    }
    for (const [name, label] of heals) {
      if (world[name] === 0) continue;
      this.#fair(label, (to) => {
        to[name] = 0;
      });
    }
  }

  #faults(): void {
    const world = this.#from;
    if (world.faultsLeft === 0) return;
    const breaks: readonly (readonly [keyof World, string])[] = [
      ["cut", "the fibre is cut"],
      ["siblingCut", "the sibling's fibre is cut"],
      ["siblingDrained", "a person drains the sibling"],
      ["siblingUnsure", "the sibling cannot be judged"],
      ["routerUnseen", "the router does not answer"],
      ["farUnseen", "the far end does not answer"],
      ["windowShut", "the window shuts"],
      ["refuses", "the router refuses new keys"],
    ];
    for (const [name, label] of breaks) {
      if (world[name] === 1) continue;
      this.#fault(label, (to) => {
        to[name] = 1;
      });
    }
    if (world.siblingUnread === 0) {
      // What its last reading has shown stays so.
      const isLost = siblingLost(world) || world.alive === 0;
      this.#fault("the sibling's router does not answer", (to) => {
        to.siblingUnread = isLost ? 2 : 1;
      });
    }
    if (world.alive === 1) this.#crashes(world);
    if (world.alive === 1 && this.#config.fate !== undefined) this.#hostFaults(world);
    this.#farFaults(world);
    if (world.pending === ours) {
      this.#fault("the router restarts and forgets the timer", settle);
    }
    if (world.alive === 1 && world.losing === 0) {
      this.#fault("the router loses what it accepted, again and again", (to) => {
        to.losing = 1;
      });
    }
  }

  #hostFaults(world: World): void {
    this.#fault(hostEnds, (to) => {
      die(to);
      to.siblingCut = 1;
    });
    // What is under way keeps its means: a drain on the router stays as it was made.
    if (world.hardened === 1 || world.drained === 1 || world.lateFinal !== 0) return;
    this.#fault("a config lets drains take the routes away", (to) => {
      to.hardened = 1;
    });
  }

  #crashes(world: World): void {
    this.#fault("the agent dies", die);
    if (world.before === world.record) return;
    this.#fault("the agent dies and its last record is lost", (to) => {
      die(to);
      if (linkIn(to.before) !== linkIn(to.record)) handBack(to, this.#config);
      to.record = to.before;
      to.tailLost = 1;
    });
  }

  #farFaults(world: World): void {
    if (world.operation !== updating) return;
    this.#fault("the far end settles on paper alone", (to) => {
      to.document = to.target;
      to.operation = settled;
      to.target = 0;
    });
    this.#fault("the far end's change fails", (to) => {
      to.operation = failed;
      to.target = 0;
    });
    this.#fault("the far end's change fails half way", (to) => {
      to.operation = failed;
      to.document = to.target;
      to.target = 0;
    });
  }

  #manualOperators(): void {
    const world = this.#from;
    if (world.faultsLeft === 0) return;
    if (world.operation !== updating) {
      for (const side of [onOld, onNew, onOther]) this.#pointing(world, side);
      if (world.document === onNew && world.hardware === onNew && world.operation === settled) {
        this.#fault("a person points the far end back at old, on paper alone", (to) => {
          to.document = onOld;
          to.meddled = 1;
        });
      }
    }
    if (world.pending !== foreign) this.#handsOnRouter(world);
    if (mayShutByHand(world, this.#config)) this.#fault("a person shuts the port", turnByHand);
    if (world.drained === 1 && world.pending === 0) {
      this.#fault("a person gives the link its traffic back", (to) => {
        to.drained = 0;
      });
    }
  }

  #pointing(world: World, side: number): void {
    const isThere = world.document === side && world.hardware === side;
    if (isThere && world.operation !== failed) return;
    if (this.#config.either && side === onNew) return;
    const names = ["old", "new", "a foreign key"];
    this.#fault(`a person points the far end at ${names[side]}`, (to) => {
      to.document = side;
      to.hardware = side;
      to.operation = settled;
      to.meddled = 1;
      if (to.pending === ours) to.moved = 1;
    });
  }

  #handsOnRouter(world: World): void {
    for (const key of [oldKey, newKey]) {
      if ((world.keys & key) === 0) continue;
      this.#fault(`a person removes the ${key === oldKey ? "old" : "new"} key`, (to) => {
        to.keys &= ~key;
        to.meddled = 1;
      });
    }
    if ((world.keys & oldKey) === 0 && this.#config.kind !== "enrol") this.#puttingBack(world);
    if ((world.keys & strangeKey) === 0) {
      this.#fault("a person adds a foreign key to the router", (to) => {
        to.keys |= strangeKey;
        to.meddled = 1;
      });
    } else {
      this.#fair("the person removes the foreign key", (to) => {
        to.keys &= ~strangeKey;
      });
    }
    if (world.pending === ours) return;
    this.#fault("a person starts a commit", (to) => {
      to.pending = foreign;
    });
  }

  #puttingBack({ keys }: World): void {
    const breaks = this.#config.overlap === "breakBeforeMake";
    for (const after of new Set([oldKey, breaks ? oldKey : keys | oldKey])) {
      const how = after === oldKey ? "alone" : "beside the others";
      this.#fault(`a person puts the old key back, ${how}`, (to) => {
        to.keys = after;
        to.meddled = 1;
      });
    }
  }

  #words(): void {
    const world = this.#from;
    if (world.wordsLeft === 0 || world.alive === 0) return;
    const campaign = campaignIn(world.record, this.#config);
    const { port, far } = factsIn(observeWorld(world, this.#config), this.#config);
    for (const verb of ["proceed", "resume", "revert", "abandon"] as const) {
      const verdict = this.#operator.command(
        campaign,
        { verb, farEndDone: false, by: "test" },
        { port, far, oldKey: this.#config.urgency === "emergency" ? "compromised" : "trusted" },
        noon,
      );
      if (verdict.kind === "refused") continue;
      const label = `operator: ${verb}`;
      const left = verb === "abandon" ? judgeAbandon(world, this.#config) : undefined;
      if (left !== undefined) this.#operator.report(left, label);
      copy(world, this.#to);
      const record = recordFor(verdict.campaign);
      this.#to.record = record;
      this.#to.before = world.record;
      this.#to.wordsLeft -= 1;
      if (stateIn(record) !== stateIn(world.record)) {
        this.#to.overdue = 0;
        this.#to.steady = 0;
      }
      this.#emit(this.#to, label, "fault");
    }
  }
}
