// The input and output of a tidy rule: a file by path and text, so that offenders can be seeded.

import { scan, type Token } from "./scan.ts";

export interface Source {
  /** Path from the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Tokens without comments; empty if the file is not TypeScript or JavaScript. */
  readonly code: readonly Token[];
  readonly comments: readonly Token[];
}

export interface Offence {
  readonly line: number;
  /** The advice: what the author should do instead. */
  readonly text: string;
}

export interface Rule {
  readonly name: string;
  readonly check: (source: Source) => readonly Offence[];
}

export function sourceOf(path: string, text: string): Source {
  const tokens = /\.[jt]s$/.test(path) ? scan(text) : [];
  return {
    path,
    text,
    code: tokens.filter((token) => token.kind !== "comment"),
    comments: tokens.filter((token) => token.kind === "comment"),
  };
}

/** True for files that own a timer, a socket, a file or a process; all others take a World. */
export function isEdge(path: string): boolean {
  return [
    /^agent\/((bin|launcher)\.js|(hub\/)?(bin|host)\/[-\w]+\.ts)$/,
    /^agent\/(hub\/)?(cli|web)\//,
    /^sim\/lab\/(sim-[-\w]+|verbs-[-\w]+|driver-check|main|show-edits)\.ts$/,
    /^drivers\/transport\//,
    /^sim\/serve\/[-\w]+\.ts$/,
    /^(test|bench|\.ci)\//,
    /^[^/]+$/,
  ].some((pattern) => pattern.test(path));
}

/**
 * Returns an offence at each place where the token texts occur in this order; strings never match.
 */
export function findSequence(source: Source, sequence: string, text: string): Offence[] {
  const wanted = sequence.split(" ");
  return source.code.flatMap((token, start) => {
    const found = wanted.every((want, offset) => {
      const here = source.code[start + offset];
      return here !== undefined && here.kind !== "string" && want === here.text;
    });
    return found ? [{ line: token.line, text }] : [];
  });
}

export function offencesPerLine(source: Source, pattern: RegExp, text: string): readonly Offence[] {
  return source.text
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [{ line: index + 1, text }] : []));
}
