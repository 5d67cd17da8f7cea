// The floors of agent/, the lowest first: an import stays on its floor or runs down, type imports
// included. And the graph of all imports, for what no single import shows: circles.

import { posix } from "node:path";

/** A folder stands for what is below it, unless a longer name of this list does. */
const layers = [
  /** What the words of config, looks, health and campaigns mean. */
  "agent/model",
  /** Text of a config to what it wants. */
  "agent/config",
  /** Journal, accepted configs and audit log, on a disk. */
  "agent/store",
  /** Evidence to verdict; pure. */
  "agent/health",
  /** Tables, guards, forecast and policy of campaigns; pure. */
  "agent/rotation",
  /** What both ends are held against: plan, rules of two ends; pure. */
  "agent/compare",
  /** What devices, far ends and vault were last seen to be. */
  "agent/runtime/polling",
  /** Campaigns as they run. */
  "agent/runtime/campaigns",
  /** Tunnels as they are set up, moved and given new keys. */
  "agent/runtime/tunnels",
  /** What is told about all that runs. */
  "agent/runtime/health",
  /** The loops of one accepted intent, and the agent around them. */
  "agent/runtime",
  /** Reports and scorecards, made from what was recorded. */
  "agent/evidence",
  /** The codes, in sentences. */
  "agent/explain",
  "agent/azure",
  "agent/telemetry",
  /** What begins an agent, examines it and prepares for it. */
  "agent/operate",
  "agent/api",
  "agent/page",
  /** What reaches out of this process. */
  "agent/host",
  "agent/cli",
  /** Agent and simulator in one process; loaded on demand. */
  "agent/simulation",
  /** Composition roots. */
  "agent/bin",
] as const;

const rankOf = (path: string): number | undefined => {
  const found = layers
    .map((layer, rank) => ({ layer, rank }))
    .filter(({ layer }) => path.startsWith(`${layer}/`))
    .toSorted((a, b) => b.layer.length - a.layer.length);
  return found[0]?.rank;
};

/** Why an import within agent/ is not allowed; undefined = it is. */
export function whyNotDown(from: string, to: string): string | undefined {
  const [upper, lower] = [rankOf(from), rankOf(to)];
  if (upper === undefined) return `${from} is on no floor of agent/: see test/tidy/layers.ts`;
  if (lower === undefined) return `${to} is on no floor of agent/: see test/tidy/layers.ts`;
  return lower <= upper ? undefined : `runs up: ${layers[upper]} -> ${layers[lower]}`;
}

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The same arrows between the folders of the files; those within one folder are left out. */
export function foldersOf(files: Graph): Graph {
  const folders = new Map<string, Set<string>>();
  for (const [from, targets] of files) {
    const folder = posix.dirname(from);
    const all = folders.get(folder) ?? new Set();
    folders.set(folder, all);
    for (const to of targets) if (posix.dirname(to) !== folder) all.add(posix.dirname(to));
  }
  return folders;
}

/** Sets of nodes that reach each other, the largest first (Tarjan 1972). */
export function circlesOf(graph: Graph): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): number => {
    const own = order.size;
    order.set(node, own);
    stack.push(node);
    let low = own;
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    if (low === own) {
      const circle = stack.splice(stack.indexOf(node));
      if (circle.length > 1) circles.push(circle.toSorted());
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles.toSorted((a, b) => b.length - a.length);
}
