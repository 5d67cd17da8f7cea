// Writes the text exposition format of Prometheus, 0.0.4. It is written here because 64-bit
// counters must not be rounded, and because every package would run in a process with keys.

import type { Family, Sample } from "./metric.ts";

export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/** Returns the text of all families; a metric without a sample still has its HELP and TYPE. */
export function exposition(families: readonly Family[]): string {
  return families.map(familyText).join("");
}

function familyText({ name, kind, help, labels, samples }: Family): string {
  const head = `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${kind}\n`;
  return head + samples.map((sample) => sampleText(name, labels, sample)).join("");
}

function sampleText(name: string, names: readonly string[], [values, value]: Sample): string {
  const pairs = names.map((label, index) => `${label}="${escapedLabel(values[index] ?? "")}"`);
  const labels = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${labels} ${value}\n`;
}

function escapedHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapedLabel(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"');
}
