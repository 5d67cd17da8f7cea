// Tables for operators: with lines around the cells on a terminal, as plain columns in a pipe.

import { columns } from "../model/text.ts";

/** Formats a table; cells are readable text, `head` names the columns. */
export async function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  out: "terminal" | "pipe",
): Promise<string> {
  if (rows.length === 0) return "nothing";
  if (out === "pipe") return columns([head, ...rows]).join("\n");
  const { default: Table } = await import("cli-table3");
  const drawn = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const row of rows) drawn.push([...row]);
  return drawn.toString();
}

export function outKind(): "terminal" | "pipe" {
  return process.stdout.isTTY ? "terminal" : "pipe";
}
