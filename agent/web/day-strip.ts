// A day of one link or tunnel as a strip of states, and how long it was in which, in words.

import { type ComponentChild, h } from "preact";
import type { PageDay, SlotState } from "../page/shape.ts";
import { spanText } from "./words.ts";

interface StateLook {
  readonly state: SlotState;
  readonly name: string;
  /** Class in the style sheet. */
  readonly look: string;
  /** From the top of the strip, and height, of 20: states differ without colour too. */
  readonly box: readonly [y: number, height: number];
}

/** In the order of the legend: what was not planned comes before what was. */
const looks: readonly StateLook[] = [
  { state: "o", name: "unprotected", look: "bad", box: [5, 15] },
  { state: "x", name: "down, not planned", look: "bad", box: [8, 12] },
  { state: "d", name: "degraded, not planned", look: "care", box: [10, 10] },
  { state: "m", name: "planned outage", look: "plan", box: [12, 8] },
  { state: "u", name: "unknown", look: "dark", box: [15, 5] },
  { state: "p", name: "protected", look: "good", box: [0, 20] },
  { state: "-", name: "not recorded", look: "none", box: [18, 2] },
];

interface Run {
  readonly state: string;
  readonly from: number;
  readonly slots: number;
}

/** Returns the states as runs of equal ones. */
export function runsOf(states: string): readonly Run[] {
  const runs: Run[] = [];
  for (const [index, state] of states.split("").entries()) {
    const last = runs.at(-1);
    if (last?.state === state) runs[runs.length - 1] = { ...last, slots: last.slots + 1 };
    else runs.push({ state, from: index, slots: 1 });
  }
  return runs;
}

/** Draws the strip; nothing before the day has come. */
export function dayStrip(day: Omit<PageDay<unknown>, "samples"> | undefined): ComponentChild {
  if (day === undefined || day.states === "") return null;
  const { states, slotMs, from } = day;
  const shares = looks
    .map((look) => ({
      ...look,
      slots: states.split("").filter((each) => each === look.state).length,
    }))
    .filter(({ slots }) => slots > 0);
  const words = shares.map(({ name, slots }) => `${name} ${spanText(slots * slotMs)}`);
  const label = `States of the last ${spanText(states.length * slotMs)}: ${words.join(", ")}`;
  return h(
    "figure",
    { class: "day" },
    h("figcaption", { class: "plot-title" }, `States, the worst of each ${spanText(slotMs)}`),
    h(
      "svg",
      {
        role: "img",
        "aria-label": label,
        viewBox: `0 0 ${states.length} 20`,
        preserveAspectRatio: "none",
      },
      runsOf(states).map(({ state, from: x, slots }) => {
        const look = looks.find((each) => each.state === state);
        if (look === undefined) return null;
        const [y, height] = look.box;
        return h("rect", { key: x, class: look.look, x, y, width: slots, height });
      }),
    ),
    h(
      "div",
      { class: "day-axis", "aria-hidden": "true" },
      h("span", null, `${new Date(from).toISOString().slice(5, 16).replace("T", " ")} UTC`),
      h("span", null, "now"),
    ),
    h(
      "ul",
      { class: "day-legend" },
      shares.map(({ name, look, state, slots }) =>
        h(
          "li",
          { key: state },
          h("i", { class: look }),
          `${name} `,
          h("b", null, spanText(slots * slotMs)),
        ),
      ),
    ),
  );
}
