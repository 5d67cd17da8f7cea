// Breadth-first over the abstract world; a property that breaks comes with the shortest way there.

import { advance, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { command } from "#agent/rotation/verbs.ts";
import { Events, hostEnds, type Kind, landing, siblingLanding } from "./campaign-events.ts";
import { judgeLate, judgeTimer, judgeWorld } from "./campaign-judge.ts";
import { canHave, lucks, turn } from "./campaign-moves.ts";
import { type Machine, Oracle, type Pair, stateName } from "./campaign-observation.ts";
import {
  type Config,
  copy,
  pack,
  recordedIn,
  start,
  unpack,
  type World,
  wordCount,
} from "./campaign-world.ts";
import { HostEnd } from "./shared-fate.ts";

export interface Limits {
  readonly faults: number;
  readonly words: number;
  /** 2 = the first link, and then the second one beside it; 1 = the last link alone. */
  readonly links: 1 | 2;
  /** Stop at the first broken property. */
  readonly stopEarly?: boolean;
  readonly statesMax?: number;
  /** What happens first, and nothing beside it: the search begins where this leads to. */
  readonly after?: readonly string[];
}

export interface Explored {
  readonly states: number;
  readonly turns: number;
  /** Distinct pairs of a record and an observation that the machine was asked about. */
  readonly pairs: () => Iterable<Pair>;
  /** Each property that broke, with the shortest way there. */
  readonly broken: ReadonlyMap<string, readonly string[]>;
  /** The one violation that the design names, and how often. */
  readonly residual: number;
  readonly rows: ReadonlySet<string>;
  readonly reached: ReadonlySet<string>;
}

export const realMachine: Machine = { table, guards, advance, command };

/** Every world that can come of the start; the first way to each broken property is kept. */
export function explore(config: Config, limits: Limits, machine = realMachine): Explored {
  return new Space(config, limits, machine).explore();
}

class Space {
  readonly #config: Config;
  readonly #limits: Limits;
  readonly #oracle: Oracle;
  readonly #events: Events;
  readonly #hostEnd: HostEnd;
  #words = new Int32Array(wordCount << 16);
  #from = new Int32Array(1 << 16);
  #label = new Uint16Array(1 << 16);
  #count = 0;
  #slots = new Int32Array(1 << 18).fill(-1);
  #fairFrom = new Int32Array(1 << 18);
  #fairTo = new Int32Array(1 << 18);
  #fairCount = 0;
  readonly #labels: string[] = [];
  readonly #labelIds = new Map<string, number>();
  readonly #broken = new Map<string, readonly string[]>();
  readonly #reached = new Set<string>();
  #at = -1;
  #turns = 0;
  #succeeds = false;
  #residual = 0;

  constructor(config: Config, limits: Limits, machine: Machine) {
    this.#config = config;
    this.#limits = limits;
    this.#oracle = new Oracle(config, machine);
    this.#hostEnd = new HostEnd(config);
    this.#events = new Events(config, (to, label, kind) => this.#happens(to, label, kind), {
      command: machine.command,
      report: (broken, label) => this.#note(broken, label),
    });
  }

  explore(): Explored {
    const { faults, words, links, statesMax = Number.POSITIVE_INFINITY } = this.#limits;
    const world = start(this.#config, faults, words, links === 2 ? 0 : 1);
    if (links === 1) settleSibling(world);
    this.#visit(world, "start");
    const seen = start(this.#config, 0, 0, 0);
    const tried = start(this.#config, 0, 0, 0);
    for (this.#at = 0; this.#at < this.#count && this.#count < statesMax; this.#at += 1) {
      unpack(this.#words, this.#at * wordCount, seen);
      this.#reached.add(stateName(seen.record));
      this.#succeeds ||= recordedIn(seen.record).ending === "success";
      judgeWorld(seen, this.#oracle, (broken) => this.#note(broken, "and nothing else happens"));
      const fate = this.#config.fate === undefined ? undefined : this.#hostEnd.judge(seen);
      if (fate !== undefined) this.#note(fate, hostEnds);
      this.#agent(seen, tried);
      this.#events.of(seen);
      if (this.#count <= this.#at + 1 && this.#next() !== undefined) {
        throw new RangeError(`${this.#next()} does not happen there`);
      }
      if (this.#limits.stopEarly === true && this.#broken.size > 0) break;
    }
    if (this.#broken.size === 0 && this.#count < statesMax) this.#judgeEnds(seen);
    if (!this.#succeeds && this.#count < statesMax) {
      this.#note("LIVE: no campaign succeeds", "at all");
    }
    return {
      states: this.#count,
      turns: this.#turns,
      pairs: () => this.#oracle.pairs(),
      broken: this.#broken,
      residual: this.#residual,
      rows: new Set(this.#oracle.rows.keys()),
      reached: this.#reached,
    };
  }

  #agent(world: World, to: World): void {
    if (world.alive === 0 || stateName(world.record) === "done") return;
    let label = "";
    const report = (broken: string): void => this.#note(broken, label);
    for (const luck of lucks) {
      const isFault = luck !== "goes well";
      if (isFault && world.faultsLeft === 0) return;
      copy(world, to);
      if (isFault) {
        const { action } = this.#oracle.decide(world);
        if (!canHave(luck, action, this.#config)) continue;
        if (luck === "comes late" && world.lateFinal !== 0) continue;
        to.faultsLeft -= 1;
      }
      label = isFault ? `a turn whose effect ${luck}` : "a turn";
      const { row } = turn(to, this.#oracle, luck, report);
      this.#turns += 1;
      label = `${label}: ${row}`;
      this.#happens(to, label, isFault ? "fault" : "fair");
    }
  }

  /** The step of the way that is to be taken here. */
  #next(): string | undefined {
    return this.#limits.after?.[this.#at];
  }

  #happens(to: World, label: string, kind: Kind): void {
    if (this.#next() !== undefined && this.#next() !== label) return;
    if (label === "the confirm timer fires") this.#timer(to);
    if (label === landing || label === siblingLanding) this.#late(to, label);
    const target = this.#visit(to, label);
    if (kind === "fair" && target !== this.#at) this.#fair(target);
  }

  #timer(after: World): void {
    const before = start(this.#config, 0, 0, 0);
    unpack(this.#words, this.#at * wordCount, before);
    const verdict = judgeTimer(before, after, this.#oracle);
    if (verdict === "residual") this.#residual += 1;
    else if (verdict !== undefined) this.#note(verdict, "the confirm timer fires");
  }

  #late(after: World, label: string): void {
    const before = start(this.#config, 0, 0, 0);
    unpack(this.#words, this.#at * wordCount, before);
    const verdict = judgeLate(before, after, this.#config);
    if (verdict !== undefined) this.#note(verdict, label);
  }

  #visit(world: World, label: string): number {
    // No crash can bring the record before the last one back when no faults are left.
    if (world.faultsLeft === 0 || stateName(world.record) === "done") world.before = world.record;
    this.#grow();
    const at = this.#count * wordCount;
    pack(world, this.#words, at);
    const words = this.#words;
    const mask = this.#slots.length - 1;
    let slot = hashAt(words, at) & mask;
    for (;;) {
      const known = this.#slots[slot] ?? -1;
      if (known < 0) break;
      const there = known * wordCount;
      if (isSameAt(words, there, at)) return known;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.#count;
    this.#from[this.#count] = this.#at;
    this.#label[this.#count] = this.#labelId(label);
    this.#count += 1;
    return this.#count - 1;
  }

  #labelId(label: string): number {
    const known = this.#labelIds.get(label);
    if (known !== undefined) return known;
    this.#labelIds.set(label, this.#labels.length);
    return this.#labels.push(label) - 1;
  }

  #grow(): void {
    if (this.#count + 1 >= this.#from.length) {
      this.#words = doubled(this.#words);
      this.#from = doubled(this.#from);
      const label = new Uint16Array(this.#label.length * 2);
      label.set(this.#label);
      this.#label = label;
    }
    if (this.#count * 2 < this.#slots.length) return;
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#count; index += 1) {
      const at = index * wordCount;
      let slot = hashAt(this.#words, at) & mask;
      while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      slots[slot] = index;
    }
    this.#slots = slots;
  }

  #fair(target: number): void {
    if (this.#fairCount >= this.#fairFrom.length) {
      this.#fairFrom = doubled(this.#fairFrom);
      this.#fairTo = doubled(this.#fairTo);
    }
    this.#fairFrom[this.#fairCount] = this.#at;
    this.#fairTo[this.#fairCount] = target;
    this.#fairCount += 1;
  }

  #note(what: string, label: string): void {
    if (!this.#broken.has(what)) this.#broken.set(what, [...this.#wayTo(this.#at), label]);
  }

  #wayTo(at: number): string[] {
    const way: string[] = [];
    const world = start(this.#config, 0, 0, 0);
    for (let index = at; index >= 0; index = this.#from[index] ?? -1) {
      unpack(this.#words, index * wordCount, world);
      way.unshift(`${this.#labels[this.#label[index] ?? 0]} [${shown(world)}]`);
    }
    return way;
  }

  /** Backwards from every end over the fair moves; what is not reached can never end. */
  #judgeEnds(world: World): void {
    const ends = new Uint8Array(this.#count);
    const open: number[] = [];
    for (let index = 0; index < this.#count; index += 1) {
      unpack(this.#words, index * wordCount, world);
      if (!["done", "held", "gated", "awaitingPeer"].includes(stateName(world.record))) continue;
      ends[index] = 1;
      open.push(index);
    }
    const { starts, sources } = this.#fairBefore();
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      for (let edge = starts[index] ?? 0; edge < (starts[index + 1] ?? 0); edge += 1) {
        const before = sources[edge] ?? 0;
        if (ends[before] === 1) continue;
        ends[before] = 1;
        open.push(before);
      }
    }
    const stuck = ends.indexOf(0);
    if (stuck < 0) return;
    this.#at = stuck;
    unpack(this.#words, stuck * wordCount, world);
    this.#note(`STUCK: no way to an end from ${stateName(world.record)}`, "stuck");
  }

  #fairBefore(): { readonly starts: Int32Array; readonly sources: Int32Array } {
    const starts = new Int32Array(this.#count + 2);
    for (let edge = 0; edge < this.#fairCount; edge += 1) {
      const to = (this.#fairTo[edge] ?? 0) + 2;
      starts[to] = (starts[to] ?? 0) + 1;
    }
    for (let index = 2; index < starts.length; index += 1) {
      starts[index] = (starts[index] ?? 0) + (starts[index - 1] ?? 0);
    }
    const sources = new Int32Array(this.#fairCount);
    for (let edge = 0; edge < this.#fairCount; edge += 1) {
      const to = (this.#fairTo[edge] ?? 0) + 1;
      const place = starts[to] ?? 0;
      sources[place] = this.#fairFrom[edge] ?? 0;
      starts[to] = place + 1;
    }
    return { starts, sources };
  }
}

/** The sibling of the last link is done, which looks the same as one that waits for its turn. */
function settleSibling(world: World): void {
  world.siblingCut = 0;
}

function isSameAt(words: Int32Array, one: number, other: number): boolean {
  for (let word = 0; word < wordCount; word += 1) {
    if (words[one + word] !== words[other + word]) return false;
  }
  return true;
}

const factors = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f];
function hashAt(words: Int32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < wordCount; word += 1) {
    hash ^= Math.imul(words[at + word] ?? 0, factors[word] ?? 1);
  }
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(array.length * 2);
  twice.set(array);
  return twice;
}

const quietFields: readonly (keyof World)[] = ["record", "before", "faultsLeft", "wordsLeft"];

/** A world in words: only what is not zero. */
function shown(world: World): string {
  const parts = (Object.keys(world) as (keyof World)[])
    .filter((name) => world[name] !== 0 && !quietFields.includes(name))
    .map((name) => (world[name] === 1 ? name : `${name} ${world[name]}`));
  return `${stateName(world.record)} ${world.record.toString(2)}: ${parts.join(", ")}`;
}
