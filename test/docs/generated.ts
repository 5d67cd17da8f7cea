// Documents that are generated from the program, by their name in docs/.

import { wholeProgram } from "#sim/lab/main.ts";
import { alertsText } from "./alerts.ts";
import { journalCatalogue } from "./catalogue.ts";
import { claimsPage } from "./claims.ts";
import { cliReference } from "./cli-reference.ts";
import { explainMarkdown } from "./codes.ts";
import { configReference, jsonSchema } from "./config-reference.ts";
import { nightPage } from "./night.ts";
import { protocolReference } from "./protocol-reference.ts";
import { manual } from "./roff.ts";
import { alertsReference, metricsReference } from "./telemetry-reference.ts";

export function generatedDocs(): Readonly<Record<string, string>> {
  return {
    "alerts.md": alertsReference(),
    "claims.md": claimsPage(),
    "cli.md": cliReference(wholeProgram()),
    "codes.md": explainMarkdown(),
    "config.schema.json": jsonSchema(),
    "configuration.md": configReference(),
    "linkseal-alerts.yaml": alertsText,
    "linkseal.catalog": journalCatalogue(),
    "linkseal.1": manual(cliReference(wholeProgram()), {
      ...{ name: "linkseal", section: 1, synopsis: "`linkseal` VERB [ARGUMENT...] [OPTION...]" },
      what: "MACsec and IPsec of ExpressRoute Direct links",
    }),
    "linkseal.yaml.5": manual(configReference(), {
      ...{ name: "linkseal.yaml", section: 5, synopsis: "`/etc/linkseal/linkseal.yaml`" },
      what: "config of a linkseal site",
    }),
    "metrics.md": metricsReference(),
    "night.md": `${nightPage()}\n`,
    "protocol.md": protocolReference(),
  };
}

/** Puts the generated parts between their marks into a document that is written by hand. */
export function filled(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((document, [name, part]) => {
    const [open, close] = [
      `<!-- ${name}: written by \`npm run docs\` -->`,
      `<!-- end: ${name} -->`,
    ];
    const [before, rest] = document.split(open);
    const after = rest?.split(close)[1];
    if (before === undefined || after === undefined) throw new RangeError(`no place for ${name}`);
    return `${before}${open}\n\n${part}\n\n${close}${after}`;
  }, text);
}
