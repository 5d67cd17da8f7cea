import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { patienceMs } from "./test/patience.ts";

/** Set by `npm test`: files that this computer cannot run, or runs elsewhere. */
const excluded = (process.env["LINKSEAL_EXCLUDE"] ?? "").split(" ").filter((path) => path !== "");

/** Microsoft's identity library keeps its tokens for a whole process. */
const lonely = ["test/unit/**/azure-*.test.ts"];

export default defineConfig({
  test: {
    projects: [
      // Their files share processes and modules: loading both anew took a fifth of their time.
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
    // Some tests mostly wait for processes and sockets: one more file fills the time.
    maxWorkers: availableParallelism() + 1,
    // A test that hangs ends; none fails because a computer is busy, and what a test waits for has
    // ended first.
    testTimeout: 3 * patienceMs,
    hookTimeout: 3 * patienceMs,
    setupFiles: process.env["LINKSEAL_COSTS"] === undefined ? [] : ["test/cost-meter.ts"],
    coverage: { include: ["agent/**", "hal/**", "drivers/**", "sim/**"] },
  },
});
