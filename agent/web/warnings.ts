// The open warnings: each with what follows from it, and with the next safe command.

import { type ComponentChild, h } from "preact";
import { severityMark } from "./glyph.ts";
import { fragmentOf, type Moment, verdictNow } from "./model.ts";
import { Command } from "./pieces.ts";
import { spanText, timeText } from "./words.ts";

type Status = Moment["snapshot"]["status"];
type Warning = Status["warnings"][number];

/** A part whose state is the consequence of a warning. */
interface Consequence {
  readonly kind: "link" | "tunnel";
  readonly id: string;
  readonly verdict: Status["verdict"];
}

/** Returns what follows from each cause, by `CODE ABOUT`. */
export function consequencesOf({ groups, tunnels }: Status): ReadonlyMap<string, Consequence[]> {
  const all = new Map<string, Consequence[]>();
  const add = (cause: { readonly code: string; readonly about: string }, part: Consequence) => {
    if (cause.about === part.id) return;
    const key = `${cause.code} ${cause.about}`;
    all.set(key, [...(all.get(key) ?? []), part]);
  };
  for (const group of groups) {
    for (const { name, verdict, reasons } of group.links) {
      const [because] = reasons.flatMap((reason) => reason.because ?? []);
      if (because !== undefined)
        add(because, { kind: "link", id: `${group.name}/${name}`, verdict });
    }
  }
  for (const { name, verdict, because } of tunnels) {
    if (because !== null) add(because, { kind: "tunnel", id: name, verdict });
  }
  return all;
}

/** Shows the warnings, the worst first; all but the first `most` are folded away. */
export function warningCard(moment: Moment, most: number): ComponentChild {
  const { status } = moment.snapshot;
  const { warnings } = status;
  const consequences = consequencesOf(status);
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
