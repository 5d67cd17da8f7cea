// XML as a simulated router reads and writes it: the subset that requests need; everything else is
// refused.

export interface XmlNode {
  /** The name without its prefix. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  readonly text: string;
}

/** Attributes and parts of an element that is written: text is escaped, elements are not. */
export type Markup = { readonly markup: string };

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function unescapeXml(text: string): string {
  return text.replace(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, name: string) => {
    if (name.startsWith("#x")) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith("#")) return String.fromCodePoint(Number(name.slice(1)));
    const known = entities[name];
    if (known === undefined) throw new SyntaxError(`unknown entity ${whole}`);
    return known;
  });
}

/** Writes an element: `tag("a", "text", tag("b"))`; the name may carry attributes. */
export function tag(name: string, ...parts: readonly (string | number | Markup)[]): Markup {
  const inner = parts
    .map((part) => (typeof part === "object" ? part.markup : escapeXml(String(part))))
    .join("");
  const [plain = name] = name.split(" ");
  return { markup: inner === "" ? `<${name}/>` : `<${name}>${inner}</${plain}>` };
}

interface Open {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlNode[];
  text: string;
}

const localName = (name: string): string => name.slice(name.indexOf(":") + 1);

const attribute = String.raw`\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*')`;
const pattern = new RegExp(
  [
    String.raw`<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>`,
    String.raw`<\/([\w:.-]+)\s*>`,
    String.raw`<([\w:.-]+)((?:${attribute})*)\s*(\/?)>`,
    "([^<]+)",
  ].join("|"),
  "y",
);

/**
 * Parses a document.
 * @throws SyntaxError
 */
export function parseXml(text: string): XmlNode {
  const stack: Open[] = [{ name: "", attributes: new Map(), children: [], text: "" }];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found === null) throw new SyntaxError("no XML");
    const [, cdata, end, start, attributes = "", slash, plain] = found;
    const top = stack.at(-1);
    if (top === undefined) throw new SyntaxError("no root");
    if (cdata !== undefined) top.text += cdata;
    else if (plain !== undefined) top.text += unescapeXml(plain);
    else if (start !== undefined) {
      const name = localName(start);
      const opened: Open = { name, attributes: readAttributes(attributes), children: [], text: "" };
      if (slash === "/") top.children.push(opened);
      else stack.push(opened);
    } else if (end !== undefined) {
      const parent = stack.at(-2);
      if (parent === undefined || localName(end) !== top.name) throw new SyntaxError("no match");
      stack.pop();
      parent.children.push({ ...top, text: top.text.trim() });
    }
  }
  const [root] = stack;
  const [only] = root?.children ?? [];
  if (stack.length !== 1 || only === undefined || root?.children.length !== 1) {
    throw new SyntaxError("not one root");
  }
  return only;
}

function readAttributes(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g);
  return new Map(
    [...found].map(([, name = "", double, single]) => [
      localName(name),
      unescapeXml(double ?? single ?? ""),
    ]),
  );
}

export function child(node: XmlNode | undefined, ...path: readonly string[]): XmlNode | undefined {
  return path.reduce<XmlNode | undefined>(
    (at, name) => at?.children.find((one) => one.name === name),
    node,
  );
}

export function childText(
  node: XmlNode | undefined,
  ...path: readonly string[]
): string | undefined {
  return child(node, ...path)?.text;
}
