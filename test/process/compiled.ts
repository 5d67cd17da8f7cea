// Programs of the tests run from their sources: where Node keeps what it has made of these, so that
// only the first of many processes reads all of them anew. The product's own bundle has no part.

import { join } from "node:path";

export const compiled = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, "../../.tmp/compiled"),
} as const;
