import { describe, expect, it } from "vitest";
import { isSameServer, watchOf, withWatch } from "#agent/health/sak-watch.ts";
import { finding, type LinkHealth } from "#agent/model/health.ts";
import { wall } from "../../kit/snapshot-kit.ts";

const about = "erd-demo/primary";
const ages = { controlPlaneMs: 0, dataPlaneMs: 0, farEndMs: 0 };
const changed = finding("degraded", "far-end-changed", about, "it was changed");
const stale = finding("down", "stale-sak", about, "no frame passes");
const dark: LinkHealth = { verdict: "down", reasons: [changed, stale], ages };

describe("the watch of later SAKs", () => {
  it.each([
    { sak: "a1/7", verdict: "protected", seen: 0 },
    { sak: "a1/8", verdict: "protected", seen: 1 },
    { sak: "a1/10", verdict: "down", seen: 3 },
    { sak: "a1/11", verdict: "down", seen: 4 },
    { sak: "a1/11", verdict: "unknown", seen: 4 },
  ] as const)("after a1/7, $sak of a link that is $verdict is number $seen", (row) => {
    expect(watchOf("a1/7", row.sak, row.verdict)).toEqual({ seen: row.seen, needed: 4 });
  });

  it.each([
    { why: "the last one is proven", first: "a1/7", sak: "a1/11", verdict: "protected" },
    { why: "it is past the last one", first: "a1/7", sak: "a1/12", verdict: "down" },
    { why: "another key server made it", first: "a1/7", sak: "b2/8", verdict: "down" },
    { why: "it is older than the first one", first: "a1/7", sak: "a1/6", verdict: "down" },
    { why: "its number cannot be read", first: "a1/7", sak: "a1/x", verdict: "down" },
    { why: "the first one cannot be read", first: "a1", sak: "a1/3", verdict: "down" },
  ] as const)("after $first there is no watch at $sak: $why", ({ first, sak, verdict }) => {
    expect(watchOf(first, sak, verdict)).toBeUndefined();
  });

  it("two SAKs are of one session if the same MI made them", () => {
    expect([isSameServer("a1/7", "a1/9"), isSameServer("a1/7", "b2/7")]).toEqual([true, false]);
  });
});

describe("a loss of frames during the watch", () => {
  it("a loss at a later SAK names its number, the cause and the way back", () => {
    const { reasons, verdict } = withWatch(dark, { seen: 3, needed: 4 }, about, wall);
    expect(verdict).toBe("down");
    expect(reasons[0]).toEqual(changed);
    expect(reasons[1]).toMatchObject({
      code: "stale-sak",
      next: `linkseal explain stale-sak ${about}`,
    });
    expect(reasons[1]?.text).toMatch(
      /^no frame passes; this is SAK 3 of 4 after the rotation of 20.*Z: hardware can keep/,
    );
    expect(reasons[1]?.text).toMatch(/Drain the link and restart MACsec on its port$/);
  });

  it("a loss at the first SAK has nothing to do with later ones", () => {
    expect(withWatch(dark, { seen: 0, needed: 4 }, about, wall)).toBe(dark);
  });

  it("a link that lost its MKA is not explained by a later SAK", () => {
    const silent: LinkHealth = {
      ...dark,
      reasons: [finding("down", "mka-no-live-peer", about, "the far end is silent")],
    };
    expect(withWatch(silent, { seen: 3, needed: 4 }, about, wall)).toBe(silent);
  });
});
