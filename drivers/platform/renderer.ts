// The difference between what is configured and what is wanted: what is sent for it, and lines for
// the operator.

import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import { type Command, preview } from "#hal/secret.ts";
import { line } from "../transport/cli.ts";

/** Edits of one device. `T`: a line of a command line, or a tree of a document. */
export interface RenderedChange<T> {
  /** Commands or trees, in the order in which they are sent. */
  readonly sent: readonly T[];
  /** Lines for the operator. */
  readonly lines: readonly string[];
}

/** Joins edits, in their order. */
export function joined<T>(all: readonly RenderedChange<T>[]): RenderedChange<T> {
  return { sent: all.flatMap(({ sent }) => sent), lines: all.flatMap(({ lines }) => lines) };
}

/** Returns the lines for the operator; a change without a line is shown as one all the same. */
export function linesOf({ sent, lines }: RenderedChange<unknown>): readonly string[] {
  return sent.length > 0 && lines.length === 0 ? ["(only its form)"] : lines;
}

/** Returns the lines of commands, with the labels of secrets. */
export function textsOf(commands: readonly Command[]): readonly string[] {
  return commands.map(preview);
}

/** Lines inside modes; a block without lines changes nothing. */
export interface Block {
  /** Lines that enter the modes, the outermost first. */
  readonly modes: readonly Command[];
  /** Lines inside the innermost mode. */
  readonly commands: readonly Command[];
}

/** Makes a block of lines inside these modes. */
export function inModes(modes: readonly Command[], ...commands: readonly Command[]): Block {
  return { modes, commands };
}

/** Returns the lines of a block; it leaves the modes that it entered. */
export function commandsOf({ modes, commands }: Block): readonly Command[] {
  if (commands.length === 0) return [];
  return [...modes, ...commands, ...modes.map(() => line`exit`)];
}

interface Drained {
  readonly port: PortName;
  readonly drains: readonly DrainMeans[];
}

/**
 * Returns drains that end and begin, with lines that say so; `word` is the platform's word for a
 * drain.
 */
export function drainsBetween(
  { drains: was }: Drained,
  { drains: is, port }: Drained,
  word: "drain" | "drained",
) {
  const ends = was.filter((means) => !is.includes(means));
  const begins = is.filter((means) => !was.includes(means));
  const lines = [
    ...ends.map((means) => `- ${port} ${word} by ${means}`),
    ...begins.map((means) => `+ ${port} ${word} by ${means}`),
  ];
  return { ends, begins, lines };
}

/**
 * Returns the line that shows the settings of a port; `sci`: whether the platform lets it be
 * chosen, `window`: its word for the replay window.
 */
export function settingsText(
  settings: MacsecSettings,
  { sci, window }: { readonly sci: boolean; readonly window: "replay" | "window" },
): string {
  const { suite, policy, includeSci, replayWindow, sakRekeyMs } = settings;
  return [
    `macsec ${policy === "mustSecure" ? "must-secure" : "should-secure"} ${suite}`,
    ...(sci ? [`sci ${includeSci ? "on" : "off"}`] : []),
    `offset ${settings.confidentialityOffset} priority ${settings.keyServerPriority}`,
    `${window} ${replayWindow ?? "off"}`,
    `rekey ${sakRekeyMs === undefined ? "by packet number" : `${sakRekeyMs}ms`}`,
  ].join(" ");
}

/** Returns enough of a CKN to recognise it. */
export function shortOf(ckn: string): string {
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 4)}…${ckn.slice(-4)}`;
}
