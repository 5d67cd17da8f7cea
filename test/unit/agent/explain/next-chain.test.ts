// Follows `next` of every code through the views that it names: each way ends in an act.

import { describe, expect, it } from "vitest";
import { type Explanation, explanations } from "#agent/explain/explain.ts";
import { isWarningCode, nextFor, warningRows } from "#agent/model/warning-rows.ts";
import { isVerb } from "../../../verbs.ts";

const about = "erd-dub/primary";

/** Verbs that only show: their output has to lead on. */
const views = [
  ...["status", "links", "tunnels", "explain", "doctor", "plan", "events", "journal", "report"],
  ...["rotation show", "psk show", "keys check", "keys list", "driver list", "config show"],
];
/** Views that print the steps of the code that led there. */
const stepViews = ["links", "tunnels", "explain"];
/** Views that print `next` of the code anew. */
const nextViews = ["status", "doctor"];

const isOf = (command: string, verbs: readonly string[]): boolean =>
  verbs.some((verb) => command === `linkseal ${verb}` || command.startsWith(`linkseal ${verb} `));

/** An operator's own words for names, so that two spellings of one command are equal. */
const filled = (text: string): string =>
  text.replaceAll("GROUP/LINK", about).replaceAll("GROUP", "erd-dub").replaceAll("TUNNEL", about);

const commandsIn = (text: string): readonly string[] =>
  [...filled(text).matchAll(/`(linkseal [^`]*)`/g)].map(([, command = ""]) => command);

const viewsIn = (text: string): readonly string[] =>
  commandsIn(text).filter((command) => isOf(command, views) && !command.includes(" --bundle"));

/** Returns the circles of a way that begins with this command. */
function circles(code: string, command: string, way: readonly string[]): readonly string[] {
  if (way.includes(command)) return [[...way, command].join(" > ")];
  if (!isOf(command, views)) return [];
  const further = [...way, command];
  if (isOf(command, nextViews)) return circles(code, nextOf(code), further);
  if (!isOf(command, stepViews)) return [];
  const steps = explanations.get(code)?.steps ?? [];
  return steps.flatMap(({ text }) => viewsIn(text).flatMap((one) => circles(code, one, further)));
}

function nextOf(code: string): string {
  return isWarningCode(code) ? nextFor(code, about) : `linkseal explain ${code}`;
}

/** Returns what is wrong with the way from a code to an act. */
function faults({ code, steps }: Pick<Explanation, "code" | "steps">): readonly string[] {
  const last = steps.at(-1);
  if (last === undefined) return [`${code} has no step`];
  const ends = last.run.length > 0 || viewsIn(last.text).length === 0;
  return [
    ...(ends ? [] : [`${code} ends in a view: ${last.text}`]),
    ...circles(code, nextOf(code), []).map((circle) => `${code} is a circle: ${circle}`),
  ];
}

const all = [...explanations.values()];

describe("next", () => {
  it("the way from every code ends in an act, and none is a circle", () => {
    expect(all.length).toBeGreaterThan(150);
    expect(all.flatMap(faults)).toEqual([]);
  });

  it("a planted circle and a planted dead end are found", () => {
    const shown = { text: "Run `linkseal links GROUP/LINK`.", run: [] };
    expect(faults({ code: "mtu", steps: [shown] })).toHaveLength(1);
    expect(
      circles("mtu", "linkseal links erd-dub/primary", ["linkseal links erd-dub/primary"]),
    ).toHaveLength(1);
    // `status` shows what is next: a code whose next was `status` went in a circle.
    expect(circles("mtu", "linkseal status", ["linkseal links erd-dub/primary"])).toHaveLength(1);
  });

  it("next of every warning is a verb of the program or a sentence, with its names filled in", () => {
    for (const code of Object.keys(warningRows).filter(isWarningCode)) {
      const next = nextFor(code, about);
      expect([code, next]).not.toContain("status");
      expect(next).not.toMatch(/\b(ABOUT|GROUP|CODE)\b/);
      if (next.startsWith("linkseal ")) expect([next, isVerb(next)]).toEqual([next, true]);
    }
    expect(nextFor("mtu", "GROUP/ABOUT")).toBe("linkseal links GROUP/ABOUT");
    expect(nextFor("vault-denied", "erd-dub")).toBe("linkseal explain vault-denied erd-dub");
  });
});
