// Makes a manual page, man(7), of a reference page. It knows only the Markdown that our own
// references use.

import { version } from "#agent/model/version.ts";

export interface ManualHead {
  readonly name: string;
  readonly section: 1 | 5;
  /** How it is called, or where it is found; as Markdown. */
  readonly synopsis: string;
  /** One line for apropos(1). */
  readonly what: string;
}

export function manual(markdown: string, { name, section, what, synopsis }: ManualHead): string {
  const head = [
    `.TH ${name.toUpperCase()} ${section} "" "linkseal ${version}"`,
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(what)}`,
    ".SH SYNOPSIS",
    inline(synopsis),
    ".SH DESCRIPTION",
  ];
  const lines = [...head, ...bodyLines(markdown)];
  // A heading begins a paragraph by itself.
  const isSpare = (line: string, before: string): boolean =>
    line === ".PP" && /^\.(S[HS]|RS)\b/.test(before);
  return `${lines.filter((line, at) => !isSpare(line, lines[at - 1] ?? "")).join("\n")}\n`;
}

/** The parts below a heading of level 4 are indented. */
function bodyLines(markdown: string): readonly string[] {
  const lines: string[] = [];
  let indented = false;
  for (const block of blocksOf(markdown)) {
    const heading = /^(#{2,4}) (.*)$/.exec(block);
    if (heading === null) {
      lines.push(...blockLines(block));
      continue;
    }
    if (indented) lines.push(".RE");
    const [, { length: level } = "", text = ""] = heading;
    indented = level === 4;
    lines.push(...headingLines(level, text));
  }
  return indented ? [...lines, ".RE"] : lines;
}

function headingLines(level: number, text: string): readonly string[] {
  if (level === 4) return [".PP", inline(text), ".RS 4"];
  if (level === 3) return [`.SS ${quoted(inline(text))}`];
  return [`.SH ${quoted(inline(text.includes("`") ? text : text.toUpperCase()))}`];
}

/** Splits the text at empty lines; a fenced block stays whole whatever it contains. */
function blocksOf(markdown: string): readonly string[] {
  const blocks: string[] = [];
  let open: string[] = [];
  let fenced = false;
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    if (line === "" && !fenced) {
      blocks.push(open.join("\n"));
      open = [];
    } else open.push(line);
  }
  return [...blocks, open.join("\n")].filter((block) => block !== "" && !block.startsWith("<!--"));
}

function blockLines(block: string): readonly string[] {
  const lines = block.split("\n");
  const [first = ""] = lines;
  // The title of the page is set by .TH.
  if (first.startsWith("# ")) return [];
  if (first.startsWith("```")) return [".PP", ".nf", ...lines.slice(1, -1).map(escaped), ".fi"];
  if (first.startsWith("| ")) return tableLines(lines);
  if (first.startsWith("- ")) return itemsOf(lines).flatMap(itemLines);
  return [".PP", ...lines.map(inline)];
}

function itemsOf(lines: readonly string[]): readonly string[] {
  return lines
    .join("\n")
    .slice(2)
    .split("\n- ")
    .map((item) => item.replace(/\n */g, " "));
}

/** An option or a setting with its explanation is a tagged paragraph. */
function itemLines(item: string): readonly string[] {
  const [, tag, text = ""] = /^(`[^`]+`): (.*)$/s.exec(item) ?? [];
  return tag === undefined ? [".IP \\(bu 2", inline(item)] : [".TP", inline(tag), inline(text)];
}

/** Makes a paragraph of each row under its first cell: terminals are narrower than our tables. */
function tableLines([head = "", , ...rows]: readonly string[]): readonly string[] {
  const names = cellsOf(head);
  return rows.flatMap((row) => {
    const [first = "", ...rest] = cellsOf(row);
    const formatted = rest.flatMap((cell, index) => {
      const name = rest.length === 1 ? "" : `${names[index + 1] ?? ""}: `;
      return cell === "" ? [] : [`${name}${inline(cell)}`, ".br"];
    });
    return [".TP", inline(first), ...formatted.slice(0, -1)];
  });
}

function cellsOf(row: string): readonly string[] {
  const cells = row.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Shows code in bold, and links by their text. */
function inline(text: string): string {
  const plain = text.replace(/\[([^\]]+)\]\([^)]+\)/g, "$1");
  const parts = plain.split("`").map((part, at) => {
    return at % 2 === 1 ? `\\fB${backslashed(part)}\\fR` : backslashed(part);
  });
  return guarded(parts.join(""));
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', "\\(dq")}"`;
}

function escaped(text: string): string {
  return guarded(backslashed(text));
}

function backslashed(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

// Protects a line that begins with a dot or a quote, which roff would take for a request.
function guarded(text: string): string {
  return /^[.']/.test(text) ? `\\&${text}` : text;
}
