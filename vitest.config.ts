import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*/**/*.test.ts"],
    // The default leaves one processor of two idle.
    maxWorkers: "100%",
    // What hangs ends; what is slow beside others does not fail.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    setupFiles: process.env["LINKSEAL_COSTS"] === undefined ? [] : ["test/cost-meter.ts"],
    coverage: { include: ["agent/**", "hal/**", "drivers/**", "sim/**"] },
  },
});
