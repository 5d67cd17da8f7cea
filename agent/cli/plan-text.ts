// A plan and its outcome as text. All input must be readable text (without control characters).

import type { Plan } from "../compare/plan.ts";
import { spanText } from "../model/text.ts";
import type { Estimate } from "../rotation/forecast.ts";

type Step = Plan["steps"][number];

export function planText({ steps, notes }: Plan): string {
  const lines = steps.flatMap((step) => [...stepLines(step), ...expected(step)]);
  if (steps.length === 0 && notes.length === 0) {
    lines.push("Nothing to do: both ends are as the config wants them.");
  }
  lines.push(...inAll(steps));
  for (const { about, text, next, code } of notes) {
    const what = code === undefined ? "not done" : "in the way";
    lines.push(`${what}: ${about}: ${text}`, `     next: ${next}`);
  }
  return lines.join("\n");
}

function stepLines({ n, where, link, does, preview, darkMs, risk, by }: Step): string[] {
  const dark = darkMs.high === 0 ? "" : `, link down for ${rangeText(darkMs)}`;
  const named = risk === null ? "" : `, risk ${risk}`;
  const whose = by === undefined ? "" : `, by a ${by}`;
  return [
    `${n}. ${link ?? where}: ${does} (at ${where}${whose}${dark}${named})`,
    `     ${preview}`,
  ];
}

function expected({ state, takes, dark }: Step): string[] {
  if (takes === undefined) return [];
  const long = state === "awaitingPeer" ? "as long as it takes" : `takes ${aboutText(takes)}`;
  if (dark === null || dark === undefined) return [`     ${long}`];
  const { theirs, ours, drained } = dark;
  const parts = [
    ...(theirs.high === 0 ? [] : [`by the far end ${aboutText(theirs)}`]),
    ...(ours.high === 0 ? [] : [`by us ${aboutText(ours)}`]),
  ];
  const lost = drained ? "drained, so no frame is lost" : "not drained: its frames are lost";
  return [`     ${long}; link down ${parts.join(", ")}; ${lost}`];
}

function inAll(steps: Plan["steps"]): string[] {
  const parts = steps.flatMap(({ takes }) => (takes === undefined ? [] : [takes]));
  if (parts.length === 0) return [];
  const likely = parts.reduce((total, each) => total + each.likely, 0);
  const isGuess = parts.some(({ basis }) => basis === "firstRun");
  const basis = isGuess ? "by defaults where nothing was measured yet" : "as it was measured here";
  const person = steps.some(({ state }) => state === "awaitingPeer");
  const wait = person ? ", and the time that a person takes" : "";
  return [`In all about ${spanText(likely)}, ${basis}${wait}.`];
}

/** Returns the likely duration, its range, and whether it was ever measured. */
export function aboutText(estimate: Estimate): string {
  const { low, likely, high, basis } = estimate;
  if (low === high) return spanText(likely);
  const guess = basis === "firstRun" ? ", not measured yet" : "";
  return `about ${spanText(likely)} (${rangeText(estimate)}${guess})`;
}

function rangeText({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${spanText(low)} to ${spanText(high)}`;
}
