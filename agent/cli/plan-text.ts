// A plan and what became of it, in words. Takes readable text only.

import type { Plan } from "../plan.ts";
import { spanText } from "./text.ts";

export function planText({ steps, notes }: Plan): string {
  const lines = steps.flatMap(({ n, where, link, does, preview, darkMs, risk }) => {
    const dark = darkMs.high === 0 ? "" : `, link dark for ${darkText(darkMs)}`;
    const named = risk === null ? "" : `, risk ${risk}`;
    return [`${n}. ${link ?? where}: ${does} (at ${where}${dark}${named})`, `     ${preview}`];
  });
  if (steps.length === 0 && notes.length === 0) {
    lines.push("Nothing to do: both ends are as the config wants them.");
  }
  for (const { about, text, next } of notes) {
    lines.push(`not done: ${about}: ${text}`, `     next: ${next}`);
  }
  return lines.join("\n");
}

function darkText({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${spanText(low)} to ${spanText(high)}`;
}
