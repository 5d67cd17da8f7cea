// Documents that are generated from the program, by their name in docs/.

import { protocolReference } from "#agent/api/reference.ts";
import { linksealProgram } from "#agent/bin/launch.ts";
import { cliReference } from "#agent/cli/reference.ts";
import { manual } from "#agent/cli/roff.ts";
import { configReference, jsonSchema } from "#agent/config/index.ts";
import { explainMarkdown } from "#agent/explain/explain.ts";
import { alertRulesYaml } from "#agent/telemetry/alerts.ts";
import { dashboardJson } from "#agent/telemetry/dashboard.ts";
import { alertsReference, metricsReference } from "#agent/telemetry/reference.ts";

export function generatedDocs(): Readonly<Record<string, string>> {
  return {
    "alerts.md": alertsReference(),
    "cli.md": cliReference(linksealProgram()),
    "codes.md": explainMarkdown(),
    "config.schema.json": jsonSchema(),
    "configuration.md": configReference(),
    "linkseal-alerts.yaml": alertRulesYaml(),
    "linkseal-dashboard.json": dashboardJson(),
    "linkseal.1": manual(cliReference(linksealProgram()), {
      ...{ name: "linkseal", section: 1 },
      what: "MACsec and IPsec of ExpressRoute Direct links",
    }),
    "linkseal.yaml.5": manual(configReference(), {
      ...{ name: "linkseal.yaml", section: 5 },
      what: "config of a linkseal site",
    }),
    "metrics.md": metricsReference(),
    "protocol.md": protocolReference(),
  };
}

/** A document that is written by hand, with its generated parts put between their marks. */
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
