// All sites of an engine: the wrong ones first, then the silent ones, then the rest; waves and
// freezes beside them.

import { type ComponentChild, h } from "preact";
import { useState } from "preact/hooks";
import type { Verdict } from "../../model/health.ts";
import { liveMark, lostNote } from "../../web/freshness.ts";
import { badge, severityMark, verdictGlyph } from "../../web/glyph.ts";
import { type Connection, isFound, type ViewAge } from "../../web/model.ts";
import { Search } from "../../web/search.ts";
import { spanText } from "../../web/words.ts";
import { type FleetView, freezeText, isOdd, type SiteRow, type WaveRow } from "../fleet-shape.ts";
import { siteItem } from "./site-row.ts";

/** Everything that the page shows. */
export interface FleetProps {
  readonly view: FleetView;
  readonly age: ViewAge;
  readonly connection: Connection;
  readonly leave: () => void;
}

/** Rows that are drawn at once; a search finds the others. */
const rowsMax = 200;

/** Shows all sites. */
export function Fleet({ view, age, connection, leave }: FleetProps): ComponentChild {
  const side = view.waves.length === 0 ? null : h("div", { class: "side" }, waves(view));
  return h(
    "div",
    { class: age.isStale ? "watch stale" : "watch" },
    h("a", { class: "skip", href: "#main" }, "to the sites"),
    top(view, age, connection, leave),
    lostNote(age, connection, "the hub"),
    engineNote(view, age),
    h(
      "main",
      { id: "main", tabIndex: -1, class: side === null ? "single of-fleet" : "double of-fleet" },
      h("div", { class: "wide" }, sentence(view, age), freezes(view), h(SiteList, { view, age })),
      side,
    ),
  );
}

function top(
  view: FleetView,
  age: ViewAge,
  connection: Connection,
  leave: () => void,
): ComponentChild {
  const { isStale } = age;
  const seal = badge(isStale ? "unknown" : view.verdict, isStale ? { was: view.verdict } : {});
  const sites = `${view.all} ${view.all === 1 ? "site" : "sites"}`;
  return h(
    "header",
    { class: "top" },
    h("h1", null, h("img", { src: "/icon.svg", alt: "" }), "linkseal ", h("b", null, "hub")),
    h("div", { class: "whole", role: "status" }, seal),
    h("ul", { class: "tally" }, h("li", null, sites), isStale ? null : tally(view)),
    h(
      "div",
      { class: "feed" },
      liveMark(age, connection),
      h("time", { dateTime: view.at }, `${view.at.slice(0, 10)} ${view.at.slice(11, 19)} UTC`),
      h("button", { type: "button", onClick: leave }, "Sign out"),
    ),
  );
}

const tallied: readonly Verdict[] = ["unprotected", "down", "unknown", "degraded", "protected"];

function tally({ verdicts, silent }: FleetView): readonly ComponentChild[] {
  return tallied.flatMap((verdict) => {
    const count = verdicts[verdict];
    if (count === 0) return [];
    const said = verdict === "unknown" && silent > 0 ? ` (${silent} silent)` : "";
    return [
      h(
        "li",
        { key: verdict, class: verdict },
        verdictGlyph(verdict),
        `${count} ${verdict}${said}`,
      ),
    ];
  });
}

/** Says that the hub itself reads nothing now. */
function engineNote({ engine }: FleetView, { ageMs }: ViewAge): ComponentChild {
  const text = engine.connected
    ? null
    : `The hub has read nothing from the engine for ${spanText(engine.forMs + ageMs)}: ` +
      `${engine.why}. Sites go on without it; here each becomes unknown within 90 s.`;
  return h("div", { class: "lost-note", role: "alert" }, text === null ? null : h("p", null, text));
}

/** Shows what an operator has to know first; an outdated view says nothing about now. */
function sentence(view: FleetView, { isStale }: ViewAge): ComponentChild {
  const found = isStale ? undefined : sentenceOf(view);
  const text = found === undefined ? null : h("p", { class: found.tone }, found.text);
  return h("div", { class: "sentence", role: "status" }, text);
}

const namesMax = 3;

function sentenceOf(view: FleetView): { readonly tone: string; readonly text: string } | undefined {
  const { all, sites, verdicts, silent } = view;
  if (all === 0) return { tone: "care", text: "No site has published a status." };
  const wrong = sites.filter(({ verdict, voice }) => verdict !== "protected" && voice !== "silent");
  const [first] = wrong;
  if (first !== undefined) {
    const names = wrong.slice(0, namesMax).map(({ site, verdict }) => `${site} is ${verdict}`);
    const count = all - verdicts.protected - silent;
    const more = count > names.length ? `, and ${count - names.length} more are wrong` : "";
    const isBad = first.verdict === "unprotected" || first.verdict === "down";
    return { tone: isBad ? "bad" : "care", text: `${names.join(", ")}${more}.` };
  }
  if (silent > 0) {
    const text = `${silent} of ${all} sites ${silent === 1 ? "is" : "are"} silent.`;
    return { tone: "care", text };
  }
  return {
    tone: "good",
    text: all === 1 ? "The site is protected." : `All ${all} sites are protected.`,
  };
}

function freezes({ freezes: all }: FleetView): ComponentChild {
  if (all.length === 0) return null;
  return h(
    "section",
    { class: "card warnings", "aria-labelledby": "freezes" },
    h("h2", { id: "freezes" }, "Frozen"),
    h(
      "ul",
      null,
      all.map((row) =>
        h("li", { key: row.key }, severityMark("warning"), h("div", null, freezeText(row))),
      ),
    ),
  );
}

/** What a search looks at. */
function textOf({ site, verdict, voice, told }: SiteRow): string {
  const wrong = told?.wrong.first.flatMap(({ about, codes }) => [about, ...codes]) ?? [];
  const config = told?.config == null ? "" : `config ${told.config.number} ${told.config.sha256}`;
  return [site, verdict, voice, config, told?.version ?? "", ...wrong].join(" ");
}

function SiteList({ view, age }: Pick<FleetProps, "view" | "age">): ComponentChild {
  const [search, setSearch] = useState("");
  const [isOnlyOdd, setOnlyOdd] = useState(false);
  const odd = view.sites.filter(isOdd);
  const found = (isOnlyOdd ? odd : view.sites).filter(
    (row) => search === "" || isFound(textOf(row), search),
  );
  const shown = found.slice(0, rowsMax);
  const none = search === "" ? "No site is wrong or silent." : "No site has these words.";
  return h(
    "section",
    { class: "card list", "aria-labelledby": "sites" },
    h(
      "header",
      { class: "tools" },
      h("h2", { id: "sites" }, "Sites"),
      h(Search, {
        ...{ text: search, change: setSearch, label: "Search sites" },
        placeholder: "Search: site, link, code, config",
      }),
      h(
        "button",
        { type: "button", "aria-pressed": isOnlyOdd, onClick: () => setOnlyOdd(!isOnlyOdd) },
        `Only wrong or silent (${odd.length})`,
      ),
      h("span", { class: "faint", role: "status" }, `${shown.length} of ${view.all} shown`),
    ),
    shown.length === 0 ? h("p", { class: "faint" }, none) : null,
    h(
      "ul",
      { class: "rows" },
      shown.map((row) => siteItem(row, age)),
    ),
  );
}

function waves({ waves: all }: FleetView): ComponentChild {
  return h(
    "section",
    { class: "card campaigns", "aria-labelledby": "waves" },
    h("h2", { id: "waves" }, "Waves"),
    all.map(waveCard),
  );
}

/** The states of a group that are behind it, in which it is open, and in which it failed. */
const toneOf: Readonly<Record<string, string>> = {
  ...{ reached: "good", begun: "plan", permitted: "plan", failed: "bad", leftOut: "dark" },
};

function waveCard(wave: WaveRow): ComponentChild {
  const { name, kind, state, why, stage, stages, progress } = wave;
  const isHalted = state === "stopped" || state === "frozen";
  const named = state === "done" ? "state done" : isHalted ? "state held" : "state";
  const all = progress.reduce((sum, { count }) => sum + count, 0);
  return h(
    "div",
    { key: name, class: "campaign" },
    h(
      "header",
      null,
      h("h3", null, kind === null ? name : `${name}: ${kind}`),
      h("span", { class: named }, state ?? "its record cannot be read"),
    ),
    why === null ? null : h("p", { class: "waits" }, why),
    stages === 0 ? null : h("p", { class: "faint" }, `stage ${stage} of ${stages}, ${all} groups`),
    h(
      "ul",
      { class: "progress" },
      progress.map(({ state: each, count }) =>
        h("li", { key: each, class: toneOf[each] ?? "" }, h("b", null, String(count)), ` ${each}`),
      ),
    ),
  );
}
