// The layers of agent/, the lowest first: an import stays in its layer or goes down, type imports
// included. Also the graph of all imports, which shows cycles that no single import shows.

import { posix } from "node:path";

/**
 * Folders of one layer may take from each other, without circles. A folder covers everything below
 * it, unless a longer name of this list does.
 */
const layers: readonly (readonly string[])[] = [
  /** Types and words of config, observations, health and campaigns. */
  ["agent/model"],
  /** What is written down: the config, journal and audit log; names and client of the engine. */
  ["agent/fleet", "agent/config", "agent/store"],
  /** Judgement, pure: verdicts; tables, guards and forecast of campaigns; the two ends compared. */
  ["agent/health", "agent/rotation", "agent/compare"],
  /** The last observations of devices, far ends and vault. */
  ["agent/runtime/polling"],
  /** Running campaigns; tunnels set up, moved and given new keys. */
  ["agent/runtime/campaigns", "agent/runtime/tunnels"],
  /** The loops of one accepted intent, the agent around them, and reports about all that runs. */
  ["agent/runtime/health", "agent/runtime"],
  /** What is made of recorded data; descriptions of the codes; the cloud; what leaves a host. */
  ["agent/evidence", "agent/explain", "agent/azure", "agent/telemetry"],
  /** Starts an agent, examines it, prepares for it, and answers for it. */
  ["agent/operate", "agent/api", "agent/page"],
  /** Access to resources outside this process. */
  ["agent/host"],
  ["agent/cli"],
  /** Composition roots of the agent's program. */
  ["agent/bin"],
  /** The hub's program, which the agent's never takes from. */
  ["agent/hub"],
];

const rankOf = (path: string): number | undefined => {
  const found = layers
    .flatMap((folders, rank) => folders.map((layer) => ({ layer, rank })))
    .filter(({ layer }) => path.startsWith(`${layer}/`))
    .toSorted((a, b) => b.layer.length - a.layer.length);
  return found[0]?.rank;
};

/** Returns why an import within agent/ is not allowed; undefined = it is. */
export function whyNotDown(from: string, to: string): string | undefined {
  const [upper, lower] = [rankOf(from), rankOf(to)];
  if (upper === undefined) return `${from} is in no layer of agent/: see test/tidy/layers.ts`;
  if (lower === undefined) return `${to} is in no layer of agent/: see test/tidy/layers.ts`;
  return lower <= upper ? undefined : `runs up: ${from} -> ${to}`;
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
