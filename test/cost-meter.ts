// Loaded before each test file by `npm test -- --slowest`: writes what the file cost.

import { appendFileSync, readFileSync } from "node:fs";
import { afterAll, expect } from "vitest";
import { type Cost, costsTo } from "./costs.ts";

/** The unit of /proc/PID/stat. */
const tickMs = 10;

/** Processor time of this process, and of those of its children that have ended. */
function processorMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * tickMs;
}

/**
 * A process that serves several files is measured from here; one that serves a single file, from
 * its start.
 */
const isFirst = Reflect.get(globalThis, costsTo) === undefined;
Reflect.set(globalThis, costsTo, true);
const before = isFirst
  ? { wallMs: 0, processorMs: 0 }
  : { wallMs: performance.now(), processorMs: processorMs() };

// The hook that is registered first runs last.
afterAll(() => {
  const cost: Cost = {
    file: expect.getState().testPath ?? "?",
    wallMs: Math.round(performance.now() - before.wallMs),
    processorMs: processorMs() - before.processorMs,
  };
  appendFileSync(process.env[costsTo] ?? "/dev/null", `${JSON.stringify(cost)}\n`);
});
