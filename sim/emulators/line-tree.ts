// A configuration as lines inside of lines, and the effect of an entered line; each platform
// supplies the words that are known at each place.

export interface Block {
  readonly line: string;
  children: Block[];
}

export interface Rule {
  readonly inside: string;
  readonly words: RegExp;
  /** Returns the part of a line that names its object; a line with the same name replaces it. */
  readonly nameOf: (line: string) => string;
  /** The mode that the line leads into. */
  readonly opens?: string;
  /** The beginning that its negation may have; absent if it is the whole line. */
  readonly head?: string;
}

/** The lines that a platform knows, and their effects. */
export interface Grammar {
  readonly rules: readonly Rule[];
  /** The pattern of a negation; its group is the line that is negated. */
  readonly negation: RegExp;
  /**
   * True if any beginning of a present line negates it, and a new line takes the position of the
   * one it replaces.
   */
  readonly isLoose: boolean;
  /** Returns the form in which a line is stored beside others; throws if they exclude it. */
  readonly stored?: (line: string, rule: Rule, beside: readonly Block[]) => string;
  /** Returns the beginning of the lines that a negation removes. */
  readonly removedBy?: (negated: string) => string;
}

/** A session's position in its configuration. */
export interface Place {
  readonly mode: string;
  readonly path: readonly string[];
}

export const top: Place = { mode: "", path: [] };

/**
 * Makes a rule. `named` is the number of first words that name the object, or the pattern of the
 * part that does not.
 */
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

/**
 * Returns the nearest place at which a line is known, here or further up; undefined if there is
 * none.
 */
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

/** Applies a line at its place and returns the place after it. */
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

/** Finds the place of a line and applies it there; undefined if the line is not known. */
export function enter(grammar: Grammar, root: Block[], at: Place, line: string): Place | undefined {
  const place = placeOf(grammar, root, at, line);
  return place === undefined ? undefined : apply(grammar, root, place, line);
}

/** Returns the modes that the lines of a path lead into, one after the other. */
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

/** Returns the children of a line; none if the line is missing. */
export const linesIn = (blocks: readonly Block[] | undefined, line: string): readonly Block[] =>
  childOf(blocks, line)?.children ?? [];

/** Returns the rest of the first line that begins with the words. */
export function restOf(blocks: readonly Block[] | undefined, words: string): string | undefined {
  return blocks?.find(({ line }) => line.startsWith(`${words} `))?.line.slice(words.length + 1);
}

export const bgpOf = (blocks: readonly Block[]): readonly Block[] =>
  blocks.find(({ line }) => line.startsWith("router bgp "))?.children ?? [];

/** Removes the blocks that are not kept, in place. */
export function keepOnly(blocks: Block[], isKept: (one: Block) => boolean): void {
  blocks.splice(0, blocks.length, ...blocks.filter(isKept));
}

/** Removes the matching lines and adds the given ones at the end. */
export function putLines(blocks: Block[], gone: RegExp, ...lines: readonly string[]): void {
  keepOnly(blocks, ({ line }) => !gone.test(line));
  blocks.push(...lines.map((line) => block(line)));
}

/** Replaces the block with the same line, or adds it at the end. */
export function putBlock(root: Block[], one: Block): void {
  const at = root.findIndex(({ line }) => line === one.line);
  if (at < 0) root.push(one);
  else root[at] = one;
}
