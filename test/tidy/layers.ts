// The layers of agent/, the lowest first: an import stays in its layer or goes down, type imports
// included. Also the graph of all imports, which shows cycles that no single import shows.

import { posix } from "node:path";

/** A folder covers everything below it, unless a longer name of this list does. */
const layers = [
  /** Types and words of config, observations, health and campaigns. */
  "agent/model",
  /** The engine of many sites: its names, and what a client of it can do; types and words. */
  "agent/fleet",
  /** Parses the text of a config into the wanted state. */
  "agent/config",
  /** Journal, accepted configs and audit log, on a disk. */
  "agent/store",
  /** Turns evidence into verdicts; pure. */
  "agent/health",
  /** Tables, guards, forecast and policy of campaigns; pure. */
  "agent/rotation",
  /** The comparison of both ends: plan, rules of two ends; pure. */
  "agent/compare",
  /** The last observations of devices, far ends and vault. */
  "agent/runtime/polling",
  /** Running campaigns. */
  "agent/runtime/campaigns",
  /** Tunnels: set up, moved and given new keys. */
  "agent/runtime/tunnels",
  /** Reports about everything that runs. */
  "agent/runtime/health",
  /** The loops of one accepted intent, and the agent around them. */
  "agent/runtime",
  /** Reports and scorecards, made from recorded data. */
  "agent/evidence",
  /** Descriptions of the codes. */
  "agent/explain",
  "agent/azure",
  "agent/telemetry",
  /** Starts an agent, examines it and prepares for it. */
  "agent/operate",
  "agent/api",
  "agent/page",
  /** Access to resources outside this process. */
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

/** Returns why an import within agent/ is not allowed; undefined = it is. */
export function whyNotDown(from: string, to: string): string | undefined {
  const [upper, lower] = [rankOf(from), rankOf(to)];
  if (upper === undefined) return `${from} is in no layer of agent/: see test/tidy/layers.ts`;
  if (lower === undefined) return `${to} is in no layer of agent/: see test/tidy/layers.ts`;
  return lower <= upper ? undefined : `runs up: ${layers[upper]} -> ${layers[lower]}`;
}

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** Returns the same imports between the folders of the files, without those within one folder. */
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

/** Returns sets of nodes that reach each other, the largest first (Tarjan 1972). */
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
