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
    const { outcome, outage, lostFrames, farKey, key } = await rotated("yes", 30_000);
    expect([outcome, farKey]).toEqual(["rotated", key.ckn]);
    expect(lostFrames).toBe(0n);
    expect(outage.wholeMs).toBe(outage.theirsMs + outage.oursMs);
    expect(outage.theirsMs).toBeGreaterThan(900);
    expect(outage.theirsMs).toBeLessThan(3_000);
    expect(outage.oursMs).toBeGreaterThan(30_000);
    console.log(
      `by hand, drained: dark ${outage.theirsMs} + ${outage.oursMs} ms, lost ${lostFrames}`,
    );
  });

  it("an undrained link loses frames during the whole change", async () => {
    const { outcome, outage, lostFrames } = await rotated("no", 30_000);
    expect(outcome).toBe("rotated");
    // The group carries 1,000 frames a second, and half of them use this link, in both directions.
    expect(Math.abs(Number(lostFrames) - outage.wholeMs)).toBeLessThan(50);
    console.log(`by hand, undrained: dark ${outage.wholeMs} ms, lost ${lostFrames}`);
  });

  it("a slower operator causes a longer outage", async () => {
    const [quick, slow] = [await rotated("yes", 10_000), await rotated("yes", 120_000)];
    expect(slow.outage.oursMs - quick.outage.oursMs).toBeGreaterThan(100_000);
  });
});
