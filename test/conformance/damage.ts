// Damage to what a router answers, between the router and the driver: rows of a command line and
// elements of NETCONF are lost, repeated, moved and garbled; framing and prompts stay, so that the
// driver reads on.

import type { Prng } from "#sim/base/prng.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { dirts } from "../unit/drivers/dirty-answers.ts";

type Connect = (wire: Wire) => EmulatorSession | undefined;

/** Rows that another process of a router prints between those of a reply. */
const strays = [
  "*Nov 29 02:10:11.123: %SYS-5-CONFIG_I: Configured from console by admin on vty0",
  "RP/0/RP0/CPU0:Nov 29 02:10:11.123 UTC: config[65874]: %MGBL-CONFIG-6-DB_COMMIT : committed",
  "-- ",
  "\x1b[31mSecured\x1b[0m",
  "\0\0\0",
  "\u{85}\u{9b}2J\u{202e}",
  "Secured",
  "9".repeat(400),
  "x".repeat(4_000),
];

const marks = ["\u{fffd}", "%", "?", "~", "\u{202e}", "#"];

type DirtName = keyof typeof dirts;
/** Kinds that leave a row which the router itself could have printed are not damage to a row. */
const rowKinds = Object.keys(dirts).filter((kind) => kind !== "rowCut") as readonly DirtName[];

/**
 * Kinds for a configuration: one without a row of it, or with a statement that no reader knows, is
 * a configuration that the router may have as well, and nothing in it says how long it is.
 */
const configKinds = ["rowTwice", "rowBroken", "foreignRow"] as const;
const configRow = /^ ?(?:interface |router bgp|route-map |mka policy|key chain|macsec)|"cmds":/;
const configXml = /<configuration[ >]/;

const isConfig = (rows: readonly string[]): boolean => rows.some((row) => configRow.test(row));

/** A router without a session has none of these rows; nothing says how many there are. */
const isList = (rows: readonly string[]): boolean =>
  rows.some((row) => row.startsWith("Current Configuration Session"));

function damagedRows(prng: Prng, rows: readonly string[], others: readonly string[]): string[] {
  let damaged = [...rows];
  const kinds: readonly DirtName[] = isConfig(rows) || isList(rows) ? configKinds : rowKinds;
  const foreign = isConfig(rows) ? strays : others;
  for (let count = prng.between(1, 3); count > 0 && damaged.length > 0; count -= 1) {
    const at = prng.between(0, damaged.length - 1);
    const change = { rows: damaged, at, amount: prng.between(0, 10_000), foreign };
    damaged = [...dirts[prng.pick(kinds)](change)];
  }
  return damaged;
}

interface Block {
  readonly start: number;
  readonly end: number;
}

/** Finds every element with an end, and the blank-free text of leaves among them. */
function blocksIn(xml: string): readonly Block[] {
  const open: number[] = [];
  const blocks: Block[] = [];
  for (const { 0: tag, index } of xml.matchAll(/<(\/?)[\w:.-]+[^<>]*?(\/?)>/g)) {
    if (tag.startsWith("</")) {
      const start = open.pop();
      if (start !== undefined) blocks.push({ start, end: index + tag.length });
    } else if (!tag.endsWith("/>")) open.push(index);
  }
  // The reply itself stays.
  return blocks.slice(0, -1);
}

const xmlKinds = {
  lost: () => "",
  twice: (block: string) => block + block,
  wrapped: (block: string) => `<x>${block}</x>`,
  renamed: (block: string) => {
    const [, name = "x"] = /^<([\w:.-]+)/.exec(block) ?? [];
    return `<y${block.slice(1, -name.length - 1)}y${name}>`;
  },
  emptied: (block: string) => block.replace(/>[\s\S]*</, "><"),
  garbled: (block: string, prng: Prng) => {
    const mark = prng.pick(marks);
    return block.replace(/>([^<>]+)</, (_whole, text: string) => {
      const at = prng.between(0, text.length);
      return `>${text.slice(0, at)}${mark}${text.slice(at)}<`;
    });
  },
  commented: (block: string) => block.replace(">", "><!-- Secured -->"),
  strayed: (block: string, prng: Prng) =>
    block.replace(">", () => `>${prng.pick(["<z>Secured</z>", "<z/>", "text "])}`),
} as const;

type XmlKind = keyof typeof xmlKinds;
const allXmlKinds = Object.keys(xmlKinds) as readonly XmlKind[];
const xmlListKinds: readonly XmlKind[] = ["twice", "garbled", "commented", "strayed"];
/** Nothing in them says how many entries they have: one that is lost leaves another list. */
const xmlList = /<configuration>|<route-information>/;

function damagedXml(prng: Prng, xml: string): string {
  let damaged = xml;
  for (let count = prng.between(1, 3); count > 0; count -= 1) {
    const blocks = blocksIn(damaged);
    if (blocks.length === 0) return damaged;
    const { start, end } = prng.pick(blocks);
    const kind = prng.pick(xmlList.test(xml) ? xmlListKinds : allXmlKinds);
    const other = xmlKinds[kind](damaged.slice(start, end), prng);
    damaged = damaged.slice(0, start) + other + damaged.slice(end);
  }
  return damaged;
}

/** Damages replies while it is on. */
export class Damage {
  readonly #prng: Prng;
  /** Replies until the next one that is damaged; undefined = none is. */
  #left: number | undefined;
  #rows: readonly string[] = strays;
  /** Number of replies that were damaged. */
  done = 0;
  /** Those since `begin`. */
  replies: string[] = [];
  /** Whether a configuration is among them. */
  config: "damaged" | "whole" = "whole";

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** Damages one of the next replies, and a few more. */
  begin(): void {
    this.replies = [];
    this.config = "whole";
    this.#left = this.#prng.between(0, 12);
  }

  end(): void {
    this.#left = undefined;
  }

  /** Returns a way to the same router whose replies pass through here. */
  over(connect: Connect): Connect {
    return (wire) =>
      connect({
        send: (octets) => wire.send(this.#passed(Buffer.from(octets))),
        close: () => wire.close(),
      });
  }

  #passed(octets: Buffer): Buffer {
    const text = octets.toString("utf8");
    if (/<hello\b/.test(text)) return octets;
    const [, chunk] = /^\n#\d+\n([\s\S]*)\n##\n$/.exec(text) ?? [];
    const [, marked] = /^([\s\S]*)\]\]>\]\]>$/.exec(text) ?? [];
    const xml = chunk ?? marked;
    if (xml !== undefined) {
      if (!this.#isDue()) return octets;
      if (configXml.test(xml)) this.config = "damaged";
      const damaged = this.#noted(damagedXml(this.#prng, xml));
      return chunk === undefined ? Buffer.from(`${damaged}]]>]]>`) : framed(damaged);
    }
    const rows = text.split("\r\n");
    const prompt = rows.pop() ?? "";
    if (!/[#>] ?$/.test(prompt) || rows.length === 0) return octets;
    const others = this.#rows;
    // Rows of an earlier reply turn up in this one.
    this.#rows = [...strays, ...rows];
    if (!this.#isDue()) return octets;
    if (isConfig(rows)) this.config = "damaged";
    const damaged = [...damagedRows(this.#prng, rows, others), prompt].join("\r\n");
    return Buffer.from(this.#noted(damaged));
  }

  #noted(reply: string): string {
    this.replies.push(reply);
    return reply;
  }

  #isDue(): boolean {
    if (this.#left === undefined) return false;
    const isChosen = this.#left === 0;
    this.#left -= 1;
    if (!isChosen && !this.#prng.chance(0.03)) return false;
    this.done += 1;
    return true;
  }
}

function framed(xml: string): Buffer {
  const octets = Buffer.from(xml);
  return Buffer.concat([Buffer.from(`\n#${octets.length}\n`), octets, Buffer.from("\n##\n")]);
}
