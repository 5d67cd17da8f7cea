// Breadth-first over the abstract world; a property that breaks comes with the shortest way there.

import type { Campaign } from "#agent/campaign/campaign.ts";
import {
  judgeState,
  keyOf,
  type ModelOptions,
  movesOf,
  over,
  start,
  type World,
} from "./campaign-world.ts";

export interface Explored {
  readonly states: number;
  /** Each property that broke, with the shortest way there. */
  readonly broken: ReadonlyMap<string, readonly string[]>;
  readonly visited: ReadonlySet<Campaign["state"]>;
}

interface Found {
  readonly world: World;
  readonly from: number;
  readonly label: string;
}

/** Every world that can come of the start; the first way to each broken property is kept. */
export function explore(options: ModelOptions): Explored {
  const ids = new Map<string, number>();
  const found: Found[] = [];
  const fairBefore: number[][] = [];
  const broken = new Map<string, readonly string[]>();
  const visit = (world: World, from: number, label: string): number => {
    const key = keyOf(world);
    const known = ids.get(key);
    if (known !== undefined) return known;
    ids.set(key, found.length);
    fairBefore.push([]);
    return found.push({ world, from, label }) - 1;
  };
  const note = (what: readonly string[], at: number, label: string): void => {
    for (const each of what) {
      if (!broken.has(each)) broken.set(each, [...wayTo(found, at), label]);
    }
  };
  visit(start(options), -1, "start");
  for (let at = 0; at < found.length; at += 1) {
    const { world } = found[at] as Found;
    note(judgeState(world, options), at, "and nothing happens");
    for (const { label, to, kind, broken: wrong } of movesOf(world, options)) {
      if (wrong !== undefined) note(wrong, at, label);
      const target = visit(to, at, label);
      if (kind === "fair") fairBefore[target]?.push(at);
    }
  }
  const stuck = neverEnds(found, fairBefore);
  if (stuck !== undefined) {
    note([`${found[stuck]?.world.campaign.state}: no way to an end`], stuck, "stuck");
  }
  const visited = new Set(found.map(({ world }) => world.campaign.state));
  return { states: found.length, broken, visited };
}

function wayTo(found: readonly Found[], at: number): string[] {
  const way: string[] = [];
  for (let index = at; index >= 0; ) {
    const step = found[index];
    if (step === undefined) break;
    way.unshift(`${step.label} [${step.world.campaign.state}]`);
    index = step.from;
  }
  return way;
}

/** Backwards from every end over the fair moves; what is not reached can never end. */
function neverEnds(found: readonly Found[], fairBefore: readonly number[][]): number | undefined {
  const ends = new Uint8Array(found.length);
  const open: number[] = [];
  found.forEach(({ world }, index) => {
    if (!over(world) && world.campaign.state !== "held") return;
    ends[index] = 1;
    open.push(index);
  });
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    for (const before of fairBefore[index] ?? []) {
      if (ends[before] === 1) continue;
      ends[before] = 1;
      open.push(before);
    }
  }
  const stuck = ends.indexOf(0);
  return stuck < 0 ? undefined : stuck;
}
