// XML in both directions: requests by a writer that escapes, replies by a reader with limits;
// without entities, document types and concatenated text.

import { LinksealError } from "#hal/error.ts";
import { type Command, preview, type SecretHole } from "#hal/secret.ts";

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
// XML 1.0 2.2: characters that no document may contain, however they are written.
const forbidden = /[^\t\n\r\x20-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
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

/**
 * An element of a reply. Names are without prefixes, because devices and releases differ in those.
 */
export interface XmlElement {
  /** Name of the element, without its prefix. */
  readonly name: string;
  /** Values of its attributes. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Its child elements. */
  readonly children: readonly XmlElement[];
  /** Text of this element only, without white space around it. */
  readonly text: string;
}

export interface XmlLimits {
  readonly depth: number;
  readonly elements: number;
}

const limitsDefault: XmlLimits = { depth: 64, elements: 500_000 };

let parser: Promise<typeof import("libxml2-wasm")> | undefined;

// The parser is loaded by the first reply, because that takes a while and most processes never read
// one. It is stored, because a later import would take longer than the turn of promises that
// virtual time allows.
function loadParser(): Promise<typeof import("libxml2-wasm")> {
  parser ??= import("libxml2-wasm");
  return parser;
}

/**
 * Reads a reply.
 * @throws LinksealError `device.unparsed` for text that is not a well-formed document within the
 *   limits.
 */
export async function readXml(
  octets: Uint8Array,
  where: string,
  limits: XmlLimits = limitsDefault,
): Promise<XmlElement> {
  const { XmlDocument, XmlElement: Element, XmlText, XmlCData } = await loadParser();
  const text = textIn(octets, where);
  // RFC 6241 3: no document type declaration; without one a document cannot define entities.
  if (/<!(?!--|\[CDATA\[)/.test(text)) throw unparsed("the reply declares a document type", where);
  refuseDeep(text, limits.depth, where);
  let document: InstanceType<typeof XmlDocument>;
  try {
    document = XmlDocument.fromString(text);
  } catch {
    // The parser's message quotes the reply.
    throw unparsed("the reply is not well-formed XML", where);
  }
  try {
    let elements = 0;
    const read = (node: InstanceType<typeof Element>): XmlElement => {
      elements += 1;
      if (elements > limits.elements) throw unparsed("the reply has too many elements", where);
      const children: XmlElement[] = [];
      let own = "";
      for (let child = node.firstChild; child !== null; child = child.next) {
        if (child instanceof Element) children.push(read(child));
        else if (child instanceof XmlText || child instanceof XmlCData) own += child.content;
      }
      const attributes = new Map(node.attrs.map(({ name, value }) => [name, value]));
      return { name: node.name, attributes, children, text: own.trim() };
    };
    return read(document.root);
  } finally {
    document.dispose();
  }
}

function textIn(octets: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    throw unparsed("the reply is not UTF-8", where);
  }
}

// Checked before the parser runs, because its own limit is far higher and would exhaust the stack.
function refuseDeep(text: string, depthMax: number, where: string): void {
  let depth = 0;
  for (const [tag] of text.matchAll(/<[A-Za-z_][^<>]*>|<\//g)) {
    if (tag === "</") depth -= 1;
    else if (!tag.endsWith("/>")) depth += 1;
    if (depth > depthMax) throw unparsed("the reply is nested too deeply", where);
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
