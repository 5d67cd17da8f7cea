// The option by which an operator accepts a risk, by its name.

import type { Command } from "commander";
import type { Common } from "./session.ts";
import { collected } from "./shape.ts";

export interface RiskOptions extends Common {
  readonly acceptRisk?: readonly string[];
}

export function risky(command: Command): Command {
  return command.option("--accept-risk <names>", "risks accepted by name", collected);
}

/** Turns `as-found` of the command line into `asFound` of the list of risks. */
export function asNamed(risk: string): string {
  return risk.replace(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
}
