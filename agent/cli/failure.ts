// The text or JSON for a failed command, and the exit status that goes with it.

import { exitStatusOf, LinksealError } from "#hal/error.ts";
import { errorShape } from "../model/error-shape.ts";
import { jsonText, visible, visibleLines } from "../model/text.ts";

/** Does what a command line asks for, and prints its error; resolves to the exit status. */
export async function attempt(
  argv: readonly string[],
  act: () => Promise<number>,
): Promise<number> {
  // A reader that closes the pipe early (`| head`) is not a failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
  try {
    return await act();
  } catch (error) {
    return reportError(error, argv.includes("--json"));
  }
}

/**
 * Prints the error, as text to standard error or as JSON to standard output; returns the exit
 * status.
 */
export function reportError(error: unknown, json: boolean): number {
  const known = error instanceof LinksealError ? error : internal(error);
  if (json) process.stdout.write(`${jsonText({ ...errorShape(known), ...complaintsOf(known) })}\n`);
  else process.stderr.write(`${errorText(known)}\n`);
  return exitStatusOf(known);
}

/**
 * Returns five lines or more: what happened, what it may have changed, where, and what to do next.
 */
export function errorText(error: LinksealError): string {
  const { code, effect, where, message, next } = error;
  const [first = "", ...more] = visibleLines(message).split("\n");
  // Only text of linkseal itself begins at the margin.
  return [
    `linkseal: ${first} (${code})`,
    ...more.map((line) => `    ${line}`),
    `  effect: ${effectWords[effect]}`,
    `  where: ${visible(where)}`,
    `  next: ${visible(next)}`,
  ].join("\n");
}

const effectWords = {
  none: "nothing was changed",
  applied: "the change was made, a later step failed",
  unknown: "it is not known what was changed: check first",
} as const;

/** Scripts get each complaint about a config as a separate element. */
function complaintsOf(error: LinksealError): { readonly complaints?: unknown } {
  return Array.isArray(error.cause) ? { complaints: error.cause } : {};
}

function internal(error: unknown): LinksealError {
  const text = error instanceof Error ? (error.stack ?? error.message) : "not an error";
  return new LinksealError("agent.internal", `a defect of linkseal itself: ${text}`, {
    effect: "unknown",
    where: "this command",
    next: "linkseal status",
  });
}

/**
 * Makes an error with `usage` and effect `none` about the command line; `next` is the step to take.
 */
export function usage(text: string, next: string): LinksealError {
  return new LinksealError("usage", text, { effect: "none", where: "command line", next });
}
