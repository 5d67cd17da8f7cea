// A configuration of Cisco's routers as lines inside of lines, and what becomes of it by a line
// that is typed: which words are known where is each platform's own.

export interface Block {
  readonly line: string;
  children: Block[];
}

export interface Rule {
  readonly inside: string;
  readonly words: RegExp;
  /** What names the thing that a line is about: another line with the same takes its place. */
  readonly nameOf: (line: string) => string;
  /** The mode that the line leads into. */
  readonly opens?: string;
}

/** `named`: as many first words, or all but what matches. */
export const rule = (
  inside: string,
  words: string,
  named: number | RegExp,
  opens?: string,
): Rule => ({
  inside,
  words: new RegExp(`^${words}$`),
  nameOf: (line) =>
    typeof named === "number" ? line.split(" ").slice(0, named).join(" ") : line.replace(named, ""),
  ...(opens === undefined ? {} : { opens }),
});

export const block = (line: string, ...children: Block[]): Block => ({ line, children });

export function cloneBlocks(blocks: readonly Block[]): Block[] {
  return blocks.map(({ line, children }) => ({ line, children: cloneBlocks(children) }));
}

/** Where a session stands in its configuration. */
export interface Place {
  readonly mode: string;
  readonly path: readonly string[];
}

export const top: Place = { mode: "", path: [] };

export function blocksAt(root: Block[], path: readonly string[]): Block[] {
  let blocks = root;
  for (const line of path) {
    let found = blocks.find((one) => one.line === line);
    if (found === undefined) {
      found = block(line);
      blocks.push(found);
    }
    blocks = found.children;
  }
  return blocks;
}

/** The place after the line; undefined = it is not known there, nor further up. */
export function enter(
  rules: readonly Rule[],
  root: Block[],
  at: Place,
  line: string,
): Place | undefined {
  const isNo = line.startsWith("no ");
  const text = isNo ? line.slice(3) : line;
  for (let place: Place | undefined = at; place !== undefined; place = parentOf(rules, place)) {
    const { mode, path } = place;
    const blocks = blocksAt(root, path);
    if (isNo) {
      const has = (one: Block): boolean => one.line === text || one.line.startsWith(`${text} `);
      const isKnown = rules.some(({ inside, words }) => inside === mode && words.test(text));
      if (!isKnown && !blocks.some(has)) continue;
      for (const one of blocks.filter(has)) blocks.splice(blocks.indexOf(one), 1);
      return place;
    }
    const known = rules.find(({ inside, words }) => inside === mode && words.test(text));
    if (known === undefined) continue;
    put(blocks, text, known);
    if (known.opens === undefined) return place;
    return { mode: known.opens, path: [...path, text] };
  }
  return undefined;
}

function put(blocks: Block[], line: string, { nameOf }: Rule): void {
  const at = blocks.findIndex((one) => nameOf(one.line) === nameOf(line));
  const before = blocks[at];
  if (before === undefined) blocks.push(block(line));
  else if (before.line !== line) blocks[at] = block(line, ...before.children);
}

export function parentOf(rules: readonly Rule[], { path }: Place): Place | undefined {
  if (path.length === 0) return undefined;
  const above = path.slice(0, -1);
  let mode = "";
  for (const line of above) {
    const inside = mode;
    mode = rules.find((one) => one.inside === inside && one.words.test(line))?.opens ?? "";
  }
  return { mode, path: above };
}

export const childOf = (blocks: readonly Block[] | undefined, line: string): Block | undefined =>
  blocks?.find((one) => one.line === line);

/** The rest of the first line that begins with the words. */
export function restOf(blocks: readonly Block[] | undefined, words: string): string | undefined {
  return blocks?.find(({ line }) => line.startsWith(`${words} `))?.line.slice(words.length + 1);
}
