// A configuration of IOS XR as lines inside of lines, and the words that are known at each place.

export interface Block {
  readonly line: string;
  children: Block[];
}

interface Rule {
  readonly inside: string;
  readonly words: RegExp;
  /** As many first words name the thing: another line with the same takes its place. */
  readonly named: number;
  /** The mode that the line leads into. */
  readonly opens?: string;
}

const name = String.raw`[\w.:/-]{1,64}`;
const hex = "[0-9A-Fa-f]{2,64}";
const rule = (inside: string, words: string, named: number, opens?: string): Rule => ({
  inside,
  words: new RegExp(`^${words}$`),
  named,
  ...(opens === undefined ? {} : { opens }),
});

const date = String.raw`\d{2}:\d{2}:\d{2} \w+ \d{1,2} \d{4}`;
const suite = "GCM-AES-(?:XPN-)?(?:128|256)";
const rules: readonly Rule[] = [
  rule("", `hostname ${name}`, 1),
  rule("", String.raw`aaa [\w -]+`, 3),
  rule("", `interface ${name}`, 2, "if"),
  rule("if", ".*description .*", 1),
  rule("if", String.raw`mtu \d+`, 1),
  rule("if", String.raw`ipv4 address [\d.]+ [\d.]+`, 2),
  rule("if", "shutdown", 1),
  rule("if", `macsec psk-keychain ${name}(?: fallback-psk-keychain ${name})? policy ${name}`, 2),
  rule("", String.raw`macsec-policy [\w-]{1,16}`, 2, "macsec-policy"),
  rule("macsec-policy", `cipher-suite ${suite}`, 1),
  rule("macsec-policy", "conf-offset CONF-OFFSET-(?:0|30|50)", 1),
  rule("macsec-policy", "security-policy (?:must|should)-secure", 1),
  rule("macsec-policy", String.raw`key-server-priority \d{1,3}`, 1),
  rule("macsec-policy", String.raw`window-size \d{1,4}`, 1),
  rule("macsec-policy", String.raw`sak-rekey-interval seconds \d{2,7}`, 1),
  rule("", `key chain ${name}`, 3, "chain"),
  rule("chain", "timezone (?:gmt|local)", 1),
  rule("chain", "macsec", 1, "chain-MacSec"),
  rule("chain-MacSec", `key ${hex}`, 2, "chain-MacSec-key"),
  rule(
    "chain-MacSec-key",
    `key-string (?:password6? )?${hex} cryptographic-algorithm aes-(?:128|256)-cmac`,
    1,
  ),
  rule("chain-MacSec-key", String.raw`lifetime ${date} (?:infinite|duration \d+|${date})`, 1),
  rule("", String.raw`router bgp \d+`, 3, "bgp"),
  rule("bgp", "address-family ipv4 unicast", 3, "bgp-af"),
  rule("bgp", `neighbor ${name}`, 2, "bgp-nbr"),
  rule("bgp-nbr", String.raw`remote-as \d+`, 1),
  rule("bgp-nbr", `password encrypted ${hex}`, 1),
  rule("bgp-nbr", "shutdown", 1),
  rule("bgp-nbr", "graceful-maintenance", 1, "nbr-gshut"),
  rule("nbr-gshut", "activate", 1),
  rule("nbr-gshut", String.raw`local-preference \d+`, 1),
  rule("nbr-gshut", "as-prepends [0-6]", 1),
  rule("bgp-nbr", "address-family ipv4 unicast", 3, "bgp-nbr-af"),
  rule("bgp-nbr-af", `route-policy ${name} (?:in|out)`, 3),
];

export const block = (line: string, ...children: Block[]): Block => ({ line, children });

export function cloneBlocks(blocks: readonly Block[]): Block[] {
  return blocks.map(({ line, children }) => ({ line, children: cloneBlocks(children) }));
}

/** Where a session stands in its candidate. */
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
export function enter(root: Block[], at: Place, line: string): Place | undefined {
  const isNo = line.startsWith("no ");
  const text = isNo ? line.slice(3) : line;
  for (let place: Place | undefined = at; place !== undefined; place = parentOf(place)) {
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

function put(blocks: Block[], line: string, { named }: Rule): void {
  const head = (text: string): string => text.split(" ").slice(0, named).join(" ");
  const at = blocks.findIndex((one) => head(one.line) === head(line));
  const before = blocks[at];
  if (before === undefined) blocks.push(block(line));
  else if (before.line !== line) blocks[at] = block(line, ...before.children);
}

export function parentOf({ path }: Place): Place | undefined {
  if (path.length === 0) return undefined;
  const above = path.slice(0, -1);
  let mode = "";
  for (const line of above) {
    const inside = mode;
    mode = rules.find((one) => one.inside === inside && one.words.test(line))?.opens ?? "";
  }
  return { mode, path: above };
}

/** As `show running-config` prints it: keys in their other form. */
export function printBlocks(blocks: readonly Block[], depth = 0): readonly string[] {
  const indent = " ".repeat(depth);
  return blocks.flatMap(({ line, children }) => {
    const shown = line.replace(
      /^(key-string) ([0-9A-Fa-f]+)/,
      (_, word: string, digits: string) => `${word} password ${obfuscated(digits)}`,
    );
    if (children.length === 0 && depth > 0) return [`${indent}${shown}`];
    return [`${indent}${shown}`, ...printBlocks(children, depth + 1), `${indent}!`];
  });
}

/** Reversible, as the form is that the routers print. */
function obfuscated(digits: string): string {
  const octets = Buffer.from(digits).map((octet, index) => octet ^ (0x35 + (index % 11)));
  return `08${Buffer.from(octets).toString("hex").toUpperCase()}`;
}

export const childOf = (blocks: readonly Block[] | undefined, line: string): Block | undefined =>
  blocks?.find((one) => one.line === line);

/** The rest of the first line that begins with the words. */
export function restOf(blocks: readonly Block[] | undefined, words: string): string | undefined {
  return blocks?.find(({ line }) => line.startsWith(`${words} `))?.line.slice(words.length + 1);
}
