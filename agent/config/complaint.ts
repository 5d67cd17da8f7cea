// What is wrong with a config, where, and what to write instead. A complaint never repeats text
// that may be a key.

/** One fault of a config, with its place in the file. */
export interface Complaint {
  /** Path of the file, as the operator wrote it. */
  readonly file: string;
  /** Line of the file, from 1. */
  readonly line: number;
  /** Column in the line, from 1, in UTF-16 units as editors count. */
  readonly column: number;
  /** Path of the setting, such as `groups[0].links[1].speed`. */
  readonly path: string;
  /** The fault, such as `is missing`. */
  readonly what: string;
  /** The rule that it breaks. */
  readonly why: string;
  /** The text to write instead. */
  readonly write: string;
}

export type Path = readonly (string | number)[];

/** A complaint before its file is known; `at` is an offset in the text. */
export interface Fault {
  readonly path: Path;
  readonly at: number;
  readonly what: string;
  readonly why: string;
  readonly write: string;
}

/**
 * Returns `file:line:column path: what, why; to correct it: what to write` on one line without
 * control characters.
 */
export function formatComplaint(complaint: Complaint): string {
  const { file, line, column, path, what, why, write } = complaint;
  return `${visible(file)}:${line}:${column} ${path}: ${what}, ${why}; to correct it: ${write}`;
}

export function complaintOf(fault: Fault, text: string, file: string): Complaint {
  const before = text.slice(0, fault.at);
  const path = pathText(fault.path);
  const { what, why, write } = fault;
  const line = before.split("\n").length;
  return { file, line, column: fault.at - before.lastIndexOf("\n"), path, what, why, write };
}

/** Returns a path such as `groups[0].links[1].speed`; `(file)` for the file as a whole. */
export function pathText(path: Path): string {
  const text = path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${plain(step)}`))
    .join("");
  return text === "" ? "(file)" : text.replace(/^\./, "");
}

/**
 * Returns a piece of the file for a message: quoted and short, or withheld if it could be a pasted
 * key.
 */
export function shown(text: string): string {
  // Sixteen hex digits are far fewer than any CAK has, so not even half a key is repeated (promise
  // P5).
  if (/[0-9a-f]{16}/i.test(text)) return `a text of ${text.length} characters`;
  return JSON.stringify(visible(text.length > 60 ? `${text.slice(0, 57)}...` : text));
}

function plain(step: string): string {
  const quoted = shown(step);
  return quoted === `"${step}"` && /^[\w-]+$/.test(step) ? step : quoted;
}

// Control characters, bidirectional marks and separators could forge lines of a terminal or a log.
function visible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}
