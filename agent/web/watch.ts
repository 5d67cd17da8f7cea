// The page of a signed-in operator: the whole site at one moment.

import { type ComponentChild, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import { campaignCard } from "./campaign.ts";
import { Detail, type DetailProps } from "./detail.ts";
import { Drawer } from "./drawer.ts";
import { liveMark, lostNote } from "./freshness.ts";
import { badge, plannedGlyph, severityMark, verdictGlyph } from "./glyph.ts";
import type { History } from "./history.ts";
import { LargeList, smallList } from "./list.ts";
import {
  type Connection,
  counts,
  isAllPlanned,
  isLarge,
  type Moment,
  namedOf,
  partsOf,
  selectedOf,
  verdictNow,
} from "./model.ts";
import { Command, reasonList } from "./pieces.ts";
import type { RowParts } from "./rows.ts";
import { siteSentence } from "./sentence.ts";
import { warningCard } from "./warnings.ts";
import { spanText, timeText } from "./words.ts";

export interface WatchProps {
  readonly moment: Moment;
  readonly connection: Connection;
  readonly history: History;
  /** The fragment of the page's address. */
  readonly fragment: string;
  readonly readDay: DetailProps["readDay"];
  readonly leave: () => void;
}

/** Warnings that are not folded away: on a large site the first wrong link comes soon after. */
const warningsMax = { full: 8, short: 3 } as const;

export function Watch(props: WatchProps): ComponentChild {
  const { moment, connection, history, fragment, leave } = props;
  const { snapshot } = moment;
  const isNarrow = useMedia("(max-width: 1080px)");
  const named = namedOf(snapshot, fragment);
  const selected = isNarrow ? named : selectedOf(snapshot, fragment);
  const chosen = selected === undefined ? "" : `${selected.kind} ${selected.id}`;
  const form = isLarge(snapshot) ? "short" : "full";
  const parts: RowParts = { moment, history, form, chosen };
  const detail = selected === undefined ? null : h(Detail, { ...props, key: chosen, selected });
  const second = side(moment, isNarrow ? null : detail, named !== undefined);
  return h(
    "div",
    { class: moment.isStale ? "watch stale" : "watch" },
    h("a", { class: "skip", href: "#main" }, "to the links"),
    top(moment, connection, leave),
    lostNote(moment, connection),
    h(
      "main",
      { id: "main", tabIndex: -1, class: second === null ? "single" : "double" },
      h(
        "div",
        { class: "wide" },
        sentence(moment),
        reasonList(snapshot.status.reasons),
        warningCard(moment, warningsMax[form]),
        form === "full" ? smallList({ parts }) : h(LargeList, { parts }),
        unmanaged(moment),
      ),
      second,
      events(moment),
    ),
    isNarrow && detail !== null ? h(Drawer, null, detail) : null,
  );
}

/** Shows what an operator has to know first; an outdated snapshot says nothing about now. */
function sentence({ snapshot, isStale }: Moment): ComponentChild {
  const found = isStale ? undefined : siteSentence(snapshot);
  const text = found === undefined ? null : h("p", { class: found.tone }, found.text);
  return h("div", { class: "sentence", role: "status" }, text);
}

/** The second column: what was chosen comes before what runs. */
function side(moment: Moment, detail: ComponentChild, isNamed: boolean): ComponentChild {
  const { snapshot } = moment;
  const { ended } = snapshot;
  const running = snapshot.status.groups.flatMap(({ rotation }) => rotation ?? []);
  if (running.length + ended.length + snapshot.devices.length === 0) return null;
  const runs = running.length === 0 ? null : campaigns("Running campaigns", running, moment);
  // It scrolls by itself on a wide screen, so the keyboard must reach it.
  const label = { role: "region", "aria-label": "Detail, campaigns and devices" } as const;
  const reached = detail === null ? {} : { tabIndex: 0, ...label };
  return h(
    "div",
    { class: "side", ...reached },
    isNamed ? [detail, runs] : [runs, detail],
    ended.length === 0 ? null : campaigns("Ended campaigns", ended, moment),
    devices(moment),
  );
}

/** Returns whether a media query fits, now and later. */
function useMedia(query: string): boolean {
  const [fits, setFits] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = (): void => setFits(list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, [query]);
  return fits;
}

function top(moment: Moment, connection: Connection, leave: () => void): ComponentChild {
  const { status } = moment.snapshot;
  const verdict = verdictNow(status.verdict, moment);
  return h(
    "header",
    { class: "top" },
    h(
      "h1",
      null,
      h("img", { src: "/icon.svg", alt: "" }),
      "linkseal ",
      h("b", null, status.site ?? ""),
    ),
    h(
      "div",
      { class: "whole", role: "status" },
      badge(verdict, {
        was: moment.isStale ? status.verdict : undefined,
        planned: isAllPlanned(moment.snapshot, partsOf(moment.snapshot)),
      }),
    ),
    tally(moment),
    h(
      "div",
      { class: "feed" },
      liveMark(moment, connection),
      h(
        "time",
        { dateTime: status.at },
        `${status.at.slice(0, 10)} ${status.at.slice(11, 19)} UTC`,
      ),
      h("button", { type: "button", onClick: leave }, "Sign out"),
    ),
  );
}

function tally(moment: Moment): ComponentChild {
  const known = moment.isStale ? [] : [...counts(moment.snapshot)].filter(([, count]) => count > 0);
  return h(
    "ul",
    { class: "tally" },
    known.map(([verdict, count]) =>
      h(
        "li",
        { key: verdict, class: verdict },
        verdict === "planned" ? plannedGlyph() : verdictGlyph(verdict),
        verdict === "planned" ? `${count} in planned work` : `${count} ${verdict}`,
      ),
    ),
  );
}

function unmanaged({ snapshot }: Moment): ComponentChild {
  const { unmanaged: all } = snapshot.status;
  if (all.length === 0) return null;
  return h(
    "section",
    { class: "card warnings", "aria-labelledby": "unmanaged" },
    h("h2", { id: "unmanaged" }, "Not managed"),
    h(
      "ul",
      null,
      all.map(({ kind, name, text, next }) =>
        h(
          "li",
          { key: `${kind} ${name}` },
          h("div", null, h("b", null, `${kind} ${name}`), ` ${text}`, h(Command, { text: next })),
        ),
      ),
    ),
  );
}

function campaigns(title: string, all: readonly CampaignShape[], moment: Moment): ComponentChild {
  const id = title.toLowerCase().replace(" ", "-");
  return h(
    "section",
    { class: "card campaigns", "aria-labelledby": id },
    h("h2", { id }, title),
    all.map((campaign) => campaignCard(campaign, moment)),
  );
}

/** Devices that answer are folded away where there are many. */
const devicesMax = 20;

function devices(moment: Moment): ComponentChild {
  const { devices: all } = moment.snapshot;
  if (all.length === 0) return null;
  const isMany = all.length > devicesMax;
  const answering = isMany && !moment.isStale ? all.filter(({ seen }) => seen) : [];
  const listed = all.filter((device) => !answering.includes(device));
  const list = (shown: typeof all): ComponentChild =>
    h(
      "ul",
      null,
      shown.map((device) => deviceItem(device, moment)),
    );
  return h(
    "section",
    { class: "card devices", "aria-labelledby": "devices" },
    h("h2", { id: "devices" }, "Devices"),
    listed.length === 0 ? null : list(listed),
    answering.length === 0
      ? null
      : h(
          "details",
          null,
          h(
            "summary",
            null,
            `${answering.length} ${answering.length === 1 ? "device answers" : "devices answer"}`,
          ),
          list(answering),
        ),
  );
}

function deviceItem(
  { name, driver, seen, lookAgeMs }: Moment["snapshot"]["devices"][number],
  moment: Moment,
): ComponentChild {
  const age =
    lookAgeMs === null ? ", never read" : `, last read ${spanText(lookAgeMs + moment.ageMs)} ago`;
  return h(
    "li",
    { key: name },
    h("b", null, name),
    h("span", { class: "faint" }, ` ${driver} `),
    seen && !moment.isStale ? "answers" : "not known",
    h("span", { class: "faint" }, age),
  );
}

function events({ snapshot }: Moment): ComponentChild {
  const { events: all, eventsBefore, status } = snapshot;
  return h(
    "section",
    { class: "card events", "aria-labelledby": "events" },
    h("h2", { id: "events" }, "Events"),
    all.length === 0 ? h("p", { class: "faint" }, "No events.") : null,
    h(
      "ol",
      { tabIndex: 0, "aria-label": "Events, the newest first" },
      [...all]
        .reverse()
        .map(({ n, at, code, about, text, severity, because }) =>
          h(
            "li",
            { key: n, class: because === undefined ? severity : `${severity} follows` },
            h("time", { dateTime: at }, timeText(at, status.at)),
            severityMark(severity),
            h("span", null, h("b", null, about), ` ${text} `, h("code", { class: "code" }, code)),
          ),
        ),
    ),
    earlier(eventsBefore),
  );
}

/** Says where the events before those of the page are. */
function earlier({ kept, lost }: Moment["snapshot"]["eventsBefore"]): ComponentChild {
  if (kept + lost === 0) return null;
  const gone = lost === 0 ? "" : `; ${lost} before them are kept no more`;
  return h(
    "p",
    { class: "faint" },
    `${kept} earlier ones: `,
    h("code", { class: "code" }, "linkseal events"),
    gone,
  );
}
