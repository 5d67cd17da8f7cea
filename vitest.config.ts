import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*/**/*.test.ts"],
    testTimeout: 30_000,
    setupFiles: process.env["LINKSEAL_COSTS"] === undefined ? [] : ["test/cost-meter.ts"],
    coverage: { include: ["agent/**", "hal/**", "drivers/**", "sim/**"] },
  },
});
