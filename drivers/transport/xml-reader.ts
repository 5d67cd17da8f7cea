// Reads an XML document of a device: a single pass that counts before it builds, in slices.
//
// XML 1.0 and Namespaces in XML 1.0, as RFC 6241 needs them: UTF-8, and no document type, hence no
// entities but the five of XML itself.

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

/**
 * What one or several documents may have. A reader takes what it uses from it, and checks before it
 * builds anything.
 */
export interface XmlBudget {
  /** Elements inside each other; not used up. */
  readonly depth: number;
  /** Elements, comments, sections and instructions. */
  elements: number;
  /** Attributes of all elements, with namespaces. */
  attributes: number;
  /** References such as `&lt;`: each costs some hundred times its length. */
  references: number;
}

/** Why a document is refused; its message quotes nothing of the document. */
export class XmlRefusal extends Error {}

/** Octets after which a reader lets others work; a device that is well rarely sends as many. */
const sliceBytes = 256 * 1024;

const byteOrderMark = Buffer.from("\u{feff}");
const none: readonly XmlElement[] = [];
const noAttributes: ReadonlyMap<string, string> = new Map();
const noPrefixes: readonly string[] = [];

const mark = {
  tab: 0x09,
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  exclamation: 0x21,
  quote: 0x22,
  apostrophe: 0x27,
  slash: 0x2f,
  less: 0x3c,
  equals: 0x3d,
  greater: 0x3e,
  query: 0x3f,
} as const;

/** Values are times, counts and namespaces; one of megabytes is copied at each step of its way. */
const valueBytesMax = 256 * 1024;

const isBlank = (octet: number | undefined): boolean =>
  octet === mark.space ||
  octet === mark.lineFeed ||
  octet === mark.carriageReturn ||
  octet === mark.tab;

/** For each octet, 1 = it ends a name. */
const endsName = new Uint8Array(256);
for (const octet of Buffer.from("\t\n\r />=<\"'")) endsName[octet] = 1;

// XML 1.0 2.3, without the colon, which Namespaces in XML reserves for prefixes.
const nameStart =
  "A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C-\\u200D" +
  "\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD" +
  "\\u{10000}-\\u{EFFFF}";
const nameRest = `${nameStart}\\-.0-9\\xB7\\u0300-\\u036F\\u203F-\\u2040`;
const plainName = `[${nameStart}][${nameRest}]*`;
const namePattern = new RegExp(`^(?:(${plainName}):)?(${plainName})$`, "u");

const entities: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

const quoted = (group: string): string => `\\s*=\\s*(["'])(?<${group}>[A-Za-z0-9._-]{1,40})\\`;
const declaration = new RegExp(
  `^\\s*version${quoted("version")}1(?:\\s+encoding${quoted("encoding")}3)?` +
    `(?:\\s+standalone${quoted("standalone")}5)?\\s*$`,
);

interface Name {
  /** The name with its prefix. */
  readonly written: string;
  readonly prefix: string | undefined;
  readonly local: string;
  readonly octets: Buffer;
}

/** The names of a document: one that occurs again is found by its octets and makes no text. */
class Names {
  readonly #byHash = new Map<number, Name>();

  /**
   * Returns the name in these octets.
   * @throws XmlRefusal for what is not a name.
   */
  at(octets: Buffer, from: number, to: number): Name {
    let hash = to - from;
    for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + (octets[at] ?? 0)) | 0;
    const known = this.#byHash.get(hash);
    if (known !== undefined && known.octets.compare(octets, from, to) === 0) return known;
    const written = octets.toString("utf8", from, to);
    const [, prefix, local] = namePattern.exec(written) ?? [];
    if (local === undefined) throw malformed();
    const name = { written, prefix, local, octets: Buffer.from(written) };
    this.#byHash.set(hash, name);
    return name;
  }
}

/** An element whose end has not come. */
interface Open {
  readonly name: Name;
  /** Prefixes that it declares. */
  readonly declares: readonly string[];
  readonly element: Growing;
}

type Attributes = ReadonlyMap<Name, string>;

interface Growing extends XmlElement {
  children: readonly XmlElement[];
  text: string;
}

/**
 * Reads a document; yields after each slice.
 * @throws XmlRefusal for octets that are not a well-formed document within the budget.
 */
export function* readDocument(
  octets: Uint8Array,
  budget: XmlBudget,
): Generator<void, XmlElement, void> {
  const reader = new Reader(octets, budget);
  let sliceEnd = sliceBytes;
  while (reader.advance()) {
    if (reader.at < sliceEnd) continue;
    sliceEnd = reader.at + sliceBytes;
    yield;
  }
  return reader.root();
}

class Reader {
  at = 0;
  readonly #octets: Buffer;
  readonly #start: number;
  readonly #budget: XmlBudget;
  readonly #open: Open[] = [];
  readonly #names = new Names();
  /** Prefixes in scope, with the number of elements that declare each. */
  readonly #prefixes = new Map([["xml", 1]]);
  #root: XmlElement | undefined;

  constructor(octets: Uint8Array, budget: XmlBudget) {
    this.#octets = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
    this.#budget = budget;
    if (!isAllowed(this.#octets)) throw malformed();
    const isMarked = byteOrderMark.equals(this.#octets.subarray(0, byteOrderMark.length));
    this.#start = isMarked ? byteOrderMark.length : 0;
    this.at = this.#start;
  }

  root(): XmlElement {
    if (this.#root === undefined || this.#open.length > 0) throw malformed();
    return this.#root;
  }

  /** Reads up to the end of the next piece of markup; returns false at the end of the document. */
  advance(): boolean {
    const octets = this.#octets;
    const from = this.at;
    const found = octets.indexOf(mark.less, from);
    const to = found < 0 ? octets.length : found;
    if (to > from) this.#text(from, to);
    this.at = to;
    if (found < 0) return false;
    const next = octets[to + 1];
    if (next === mark.slash) this.#endTag();
    else {
      this.#budget.elements -= 1;
      if (this.#budget.elements < 0) throw new XmlRefusal("the reply has too many elements");
      if (next === mark.exclamation) this.#section();
      else if (next === mark.query) this.#instruction();
      else this.#startTag();
    }
    return true;
  }

  #text(from: number, to: number): void {
    const open = this.#open.at(-1);
    const octets = this.#octets;
    if (isBlank(octets[from]) && (open === undefined || open.element.text === "")) {
      let first = from;
      while (first < to && isBlank(octets[first])) first += 1;
      if (first === to) return;
    }
    if (open === undefined) throw malformed();
    const text = unixText(octets, from, to);
    if (text.includes("]]>")) throw malformed();
    open.element.text += this.#resolved(text);
  }

  #endTag(): void {
    this.at += 2;
    const { written } = this.#name();
    this.#skipBlanks();
    const open = this.#open.pop();
    if (open?.name.written !== written) throw malformed();
    this.#expect(mark.greater);
    this.#leave(open.declares, open.element);
  }

  #startTag(): void {
    this.at += 1;
    const name = this.#name();
    const attributes = this.#attributesOf();
    const declares = attributes === undefined ? noPrefixes : this.#declared(attributes);
    const element: Growing = {
      name: name.local,
      attributes: attributes === undefined ? noAttributes : this.#local(attributes),
      children: none,
      text: "",
    };
    this.#checkPrefix(name);
    const parent = this.#open.at(-1)?.element;
    if (parent === undefined) {
      if (this.#root !== undefined) throw malformed();
      this.#root = element;
    } else if (parent.children === none) parent.children = [element];
    else (parent.children as XmlElement[]).push(element);
    const isEmpty = this.#octets[this.at] === mark.slash;
    if (isEmpty) this.at += 1;
    this.#expect(mark.greater);
    if (this.#open.length >= this.#budget.depth) {
      throw new XmlRefusal("the reply is nested too deeply");
    }
    if (isEmpty) this.#leave(declares, element);
    else this.#open.push({ name, declares, element });
  }

  #leave(declares: readonly string[], element: Growing): void {
    element.text = element.text.trim();
    for (const prefix of declares) {
      this.#prefixes.set(prefix, (this.#prefixes.get(prefix) ?? 1) - 1);
    }
  }

  /** Returns the attributes of a tag; undefined = there are none. */
  #attributesOf(): Attributes | undefined {
    let found: Map<Name, string> | undefined;
    let written: Set<string> | undefined;
    for (;;) {
      const hadBlank = this.#skipBlanks();
      const next = this.#octets[this.at];
      if (next === mark.greater || next === mark.slash) return found;
      if (!hadBlank) throw malformed();
      this.#budget.attributes -= 1;
      if (this.#budget.attributes < 0) throw new XmlRefusal("the reply has too many attributes");
      const name = this.#name();
      this.#skipBlanks();
      this.#expect(mark.equals);
      this.#skipBlanks();
      found ??= new Map();
      written ??= new Set();
      if (written.has(name.written)) throw malformed();
      written.add(name.written);
      found.set(name, this.#value());
    }
  }

  #value(): string {
    const quote = this.#octets[this.at];
    if (quote !== mark.quote && quote !== mark.apostrophe) throw malformed();
    const from = this.at + 1;
    const end = this.#octets.indexOf(quote, from);
    if (end < 0) throw malformed();
    if (end - from > valueBytesMax) throw new XmlRefusal("the reply has too long an attribute");
    this.at = end + 1;
    const text = unixText(this.#octets, from, end, "value");
    if (text.includes("<")) throw malformed();
    return this.#resolved(text);
  }

  /** Replaces references by their characters. */
  #resolved(text: string): string {
    for (let at = text.indexOf("&"); at >= 0; at = text.indexOf("&", at + 1)) {
      this.#budget.references -= 1;
      if (this.#budget.references < 0) throw new XmlRefusal("the reply has too many references");
    }
    return resolved(text);
  }

  /** Returns the prefixes that these attributes declare, which are in scope from now on. */
  #declared(attributes: Attributes): readonly string[] {
    let prefixes: string[] | undefined;
    for (const [{ prefix: kind, local: prefix }, value] of attributes) {
      if (kind !== "xmlns") continue;
      // Namespaces in XML 1.0, 2.2 and 3: a prefix cannot be taken back, and two are reserved.
      if (value === "" || prefix === "xml" || prefix === "xmlns") throw malformed();
      this.#prefixes.set(prefix, (this.#prefixes.get(prefix) ?? 0) + 1);
      prefixes ??= [];
      prefixes.push(prefix);
    }
    return prefixes ?? noPrefixes;
  }

  /** Returns the attributes without prefixes and without namespaces. */
  #local(attributes: Attributes): ReadonlyMap<string, string> {
    const local = new Map<string, string>();
    for (const [name, value] of attributes) {
      if (name.written === "xmlns" || name.prefix === "xmlns") continue;
      this.#checkPrefix(name);
      // The attribute of the document itself counts, not one of another namespace.
      if (name.prefix === undefined || !local.has(name.local)) local.set(name.local, value);
    }
    return local;
  }

  #checkPrefix({ prefix }: Name): void {
    if (prefix !== undefined && (this.#prefixes.get(prefix) ?? 0) === 0) throw malformed();
  }

  /** Comments and CDATA. */
  #section(): void {
    const from = this.at;
    if (this.#octets.toString("latin1", from, from + 4) === "<!--") {
      const end = this.#octets.indexOf("--", from + 4);
      if (end < 0 || this.#octets[end + 2] !== mark.greater) throw malformed();
      this.at = end + 3;
      return;
    }
    if (this.#octets.toString("latin1", from, from + 9) !== "<![CDATA[") {
      // RFC 6241 3: no document type declaration.
      throw new XmlRefusal("the reply declares a document type");
    }
    const end = this.#octets.indexOf("]]>", from + 9);
    const open = this.#open.at(-1);
    if (end < 0 || open === undefined) throw malformed();
    open.element.text += unixText(this.#octets, from + 9, end);
    this.at = end + 3;
  }

  /** Processing instructions, of which the declaration of XML is one, are read and dropped. */
  #instruction(): void {
    const isFirst = this.at === this.#start;
    this.at += 2;
    const end = this.#octets.indexOf("?>", this.at);
    if (end < 0) throw malformed();
    const octets = this.#octets.subarray(this.at, end);
    const blank = octets.findIndex(isBlank);
    const target = octets.subarray(0, blank < 0 ? octets.length : blank);
    // Namespaces in XML 1.0, section 7: the target of an instruction has no colon.
    if (target.includes(":")) throw malformed();
    if (target.toString("latin1").toLowerCase() !== "xml") this.#names.at(target, 0, target.length);
    else if (!isFirst || !isDeclaration(octets.toString("utf8", target.length))) throw malformed();
    this.at = end + 2;
  }

  #name(): Name {
    const from = this.at;
    const { length } = this.#octets;
    while (this.at < length && endsName[this.#octets[this.at] ?? 0] === 0) this.at += 1;
    return this.#names.at(this.#octets, from, this.at);
  }

  #skipBlanks(): boolean {
    const from = this.at;
    while (isBlank(this.#octets[this.at])) this.at += 1;
    return this.at > from;
  }

  #expect(octet: number): void {
    if (this.#octets[this.at] !== octet) throw malformed();
    this.at += 1;
  }
}

/** XML 1.0 2.8: returns whether the text is that of a declaration, of a document in UTF-8. */
function isDeclaration(text: string): boolean {
  const found = declaration.exec(text)?.groups;
  return found !== undefined && /^(utf-8|us-ascii)$/i.test(found["encoding"] ?? "utf-8");
}

/** Returns whether the octets contain no character that a document cannot have. */
function isAllowed(octets: Buffer): boolean {
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at] ?? 0;
    if (octet < mark.space && !isBlank(octet)) return false;
  }
  return !octets.includes("\u{fffe}") && !octets.includes("\u{ffff}");
}

/**
 * Returns a text in which every end of a line is one line feed (XML 1.0 2.11); in the value of an
 * attribute it is a space, as every blank that is not written as a reference (3.3.3). Octet by
 * octet: to replace millions of characters of a string takes 200 MB.
 */
function unixText(octets: Buffer, from: number, to: number, kind?: "value"): string {
  const raw = octets.subarray(from, to);
  const isValue = kind === "value";
  const others = isValue ? [mark.carriageReturn, mark.lineFeed, mark.tab] : [mark.carriageReturn];
  if (!others.some((other) => raw.includes(other))) return raw.toString("utf8");
  const changed = Buffer.alloc(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const octet = raw[at] ?? 0;
    if (octet === mark.lineFeed && raw[at - 1] === mark.carriageReturn) continue;
    const end = octet === mark.carriageReturn ? mark.lineFeed : octet;
    changed[length] = isValue && isBlank(end) ? mark.space : end;
    length += 1;
  }
  return changed.toString("utf8", 0, length);
}

/** Replaces references by their characters. */
function resolved(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&]{0,40};)?/g, (_whole, name: string | undefined) => {
    if (name === undefined) throw malformed();
    return characterOf(name.slice(0, -1));
  });
}

/** XML 1.0 2.2: a character that no document may contain, however it is written. */
export const forbidden = /[^\t\n\r\x20-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

function characterOf(reference: string): string {
  const named = entities.get(reference);
  if (named !== undefined) return named;
  const [, decimal, hexadecimal] = /^#(?:(\d{1,10})|x([0-9A-Fa-f]{1,8}))$/.exec(reference) ?? [];
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number(decimal);
  if (Number.isNaN(code) || code > 0x10_ffff) throw malformed();
  const character = String.fromCodePoint(code);
  if (forbidden.test(character)) throw malformed();
  return character;
}

function malformed(): XmlRefusal {
  return new XmlRefusal("the reply is not well-formed XML");
}
