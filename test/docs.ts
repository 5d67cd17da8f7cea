// Writes the documents that are generated from the program, and the generated parts of others.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filled, generatedDocs } from "./docs/generated.ts";
import { queryParts } from "./docs/query-reference.ts";
import { triesPart } from "./docs/tries.ts";
import { realRotation } from "./recorded-rotation.ts";
import { timelines } from "./timeline-runs.ts";

const docs = join(import.meta.dirname, "..", "docs");

for (const [name, text] of Object.entries(generatedDocs())) writeFileSync(join(docs, name), text);

for (const [name, parts] of Object.entries(queryParts())) {
  const file = join(docs, name);
  writeFileSync(file, filled(readFileSync(file, "utf8"), parts));
}

const attacks = join(docs, "attacks.md");
writeFileSync(attacks, filled(readFileSync(attacks, "utf8"), triesPart()));

const page = join(docs, "timelines.md");
const parts = { ...(await timelines()), ...realRotation() };
writeFileSync(page, filled(readFileSync(page, "utf8"), parts));
