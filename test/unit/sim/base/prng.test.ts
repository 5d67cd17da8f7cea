import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";

const draws = (prng: Prng, count = 8): number[] =>
  Array.from({ length: count }, () => prng.uint32());

describe("Prng", () => {
  it("a seed always gives the same draws", () => {
    expect(draws(new Prng("a"), 3)).toEqual(draws(new Prng("a"), 3));
    expect(draws(new Prng("linkseal"), 4)).toEqual([
      4_255_179_826, 1_174_861_559, 4_262_626_046, 3_694_482_130,
    ]);
  });

  it.each([
    ["a", "b"],
    ["", "\0"],
    ["seed-1", "seed-2"],
    ["ab", "ba"],
  ])("the seeds %j and %j give different draws", (one, other) => {
    expect(draws(new Prng(one))).not.toEqual(draws(new Prng(other)));
  });

  it("a fork depends on its name alone, not on draws of parent and siblings", () => {
    const quiet = new Prng("s");
    const busy = new Prng("s");
    draws(busy, 100);
    draws(busy.fork("router-1"), 100);
    expect(draws(busy.fork("router-3"))).toEqual(draws(quiet.fork("router-3")));
    expect(draws(quiet.fork("router-3"))).not.toEqual(draws(quiet.fork("router-1")));
  });

  it("draws spread over their range", () => {
    const prng = new Prng("spread");
    const dice = Array.from({ length: 6000 }, () => prng.between(1, 6));
    for (const face of [1, 2, 3, 4, 5, 6]) {
      const count = dice.filter((value) => value === face).length;
      expect(count).toBeGreaterThan(850);
      expect(count).toBeLessThan(1150);
    }
    const ones = draws(prng, 4000).map((value) => value.toString(2).split("1").length - 1);
    const mean = ones.reduce((sum, value) => sum + value, 0) / ones.length;
    expect(mean).toBeGreaterThan(15.8);
    expect(mean).toBeLessThan(16.2);
  });

  it.each([
    [0, 0],
    [1, 20],
  ])("chance(%d) is exact", (probability, hits) => {
    const prng = new Prng("chance");
    expect(Array.from({ length: 20 }, () => prng.chance(probability)).filter(Boolean)).toHaveLength(
      probability === 0 ? 0 : hits,
    );
  });

  it("bytes and hex have the requested length", () => {
    expect(new Prng("x").bytes(16)).toHaveLength(16);
    expect(new Prng("x").hex(16)).toMatch(/^[0-9a-f]{32}$/);
    expect(Buffer.from(new Prng("x").bytes(4)).toString("hex")).toBe(new Prng("x").hex(4));
  });

  it("pick returns every item, and refuses an empty list", () => {
    const prng = new Prng("pick");
    const seen = new Set(Array.from({ length: 60 }, () => prng.pick(["a", "b", "c"])));
    expect([...seen].sort()).toEqual(["a", "b", "c"]);
    expect(() => prng.pick([])).toThrow(RangeError);
  });
});
