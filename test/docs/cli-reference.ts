// docs/cli.md, from the tree of verbs; linkseal(1) is made from it.

import type { Command } from "commander";
import { everyCommand } from "#agent/cli/command-tree.ts";
import { exampleOf } from "#agent/cli/shape.ts";
import { verbGroups } from "#agent/cli/verb-groups.ts";

export function cliReference(program: Command): string {
  const groups = verbGroups.map(({ title, verbs }) => {
    const commands = program.commands
      .filter((command) => verbs.includes(command.name()))
      .flatMap(everyCommand)
      .filter((command) => exampleOf(command) !== undefined);
    return `### ${title}\n\n${commands.map(sectionOf).join("\n")}`;
  });
  return `${head}\n${groups.join("\n")}\n${tail}`;
}

const head = `# Commands

<!-- Generated from the command tree by \`npm run docs\`. -->

This page is for those who type commands or write scripts.

The agent is found at \`--socket\`, else under \`LINKSEAL_HOME\`, else in
\`$XDG_RUNTIME_DIR/linkseal\`, the folder \`linkseal-UID\` under the temporary directory, or
\`/run/linkseal\`. A socket counts only if root, you or the user \`linkseal\` owns it and its
folder.

A verb waits 30 s for an answer that the agent has at hand, 5 min for one that needs devices or
Azure, and 15 min for a change. Then it ends with exit status 5; after a change with 7, as it is not
known what was changed. Ctrl-C during \`--wait\` ends the command alone: the agent goes on.

## Options

- \`-h, --help\`: help for a verb, with an example; every verb takes it
- \`-V, --version\`: print the version
- \`--json\`: one JSON document on standard output, and all else on standard error; each verb with a
  result takes it
- \`--socket <path>\`: socket of the agent; each verb that asks one takes it

## Commands
`;

const tail = `## Exit status

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
| 130 | ended by Ctrl-C |

## Environment

| variable | meaning |
| --- | --- |
| \`LINKSEAL_HOME\` | a folder for state, sockets and config of an agent of your own |
| \`LINKSEAL_SITE\` | \`unix:PATH\` of the simulated site whose clock the agent follows |
| \`XDG_RUNTIME_DIR\`, \`XDG_STATE_HOME\` | where an agent without root keeps sockets and state |
| \`NO_COLOR\` | any value: no colours |

## Files

| file | content |
| --- | --- |
| \`/etc/linkseal/linkseal.yaml\` | the config; in force only once it was applied |
| \`/var/lib/linkseal\` | accepted configs, journal, audit log; no key |
| \`/run/linkseal/view.sock\`, \`admin.sock\` | the sockets of the agent: to look, and to change |
| \`/usr/share/doc/linkseal\` | documents, JSON Schema of the config, alert rules, examples |

## See also

\`linkseal.yaml(5)\`, \`journalctl(1)\`, \`systemctl(1)\`, \`systemd-creds(1)\`. The documents
\`rotation.md\`, \`incidents.md\` and \`codes.md\` are for operators on call.
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
    `#### \`${[pathOf(command), ...words].join(" ")}\`\n`,
    `${description}\n`,
    ...(options === "" ? [] : [options]),
    `\`\`\`sh\n${exampleOf(command) ?? ""}\n\`\`\`\n`,
  ].join("\n");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
