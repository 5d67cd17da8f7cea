// A configuration as a tree of named elements, with the selection of a filter and the effect of an
// edit (RFC 6241 6 and 7.2). There is no schema: an entry of a list has a `name`.

import { EmulatorError } from "./netconf.ts";
import { child, childText, type Markup, tag, type XmlNode } from "./xml-text.ts";

export interface ConfigNode {
  readonly name: string;
  text: string;
  isInactive: boolean;
  children: ConfigNode[];
}

export function node(name: string, ...parts: readonly (ConfigNode | string)[]): ConfigNode {
  const children = parts.filter((part) => typeof part === "object");
  const text = parts.find((part) => typeof part === "string") ?? "";
  return { name, text, isInactive: false, children };
}

/** The words of each template, which is parsed once. */
const words = new WeakMap<readonly string[], readonly (readonly string[])[]>();

function wordsOf(text: readonly string[]): readonly (readonly string[])[] {
  const known = words.get(text);
  if (known !== undefined) return known;
  const made = text.map((piece) => piece.match(/"[^"]*"|'[^']*'|[{};]|[^\s{};"']+/g) ?? []);
  words.set(text, made);
  return made;
}

/** Parses text as Junos prints it: ``nodes`unit { name ${unit}; family { inet; } }` ``. */
export function nodes(
  text: readonly string[],
  ...values: readonly (string | number | bigint | readonly ConfigNode[])[]
): readonly ConfigNode[] {
  const root = node("");
  const stack = [root];
  let statement: string[] = [];
  for (const [index, piece] of wordsOf(text).entries()) {
    for (const word of piece) {
      if (word === "}") stack.pop();
      else if (word === "{" || word === ";") {
        const [name = "", value = ""] = statement;
        const made = node(name, value);
        stack.at(-1)?.children.push(made);
        if (word === "{") stack.push(made);
        statement = [];
      } else statement.push(/^["']/.test(word) ? word.slice(1, -1) : word);
    }
    const value = values[index];
    if (typeof value === "object") stack.at(-1)?.children.push(...value);
    else if (value !== undefined) statement.push(String(value));
  }
  return root.children;
}

/** Returns a leaf, or nothing if the value is undefined. */
export const optional = (
  name: string,
  value: string | number | bigint | undefined,
): readonly ConfigNode[] => (value === undefined ? [] : [node(name, String(value))]);

/** Returns the element at that path, which is created if it is missing. */
export function within(tree: ConfigNode, ...path: readonly string[]): ConfigNode {
  return path.reduce((parent, name) => {
    const found = at(parent, name);
    if (found !== undefined) return found;
    const made = node(name);
    parent.children.push(made);
    return made;
  }, tree);
}

export function without(tree: ConfigNode | undefined, isGone: (one: ConfigNode) => boolean): void {
  if (tree !== undefined) tree.children = tree.children.filter((one) => !isGone(one));
}

export function cloneTree(tree: ConfigNode): ConfigNode {
  return { ...tree, children: tree.children.map(cloneTree) };
}

/** Leaves that may occur several times, each with a text of its own. */
const leafLists: ReadonlySet<string> = new Set(["import", "export", "next-hop"]);
/** Leaves that are never printed as they were entered. */
const secretLeaves: ReadonlySet<string> = new Set(["cak", "secret", "ascii-text", "hexadecimal"]);

const keyOf = (tree: ConfigNode): string | undefined =>
  tree.children.find((one) => one.name === "name")?.text;

export function at(
  tree: ConfigNode | undefined,
  ...path: readonly string[]
): ConfigNode | undefined {
  return path.reduce<ConfigNode | undefined>(
    (found, name) => found?.children.find((one) => one.name === name && !one.isInactive),
    tree,
  );
}

export function entries(tree: ConfigNode | undefined, name: string): readonly ConfigNode[] {
  return tree?.children.filter((one) => one.name === name) ?? [];
}

export function textAt(
  tree: ConfigNode | undefined,
  ...path: readonly string[]
): string | undefined {
  return at(tree, ...path)?.text;
}

export function entry(
  tree: ConfigNode | undefined,
  name: string,
  key: string,
): ConfigNode | undefined {
  return entries(tree, name).find((one) => keyOf(one) === key);
}

/**
 * Encodes a secret reversibly, as the real encoding does: every reader of the output has the key.
 */
function shown({ name, text }: ConfigNode): string {
  if (!secretLeaves.has(name) || text === "") return text;
  return `$9$${Buffer.from(text).toString("base64")}`;
}

export function printTree(tree: ConfigNode): Markup {
  const open = tree.isInactive ? `${tree.name} inactive="inactive"` : tree.name;
  if (tree.children.length === 0) return tag(open, shown(tree));
  return tag(open, ...tree.children.map(printTree));
}

/** Returns what a subtree filter selects; undefined if it selects nothing. */
export function select(tree: ConfigNode, filter: XmlNode): ConfigNode | undefined {
  const matches = filter.children.filter((one) => one.children.length === 0 && one.text !== "");
  for (const { name, text } of matches) {
    if (!tree.children.some((one) => one.name === name && one.text === text)) return undefined;
  }
  const selections = filter.children.filter((one) => !matches.includes(one));
  if (selections.length === 0) return tree;
  const names = new Set(matches.map(({ name }) => name));
  const children = tree.children.flatMap((one) => {
    if (names.has(one.name)) return [one];
    const chosen = selections.find(({ name }) => name === one.name);
    const found = chosen === undefined ? undefined : select(one, chosen);
    return found === undefined ? [] : [found];
  });
  return children.length === 0 ? undefined : { ...tree, children };
}

const operationOf = (edit: XmlNode): string =>
  edit.attributes.get("operation") ?? edit.attributes.get("delete") ?? "merge";

/**
 * Changes the tree; `warnings` receives the elements to delete that do not exist.
 * @throws FaceError for an unknown operation
 */
export function applyEdit(tree: ConfigNode, edit: XmlNode, warnings: string[]): void {
  for (const part of edit.children) {
    const found = tree.children.find((one) => isSame(one, part));
    switch (operationOf(part)) {
      case "delete":
      case "remove":
        removeFrom(tree, part, found, warnings);
        break;
      case "replace":
        tree.children = tree.children.filter((one) => one !== found);
        merge(tree, part, undefined, warnings);
        break;
      case "merge":
        merge(tree, part, found, warnings);
        break;
      default:
        throw new EmulatorError("bad-attribute", `syntax error: operation of ${part.name}`);
    }
  }
}

function isSame(one: ConfigNode, part: XmlNode): boolean {
  if (one.name !== part.name) return false;
  if (leafLists.has(one.name) && part.text !== "") return one.text === part.text;
  return keyOf(one) === childText(part, "name") || child(part, "name") === undefined;
}

function removeFrom(
  tree: ConfigNode,
  part: XmlNode,
  found: ConfigNode | undefined,
  warnings: string[],
): void {
  if (found === undefined) warnings.push(`statement not found: ${part.name}`);
  const every = leafLists.has(part.name) && part.text === "";
  tree.children = tree.children.filter((one) => (every ? one.name !== part.name : one !== found));
}

function merge(
  tree: ConfigNode,
  part: XmlNode,
  found: ConfigNode | undefined,
  warnings: string[],
): void {
  const into = found ?? node(part.name);
  if (found === undefined) tree.children.push(into);
  if (part.children.length === 0) into.text = part.text;
  if (part.attributes.has("inactive")) into.isInactive = true;
  if (part.attributes.has("active")) into.isInactive = false;
  applyEdit(into, part, warnings);
}
