// A configuration in EOS' own lines, one inside the other, and how it is printed.

import type { Block } from "./line-tree.ts";
import type { Json } from "./router-facts.ts";

export class CommandError extends Error {}

/** Prints as `sanitized` does: everything after the number of an encoding is removed. */
export function sanitized(text: string): string {
  return text.replace(
    /^(key \S+|neighbor \S+ password|shared-key|.*secret) (0|5|7|8a) \S+/,
    "$1 $2 <removed>",
  );
}

export function printed(lines: readonly Block[], shown: (text: string) => string): string {
  const print = (some: readonly Block[], depth: number): readonly string[] =>
    some.flatMap(({ line, children }) => [
      ...(children.length > 0 ? [`${"   ".repeat(depth)}!`] : []),
      `${"   ".repeat(depth)}${shown(line)}`,
      ...print(children, depth + 1),
    ]);
  return `${print(lines, 0).join("\n")}\n!\nend\n`;
}

export function asJson(lines: readonly Block[], shown: (text: string) => string): Json {
  return Object.fromEntries(
    lines.map(({ line, children }) => [
      shown(line),
      children.length === 0 ? null : { comments: [], cmds: asJson(children, shown) },
    ]),
  );
}

/** A configuration session, which edits a copy of the running configuration. */
export interface ConfigSession {
  readonly name: string;
  state: "pending" | "completed" | "aborted";
  readonly root: Block[];
}
