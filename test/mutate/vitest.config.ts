// Stryker starts vitest itself, so the test files of the part come through the environment.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: (process.env["LINKSEAL_MUTATE_TESTS"] ?? "").split(" "), testTimeout: 30_000 },
});
