// The steps of a code for one name of the config: names and commands filled in.

import { type CommandBlock, commandBlocks, isCommandName } from "./commands.ts";
import { explanations, filledText, type StepNames } from "./explain.ts";
import type { Scene } from "./scene.ts";

/** One step as an operator reads it. */
export interface FilledStep {
  /** What to do, in a sentence. */
  readonly text: string;
  /** The commands for it; empty = the sentence is all, or no name was given. */
  readonly commands: readonly CommandBlock[];
}

/** Returns the steps of a code, in order; empty = there is no such code. */
export function filledSteps(code: string, scene: Scene): readonly FilledStep[] {
  return (explanations.get(code)?.steps ?? []).map(({ text, run }) => ({
    text: filledText(text, namesOf(scene)),
    commands: run.filter(isCommandName).flatMap((name) => commandBlocks(name, scene)),
  }));
}

function namesOf(scene: Scene): StepNames {
  switch (scene.kind) {
    case "link":
      return { "GROUP/LINK": scene.id, GROUP: scene.group };
    case "group":
      return { GROUP: scene.group };
    case "tunnel":
      return { TUNNEL: scene.name };
    case "device":
    case "none":
      return {};
  }
}

/**
 * Returns the steps as lines for a terminal, numbered, with their commands below; all texts must
 * be readable (without control characters) already.
 */
export function stepLines(steps: readonly FilledStep[], indent: string): readonly string[] {
  return steps.flatMap(({ text, commands }, index) => [
    `${indent}${index + 1}. ${text}`,
    ...commands.flatMap((block) => blockLines(block, `${indent}   `)),
  ]);
}

/** Returns the lines of one place, below its name. */
export function blockLines({ where, lines, note }: CommandBlock, indent: string): string[] {
  if (note !== null) return [`${indent}${where}: ${note}`];
  return [`${indent}${where}:`, ...lines.map((line) => `${indent}  ${line}`)];
}
