// The open warnings: each with what follows from it, and with the next safe command.

import { type ComponentChild, h } from "preact";
import type { Verdict } from "../model/health.ts";
import { severityMark } from "./glyph.ts";
import { fragmentOf, type Moment, partsOf, verdictNow } from "./model.ts";
import { Command } from "./pieces.ts";
import { spanText, timeText } from "./words.ts";

type Warning = Moment["snapshot"]["status"]["warnings"][number];

/** A part whose state is the consequence of a warning. */
interface Consequence {
  readonly kind: "link" | "tunnel";
  readonly id: string;
  readonly verdict: Verdict;
}

/** Returns what follows from each cause, by `CODE ABOUT`. */
export function consequencesOf(
  snapshot: Moment["snapshot"],
): ReadonlyMap<string, readonly Consequence[]> {
  const all = new Map<string, readonly Consequence[]>();
  for (const part of partsOf(snapshot)) {
    const { kind, id, status } = part;
    const [first] = status.reasons.flatMap(({ because }) => because ?? []);
    const cause = part.kind === "tunnel" ? part.status.because : first;
    if (cause === null || cause === undefined || cause.about === id) continue;
    const key = `${cause.code} ${cause.about}`;
    all.set(key, [...(all.get(key) ?? []), { kind, id, verdict: status.verdict }]);
  }
  return all;
}

/** Shows the warnings, the worst first; all but the first `most` are folded away. */
export function warningCard(moment: Moment, most: number): ComponentChild {
  const { warnings } = moment.snapshot.status;
  const consequences = consequencesOf(moment.snapshot);
  const item = (warning: Warning): ComponentChild =>
    warningItem(warning, consequences.get(`${warning.code} ${warning.about}`) ?? [], moment);
  const rest = warnings.slice(most);
  const none = moment.isStale ? "There were no warnings." : "No warnings.";
  return h(
    "section",
    { class: "card warnings", "aria-labelledby": "warnings" },
    h("h2", { id: "warnings" }, "Warnings"),
    warnings.length === 0
      ? h("p", { class: "faint" }, none)
      : h("ul", null, warnings.slice(0, most).map(item)),
    rest.length === 0
      ? null
      : h(
          "details",
          null,
          h("summary", null, rest.length === 1 ? "1 more warning" : `${rest.length} more warnings`),
          h("ul", null, rest.map(item)),
        ),
  );
}

function warningItem(
  { code, severity, about, since, absentSince, text, next }: Warning,
  consequences: readonly Consequence[],
  moment: Moment,
): ComponentChild {
  return h(
    "li",
    { key: `${code} ${about}`, class: severity },
    severityMark(severity),
    h(
      "div",
      null,
      h("b", null, about),
      ` ${text} `,
      h("code", { class: "code" }, code),
      " ",
      h("span", { class: "faint age" }, `for ${spanText(moment.now - Date.parse(since))}`),
      absentSince === null
        ? null
        : h("em", null, ` not observed since ${timeText(absentSince, moment.snapshot.status.at)}`),
      h(Command, { text: next }),
      consequences.length === 0 ? null : consequenceLine(consequences, moment),
    ),
  );
}

const namedMax = 6;

function consequenceLine(all: readonly Consequence[], moment: Moment): ComponentChild {
  const rest = all.length - namedMax;
  return h(
    "p",
    { class: "follows" },
    "and because of this: ",
    all
      .slice(0, namedMax)
      .map(({ kind, id, verdict }, index) => [
        index === 0 ? "" : ", ",
        h("a", { href: fragmentOf(kind, id) }, id),
        ` ${verdictNow(verdict, moment)}`,
      ]),
    rest > 0 ? ` and ${rest} more` : "",
  );
}
