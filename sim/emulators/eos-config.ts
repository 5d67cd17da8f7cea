// A configuration in EOS' own lines, one inside the other, and how it is printed.

export interface Line {
  readonly text: string;
  children: Line[];
}

export function line(text: string, ...children: readonly Line[]): Line {
  return { text, children: [...children] };
}

export function cloneLines(lines: readonly Line[]): Line[] {
  return lines.map(({ text, children }) => ({ text, children: cloneLines(children) }));
}

export function childOf(lines: readonly Line[], text: string): Line | undefined {
  return lines.find((one) => one.text === text);
}

/** The words after a beginning, of the first line that has it. */
export function restOf(lines: readonly Line[], beginning: string): string | undefined {
  const found = lines.find(({ text }) => text.startsWith(`${beginning} `));
  return found?.text.slice(beginning.length + 1);
}

export class CommandError extends Error {}

/** As `sanitized` prints it: whatever follows the number of a form is gone. */
export function sanitized(text: string): string {
  return text.replace(
    /^(key \S+|neighbor \S+ password|shared-key|.*secret) (0|5|7|8a) \S+/,
    "$1 $2 <removed>",
  );
}

export function printed(lines: readonly Line[], shown: (text: string) => string): string {
  const print = (some: readonly Line[], depth: number): readonly string[] =>
    some.flatMap(({ text, children }) => [
      ...(children.length > 0 ? [`${"   ".repeat(depth)}!`] : []),
      `${"   ".repeat(depth)}${shown(text)}`,
      ...print(children, depth + 1),
    ]);
  return `${print(lines, 0).join("\n")}\n!\nend\n`;
}

interface JsonLines {
  readonly [text: string]: {
    readonly comments: readonly string[];
    readonly cmds: JsonLines;
  } | null;
}

export function asJson(lines: readonly Line[], shown: (text: string) => string): JsonLines {
  return Object.fromEntries(
    lines.map(({ text, children }) => [
      shown(text),
      children.length === 0 ? null : { comments: [], cmds: asJson(children, shown) },
    ]),
  );
}

/** A configuration that one session is making of the running one. */
export interface ConfigSession {
  readonly name: string;
  state: "pending" | "completed";
  readonly root: Line[];
}
