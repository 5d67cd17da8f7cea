// Rules for what makes a rotation begin, and for the spans in which it may or must not begin.

import type { Path } from "./complaint.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import { readFreeze, readWindow, windowTexts } from "./span.ts";

export const spanRules: readonly Rule[] = [
  {
    says: "`rotate.maxAge` is needed for `rotate: { on: age }`.",
    *find({ groups }) {
      for (const [i, { rotate }] of groups.entries()) {
        if (rotate.on !== "age" || rotate.maxAge !== undefined) continue;
        const why = "without it no key is ever too old";
        yield finding(["groups", i, "rotate", "maxAge"], "is missing", why, "maxAge: 90d");
      }
    },
  },
  {
    says:
      "A `rotate.window` is days (`Sat`, `Mon-Fri`, `Mon,Wed` or `daily`), two times and a " +
      "time zone that exists; it lasts 15 minutes or more, and may pass midnight.",
    *find({ groups }) {
      for (const [i, { rotate }] of groups.entries()) {
        const path = ["groups", i, "rotate", "window"];
        for (const [j, text] of windowTexts(rotate.window).entries()) {
          const write = 'quote a span such as "Sat 02:00-06:00 Europe/Dublin"';
          const at = typeof rotate.window === "string" ? path : [...path, j];
          yield* refusals(at, readWindow(text), write);
        }
      }
    },
  },
  {
    says:
      "A `freeze` contains two days that exist, the later one last; both are included. A time " +
      "zone after them exists.",
    *find({ groups }) {
      for (const [i, { freeze }] of groups.entries()) {
        for (const [j, text] of freeze.entries()) {
          const write = '"2026-12-20/2027-01-05", or with a zone after it';
          yield* refusals(["groups", i, "freeze", j], readFreeze(text), write);
        }
      }
    },
  },
];

type Read = ReturnType<typeof readWindow | typeof readFreeze>;

function* refusals(path: Path, read: Read, write: string): Generator<Finding> {
  if (read.kind === "refused") yield finding(path, read.what, read.why, write);
}
