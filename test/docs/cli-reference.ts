// docs/cli.md, from the tree of verbs.

import type { Command } from "commander";
import { everyCommand } from "#agent/cli/command-tree.ts";
import { exampleOf } from "#agent/cli/shape.ts";

export function cliReference(program: Command): string {
  const verbs = everyCommand(program).filter((command) => exampleOf(command) !== undefined);
  return `${head}\n${verbs.map(sectionOf).join("\n")}`;
}

const head = `# Commands

<!-- Generated from the command tree by \`npm run docs\`. -->

This page is for those who type commands or write scripts.

Every verb takes \`--help\` and \`--json\`. JSON goes to standard output, everything else to
standard error. The agent is found at \`--socket\`, else under \`LINKSEAL_HOME\`, else in
\`$XDG_RUNTIME_DIR/linkseal\`, the folder \`linkseal-UID\` under the temporary directory, or
\`/run/linkseal\`. A socket counts only if root, you or the user \`linkseal\` owns it and its
folder.

A verb waits 30 s for an answer that the agent has at hand, 5 min for one that needs devices or
Azure, and 15 min for a change. Then it ends with exit status 5, and after a change it is not known
what was changed.

| exit status | meaning |
| --- | --- |
| 0 | done; nothing to do; everything asked about is protected |
| 1 | failed; nothing was changed, or the change was made and a later step failed |
| 2 | usage or invalid config |
| 3 | \`plan\`, \`config diff FILE\`: something differs; \`rotate --dry-run\`: would change |
| 4 | not protected, degraded or unknown |
| 5 | the agent cannot be reached |
| 6 | refused by a check; a named risk would have to be accepted |
| 7 | failed and the effect on a device or on the far end is unknown: read the state first |
| 8 | not allowed on this socket |
`;

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

function sectionOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const own = command.options.filter(({ long }) => long !== "--json" && long !== "--socket");
  const options = own.map(({ flags, description }) => `- \`${flags}\`: ${description}\n`).join("");
  const description = sentence(command.description());
  return [
    `## \`${[pathOf(command), ...words].join(" ")}\`\n`,
    `${description}\n`,
    ...(options === "" ? [] : [options]),
    `\`\`\`sh\n${exampleOf(command) ?? ""}\n\`\`\`\n`,
  ].join("\n");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
