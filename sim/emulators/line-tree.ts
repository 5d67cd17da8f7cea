// A configuration as lines inside of lines, and what becomes of it by a line that is typed: which
// words are known where is each platform's own.

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
  /** How its negation may begin; absent = it is the whole line. */
  readonly head?: string;
}

/** What a platform knows of lines, and what it makes of them. */
export interface Grammar {
  readonly rules: readonly Rule[];
  /** Its group matches the line that is negated. */
  readonly negation: RegExp;
  /** Any beginning of a present line negates it, and a line is put where the replaced one was. */
  readonly isLoose: boolean;
  /** The form in which a line is stored beside others; throws where they exclude it. */
  readonly stored?: (line: string, rule: Rule, beside: readonly Block[]) => string;
  /** The beginning of the lines that a negation removes. */
  readonly removedBy?: (negated: string) => string;
}

/** Where a session stands in its configuration. */
export interface Place {
  readonly mode: string;
  readonly path: readonly string[];
}

export const top: Place = { mode: "", path: [] };

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

export const block = (line: string, ...children: readonly (Block | string)[]): Block => ({
  line,
  children: children.map((one) => (typeof one === "string" ? block(one) : one)),
});

export function cloneBlocks(blocks: readonly Block[]): Block[] {
  return blocks.map(({ line, children }) => ({ line, children: cloneBlocks(children) }));
}

export function blocksAt(root: Block[], path: readonly string[]): Block[] {
  let blocks = root;
  for (const line of path) {
    let found = childOf(blocks, line);
    if (found === undefined) {
      found = block(line);
      blocks.push(found);
    }
    blocks = found.children;
  }
  return blocks;
}

const begins = (line: string, words: string): boolean =>
  line === words || line.startsWith(`${words} `);

/** Where a line belongs, here or further up; undefined = it is known nowhere there. */
export function placeOf(
  grammar: Grammar,
  root: Block[],
  at: Place,
  line: string,
): Place | undefined {
  const { rules, negation, isLoose } = grammar;
  const text = negation.exec(line)?.[1];
  for (let place: Place | undefined = at; place !== undefined; place = parentOf(rules, place)) {
    const { mode, path } = place;
    const blocks = blocksAt(root, path);
    const isKnown = rules.some(({ inside, words, head }) => {
      if (inside !== mode) return false;
      if (words.test(text !== undefined && isLoose ? text : line)) return true;
      return text !== undefined && head !== undefined && begins(text, head);
    });
    if (isKnown) return place;
    if (isLoose && text !== undefined && blocks.some((one) => begins(one.line, text))) return place;
  }
  return undefined;
}

/** Does what a line says at its place, and is the place after it. */
export function apply(grammar: Grammar, root: Block[], at: Place, line: string): Place {
  const { rules, negation, isLoose, stored, removedBy } = grammar;
  const blocks = blocksAt(root, at.path);
  const text = negation.exec(line)?.[1];
  const known = rules.find(({ inside, words }) => inside === at.mode && words.test(line));
  if (text !== undefined && (isLoose || known === undefined)) {
    const gone = removedBy?.(text) ?? text;
    keepOnly(blocks, (one) => !begins(one.line, gone));
    return at;
  }
  if (known === undefined) return at;
  const { nameOf, opens } = known;
  const kept = stored?.(line, known, blocks) ?? line;
  const isSame = (one: Block): boolean => nameOf(one.line) === nameOf(kept);
  const index = blocks.findIndex(isSame);
  const before = blocks[index];
  if (before !== undefined && (isLoose || opens !== undefined)) {
    if (before.line !== kept) blocks[index] = block(kept, ...before.children);
  } else {
    keepOnly(blocks, (one) => !isSame(one));
    blocks.push(block(kept));
  }
  return opens === undefined ? at : { mode: opens, path: [...at.path, kept] };
}

/** Finds the place of a line and applies it there; undefined = the line is not known. */
export function enter(grammar: Grammar, root: Block[], at: Place, line: string): Place | undefined {
  const place = placeOf(grammar, root, at, line);
  return place === undefined ? undefined : apply(grammar, root, place, line);
}

/** The modes that the lines of a path lead into, one after the other. */
export function modesOf(rules: readonly Rule[], path: readonly string[]): readonly string[] {
  let mode = "";
  return path.map((line) => {
    const inside = mode;
    mode = rules.find((one) => one.inside === inside && one.words.test(line))?.opens ?? "";
    return mode;
  });
}

export function parentOf(rules: readonly Rule[], { path }: Place): Place | undefined {
  if (path.length === 0) return undefined;
  const above = path.slice(0, -1);
  return { mode: modesOf(rules, above).at(-1) ?? "", path: above };
}

export const childOf = (blocks: readonly Block[] | undefined, line: string): Block | undefined =>
  blocks?.find((one) => one.line === line);

/** The children of a line; none where the line is not there. */
export const linesIn = (blocks: readonly Block[] | undefined, line: string): readonly Block[] =>
  childOf(blocks, line)?.children ?? [];

/** The rest of the first line that begins with the words. */
export function restOf(blocks: readonly Block[] | undefined, words: string): string | undefined {
  return blocks?.find(({ line }) => line.startsWith(`${words} `))?.line.slice(words.length + 1);
}

export const bgpOf = (blocks: readonly Block[]): readonly Block[] =>
  blocks.find(({ line }) => line.startsWith("router bgp "))?.children ?? [];

/** Leaves out what is not kept, in place. */
export function keepOnly(blocks: Block[], isKept: (one: Block) => boolean): void {
  blocks.splice(0, blocks.length, ...blocks.filter(isKept));
}

/** Lines in the place of those that match, at the end. */
export function putLines(blocks: Block[], gone: RegExp, ...lines: readonly string[]): void {
  keepOnly(blocks, ({ line }) => !gone.test(line));
  blocks.push(...lines.map((line) => block(line)));
}

/** A block in the place of the one with its line, or at the end. */
export function putBlock(root: Block[], one: Block): void {
  const at = root.findIndex(({ line }) => line === one.line);
  if (at < 0) root.push(one);
  else root[at] = one;
}
