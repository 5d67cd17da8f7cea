// libxml2 reads documents a second time: what our reader accepts must mean the same to it, and what
// it accepts ours must accept, except where RFC 6241 forbids it.

import { type XmlElement as Node, XmlCData, XmlDocument, XmlElement, XmlText } from "libxml2-wasm";
import { describe, expect, it } from "vitest";
import { type XmlElement as Element, readXml } from "#drivers/transport/xml.ts";
import { LinksealError } from "#hal/error.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "second reading of XML";
const runs = effort(5_000, 500_000);

function bySecond(node: Node): Element {
  const children: Element[] = [];
  let text = "";
  for (let child = node.firstChild; child !== null; child = child.next) {
    if (child instanceof XmlElement) children.push(bySecond(child));
    else if (child instanceof XmlText || child instanceof XmlCData) text += child.content;
  }
  const attributes = new Map(node.attrs.map(({ name, value }) => [name, value]));
  return { name: node.name, attributes, children, text: text.trim() };
}

function secondReading(text: string): Element | undefined {
  let document: XmlDocument;
  try {
    document = XmlDocument.fromString(text);
  } catch {
    return undefined;
  }
  try {
    return bySecond(document.root);
  } finally {
    document.dispose();
  }
}

async function firstReading(text: string): Promise<Element | undefined> {
  try {
    return await readXml(new TextEncoder().encode(text), "edge-a");
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

const names = ["a", "b", "rpc-reply", "x:c", "é", "_d.1", "ns0:e-f"];
const values = [
  "",
  "t",
  " two  words ",
  "&amp;&lt;&#65;&#x1F512;",
  "a\r\nb\rc\td",
  "&apos;&quot;&gt;",
  "\u{202e}é\u{1f512}",
  "]]&gt;",
];
const breaks = [
  "<",
  ">",
  "/>",
  "</a>",
  "<a>",
  "&",
  "&no;",
  "&#0;",
  "&#xD800;",
  "]]>",
  "<!--",
  "-->",
  "<!-- -- -->",
  "<![CDATA[",
  "<?xml version='1.0'?>",
  '"',
  "'",
  "=",
  " b=''",
  "x:",
  "\0",
  "\u{ffff}",
  "\u{85}",
  "<1/>",
  "<a b=c/>",
  "<a b='1' b='2'/>",
  "<a xmlns:q=''/>",
];

function contentOf(prng: Prng, depth: number): string {
  let content = "";
  for (let count = prng.between(0, 4); count > 0; count -= 1) {
    const kind = prng.between(0, 4);
    if (kind === 0) content += `<!-- ${prng.pick(["", "a>b", "<c>"])} -->`;
    else if (kind === 1) content += `<![CDATA[${prng.pick(["<c>", "&amp;", "]]", "\r\n"])}]]>`;
    else if (kind === 2 || depth === 0) content += prng.pick(values);
    else content += elementOf(prng, depth - 1);
  }
  return content;
}

function elementOf(prng: Prng, depth: number, more = ""): string {
  const name = prng.pick(names);
  const quote = prng.pick(["'", '"']);
  const attributes = ["p", "x:q", "message-id"]
    .filter(() => prng.chance(0.4))
    .map((each) => {
      const value = prng.pick(values).replaceAll(/["']/g, "");
      const [blank, sign] = [prng.pick([" ", "\n", "  "]), prng.pick(["=", " = "])];
      return `${blank}${each}${sign}${quote}${value}${quote}`;
    });
  const tag = `${name}${more}${attributes.join("")}`;
  if (prng.chance(0.2)) return `<${tag}${prng.pick(["", " "])}/>`;
  return `<${tag}>${contentOf(prng, depth)}</${name}${prng.pick(["", " ", "\n"])}>`;
}

function documentOf(prng: Prng): string {
  const declaration = prng.pick([
    "",
    "",
    '<?xml version="1.0"?>',
    "<?xml version='1.0' encoding='UTF-8'?>\n",
    '<?xml version="1.0" encoding="utf-8" standalone="yes" ?>',
  ]);
  const around = (): string => prng.pick(["", "", "\n", "<!-- a -->", "<?p?>"]);
  const prefixes = ' xmlns:x="urn:x" xmlns:ns0="urn:y" xmlns="urn:z"';
  // The second reader stumbles over an instruction inside the root.
  return `${declaration}${around()}${elementOf(prng, 4, prefixes)}${around()}`;
}

function broken(prng: Prng, whole: string): string {
  let text = whole;
  // The second reader refuses a namespace that is no URI, which is no matter of XML.
  const last = 'xmlns="urn:z"';
  const from = whole.indexOf(last) + last.length;
  for (let count = prng.between(0, 2); count > 0; count -= 1) {
    const at = prng.between(Math.min(from, text.length), text.length);
    const to = Math.min(text.length, at + prng.between(0, 6));
    text = text.slice(0, at) + (prng.chance(0.7) ? prng.pick(breaks) : "") + text.slice(to);
  }
  // Half of a pair cannot be written as UTF-8.
  return text.toWellFormed();
}

describe("a second reading of XML", () => {
  it("a second reading of any document finds the same as the first", async () => {
    console.log(`XML: LINKSEAL_SEED=${seed}, ${runs} documents`);
    const prng = new Prng(seed);
    const counts = { both: 0, neither: 0 };
    for (let run = 0; run < runs; run += 1) {
      const text = broken(prng, documentOf(prng));
      const [first, second] = [await firstReading(text), secondReading(text)];
      expect(first, JSON.stringify(text)).toEqual(second);
      counts[first === undefined ? "neither" : "both"] += 1;
    }
    console.log(`XML: ${JSON.stringify(counts)}`);
    expect(counts.both).toBeGreaterThan(runs / 5);
    expect(counts.neither).toBeGreaterThan(runs / 5);
  });
});
