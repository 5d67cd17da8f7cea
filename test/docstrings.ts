// `npm run docstrings`: all that crosses a folder of the product, with its units and errors;
// `-- --missing PATH` lists what has no doc comment below that path.

import { publicsOf } from "./tidy/docstrings.ts";
import { tree } from "./tidy/tree.ts";

const publics = publicsOf(tree());
const at = process.argv.indexOf("--missing");
const below = at === -1 ? undefined : (process.argv[at + 1] ?? "");
for (const { path, line, kind, name, doc, units } of publics) {
  if (below !== undefined) {
    if (doc === undefined && path.startsWith(below))
      console.log(`${path}:${line}: ${kind} ${name}`);
    continue;
  }
  const errors = doc?.match(/@throws ([^@]*)/)?.[1]?.trim() ?? "throws nothing of its own";
  const shown = [`units: ${units.join(", ") || "none"}`, `errors: ${errors}`].join("; ");
  console.log(`${path}:${line}: ${kind} ${name}: ${doc?.replace(/ ?@.*/, "") ?? "-"} [${shown}]`);
}
for (const kind of ["function", "class", "constant", "type", "member"] as const) {
  const all = publics.filter((one) => one.kind === kind);
  const documented = all.filter(({ doc }) => doc !== undefined).length;
  console.log(`${documented} of ${all.length} ${kind}`);
}
