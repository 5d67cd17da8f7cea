// Breadth-first over the abstract world of tunnel keys: each turn, fault, death and hand of a
// person. A promise that breaks comes with the shortest way there.

import type {
  TunnelChange,
  TunnelGuards,
  TunnelStep,
  TunnelTable,
} from "#agent/model/tunnel-change.ts";
import {
  advanceTunnel,
  decideTunnelBy,
  isAtRest,
  tunnelGuards,
  tunnelTable,
} from "#agent/rotation/tunnel-change.ts";
import { act, canHave, type Luck, lucks } from "./tunnel-moves.ts";
import {
  acceptedBy,
  type End,
  factsOf,
  nameOf,
  newRun,
  type Run,
  start,
  type TunnelConfig,
  type World,
} from "./tunnel-world.ts";

export interface TunnelMachine {
  readonly table: TunnelTable;
  readonly guards: TunnelGuards;
}

export const realTunnelMachine: TunnelMachine = { table: tunnelTable, guards: tunnelGuards };

export interface ExploredTunnels {
  readonly states: number;
  readonly turns: number;
  /** Each promise that broke, with the shortest way there. */
  readonly broken: ReadonlyMap<string, readonly string[]>;
  readonly rows: ReadonlySet<string>;
}

interface Limits {
  readonly faults: number;
  readonly words: number;
}

type Kind = "fair" | "other";
type Happens = (label: string, kind: Kind, edit: (to: World) => void) => void;

class Space {
  readonly #config: TunnelConfig;
  readonly #machine: TunnelMachine;
  readonly #worlds: World[] = [];
  readonly #index = new Map<string, number>();
  readonly #from: number[] = [];
  readonly #labels: string[] = [];
  readonly #fairBefore: number[][] = [];
  readonly #broken = new Map<string, readonly string[]>();
  readonly #rows = new Set<string>();
  #at = -1;
  #turns = 0;

  constructor(config: TunnelConfig, machine: TunnelMachine) {
    this.#config = config;
    this.#machine = machine;
  }

  explore({ faults, words }: Limits): ExploredTunnels {
    this.#visit(start(this.#config, faults, words), "start", "other");
    for (this.#at = 0; this.#at < this.#worlds.length; this.#at += 1) {
      const world = this.#worlds[this.#at] as World;
      this.#judge(world);
      this.#agent(world);
      this.#environment(world);
    }
    if (this.#broken.size === 0) this.#judgeEnds();
    const [states, turns] = [this.#worlds.length, this.#turns];
    return { states, turns, broken: this.#broken, rows: this.#rows };
  }

  #agent(world: World): void {
    if (world.state === "done") return;
    this.#turn(world, "policy");
    if (world.run === undefined && world.words > 0) this.#turn(world, "person");
  }

  #turn(world: World, asked: Run["asked"]): void {
    const { table, guards } = this.#machine;
    const before = world.run ?? newRun(world, asked);
    const change = recordOf(world);
    const facts = factsOf(world, before, this.#config);
    const step = decideTunnelBy(table, guards, change, facts);
    this.#rows.add(step.row);
    if (step.row === "unlisted") this.#note(`UNLISTED: in ${change.state}`, "a turn");
    const label = `${asked === "person" ? "a person's turn" : "a turn"}: ${step.row}`;
    const reached = (edit: (to: World) => void, how: string, kind: Kind): void => {
      const to = structuredClone(world);
      to.run = structuredClone(before);
      if (asked === "person") to.words -= 1;
      edit(to);
      this.#turns += 1;
      this.#visit(to, how, kind);
    };
    const { action } = step;
    this.#judgeStep(world, before, { change, step });
    if (action === undefined) {
      reached((to) => this.#rests(to, change, step), label, "fair");
      return;
    }
    for (const luck of lucks) {
      if (!canHave(action, luck) || (luck !== "well" && world.faults === 0)) continue;
      const how = luck === "well" ? label : `${label}, ${luck}`;
      reached((to) => this.#acts(to, step, luck, how), how, luck === "well" ? "fair" : "other");
      if (world.faults === 0) continue;
      const dies = `${how}, and the agent dies`;
      reached(
        (to) => {
          this.#acts(to, step, luck, dies);
          die(to);
        },
        dies,
        "other",
      );
    }
  }

  #judgeStep(
    world: World,
    run: Run,
    { change, step }: { readonly change: TunnelChange; readonly step: TunnelStep },
  ): void {
    const rests = isAtRest(change, step);
    const isLanding = change.state === "returning" && world.mayLand;
    const isOpen = change.state !== "switching" && !isLanding;
    const isHeard = !rests && step.next !== "returning";
    if (run.begins && run.asked === "person" && isOpen && !isHeard) {
      this.#note("a person's word changes nothing", step.row);
    }
    if (run.failed !== undefined && step.action !== undefined) {
      this.#note("an effect runs in spite of a failure", step.row);
    }
    if (run.failed === "transport" && step.next === "returning" && change.state === "switching") {
      this.#note("a router that does not answer counts as one that refuses", step.row);
    }
    if (rests && step.next === "giving" && run.given === "no" && !run.begins) {
      this.#note("the gateway is said to have what it was never given", step.row);
    }
  }

  /** The step was journaled, and its effect runs. */
  #acts(to: World, step: TunnelStep, luck: Luck, how: string): void {
    const run = to.run as Run;
    if (luck !== "well") to.faults -= 1;
    const closed = to.isGateClosed && run.asked === "policy" && run.begins;
    if (step.action === "give" && closed && isSettled(to)) {
      this.#note("a gateway is given a key while a gate is closed", how);
    }
    moved(to, recordOf(to), step);
    run.begins = false;
    const index = to.ends.findIndex((_, at) => nameOf(at) === step.tunnel);
    const { action } = step;
    if (action === undefined) return;
    const broken = act(to, run, this.#config, { action, index: Math.max(0, index), luck });
    if (broken !== undefined) this.#note(broken, how);
    if (to.ends.filter(({ isDrained }) => isDrained).length > 1) {
      this.#note("two tunnels are drained", how);
    }
  }

  #rests(to: World, change: TunnelChange, step: TunnelStep): void {
    const run = to.run as Run;
    if (isAtRest(change, step)) to.run = undefined;
    run.begins = false;
    run.failed = undefined;
    if (step.next === "done") {
      this.#judgeDone(to);
      to.state = "done";
      to.alone = undefined;
      to.run = undefined;
      return;
    }
    moved(to, change, step);
  }

  #environment(world: World): void {
    const happens: Happens = (label, kind, edit) => {
      const to = structuredClone(world);
      edit(to);
      this.#visit(to, label, kind);
    };
    const { flying, run, ends } = world;
    if (flying !== undefined) {
      happens("the write lands", "fair", (to) => {
        to.gateway = flying;
        to.flying = undefined;
      });
      happens("the write is lost", "fair", (to) => {
        to.flying = undefined;
      });
    } else if (world.mayLand && run === undefined) {
      happens("the time is over in which a write may land", "fair", (to) => {
        to.mayLand = false;
      });
    }
    for (const index of ends.keys()) this.#tunnel(world, index, happens);
    this.#others(world, happens);
  }

  #tunnel(world: World, index: number, happens: Happens): void {
    const { run, faults, ends } = world;
    const end = ends[index] as End;
    const isSame = acceptedBy(world, this.#config, index) === end.router;
    if (end.sas === "up" && (!isSame || end.isCut)) {
      happens(`the SAs of ${nameOf(index)} end`, "other", (to) => {
        (to.ends[index] as End).sas = end.isCut ? "silent" : "refused";
      });
    }
    if (end.sas !== "up" && isSame && !end.isCut) {
      happens(`${nameOf(index)} comes up`, "fair", (to) => {
        (to.ends[index] as End).sas = "up";
      });
    }
    if (faults > 0 && !end.isCut && run === undefined) {
      happens(`${nameOf(index)} is cut`, "other", (to) => {
        to.faults -= 1;
        (to.ends[index] as End).isCut = true;
        (to.ends[index] as End).sas = "silent";
      });
    }
    // The loop beside the machine gives back what no change needs any more.
    if (run === undefined && end.isRecorded && world.state !== "switching") {
      happens(`${nameOf(index)} is given back`, "fair", (to) => {
        (to.ends[index] as End).isRecorded = false;
        (to.ends[index] as End).isDrained = false;
      });
    }
  }

  #others(world: World, happens: Happens): void {
    const { run, faults, words } = world;
    if (run === undefined && world.isGateClosed) {
      happens("the gate opens", "fair", (to) => {
        to.isGateClosed = false;
      });
    }
    if (run === undefined && !world.isGateClosed && faults > 0) {
      happens("the gate closes", "other", (to) => {
        to.isGateClosed = true;
        to.faults -= 1;
      });
    }
    if (faults > 0 && !world.isWithdrawn) {
      happens("the vault takes the version back", "other", (to) => {
        to.isWithdrawn = true;
        to.faults -= 1;
      });
    }
    if (this.#config.mayLeave && faults > 0 && run === undefined && world.farEnd === "agent") {
      happens("the config leaves the gateway to a person", "other", (to) => {
        to.faults -= 1;
        to.farEnd = "manual";
        to.byHand = true;
      });
    }
    if (words > 0 && run === undefined) {
      happens("a person writes to the gateway", "other", (to) => {
        to.words -= 1;
        to.gateway = to.gateway === "old" ? "new" : "old";
        to.byHand = true;
      });
    }
    if (faults > 0 && run !== undefined) {
      happens("the agent dies", "other", (to) => {
        to.faults -= 1;
        die(to);
      });
    }
  }

  /** What a state claims of both ends is true whenever the agent rests in it. */
  #judge(world: World): void {
    const { state, run, ends, flying, gateway, byHand } = world;
    if (run !== undefined || byHand || state === "done" || !isSettled(world)) return;
    if (ends.some(({ router }) => router !== "old")) {
      this.#note(`${state}, and a router has the newer key`, "and the agent rests");
    }
    if (world.farEnd === "agent" && (gateway !== "old" || flying === "new")) {
      this.#note(`${state}, and the gateway has the newer key or gets it`, "and the agent rests");
    }
  }

  #judgeDone({ ends, gateway, flying, byHand, farEnd }: World): void {
    const label = "and the agent calls it done";
    if (ends.some(({ router }) => router !== "new")) {
      this.#note("done, and a router has the old key", label);
    }
    if (byHand) return;
    if (farEnd === "agent" && (gateway !== "new" || flying === "old")) {
      this.#note("done, and the gateway does not keep the newer key", label);
    }
  }

  #visit(world: World, label: string, kind: Kind): void {
    const key = JSON.stringify(world);
    let known = this.#index.get(key);
    if (known === undefined) {
      known = this.#worlds.push(world) - 1;
      this.#index.set(key, known);
      this.#from.push(this.#at);
      this.#labels.push(label);
      this.#fairBefore.push([]);
    }
    if (kind === "fair" && known !== this.#at) this.#fairBefore[known]?.push(this.#at);
  }

  #note(what: string, label: string): void {
    if (this.#broken.has(what)) return;
    const way = [label];
    for (let at = this.#at; at > 0; at = this.#from[at] ?? -1) way.unshift(this.#labels[at] ?? "");
    this.#broken.set(what, way);
  }

  /** The newer version would bring a tunnel up that the gateway refuses. */
  #helps(world: World): boolean {
    if (world.isWithdrawn || this.#config.isDeaf || this.#config.kind !== "psk") return false;
    return (
      world.gateway === "new" && world.ends.some(({ sas, isCut }) => sas === "refused" && !isCut)
    );
  }

  /** Backwards from every end over the fair moves; what is not reached can never end. */
  #judgeEnds(): void {
    const isEnd = (world: World): boolean =>
      (world.state === "done" || isSettled(world)) &&
      world.run === undefined &&
      world.ends.every(({ isDrained, isRecorded }) => !isDrained && !isRecorded) &&
      (world.state === "done" || !this.#helps(world));
    const ends = new Uint8Array(this.#worlds.length);
    const open = [...this.#worlds.keys()].filter((at) => isEnd(this.#worlds[at] as World));
    for (const at of open) ends[at] = 1;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const before of this.#fairBefore[at] ?? []) {
        if (before < 0 || ends[before] === 1) continue;
        ends[before] = 1;
        open.push(before);
      }
    }
    const stuck = ends.indexOf(0);
    if (stuck >= 0) {
      this.#at = stuck;
      this.#note(`STUCK: no way to an end from ${this.#worlds[stuck]?.state}`, "stuck");
    }
    if (!this.#worlds.some(({ state }) => state === "done")) {
      this.#at = 0;
      this.#note("LIVE: no change succeeds", "at all");
    }
  }
}

const isSettled = ({ state }: World): boolean => state === "waiting" || state === "held";

/** A process ends: the next one knows what the journal has, and what it sees. */
function die(to: World): void {
  to.run = undefined;
  to.mayLand = true;
}

const at0 = 0 as TunnelChange["since"];

function recordOf({ state, alone }: World): TunnelChange {
  if (state === "done") throw new Error("there is no record any more");
  return {
    auth: { kind: "psk", secretId: "new" },
    ...{ state, since: at0, reason: { code: "recorded", text: "" } },
    ...(alone !== undefined && { alone }),
  };
}

function moved(to: World, change: TunnelChange, step: TunnelStep): void {
  if (step.next === "done") return;
  const after = advanceTunnel(change, { ...step, next: step.next }, at0);
  to.state = after.state;
  to.alone = after.alone;
}

/** Every world that can come of the start; the first way to each broken promise is kept. */
export function exploreTunnels(
  config: TunnelConfig,
  limits: Limits,
  machine = realTunnelMachine,
): ExploredTunnels {
  return new Space(config, machine).explore(limits);
}
