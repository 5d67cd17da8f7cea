import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { paintFor } from "#agent/cli/paint.ts";
import { drawScene, happeningLine, type Scene, type SceneLink } from "#sim/lab/sim-view.ts";

const link = (name: string, rest: Partial<SceneLink>): SceneLink => ({
  name: `erd-demo/${name}`,
  edge: name === "primary" ? "edge-a" : "edge-b",
  far: name === "primary" ? "MSEE link1" : "MSEE link2",
  state: "clear",
  drained: false,
  verdict: "unprotected",
  protectedPps: 0,
  clearPps: 1000,
  ...rest,
});

const scene = (links: readonly SceneLink[], happenings = 40): Scene => ({
  title: "linkseal · simulated site demo",
  at: "2026-11-24T10:02:07Z",
  sinceStartMs: 127_000,
  speed: "20 times real time",
  links,
  tunnels: [{ name: "hub-1", verdict: "degraded" }],
  campaigns: ["enrol erd-demo/primary: switching for 4.2 s: waiting for the far end"],
  happenings: Array.from({ length: happenings }, (_, index) => ({
    atMs: index * 1000,
    code: "campaign-draining",
    about: "erd-demo/primary",
    text: `thing ${index} ${"and more ".repeat(20)}`,
  })),
  hint: "Ctrl-C ends it",
});

const both = [
  link("primary", { state: "protected", verdict: "protected", protectedPps: 1000, clearPps: 0 }),
  link("secondary", { state: "dark", drained: true, verdict: "down", clearPps: 0 }),
];

// Tests run without a terminal, so this paints nothing: what is left must say everything.
const plain = paintFor(process.stderr);
const coloured = {
  strong: (text: string) => `\u001b[1m${text}\u001b[22m`,
  faint: (text: string) => `\u001b[2m${text}\u001b[22m`,
  bad: (text: string) => `\u001b[31m${text}\u001b[39m`,
  verdict: (text: string) => `\u001b[32m${text}\u001b[39m`,
};
const widthOf = (line: string): number => Array.from(stripVTControlCharacters(line)).length;

describe("the live picture", () => {
  it.each([
    [40, 12],
    [80, 24],
    [120, 30],
    [200, 60],
  ])("the live picture fits into %i columns and %i rows", (columns, rows) => {
    for (const paint of [plain, coloured]) {
      const lines = drawScene(scene(both), paint, { columns, rows }, 3);
      expect(lines.length, "one row is left for the cursor").toBeLessThan(rows);
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    }
  });

  it.each<[string, Partial<SceneLink>, string]>([
    ["clear", { state: "clear" }, "clear"],
    ["drained", { drained: true }, "clear, drained"],
    ["dark", { state: "dark" }, "dark"],
    ["protected", { state: "protected", verdict: "protected" }, "protected"],
  ])("the live picture says %s in words", (_name, rest, words) => {
    const screen = { columns: 130, rows: 30 };
    const lines = drawScene(scene([link("primary", rest)]), plain, screen, 0);
    const row = lines.find((line) => line.includes("MSEE link1")) ?? "";
    expect(
      row
        .slice(row.indexOf("link1") + 5)
        .trim()
        .startsWith(words),
    ).toBe(true);
  });

  it("the live picture shows moving frames only where frames move", () => {
    const screen = { columns: 130, rows: 30 };
    const rowOf = (tick: number, index: number): string =>
      drawScene(scene(both), plain, screen, tick)[2 + index] ?? "";
    expect(rowOf(1, 0)).not.toBe(rowOf(2, 0));
    expect(rowOf(1, 1)).toBe(rowOf(2, 1));
  });

  it("the live picture keeps the newest events if there is room for few", () => {
    const lines = drawScene(scene(both), plain, { columns: 130, rows: 16 }, 0);
    expect(lines.some((line) => line.includes("thing 39"))).toBe(true);
    expect(lines.some((line) => line.includes("thing 0 "))).toBe(false);
  });
});

describe("an event in a pipe", () => {
  it("an event in a pipe is one line in fixed columns", () => {
    expect(happeningLine({ atMs: 12_340, code: "verdict", about: "hub-1", text: "down" })).toBe(
      "    12.3  hub-1                 verdict                 down",
    );
  });
});
