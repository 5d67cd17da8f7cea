// Lines of a configuration of a Cisco router and those that stand further to the right below them.

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
 * undefined = it is deeper than a configuration. `isFiltered`: only some lines of it came, and those
 * whose own block did not come with them belong to nothing.
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
