// The difference between what is configured and what is wanted: what is sent for it, and lines for
// a person.

import type { Command } from "#hal/secret.ts";
import { line } from "../transport/cli.ts";

/** `T`: a line of a command line, or a tree of a document. */
export interface Edits<T> {
  /** In this order. */
  readonly sent: readonly T[];
  readonly lines: readonly string[];
}

export function joined<T>(all: readonly Edits<T>[]): Edits<T> {
  return { sent: all.flatMap(({ sent }) => sent), lines: all.flatMap(({ lines }) => lines) };
}

/** A change that a person would not see is one all the same. */
export function linesOf({ sent, lines }: Edits<unknown>): readonly string[] {
  return sent.length > 0 && lines.length === 0 ? ["(its form alone)"] : lines;
}

/** Lines inside modes; without one where nothing differs. */
export interface Block {
  readonly modes: readonly Command[];
  readonly commands: readonly Command[];
}

export function inModes(modes: readonly Command[], ...commands: readonly Command[]): Block {
  return { modes, commands };
}

/** Each block leaves the modes that it entered. */
export function commandsOf({ modes, commands }: Block): readonly Command[] {
  if (commands.length === 0) return [];
  return [...modes, ...commands, ...modes.map(() => line`exit`)];
}
