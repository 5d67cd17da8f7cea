// What is wrong with a config, where, and what to write instead; never repeats what may be a key.

export interface Complaint {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
  readonly path: string;
  readonly what: string;
  readonly why: string;
  readonly write: string;
}

export type Path = readonly (string | number)[];

/** A complaint before it knows its file; `at` is an offset in the text. */
export interface Fault {
  readonly path: Path;
  readonly at: number;
  readonly what: string;
  readonly why: string;
  readonly write: string;
}

/** `file:line:column path: what, why, what to write`, on one line without control characters. */
export function formatComplaint(complaint: Complaint): string {
  const { file, line, column, path, what, why, write } = complaint;
  return `${visible(file)}:${line}:${column} ${path}: ${what}, ${why}, ${write}`;
}

export function complaintOf(fault: Fault, text: string, file: string): Complaint {
  const before = text.slice(0, fault.at);
  const path = pathText(fault.path);
  const { what, why, write } = fault;
  const line = before.split("\n").length;
  return { file, line, column: fault.at - before.lastIndexOf("\n"), path, what, why, write };
}

/** `groups[0].links[1].speed`; `(file)` for the whole. */
export function pathText(path: Path): string {
  const text = path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${plain(step)}`))
    .join("");
  return text === "" ? "(file)" : text.replace(/^\./, "");
}

/** A piece of the file for a message: quoted, short, withheld where it could be a pasted key. */
export function shown(text: string): string {
  // Sixteen hex digits are far below any CAK, so even half a key is not repeated (promise P5).
  if (/[0-9a-f]{16}/i.test(text)) return `a text of ${text.length} characters`;
  return JSON.stringify(visible(text.length > 60 ? `${text.slice(0, 57)}...` : text));
}

function plain(step: string): string {
  const quoted = shown(step);
  return quoted === `"${step}"` && /^[\w-]+$/.test(step) ? step : quoted;
}

// Controls, bidirectional marks and separators could forge lines of a terminal or a log.
function visible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}
