// Text for the width of a terminal. A pipe gets whole lines, so that scripts find what they search.

import { shownWidth } from "../model/text.ts";

/** Terminals below this width are not believed. */
const columnsMin = 20;

/** Returns the columns of the terminal at standard output; undefined = it is a pipe or a file. */
export function terminalColumns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/**
 * Breaks lines that are too long, between cells where there are some and else between words, and
 * indents what follows. A line with a command stays whole, because an operator copies it.
 */
export function fitted(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < columnsMin) return text;
  return text
    .split("\n")
    .flatMap((line) => (fits(line, columns) ? [line] : wrapped(line, columns)))
    .join("\n");
}

const fits = (line: string, columns: number): boolean =>
  shownWidth(line) <= columns || /^ *next: /.test(line);

function wrapped(line: string, columns: number): readonly string[] {
  const indent = /^ */.exec(line)?.[0] ?? "";
  const lines: string[] = [];
  let open = indent;
  const put = (part: string, gap: string): void => {
    const isFirst = open.trim() === "";
    if (!isFirst && shownWidth(open + gap + part) > columns) {
      lines.push(open);
      open = `${indent}  ${part}`;
    } else open += isFirst ? part : gap + part;
  };
  // Cells are two spaces or more apart.
  for (const [, gap = "", cell = ""] of line.trim().matchAll(/( {2,}|^)((?:[^ ]| (?! ))+)/g)) {
    if (indent.length + 2 + shownWidth(cell) <= columns) put(cell, gap);
    else for (const [at, word] of cell.split(" ").entries()) put(word, at === 0 ? gap : " ");
  }
  return [...lines, open];
}
