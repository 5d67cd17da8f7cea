import { defineConfig } from "vitest/config";

/** By `npm test`: what this computer cannot run, or runs elsewhere. */
const excluded = (process.env["LINKSEAL_EXCLUDE"] ?? "").split(" ").filter((path) => path !== "");

/** Microsoft's identity library keeps its tokens for a whole process. */
const lonely = ["test/unit/**/azure-*.test.ts"];

export default defineConfig({
  test: {
    projects: [
      // Their files share processes and modules: a fifth of their time was loading both anew.
      {
        extends: true,
        test: {
          name: "pure",
          include: ["test/{unit,conformance}/**/*.test.ts"],
          exclude: [...lonely, ...excluded],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: ["test/{fleet,kernel,peers,process}/**/*.test.ts", ...lonely],
          exclude: excluded,
        },
      },
    ],
    // The default leaves one processor of two idle.
    maxWorkers: "100%",
    // What hangs ends; what is slow beside others does not fail.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    setupFiles: process.env["LINKSEAL_COSTS"] === undefined ? [] : ["test/cost-meter.ts"],
    coverage: { include: ["agent/**", "hal/**", "drivers/**", "sim/**"] },
  },
});
