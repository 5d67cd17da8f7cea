// Documents that are generated from the program, by their name in docs/.

import { protocolReference } from "#agent/api/reference.ts";
import { cliReference } from "#agent/cli/reference.ts";
import { configReference, jsonSchema } from "#agent/config/index.ts";
import { explainMarkdown } from "#agent/explain/explain.ts";

export function generatedDocs(): Readonly<Record<string, string>> {
  return {
    "cli.md": cliReference(),
    "codes.md": explainMarkdown(),
    "config.schema.json": jsonSchema(),
    "configuration.md": configReference(),
    "protocol.md": protocolReference(),
  };
}
