// XML in both directions: requests by a writer that escapes, replies by a reader with limits;
// without entities, document types and concatenated text.

import { isUtf8 } from "node:buffer";
import { LinksealError } from "#hal/error.ts";
import { type Command, preview, type SecretHole } from "#hal/secret.ts";
import { nextTurn } from "./turn.ts";
import {
  forbidden,
  readDocument,
  type XmlBudget,
  type XmlElement,
  XmlRefusal,
} from "./xml-reader.ts";

/** An element to be sent to a device; only the channel fills a hole in it. */
export interface XmlOut {
  /** Name of the element, with a prefix if it has one. */
  readonly name: string;
  /** Values of its attributes. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Its content, in order. */
  readonly children: readonly XmlPart[];
}

/** A part of an element's content. */
export type XmlPart = XmlOut | SecretHole | string;

/** Makes an element. */
export function element(name: string, ...children: readonly XmlPart[]): XmlOut {
  return { name, attributes: {}, children };
}

/** Makes an element with attributes. */
export function elementWith(
  name: string,
  attributes: XmlOut["attributes"],
  ...children: readonly XmlPart[]
): XmlOut {
  return { name, attributes, children };
}

const nameOf = /^[A-Za-z_][A-Za-z0-9_.-]*(:[A-Za-z_][A-Za-z0-9_.-]*)?$/;
const references: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#13;",
  "\n": "&#10;",
  "\t": "&#9;",
};

function escaped(text: string): string {
  if (forbidden.test(text)) throw new RangeError("a character that XML cannot contain");
  return text.replace(/[&<>"\r\n\t]/g, (character) => references[character] ?? character);
}

/**
 * Returns the text with its holes; a hole contains digits, which need no escape.
 * @throws RangeError for a name that is not one of XML.
 */
export function writeXml(root: XmlOut): Command {
  const parts: Command[number][] = [];
  let text = "";
  const write = ({ name, attributes, children }: XmlOut): void => {
    if (!nameOf.test(name)) throw new RangeError("not a name of an element");
    text += `<${name}`;
    for (const [key, value] of Object.entries(attributes)) {
      if (!nameOf.test(key)) throw new RangeError("not a name of an attribute");
      text += ` ${key}="${escaped(value)}"`;
    }
    if (children.length === 0) {
      text += "/>";
      return;
    }
    text += ">";
    for (const child of children) {
      if (typeof child === "string") text += escaped(child);
      else if ("name" in child) write(child);
      else {
        parts.push(text, child);
        text = "";
      }
    }
    text += `</${name}>`;
  };
  write(root);
  return [...parts, text];
}

/** Returns an element as indented lines, with the labels of secrets. */
export function xmlLines(root: XmlOut, indent = ""): readonly string[] {
  const { name, attributes, children } = root;
  if (!children.some((child) => typeof child === "object" && "name" in child)) {
    return [`${indent}${preview(writeXml(root))}`];
  }
  const [empty = ""] = xmlLines({ name, attributes, children: [] });
  const inner = children.flatMap((child) => {
    if (typeof child === "object" && "name" in child) return xmlLines(child, `${indent}  `);
    return [`${indent}  ${typeof child === "string" ? escaped(child) : child.secret.toJSON()}`];
  });
  return [`${indent}${empty.replace(/\/>$/, ">")}`, ...inner, `${indent}</${name}>`];
}

export type { XmlElement } from "./xml-reader.ts";

/** Returns what the replies of one observation may have: see docs/sources.md for large routers. */
export function budgetOfReplies(): XmlBudget {
  return { depth: 64, elements: 120_000, attributes: 40_000, references: 40_000 };
}

/**
 * Reads a reply, in slices between which the event loop serves others.
 * @throws LinksealError `device.unparsed` for octets that are not a well-formed document within the
 *   budget.
 */
export async function readXml(
  octets: Uint8Array,
  where: string,
  budget: XmlBudget = budgetOfReplies(),
): Promise<XmlElement> {
  if (!isUtf8(octets)) throw unparsed("the reply is not UTF-8", where);
  try {
    const reading = readDocument(octets, budget);
    for (;;) {
      const slice = reading.next();
      if (slice.done === true) return slice.value;
      await nextTurn();
    }
  } catch (error) {
    if (error instanceof XmlRefusal) throw unparsed(error.message, where);
    throw error;
  }
}

function unparsed(text: string, where: string): LinksealError {
  return new LinksealError("device.unparsed", text, {
    effect: "none",
    where,
    next: "linkseal doctor",
  });
}

/** Returns the first child at the path of names. */
export function childOf(
  parent: XmlElement | undefined,
  ...path: readonly string[]
): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>(
    (found, name) => found?.children.find((child) => child.name === name),
    parent,
  );
}

/** Returns the children of that name. */
export function childrenOf(parent: XmlElement | undefined, name: string): readonly XmlElement[] {
  return parent?.children.filter((child) => child.name === name) ?? [];
}

/**
 * Returns the text of the only child at the path; undefined = there is none, or there are several,
 * of which none is more true than another.
 */
export function textOf(
  parent: XmlElement | undefined,
  ...path: readonly string[]
): string | undefined {
  const [only, ...more] = childrenOf(childOf(parent, ...path.slice(0, -1)), path.at(-1) ?? "");
  return more.length === 0 ? only?.text : undefined;
}

/** Returns every element of that name below the root, in document order. */
export function everyOf(root: XmlElement, name: string): readonly XmlElement[] {
  const found: XmlElement[] = [];
  const collect = (parent: XmlElement): void => {
    for (const child of parent.children) {
      if (child.name === name) found.push(child);
      collect(child);
    }
  };
  collect(root);
  return found;
}
