// The page of timelines shows the agent's present behaviour, second by second.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filled } from "../docs/generated.ts";
import { realRotation } from "../recorded-rotation.ts";
import { timelines } from "../timeline-runs.ts";

const path = join(import.meta.dirname, "../../docs/timelines.md");

it("docs/timelines.md has the timelines of these runs; if not: npm run docs", async () => {
  const written = readFileSync(path, "utf8");
  const parts = { ...(await timelines()), ...realRotation() };
  expect(filled(written, parts) === written, "timelines.md: npm run docs").toBe(true);
  // Other texts would have been inserted.
  expect(filled(written, { ...parts, costs: "none" })).not.toBe(written);
});
