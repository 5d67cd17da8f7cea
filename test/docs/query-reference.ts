// The parts of documents that are made from the tables of queries: what each driver sends, and how
// the layout of each reply is known.

import { type QueryRow, readers } from "#drivers/index.ts";

const cell = (text: string): string => text.replaceAll("|", String.raw`\|`);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))];
  return lines.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const codeOf = (text: string): string => `\`${text}\``;

/** The table of a driver's own page. */
function pageTable(rows: readonly QueryRow[]): string {
  return table(
    ["query", "what it is for", "layout of the reply"],
    rows.map(({ name, purpose, standing }) => [codeOf(name), purpose, standing]),
  );
}

/** The rows of a driver for docs/sources.md: the fact, its source, its standing. */
function sourceTable(rows: readonly QueryRow[]): string {
  return table(
    ["fact", "source", "standing"],
    rows.map(({ name, source, standing }) => [
      `the layout of the reply to ${codeOf(name)}`,
      source,
      standing,
    ]),
  );
}

const headings: Readonly<Record<keyof typeof readers, string>> = {
  eos: "EOS",
  iosxe: "IOS XE",
  iosxr: "IOS XR",
  nxos: "NX-OS",
  junos: "Junos",
  linux: "Linux",
};

/** Returns the part `queries` of each document that has one, by its name in docs/. */
export function queryParts(): Readonly<Record<string, { readonly queries: string }>> {
  const all = Object.entries(readers);
  const pages = all.map(([name, { rows }]) => [`${name}.md`, { queries: pageTable(rows) }]);
  const sources = all.map(([name, { rows }]) => {
    const heading = headings[name as keyof typeof readers];
    return `### ${heading}\n\n${sourceTable(rows)}`;
  });
  return Object.fromEntries([...pages, ["sources.md", { queries: sources.join("\n\n") }]]);
}
