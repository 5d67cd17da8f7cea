// Node's compile cache for programs that the tests run from sources, so that only the first of many
// processes compiles all of them. The product's own bundle does not use it.

import { join } from "node:path";

export const compiled = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, "../../.tmp/compiled"),
} as const;
