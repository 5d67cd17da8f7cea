// A status on narrow terminals: no line is too long but commands, and no word is lost.

import { describe, expect, it } from "vitest";
import { fitted } from "#agent/cli/fit.ts";
import type { Paint } from "#agent/cli/paint.ts";
import { statusText } from "#agent/cli/status-text.ts";
import { shownWidth } from "#agent/model/text.ts";
import { AgentBench } from "../../kit/agent-bench.ts";

const coloured = (text: string): string => `\u001b[1m${text}\u001b[22m`;
const paint: Paint = { strong: coloured, faint: coloured, bad: coloured, verdict: coloured };
const words = (text: string): readonly string[] => text.split(/\s+/);

async function statusOf(fault: boolean): Promise<string> {
  const bench = await new AgentBench("protected", "narrow").live();
  await bench.apply();
  await bench.run(60_000);
  if (fault) bench.link("primary").fibre.setUp(false);
  await bench.run(60_000);
  return statusText(bench.agent.status(), paint);
}

describe("a status", () => {
  it.each([80, 40])("a status on %i columns has no line that is too long", async (columns) => {
    for (const fault of [false, true]) {
      const whole = await statusOf(fault);
      const text = fitted(whole, columns);
      const long = text.split("\n").filter((line) => shownWidth(line) > columns);
      expect(long.filter((line) => !/^ *next: /.test(line))).toEqual([]);
      expect(words(text)).toEqual(words(whole));
    }
  });
});

describe("a line that is too long", () => {
  it.each([
    [
      "between cells",
      "  primary  protected  edge-a et-0/0/0",
      ["  primary  protected", "    edge-a et-0/0/0"],
    ],
    [
      "between words",
      "  no frame has moved since then",
      ["  no frame has moved", "    since then"],
    ],
    ["not within a word", `  ${"x".repeat(30)}`, [`  ${"x".repeat(30)}`]],
    [
      "not in a command",
      "  next: linkseal links erd-demo/primary",
      ["  next: linkseal links erd-demo/primary"],
    ],
  ])("a line is broken %s", (_where, line, lines) => {
    expect(fitted(line, 22).split("\n")).toEqual(lines);
  });

  it("a pipe gets whole lines, and so does a terminal that claims to have a few columns", () => {
    const line = "a b c d e f ".repeat(20);
    expect([fitted(line, undefined), fitted(line, 3)]).toEqual([line, line]);
  });
});
