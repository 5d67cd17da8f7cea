// A question to the person at the terminal.

import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { usage } from "./failure.ts";
import { exit } from "./shape.ts";

/** Asks a question; anything but a yes is a no, and so is the end of the input. */
export async function saysYes(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = once(terminal, "close").then(() => "");
  const reply = await Promise.race([terminal.question(`\n${question} [y/N] `), ended]);
  terminal.close();
  return /^y(es)?$/i.test(reply.trim());
}

/** Says that the person said no, and ends the verb with 1. */
export function declined(): void {
  process.stderr.write("Nothing was changed.\n");
  exit(1);
}

/**
 * Throws if no person can be asked. `next`: the command that does not ask.
 * @throws LinksealError with `usage`
 */
export function refuseWithoutTerminal(next: string): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw usage("there is no terminal to ask on; nothing was stored", next);
}
