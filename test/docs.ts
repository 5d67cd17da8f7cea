// Writes the documents that are generated from the config schema.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configReference, jsonSchema } from "#agent/config/index.ts";

const docs = join(import.meta.dirname, "..", "docs");

writeFileSync(join(docs, "configuration.md"), configReference());
writeFileSync(join(docs, "config.schema.json"), jsonSchema());
