import { describe, expect, it } from "vitest";
import { type Figure, formatFigure, isKept, measure, summarise } from "../../../bench/bench.ts";

describe("the bench runner", () => {
  it.each([
    [[3], { min: 3, median: 3, max: 3 }],
    [[10, 9, 100], { min: 9, median: 10, max: 100 }],
    [[4, 1, 3, 2], { min: 1, median: 2.5, max: 4 }],
  ])("the bench runner summarises %j", (samples, summary) => {
    expect(summarise(samples)).toEqual(summary);
  });

  it("the bench runner takes samples in turns and discards the first of each", async () => {
    const log: string[] = [];
    const sample = (name: string, values: number[]) => (): number => {
      log.push(name);
      return values.shift() ?? Number.NaN;
    };
    const figure: Figure = {
      name: "time",
      unit: "ms",
      ours: sample("A", [1000, 2, 4]),
      peer: { name: "peer", sample: sample("B", [1000, 1, 8]) },
    };
    const measured = await measure(figure, 2);
    expect(log.join("")).toBe("ABABAB");
    expect(measured).toEqual({
      ours: { min: 2, median: 3, max: 4 },
      peer: { min: 1, median: 4.5, max: 8 },
    });
    expect(formatFigure(figure, measured).split("\n")).toEqual([
      "time",
      "  ours                                2.00        3.00        4.00  ms",
      "  peer                                1.00        4.50        8.00  ms",
      "  ours / peer                         2.00       0.667       0.500  x",
    ]);
  });

  it("the bench runner tells if a limit was kept, of the ratio if there is a peer", async () => {
    const figure: Figure = { name: "lag", unit: "ms", ours: () => 50, most: 40 };
    const peer = { name: "peer", sample: () => 100 };
    const alone = await measure(figure, 1);
    expect(formatFigure(figure, alone)).toContain("promised: at most 40, broken");
    expect(isKept(figure, alone)).toBe(false);
    const beside = { ...figure, peer, most: 0.5 };
    expect(formatFigure(beside, await measure(beside, 1))).toContain("at most 0.5, kept");
  });

  it("the bench runner prints a figure without a peer alone", async () => {
    const figure: Figure = { name: "speed", unit: "s/s", ours: () => 51_234.5 };
    expect(formatFigure(figure, await measure(figure, 1)).split("\n")).toEqual([
      "speed",
      "  ours                              51,235      51,235      51,235  s/s",
    ]);
  });
});
