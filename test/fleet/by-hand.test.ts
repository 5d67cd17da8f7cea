// The cost of a rotation by hand for a link and for the pair: the figures with which the agent's
// rotation is compared.

import { describe, expect, it } from "vitest";
import { buildSite } from "#sim/site/site.ts";
import { settled } from "../unit/kit/site-bench.ts";
import { type ByHand, rotateByHand } from "./by-hand.ts";

async function rotated(
  drain: "yes" | "no",
  typeMs: number,
): Promise<ByHand & { readonly farKey: string | undefined }> {
  const site = buildSite({
    seed: "by-hand",
    name: "demo",
    groups: 1,
    tunnels: 0,
    start: "protected",
  });
  await site.clock.runFor(60_000);
  const link = site.link("erd-demo/primary");
  if (link === undefined) throw new RangeError("the demo has a primary link");
  const result = await settled(
    site.clock,
    rotateByHand(site, link, { drain, operator: { typeMs } }),
  );
  return { ...result, farKey: site.groupTruth(link.group).links[0]?.farKey };
}

describe("a rotation by hand", () => {
  it("a drained link is down while the operator types, and the pair loses no frame", async () => {
    const { outcome, dark, lostFrames, farKey, key } = await rotated("yes", 30_000);
    expect([outcome, farKey]).toEqual(["rotated", key.ckn]);
    expect(lostFrames).toBe(0n);
    expect(dark.wholeMs).toBe(dark.theirsMs + dark.oursMs);
    expect(dark.theirsMs).toBeGreaterThan(900);
    expect(dark.theirsMs).toBeLessThan(3_000);
    expect(dark.oursMs).toBeGreaterThan(30_000);
    console.log(`by hand, drained: dark ${dark.theirsMs} + ${dark.oursMs} ms, lost ${lostFrames}`);
  });

  it("an undrained link loses frames during the whole change", async () => {
    const { outcome, dark, lostFrames } = await rotated("no", 30_000);
    expect(outcome).toBe("rotated");
    // The group carries 1,000 frames a second, and half of them use this link, in both directions.
    expect(Math.abs(Number(lostFrames) - dark.wholeMs)).toBeLessThan(50);
    console.log(`by hand, undrained: dark ${dark.wholeMs} ms, lost ${lostFrames}`);
  });

  it("a slower operator causes a longer outage", async () => {
    const [quick, slow] = [await rotated("yes", 10_000), await rotated("yes", 120_000)];
    expect(slow.dark.oursMs - quick.dark.oursMs).toBeGreaterThan(100_000);
  });
});
