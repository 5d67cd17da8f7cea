// Answers in the layouts of real devices, changed as lost octets, narrow terminals and other
// processes of a device change them. What is read from a dirty answer may be unknown. It must never
// be healthier than what is read from the whole answer.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";

/** Random changes for each reader. */
const runs = effort(1_500, 100_000);

/** A reader, and what it must not make of dirty answers. */
export interface DirtyReader<T> {
  /** What the answers are about, as a part of a title: `MKA sessions`. */
  readonly about: string;
  /** Whole answers, one for each layout; the reader understands each of them. */
  readonly layouts: readonly string[];
  /** Reads the rows of an answer; undefined = not understood. */
  readonly read: (answer: string) => T | undefined;
  /** Returns why a reading is healthier than that of the whole answer; undefined = it is not. */
  readonly healthier: (dirty: T, whole: T) => string | undefined;
  /** Rows of other answers of the same device. */
  readonly foreign: readonly string[];
  /** Rows that the device prints between any others; they must change nothing. */
  readonly noise: readonly string[];
  /** Kinds that cannot change a reading, because the reader needs no more than one row. */
  readonly harmless?: readonly Dirt[];
  /** Kinds that leave a form that the device prints as well, so that no reader can notice them. */
  readonly exempt?: readonly Dirt[];
}

export interface Change {
  readonly rows: readonly string[];
  /** Index of the row at which the change begins. */
  readonly at: number;
  /** A random number from 0 on; a kind uses it as it needs. */
  readonly amount: number;
  readonly foreign: readonly string[];
}

/** What no device prints as a part of a value. */
const marks = ["\u{fffd}", "\0", "\x1b[7m", "%", "?", "~"];

const itemAt = <T>(items: readonly T[], index: number): T => {
  const item = items[index % items.length];
  if (item === undefined) throw new RangeError("an item of an empty list");
  return item;
};

const replaced = ({ rows, at }: Change, ...by: readonly string[]): readonly string[] =>
  rows.toSpliced(at, 1, ...by);

/** Cuts a row at a column that is inside it. */
function halvesOf({ rows, at, amount }: Change): readonly [string, string] {
  const row = rows[at] ?? "";
  const column = row.length === 0 ? 0 : amount % row.length;
  return [row.slice(0, column), row.slice(column)];
}

function wrapped({ rows, amount }: Change): readonly string[] {
  const width = 16 + (amount % 120);
  return rows.flatMap((row) => row.match(new RegExp(`.{1,${width}}`, "gsu")) ?? [""]);
}

function repeated({ rows, at, amount }: Change): readonly string[] {
  const to = Math.min(rows.length, at + 1 + (amount % 40));
  return [...rows.slice(0, to), ...rows.slice(at, to), ...rows.slice(to)];
}

/** The kinds of changes: each makes other rows of those of an answer. */
export const dirts = {
  cutAfter: ({ rows, at }) => rows.slice(0, at),
  cutBefore: ({ rows, at }) => rows.slice(at + 1),
  rowLost: (change) => replaced(change),
  rowTwice: (change) =>
    replaced(change, change.rows[change.at] ?? "", change.rows[change.at] ?? ""),
  rowsSwapped: ({ rows, at }) => {
    const [first = "", second = ""] = rows.slice(at, at + 2);
    return at + 1 < rows.length ? rows.toSpliced(at, 2, second, first) : rows;
  },
  rowCut: (change) => replaced(change, halvesOf(change)[0]),
  rowBroken: (change) => replaced(change, ...halvesOf(change)),
  rowsJoined: ({ rows, at }) => rows.toSpliced(at, 2, rows.slice(at, at + 2).join("")),
  rowShifted: (change) => {
    const row = change.rows[change.at] ?? "";
    const isLeft = change.amount % 2 === 0;
    return replaced(change, isLeft ? row.replace(/^ {1,2}/, "") : ` ${row}`);
  },
  rowGarbled: (change) => {
    const [head, tail] = halvesOf(change);
    return replaced(change, `${head}${itemAt(marks, change.amount)}${tail.slice(1)}`);
  },
  foreignRow: (change) => {
    const row = itemAt(change.foreign, change.amount);
    return change.rows.toSpliced(change.at, 0, row);
  },
  blockTwice: repeated,
  wrapped,
} as const satisfies Record<string, (change: Change) => readonly string[]>;

/** A kind of change. */
type Dirt = keyof typeof dirts;

const kinds = Object.keys(dirts) as readonly Dirt[];

/** Kinds that are tried at every row, with so many amounts each. */
const everywhere: Readonly<Partial<Record<Dirt, number>>> = {
  ...{ cutAfter: 1, cutBefore: 1, rowLost: 1, rowTwice: 1, rowsSwapped: 1, rowsJoined: 1 },
  rowShifted: 2,
};
/** Widths of terminals, as amounts of the kind `wrapped`: 20, 40, 64, 72, 79, 80 columns. */
const widths = [4, 24, 48, 56, 63, 64];

const shown = (value: unknown): string =>
  inspect(value, { depth: 12, breakLength: Number.POSITIVE_INFINITY, sorted: true });

class Trial<T> {
  /** Changes of each kind that were read otherwise than the whole answer. */
  readonly differing = new Map<Dirt, number>();
  readonly #reader: DirtyReader<T>;

  constructor(reader: DirtyReader<T>) {
    this.#reader = reader;
  }

  wholeOf(layout: string): T {
    const whole = this.#reader.read(layout);
    if (whole === undefined) throw new Error(`a whole answer is not understood:\n${layout}`);
    return whole;
  }

  /** Fails if the changed answer is healthier than the whole one. */
  judge(kind: Dirt, change: Change, whole: T): void {
    const answer = dirts[kind](change).join("\n");
    const dirty = this.#reader.read(answer);
    const why = dirty === undefined ? undefined : this.#reader.healthier(dirty, whole);
    if (why !== undefined) {
      throw new Error(`${kind} at row ${change.at}, ${change.amount}: ${why}\n${answer}`);
    }
    if (shown(dirty) === shown(whole)) return;
    this.differing.set(kind, (this.differing.get(kind) ?? 0) + 1);
  }
}

/** Tries each kind at each row of a layout. */
function judgeEverywhere<T>(
  trial: Trial<T>,
  rows: readonly string[],
  foreign: Change["foreign"],
  tried: readonly Dirt[],
): void {
  const whole = trial.wholeOf(rows.join("\n"));
  for (const kind of tried) {
    const amounts = kind === "foreignRow" ? foreign.length : (everywhere[kind] ?? 0);
    for (const at of rows.keys()) {
      for (let amount = 0; amount < amounts; amount += 1) {
        trial.judge(kind, { rows, at, amount, foreign }, whole);
      }
    }
  }
  if (!tried.includes("wrapped")) return;
  for (const amount of widths) trial.judge("wrapped", { rows, at: 0, amount, foreign }, whole);
}

/** Tries a reader of one kind of answer; `seed` begins each random run. */
export function tryDirtyAnswers<T>(vendor: string, seed: string, reader: DirtyReader<T>): void {
  const { about, layouts, foreign, noise, harmless = [], exempt = [] } = reader;
  const tried = kinds.filter((kind) => !exempt.includes(kind));
  const trial = new Trial(reader);

  describe(`answers about ${about}`, () => {
    it(`an answer about ${about} with rows of the log in it is read as without them`, () => {
      for (const layout of layouts) {
        const whole = shown(trial.wholeOf(layout));
        const rows = layout.split("\n");
        for (const [index, row] of noise.entries()) {
          for (let at = 0; at <= rows.length; at += 1 + (index % 3)) {
            expect(shown(reader.read(rows.toSpliced(at, 0, row).join("\n")))).toBe(whole);
          }
        }
      }
    });

    it(`an answer about ${about} that is changed at any row is never healthier`, () => {
      for (const layout of layouts) judgeEverywhere(trial, layout.split("\n"), foreign, tried);
      expect(trial.differing.size).toBeGreaterThan(0);
    });

    it(`an answer about ${about} that is changed at random is never healthier`, {
      timeout: 3_600_000,
    }, () => {
      console.log(`dirty ${vendor} ${about}: LINKSEAL_SEED=${seed}, ${runs} cases`);
      const prng = new Prng(`${seed}/${about}`);
      const wholes = layouts.map((layout) => {
        return { rows: layout.split("\n"), whole: trial.wholeOf(layout) };
      });
      for (let run = 0; run < runs; run += 1) {
        const { rows, whole } = prng.pick(wholes);
        const [at, amount] = [prng.between(0, rows.length - 1), prng.between(0, 9_999)];
        const change = { rows, at, amount, foreign };
        trial.judge(itemAt(tried, run), change, whole);
      }
      // A kind that changes nothing would try nothing.
      const idle = tried.filter((kind) => !trial.differing.has(kind));
      expect(idle.filter((kind) => !harmless.includes(kind))).toEqual([]);
    });
  });
}
