// What a person or a script reads when something failed, and the exit status that goes with it.

import { exitStatusOf, LinksealError } from "#hal/error.ts";
import { errorShape } from "../model/error-shape.ts";
import { jsonText, visible, visibleLines } from "../model/text.ts";

/** Prints the error where it belongs; returns the exit status. */
export function reportError(error: unknown, json: boolean): number {
  const known = error instanceof LinksealError ? error : internal(error);
  if (json) process.stdout.write(`${jsonText({ ...errorShape(known), ...complaintsOf(known) })}\n`);
  else process.stderr.write(`${errorText(known)}\n`);
  return exitStatusOf(known);
}

/** What happened, what it may have done, where, and what to do next. */
export function errorText(error: LinksealError): string {
  const { code, effect, where, message, next } = error;
  const [first = "", ...more] = visibleLines(message).split("\n");
  // Only our own words begin at the margin.
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
  applied: "the change stands, a later step failed",
  unknown: "it is not known what was changed: look first",
} as const;

/** Scripts get the complaints about a config one by one. */
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

export function usage(text: string, next: string): LinksealError {
  return new LinksealError("usage", text, { effect: "none", where: "command line", next });
}
