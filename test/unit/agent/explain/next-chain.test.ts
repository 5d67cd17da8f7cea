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
/** Verbs that begin like a view and change something. */
const acts = ["journal accept-loss", "doctor --bundle", "report --from"];

const isOf = (command: string, verbs: readonly string[]): boolean =>
  verbs.some((verb) => command === `linkseal ${verb}` || command.startsWith(`linkseal ${verb} `));

/** An operator's own words for names, so that two spellings of one command are equal. */
const filled = (text: string): string =>
  text.replaceAll("GROUP/LINK", about).replaceAll("GROUP", "erd-dub").replaceAll("TUNNEL", about);

const commandsIn = (text: string): readonly string[] =>
  [...filled(text).matchAll(/`(linkseal [^`]*)`/g)].map(([, command = ""]) => command);

const isView = (command: string): boolean => isOf(command, views) && !isOf(command, acts);

const viewsIn = (text: string): readonly string[] => commandsIn(text).filter(isView);

/** A step ends the way if it names a command to run or to type, or only a sentence. */
const isAct = ({ text, run }: Explanation["steps"][number]): boolean =>
  run.length > 0 || viewsIn(text).length === 0 || commandsIn(text).some((one) => !isView(one));

/** Returns the code whose steps a command prints; undefined = it prints other things. */
function stepsOf(code: string, command: string): string | undefined {
  const [, verb, first = ""] = command.split(" ");
  if (verb === "explain") return explanations.has(first) ? first : undefined;
  return (verb === "links" || verb === "tunnels") && first === about ? code : undefined;
}

/** Returns the circles of a way that begins with this command. */
function circles(code: string, command: string, way: readonly string[]): readonly string[] {
  if (way.includes(command)) return [[...way, command].join(" > ")];
  const further = [...way, command];
  // Both show a warning with what is next.
  if (isOf(command, ["status", "doctor"]) && isWarningCode(code)) {
    return circles(code, nextOf(code), further);
  }
  const shown = stepsOf(code, command);
  if (shown === undefined) return [];
  const steps = explanations.get(shown)?.steps ?? [];
  return steps.flatMap(({ text }) => viewsIn(text).flatMap((one) => circles(shown, one, further)));
}

function nextOf(code: string): string {
  return isWarningCode(code) ? nextFor(code, about) : `linkseal explain ${code}`;
}

/** Returns what is wrong with the way from a code to an act. */
function faults({ code, steps }: Pick<Explanation, "code" | "steps">): readonly string[] {
  const last = steps.at(-1);
  if (last === undefined) return [`${code} has no step`];
  return [
    ...(isAct(last) ? [] : [`${code} ends in a view: ${last.text}`]),
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
    expect(faults({ code: "mtu", steps: [shown] })).toEqual([`mtu ends in a view: ${shown.text}`]);
    expect(
      circles("mtu", "linkseal links erd-dub/primary", ["linkseal links erd-dub/primary"]),
    ).toHaveLength(1);
    // `status` shows what is next: a code whose next was `status` went in a circle.
    expect(circles("mtu", "linkseal status", ["linkseal links erd-dub/primary"])).toHaveLength(1);
  });

  it("next of every warning is a verb of the program or a sentence, with its names", () => {
    for (const code of Object.keys(warningRows).filter(isWarningCode)) {
      const next = nextFor(code, about);
      expect([code, next]).not.toEqual([code, "linkseal status"]);
      expect(next).not.toMatch(/\b(ABOUT|GROUP|CODE)\b/);
      if (next.startsWith("linkseal ")) expect([next, isVerb(next)]).toEqual([next, true]);
    }
    expect(nextFor("mtu", "GROUP/ABOUT")).toBe("linkseal links GROUP/ABOUT");
    expect(nextFor("vault-denied", "erd-dub")).toBe("linkseal explain vault-denied erd-dub");
  });
});
