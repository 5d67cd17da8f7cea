// P7 on every surface: two that contradict each other, a key that is not in use, and a past that
// was otherwise.

import { describe, expect, it } from "vitest";
import type { Instant } from "#hal/world.ts";
import { formatViolation, watchSite } from "#sim/oracle/oracle.ts";
import { type Claim, contradictions } from "#sim/oracle/surfaces.ts";
import { buildSite } from "#sim/site/site.ts";

const about = "erd-demo/primary";
const link = (facts: Record<string, unknown> = {}): Claim => ({
  kind: "link",
  about,
  facts: { verdict: "protected", drained: false, ...facts },
});
const tunnel: Claim = { kind: "tunnel", about: "hub-1", facts: { verdict: "protected" } };

const texts = (one: readonly Claim[], other: readonly Claim[]): readonly string[] =>
  contradictions({ status: one, metrics: other }).map(({ text }) => text);

describe("surfaces of one moment", () => {
  it("surfaces that say the same contradict each other in nothing", () => {
    expect(texts([link(), tunnel], [link(), tunnel])).toEqual([]);
    // One need not speak of everything that the other speaks of.
    expect(texts([link(), tunnel], [link({ keyInUse: "a1" })])).toEqual([]);
  });

  it("each fact that differs is named with both surfaces, not known included", () => {
    expect(texts([link()], [link({ verdict: "down" })])).toEqual([
      `${about}: metrics says verdict down, and status protected`,
    ]);
    expect(texts([link()], [link({ drained: null })])).toEqual([
      `${about}: metrics says drained null, and status false`,
    ]);
  });

  it("a link that one surface leaves out is named", () => {
    const second = { ...link(), about: "erd-demo/secondary" };
    expect(texts([link(), second], [link()])).toEqual(["metrics leaves out erd-demo/secondary"]);
  });
});

describe("a surface against the truth", () => {
  const never = new AbortController().signal;

  async function scene() {
    const site = buildSite({ seed: "p7", name: "demo", groups: 1, tunnels: 1, start: "protected" });
    const oracle = watchSite(site);
    const observe = async (ms: number): Promise<void> => {
      for (let spent = 0; spent < ms; spent += 5_000) {
        for (const name of site.routers.keys()) void site.device(name)?.observe(never);
        await site.clock.runFor(5_000);
      }
    };
    await observe(60_000);
    const one = site.link(about);
    if (one === undefined) throw new RangeError("the demo has a primary link");
    const found = (): string => oracle.violations.map(formatViolation).join("\n");
    return { site, oracle, observe, link: one, found };
  }

  it("a surface that still calls a cut link protected is caught by its name", async () => {
    const { oracle, observe, link: one, found } = await scene();
    oracle.shown({ page: [link()] });
    expect(found()).toBe("");
    one.fibre.setUp(false);
    await observe(60_000);
    oracle.shown({ page: [link()] });
    expect(found()).toContain(
      `after: page says ${about} protected\n${about} is reported protected`,
    );
  });

  it("a key that is not MKA's principal is caught, and the key in use is not", async () => {
    const { site, oracle, found } = await scene();
    const key = site.groupTruth("erd-demo").links[0]?.principalCkn ?? null;
    expect(key).not.toBeNull();
    oracle.shown({ status: [link({ keyInUse: key })] });
    oracle.shown({ status: [link({ keyInUse: null })] });
    expect(found()).toBe("");
    oracle.shown({ status: [link({ keyInUse: "00".repeat(32) })] });
    expect(found()).toContain("is reported to use key 000000…0000: it never was");
  });

  it("a report that calls a loss protected is caught, one that shows it is not", async () => {
    const { site, oracle, observe, link: one, found } = await scene();
    const from = site.clock.now();
    one.fibre.setUp(false);
    await observe(120_000);
    one.fibre.setUp(true);
    await observe(60_000);
    const to = site.clock.now();
    oracle.reportedPast([{ about, from: 0 as Instant, to: from }]);
    oracle.reportedPast([{ about, from: (to - 30_000) as Instant, to }]);
    expect(found()).toBe("");
    oracle.reportedPast([{ about, from: 0 as Instant, to }]);
    expect(found()).toMatch(
      /report says \S+ protected\n.* protected for 1\d{5} ms in which it was not/,
    );
  });
});
