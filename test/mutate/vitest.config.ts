// Stryker starts vitest by itself: the test files of the part reach it through the environment.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: (process.env["LINKSEAL_MUTATE_TESTS"] ?? "").split(" "), testTimeout: 30_000 },
});
