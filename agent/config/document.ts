// Reads text of unknown origin into a plain tree with positions, with a limit on every dimension of
// it.

import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type YAMLMap,
} from "yaml";
import type { Fault, Path } from "./complaint.ts";

export const charactersMax = 1_000_000;
/** Parts of YAML that are read: a character of a real config has 0.35 to 0.45 of them. */
export const lexemesMax = 300_000;
// The deepest valid setting, `groups[].links[].macsec.suite`, keeps 9 levels open in the parser.
const openMax = 32;

/** A value and its position. Maps have no prototype, so no key of the file is ever a method. */
export interface Located {
  readonly at: number;
  readonly value: unknown;
  /** A scalar as written, before YAML turned it into a number or null. */
  readonly source: string | undefined;
  readonly members: ReadonlyMap<string | number, Member>;
}

interface Member {
  readonly keyAt: number;
  readonly node: Located;
}

export type ReadDocument =
  | { readonly kind: "ok"; readonly root: Located }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] };

/**
 * Reads a document. It never throws. A text that was made to be slow took 2.3 s of a processor that
 * was busy otherwise (299,000 empty strings in an open list); one of 2,000 links takes 0.5 s.
 */
export function readDocument(text: string): ReadDocument {
  if (text.length > charactersMax) {
    return refuse(
      0,
      "is too long",
      `at most ${charactersMax} characters are read`,
      "split the site",
    );
  }
  if (!text.isWellFormed()) {
    return refuse(0, "is not Unicode", "it contains half a surrogate pair", "save it as UTF-8");
  }
  const composed = compose(text);
  if (composed.kind === "refused") return composed;
  const { document } = composed;
  const faults: Fault[] = document.errors
    .slice(0, 1)
    .map(({ pos, message }) => invalid(pos[0], message));
  if (document.directives?.yaml.explicit === true) {
    faults.push(fault([], 0, "has a %YAML directive", "the file is always YAML 1.2", "remove it"));
  }
  if (faults.length > 0) return { kind: "refused", faults };
  const root = locate(document.contents, [], 0, faults);
  return faults.length > 0 ? { kind: "refused", faults } : { kind: "ok", root };
}

type Composed = { kind: "ok"; document: Document } | (ReadDocument & { kind: "refused" });

// The parser keeps a stack of its own and the composer recurses, so depth is checked between the
// two.
function compose(text: string): Composed {
  const parser = new Parser();
  const tokens = [];
  let lexemes = 0;
  let at = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > openMax) {
      return refuse(at, "is nested too deep", "no setting is nested so deep", "flatten it");
    }
    lexemes += 1;
    if (lexemes > lexemesMax) {
      return refuse(at, "has too many parts", `at most ${lexemesMax} are read`, "split the site");
    }
    at += lexeme.length;
  }
  tokens.push(...parser.end());
  // `locate` checks that keys are unique, because the composer's own check is quadratic.
  const composer = new Composer({ schema: "core", uniqueKeys: false, strict: true });
  const [first, second] = composer.compose(tokens, true, text.length);
  if (second !== undefined) {
    const from = second.range[0];
    return refuse(from, "contains a second document", "one file is one site", "remove `---`");
  }
  if (first === undefined) {
    return refuse(0, "contains no document", "a site needs its keys", "version: 1");
  }
  return { kind: "ok", document: first };
}

// The library's message quotes the file after a colon or quote mark; only the part before that is
// kept.
function invalid(at: number, message: string): Fault {
  const why = message.split(/[:"]/)[0]?.trim() ?? "";
  return fault([], at, "is not valid YAML", why, "correct the text here");
}

function locate(node: unknown, path: Path, keyAt: number, faults: Fault[]): Located {
  if (isAlias(node)) {
    faults.push(fault(path, startOf(node, keyAt), "is an alias", aliasWhy, "write the value out"));
    return leaf(keyAt, null, undefined);
  }
  if (!isScalar(node) && !isMap(node) && !isSeq(node)) return leaf(keyAt, null, undefined);
  const at = startOf(node, keyAt);
  if (node.anchor !== undefined) {
    faults.push(fault(path, at, "has an anchor", aliasWhy, "remove the `&` word"));
  }
  if (node.tag !== undefined) {
    faults.push(fault(path, at, "has a tag", "tags are not read", "remove the `!` word"));
  }
  if (isScalar(node)) return leaf(at, node.value, node.source);
  if (isMap(node)) return locateMap(node, path, at, faults);
  const members = new Map<number, Member>();
  node.items.forEach((item, index) => {
    const element = locate(item, [...path, index], at, faults);
    members.set(index, { keyAt: element.at, node: element });
  });
  const value = Array.from(members.values(), (member) => member.node.value);
  return { at, value, source: undefined, members };
}

const aliasWhy = "aliases hide what a port gets and can grow without bound";

function locateMap(map: YAMLMap, path: Path, at: number, faults: Fault[]): Located {
  const members = new Map<string, Member>();
  const value: Record<string, unknown> = Object.create(null);
  for (const { key, value: inner } of map.items) {
    const keyAt = startOf(key, at);
    if (!isScalar(key) || key.anchor !== undefined || key.tag !== undefined) {
      faults.push(
        fault(path, keyAt, "has a key that is not a word", "keys are words", "rename it"),
      );
      continue;
    }
    const name = typeof key.value === "string" ? key.value : (key.source ?? "");
    const where = [...path, name];
    const earlier = members.has(name);
    if (earlier) {
      faults.push(fault(where, keyAt, "is listed twice", "only one can count", "remove one"));
    }
    const node = locate(inner, where, keyAt, faults);
    if (earlier) continue;
    members.set(name, { keyAt, node });
    value[name] = node.value;
  }
  return { at, value, source: undefined, members };
}

function leaf(at: number, value: unknown, source: string | undefined): Located {
  return { at, value, source, members: new Map() };
}

function startOf(node: unknown, otherwise: number): number {
  const ranged = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
  return ranged ? (node.range?.[0] ?? otherwise) : otherwise;
}

function fault(path: Path, at: number, what: string, why: string, write: string): Fault {
  return { path, at, what, why, write };
}

function refuse(
  at: number,
  what: string,
  why: string,
  write: string,
): Composed &
  ReadDocument & {
    kind: "refused";
  } {
  return { kind: "refused", faults: [fault([], at, what, why, write)] };
}
