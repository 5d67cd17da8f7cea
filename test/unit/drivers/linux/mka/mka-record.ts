// The history of an end of a world, as tracks of values with their times, and the differences
// between the tracks of two worlds.

import type { Sak } from "#hal/model.ts";
import type { Prng } from "#sim/base/prng.ts";
import {
  cas,
  type EndName,
  type EndObservation,
  endNames,
  type KeyName,
  type World,
} from "./mka-worlds.ts";

/** One observation, and the moment within which a station of the simulator is switched on. */
const slackMs = 20 + 50;
const share = 0.2;
/** The mean of a few hellos at chance moments is no more exact than that. */
const sigmas = 3;
/** Refused frames may differ by so many: hellos that a station sends because of news. */
const framesMax = 2;

interface Turn {
  readonly value: string;
  /** Since the record began. */
  readonly atMs: number;
  /** Since the last act. */
  readonly sinceMs: number;
}

/** The tracks by end and field; the first turn of each is its initial value. */
type Tracks = ReadonlyMap<string, readonly Turn[]>;

const fields = ["port", "principal", "live", "responded", "server", "latest", "older"] as const;
const counters = ["icvFailed", "unknownCkn"] as const;

export class Stage {
  readonly world: World;
  readonly prng: Prng;
  readonly #tracks = new Map<string, Turn[]>();
  readonly #saks: string[] = [];
  readonly #before = new Map<string, bigint>();
  readonly #refused = new Map<string, number>();
  #beganAt = 0;
  #actedAt = 0;
  #darkMs = 0;
  #carried = false;

  constructor(world: World, prng: Prng) {
    this.world = world;
    this.prng = prng;
  }

  /** Starts the time, and forgets what was before. */
  async begin(): Promise<void> {
    this.#tracks.clear();
    for (const end of endNames) {
      const observation = await this.world.observe(end);
      for (const name of counters) {
        this.#before.set(`${end} ${name}`, observation?.mkpdus[name] ?? 0n);
      }
    }
    this.#beganAt = this.world.clock.now();
    this.act();
    this.#darkMs = 0;
    await this.#observe();
  }

  /** Marks an act: what follows is timed from here. */
  act(): void {
    this.#actedAt = this.world.clock.now();
  }

  async pass(ms: number): Promise<void> {
    const { clock } = this.world;
    const until = clock.now() + ms;
    await this.#observe();
    for (let at = clock.now() as number; at < until; at = clock.now()) {
      const next = Math.min(clock.next() ?? until, until);
      await clock.runFor(next - at);
      if (!this.#carried) this.#darkMs += next - at;
      await this.#observe();
    }
  }

  get run(): Run {
    return {
      tracks: new Map([...this.#tracks].map(([name, turns]) => [name, steady(turns)])),
      darkMs: this.#darkMs,
      refused: this.#refused,
    };
  }

  async #observe(): Promise<void> {
    for (const end of endNames) {
      const observation = await this.world.observe(end);
      if (observation !== undefined) this.#note(end, observation);
    }
    this.#carried = this.world.carries();
    this.#put("wire", this.#carried ? "carries" : "dark");
  }

  #note(end: EndName, { session, mkpdus }: EndObservation): void {
    const reported: Record<(typeof fields)[number], string> = {
      port: session.controlledPort,
      principal: keyName(session.principalCkn),
      live: `${session.livePeers}`,
      responded: `${session.respondedPeers}`,
      server: session.keyServer,
      latest: this.#sakText(session.latestSak),
      older: this.#sakText(session.oldSak),
    };
    for (const field of fields) this.#put(`${end} ${field}`, reported[field]);
    for (const counter of counters) {
      const name = `${end} ${counter}`;
      const before = this.#before.get(name) ?? 0n;
      const counted = mkpdus[counter] ?? 0n;
      // A new process counts from zero.
      const more = counted < before ? counted : counted - before;
      this.#refused.set(name, Number(more));
      this.#put(name, more > 0n ? "rises" : "stands");
    }
  }

  #sakText(sak: Sak | undefined): string {
    if (sak === undefined) return "none";
    if (!this.#saks.includes(sak.keyId)) this.#saks.push(sak.keyId);
    const how = `${sak.receive ? " receive" : ""}${sak.transmit ? " transmit" : ""}`;
    return `SAK ${this.#saks.indexOf(sak.keyId) + 1} AN ${sak.an}${how}`;
  }

  #put(name: string, value: string): void {
    const turns = this.#tracks.get(name) ?? [];
    this.#tracks.set(name, turns);
    const now = this.world.clock.now();
    const [atMs, sinceMs] = [now - this.#beganAt, now - this.#actedAt];
    if (turns.at(-1)?.value !== value) turns.push({ value, atMs, sinceMs });
  }
}

function keyName(ckn: string | undefined): string {
  const names: readonly KeyName[] = ["old", "new"];
  return names.find((name) => cas[name].ckn === ckn) ?? "none";
}

// Values shorter than the jitter of a hello are missed in some runs, so they are left out in all.
function steady(turns: readonly Turn[]): readonly Turn[] {
  const long = turns.filter(({ atMs }, index) => {
    const next = turns[index + 1];
    return index === 0 || next === undefined || next.atMs - atMs >= slackMs;
  });
  return long.filter(({ value }, index) => index === 0 || value !== long[index - 1]?.value);
}

export interface Run {
  readonly tracks: Tracks;
  readonly darkMs: number;
  /** MKPDUs since the record began, by end and counter. */
  readonly refused: ReadonlyMap<string, number>;
}

type Runs = readonly Run[];

export interface Apart {
  /** Fields that may differ. */
  readonly tracks?: readonly string[];
  /** The time by which ours may be later. */
  readonly lateMs?: number;
  readonly because: string;
}

/** Returns where the runs of two worlds differ, except where they may. */
export function partings(sim: Runs, ours: Runs, apart?: Apart): readonly string[] {
  const { tracks = [], lateMs = 0 } = apart ?? {};
  const names = [...(sim[0]?.tracks.keys() ?? [])].filter((name) => !tracks.includes(name));
  const found = names.flatMap((name) => trackPartings(name, sim, ours, lateMs));
  if (found.length > 0) return found;
  const dark = (runs: Runs): readonly number[] => runs.map(({ darkMs }) => darkMs);
  return [
    ...(tracks.includes("wire") ? [] : timePartings("dark for", dark(sim), dark(ours), lateMs)),
    ...orderPartings(names, sim, ours),
    ...[...(sim[0]?.refused.keys() ?? [])].flatMap((name) => countPartings(name, sim, ours)),
  ];
}

function countPartings(name: string, sim: Runs, ours: Runs): readonly string[] {
  const [here, there] = [sim, ours].map((runs) =>
    mean(runs.map(({ refused }) => refused.get(name) ?? Number.NaN)),
  ) as [number, number];
  const isNear = Math.abs(here - there) <= share * Math.max(here, there) + framesMax;
  return isNear ? [] : [`${name}: sim ${here} MKPDUs, ours ${there}`];
}

function trackPartings(name: string, sim: Runs, ours: Runs, lateMs: number): readonly string[] {
  const [here, there] = [sim, ours].map((runs) => valuesIn(runs, name));
  if (here !== there) return [`${name}: sim ${here}; ours ${there}`];
  const turns = sim[0]?.tracks.get(name) ?? [];
  return turns.flatMap(({ value }, index) =>
    index === 0
      ? []
      : timePartings(
          `${name} ${value}`,
          timesOf(sim, name, index, "sinceMs"),
          timesOf(ours, name, index, "sinceMs"),
          lateMs,
        ),
  );
}

function valuesIn(runs: Runs, name: string): string {
  const texts = runs.map(({ tracks }) =>
    (tracks.get(name) ?? []).map(({ value }) => value).join(" > "),
  );
  return [...new Set(texts)].toSorted().join(" | ");
}

function timePartings(
  what: string,
  sim: readonly number[],
  ours: readonly number[],
  lateMs: number,
): readonly string[] {
  const [here, there] = [mean(sim), mean(ours)];
  const chanceMs = sigmas * Math.sqrt(errorOf(sim) + errorOf(ours));
  const nearMs = share * Math.max(here, there) + slackMs + chanceMs;
  const isNear = there - here <= nearMs + lateMs && here - there <= nearMs;
  return isNear ? [] : [`${what}: sim ${Math.round(here)} ms, ours ${Math.round(there)} ms`];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function timesOf(
  runs: Runs,
  name: string,
  index: number,
  since: "atMs" | "sinceMs",
): readonly number[] {
  return runs.map(({ tracks }) => tracks.get(name)?.[index]?.[since] ?? Number.NaN);
}

/** The variance of their mean. */
function errorOf(values: readonly number[]): number {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2)) / values.length;
}

interface Happening {
  readonly text: string;
  readonly sim: readonly number[];
  readonly ours: readonly number[];
}

// An event that is always well before another in one world is never well after it in the other.
function orderPartings(names: readonly string[], sim: Runs, ours: Runs): readonly string[] {
  const all = names.flatMap((name) =>
    (sim[0]?.tracks.get(name) ?? []).slice(1).map(
      ({ value }, index): Happening => ({
        text: `${name} ${value}`,
        sim: timesOf(sim, name, index + 1, "atMs"),
        ours: timesOf(ours, name, index + 1, "atMs"),
      }),
    ),
  );
  return all.flatMap((first) =>
    all.flatMap((then) =>
      isAlwaysBefore(first.sim, then.sim) && isEverBefore(then.ours, first.ours)
        ? [`${first.text} before ${then.text} in the simulator, not always in ours`]
        : isAlwaysBefore(first.ours, then.ours) && isEverBefore(then.sim, first.sim)
          ? [`${first.text} before ${then.text} in ours, not always in the simulator`]
          : [],
    ),
  );
}

const isWellBefore = (first: number, then: number): boolean => then - first > slackMs;

function isAlwaysBefore(first: readonly number[], then: readonly number[]): boolean {
  return first.every((at, run) => isWellBefore(at, then[run] ?? Number.NaN));
}

function isEverBefore(first: readonly number[], then: readonly number[]): boolean {
  return first.some((at, run) => isWellBefore(at, then[run] ?? Number.NaN));
}
