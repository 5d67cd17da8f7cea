// docs/codes.md: every code, as `explain` describes it.

import { type Explanation, explanations } from "#agent/explain/explain.ts";

const headings: Readonly<Record<Explanation["kind"], string>> = {
  warning: "Reasons and warnings",
  finding: "Findings of doctor and keys check",
  error: "Errors",
  risk: "Risks that are accepted by name",
  state: "States of a campaign",
};
/** Returns the text of docs/codes.md. */
export function explainMarkdown(): string {
  const parts = [
    "# Codes\n",
    "This page is for the engineer who has a code, and asks what it means and what to do.\n",
    "Generated from the program; `linkseal explain CODE` prints the same text, and with the name",
    "of a link, group, tunnel or device the commands for it. A code has one severity everywhere:",
    "here, in `status`, `doctor`, events and webhook, and in the alerts, where an error is",
    "`critical`.\n",
  ];
  for (const kind of ["warning", "finding", "error", "risk", "state"] as const) {
    parts.push(`## ${headings[kind]}\n`);
    const mine = [...explanations.values()].filter((each) => each.kind === kind);
    for (const each of mine) parts.push(markdownOf(each));
  }
  return parts.join("\n");
}

function markdownOf({ code, severity, title, meaning, whatToDo }: Explanation): string {
  const steps = whatToDo.map((step) => `- ${step}`).join("\n");
  const loud = severity === null ? "" : ` (${severity})`;
  return `### \`${code}\`\n\n**${title}**${loud}. ${meaning}\n\n${steps}\n`;
}
