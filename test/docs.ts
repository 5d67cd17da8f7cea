// Writes the documents that are generated from the program.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generatedDocs } from "./generated-docs.ts";

const docs = join(import.meta.dirname, "..", "docs");

for (const [name, text] of Object.entries(generatedDocs())) writeFileSync(join(docs, name), text);
