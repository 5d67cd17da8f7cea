// docs/linkseal.catalog: what `journalctl -x` prints beside an entry, from the texts of `explain`.

import { type Explanation, explanations } from "#agent/explain/explain.ts";
import { messageIdOf } from "#agent/host/journald.ts";

/** Returns the catalogue (systemd.io/CATALOG): one text for each code that the log can have. */
export function journalCatalogue(): string {
  const logged = [...explanations.values()].filter(({ severity }) => severity !== null);
  return `# Written by \`npm run docs\`.\n\n${logged.map(textOf).join("\n")}`;
}

function textOf({ code, title, meaning, whatToDo }: Explanation): string {
  return [
    `-- ${messageIdOf(code)}`,
    `Subject: @LINKSEAL_ABOUT@: ${title}`,
    "Defined-By: linkseal",
    "Documentation: man:linkseal(1)",
    "",
    plain(meaning),
    "",
    ...whatToDo.map((step) => `- ${plain(step)}`),
    "",
    `The commands for it: linkseal explain ${code} @LINKSEAL_ABOUT@`,
    "",
  ].join("\n");
}

/** The catalogue has no mark-up; it would take "@" for the begin of a field. */
function plain(text: string): string {
  return text.replaceAll("`", "").replaceAll("@", " at ");
}
