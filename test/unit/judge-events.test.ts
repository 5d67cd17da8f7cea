// How loud the judge's events are, for whoever is told of some of them only.

import { describe, expect, it } from "vitest";
import { JudgeBench, unplugged } from "./judge-bench.ts";

describe("verdicts", () => {
  it("have the severity of the worse of both, so that who hears of one hears of its end", () => {
    const bench = new JudgeBench({ port: unplugged(3, 4) }).turn().polls(12);
    const told = bench.events
      .after(0)
      .filter(({ about }) => about === "erd-demo/primary")
      .map(({ code, verdict, severity, over }) => [code, verdict ?? over ?? "opened", severity]);
    expect(told).toEqual([
      ["verdict", "unknown", "warning"],
      ["verdict", "protected", "warning"],
      ["verdict", "down", "error"],
      ["verdict", "protected", "error"],
    ]);
    const long = new JudgeBench({ port: unplugged(3, 8) }).turn().polls(20);
    const warned = long.events.after(0).filter(({ code }) => code === "link-down");
    expect(warned.map(({ severity, over }) => [severity, over])).toEqual([
      ["error", undefined],
      ["error", true],
    ]);
  });
});
