// What a hub of waves makes of the statuses of sites.

import { expect, it } from "vitest";
import { readView } from "#agent/hub/wave-reading.ts";
import { MemoryEngine } from "../../kit/engine-kit.ts";
import { never } from "../../kit/site-bench.ts";
import { downLink, siteStatus } from "../../kit/site-statuses.ts";
import { wallAt, waveOf } from "../../kit/wave-kit.ts";

// A hub of waves believed the verdict of a status alone, beside a page that did not.
it("a site that contradicts itself is judged by its worst part, under its own key", async () => {
  const engine = new MemoryEngine();
  const put = (key: string, status: object) =>
    engine.put("linkseal-status", key, Buffer.from(JSON.stringify(status)));
  await put("a", siteStatus("a", { ...downLink("a"), verdict: "protected" }));
  await put("b", siteStatus("a"));
  await put("c", siteStatus("c"));
  const view = await readView(engine, waveOf([["a", "b", "c"]]), wallAt(0), never);
  expect(view?.sites.get("a")?.verdict).toBe("down");
  expect(view?.sites.has("b")).toBe(false);
  expect(view?.sites.get("c")?.verdict).toBe("protected");
});
