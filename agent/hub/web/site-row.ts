// A site as a row: verdict, what is wrong, config, oldest key, newest head, and when it told so.

import { type ComponentChild, h } from "preact";
import { badge } from "../../web/glyph.ts";
import type { ViewAge } from "../../web/model.ts";
import { Row } from "../../web/row.ts";
import { spanText } from "../../web/words.ts";
import { noteText, type SiteRow, voiceText } from "../fleet-shape.ts";

/** Shows a site. */
export function siteItem(row: SiteRow, age: ViewAge): ComponentChild {
  const { site, verdict, voice, was, told, head, notes } = row;
  const { at: _at, ...kept } = told ?? { at: "" };
  return h(Row, {
    key: site,
    ...{ about: site, isChosen: false, form: "of-site" },
    gist: JSON.stringify([verdict, voice, was, kept, head, notes, age.isStale]),
    draw: () => [title(row, age), ...facts(row, age), ...because(row, age)],
  });
}

function title({ site, verdict }: SiteRow, { isStale }: ViewAge): ComponentChild {
  const seal = isStale ? badge("unknown", { was: verdict }) : badge(verdict);
  return h("div", { class: "title" }, seal, h("b", { class: "site-name" }, site));
}

function facts(row: SiteRow, { ageMs: sinceMs }: ViewAge): readonly ComponentChild[] {
  const { told, head, ageMs, voice } = row;
  const [oldest] = told?.keys.first ?? [];
  const config = told?.config;
  const said = voice === "told" && ageMs !== null ? spanText(ageMs + sinceMs) : voice;
  return [
    fact("config", config == null ? "none" : `${config.number} ${config.sha256.slice(0, 8)}`),
    fact("oldest key", oldest === undefined ? "none" : `${oldest.ageDays} d`),
    fact("head", head === null ? "none" : `${head.seq} of ${told?.audit.newest ?? "?"}`),
    fact("told", said),
  ];
}

const fact = (name: string, value: string): ComponentChild =>
  h("span", { class: "site-fact" }, h("small", null, name), ` ${value}`);

/** Says why a site is where it is: nothing for one that is protected. */
function because(row: SiteRow, { isStale, ageMs }: ViewAge): readonly ComponentChild[] {
  const { voice, told, notes } = row;
  const lines: ComponentChild[] = [];
  if (voice !== "told") lines.push(h("li", { key: "voice" }, voiceText(row, ageMs)));
  for (const note of notes) lines.push(h("li", { key: note.kind }, noteText(note)));
  // What was wrong before a silence may be over, or worse.
  if (voice === "told" && !isStale && told !== null) {
    const { all, first } = told.wrong;
    for (const { about, verdict, codes } of first) {
      const code = h("code", { class: "code" }, codes.join(" "));
      lines.push(h("li", { key: about }, h("b", null, about), ` ${verdict} `, code));
    }
    if (all > first.length) lines.push(h("li", { key: "" }, `and ${all - first.length} more`));
    for (const { group, kind, state } of told.campaigns.first) {
      lines.push(h("li", { key: `c ${group}` }, `${kind} of ${group}: ${state}`));
    }
  }
  return lines.length === 0 ? [] : [h("ul", { class: "site-why" }, lines)];
}
