// The difference between what is configured and what is wanted: what is sent for it, and lines for
// a person.

import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
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

interface Drained {
  readonly port: PortName;
  readonly drains: readonly DrainMeans[];
}

/** Drains that end and begin, and lines that say so; `word`: how they name a drain. */
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

/** Of a port; `sci`: whether the platform lets it be chosen, `window`: what it calls the window. */
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

/** Enough of a CKN to know it by. */
export function shortOf(ckn: string): string {
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 4)}…${ckn.slice(-4)}`;
}
