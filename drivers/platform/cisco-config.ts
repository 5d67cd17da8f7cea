// Lines of a configuration of a Cisco router and those that stand further to the right below them.

import { type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { ChainKey } from "./cisco-chains.ts";
import type { Lifetime } from "./cisco-text.ts";

/** `P`: a policy, `I`: an interface, `N`: a neighbour of BGP. */
export interface CiscoConfig<P = Partial<MacsecSettings>, I = unknown, N = object> {
  /** undefined = there, and not understood. */
  readonly policies: ReadonlyMap<string, P | undefined>;
  /** undefined = there, and a key in it is not understood. */
  readonly chains: ReadonlyMap<string, readonly ChainKey[] | undefined>;
  readonly interfaces: ReadonlyMap<string, I>;
  readonly neighbours: readonly N[];
  /** Of `router bgp`; undefined = there is none. */
  readonly localAs: string | undefined;
}

export interface Block {
  readonly line: string;
  readonly children: readonly Block[];
}

/** What follows the words in the first line that begins with them. */
export function restOf(block: Block | undefined, words: string): string | undefined {
  const found = block?.children.find(({ line }) => line.startsWith(`${words} `));
  return found?.line.slice(words.length + 1);
}

/** `pattern`: its group is the name of a block. */
export function named<T>(
  blocks: readonly Block[],
  pattern: RegExp,
  read: (block: Block) => T,
): ReadonlyMap<string, T> {
  return new Map(
    blocks.flatMap((block): readonly (readonly [string, T])[] => {
      const name = pattern.exec(block.line)?.[1];
      return name === undefined ? [] : [[name, read(block)]];
    }),
  );
}

/**
 * undefined = it is deeper than a configuration. `isFiltered`: only some lines of it came, and one
 * whose own block did not come with it belongs to nothing.
 */
export function blocksOf(
  text: string,
  depthMax: number,
  isFiltered: boolean,
): readonly Block[] | undefined {
  const root: Block[] = [];
  let open: { readonly indent: number; readonly children: Block[] }[] = [];
  for (const row of text.split("\n")) {
    const line = row.trim();
    if (isFiltered && row.startsWith("!")) open = [];
    if (line === "" || line.startsWith("!")) continue;
    const indent = row.length - row.trimStart().length;
    while (open.length > 0 && indent <= (open.at(-1)?.indent ?? 0)) open.pop();
    if (open.length > depthMax) return undefined;
    if (isFiltered && indent > 0 && open.length === 0) continue;
    const children: Block[] = [];
    (open.at(-1)?.children ?? root).push({ line, children });
    open.push({ indent, children });
  }
  return root;
}

/** `lifeOf` gives undefined = it is not understood, and so are all of them. */
export function keysIn(
  blocks: readonly Block[],
  lifeOf: (block: Block) => Lifetime | undefined,
): readonly ChainKey[] | undefined {
  const keys: ChainKey[] = [];
  for (const one of blocks) {
    const word = /^key ([0-9A-Fa-f]{2,64})$/.exec(one.line)?.[1];
    const ckn = parseCkn(word ?? "");
    const life = lifeOf(one);
    if (word === undefined || ckn === undefined || life === undefined) return undefined;
    keys.push({ ckn, word, ...life });
  }
  return keys.toSorted((a, b) => (a.startsAt ?? 0) - (b.startsAt ?? 0));
}

/** As long as a policy may be called. */
const policyMax = 16;

/** `kinds`: speeds at which a port can face a provider, with the letters of each. */
export function portNames(kinds: Readonly<Record<string, string>>, pattern: RegExp) {
  return {
    /** An Ethernet port, without a logical unit: whatever else has an interface name is no link. */
    isPort: (name: string): name is PortName => kinds[pattern.exec(name)?.[1] ?? ""] !== undefined,
    /** Of the policy and the key chains of a port; undefined = it would be too long. */
    ownName: (port: PortName): string | undefined => {
      const [, kind = "", place = ""] = pattern.exec(port) ?? [];
      const name = `ls-${kinds[kind] ?? kind}${place.replaceAll("/", "-")}`;
      return name.length <= policyMax ? name : undefined;
    },
  };
}
