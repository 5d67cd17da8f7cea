// The page of a signed-in operator: the whole site at one moment.

import { type ComponentChild, h } from "preact";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import { campaignCard } from "./campaign.ts";
import { Detail } from "./detail.ts";
import { badge, severityMark, verdictGlyph } from "./glyph.ts";
import type { History } from "./history.ts";
import { type Connection, counts, type Moment, selectedOf, verdictNow } from "./model.ts";
import { Command, reasonList } from "./pieces.ts";
import { linkRow, type RowParts, tunnelRow } from "./rows.ts";
import { spanText, timeText } from "./words.ts";

export interface WatchProps {
  readonly moment: Moment;
  readonly connection: Connection;
  readonly history: History;
  /** The fragment of the page's address. */
  readonly fragment: string;
  readonly leave: () => void;
}

export function Watch({
  moment,
  connection,
  history,
  fragment,
  leave,
}: WatchProps): ComponentChild {
  const { snapshot } = moment;
  const selected = selectedOf(snapshot, fragment);
  const chosen = selected === undefined ? "" : `${selected.kind} ${selected.id}`;
  const { ended } = snapshot;
  // `rotation` passes through the status untyped; the agent puts a campaign there, or null.
  const running = snapshot.status.groups.flatMap(({ rotation }) =>
    rotation === null ? [] : [rotation as CampaignShape],
  );
  const parts: RowParts = { moment, history, chosen };
  return h(
    "div",
    { class: moment.isStale ? "watch stale" : "watch" },
    h("a", { class: "skip", href: "#main" }, "to the links"),
    top(moment, connection, leave),
    lostNote(moment, connection),
    h(
      "main",
      { id: "main", tabIndex: -1 },
      h(
        "div",
        { class: "wide" },
        reasonList(snapshot.status.reasons),
        warnings(moment),
        groups(parts),
        tunnels(parts),
        unmanaged(moment),
      ),
      h(
        "div",
        { class: "side" },
        running.length === 0 ? null : campaigns("Running campaigns", running, moment),
        selected === undefined ? null : h(Detail, { key: chosen, selected, moment, history }),
        ended.length === 0 ? null : campaigns("Ended campaigns", ended, moment),
        devices(moment),
      ),
      events(moment),
    ),
  );
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
      badge(verdict, moment.isStale ? status.verdict : undefined),
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
      h("li", { key: verdict, class: verdict }, verdictGlyph(verdict), `${count} ${verdict}`),
    ),
  );
}

function liveMark({ isStale, ageMs }: Moment, connection: Connection): ComponentChild {
  if (!isStale) return h("span", { class: "live" }, "live");
  const word = connection.kind === "open" ? "silent" : "not connected";
  return h("span", { class: "live lost" }, `${word} for ${spanText(ageMs)}`);
}

/** Says that nothing below is current. */
function lostNote({ isStale, ageMs }: Moment, connection: Connection): ComponentChild {
  const why = connection.kind === "lost" ? connection.why : "the agent sends nothing";
  const sentence = `No data from the agent for ${spanText(ageMs)}: ${why}.`;
  const text = `${sentence} Everything below is as it was then; how it is now is unknown.`;
  return h("div", { class: "lost-note", role: "alert" }, isStale ? h("p", null, text) : null);
}

function warnings(moment: Moment): ComponentChild {
  const { status } = moment.snapshot;
  return h(
    "section",
    { class: "card warnings", "aria-labelledby": "warnings" },
    h("h2", { id: "warnings" }, "Warnings"),
    status.warnings.length === 0
      ? h("p", { class: "faint" }, moment.isStale ? "There were no warnings." : "No warnings.")
      : h(
          "ul",
          null,
          status.warnings.map(({ code, severity, about, since, absentSince, text, next }) =>
            h(
              "li",
              { key: `${code} ${about}`, class: severity },
              severityMark(severity),
              h(
                "div",
                null,
                h("b", null, about),
                ` ${text} `,
                h("code", { class: "code" }, code),
                h("span", { class: "faint" }, ` for ${spanText(moment.now - Date.parse(since))}`),
                absentSince === null
                  ? null
                  : h("em", null, ` not observed since ${timeText(absentSince, status.at)}`),
                h(Command, { text: next }),
              ),
            ),
          ),
        ),
  );
}

function groups(parts: RowParts): ComponentChild {
  const { moment } = parts;
  const { status, links } = moment.snapshot;
  const byId = new Map(links.map((link) => [link.id, link]));
  return h(
    "section",
    { class: "card", "aria-labelledby": "links" },
    h("h2", { id: "links" }, "Links"),
    status.groups.length === 0
      ? h("p", { class: "faint" }, "No group of links is configured.")
      : null,
    status.groups.map((group) =>
      h(
        "div",
        { key: group.name, class: "group" },
        h(
          "header",
          null,
          h("h3", null, group.name),
          badge(verdictNow(group.verdict, moment), moment.isStale ? group.verdict : undefined),
        ),
        h(
          "ul",
          { class: "rows" },
          group.links.map((link) =>
            linkRow(group.name, link, byId.get(`${group.name}/${link.name}`), parts),
          ),
        ),
      ),
    ),
  );
}

function tunnels(parts: RowParts): ComponentChild {
  const { status, tunnels: all } = parts.moment.snapshot;
  if (status.tunnels.length === 0) return null;
  const byName = new Map(all.map((tunnel) => [tunnel.name, tunnel]));
  return h(
    "section",
    { class: "card", "aria-labelledby": "tunnels" },
    h("h2", { id: "tunnels" }, "Tunnels"),
    h(
      "ul",
      { class: "rows" },
      status.tunnels.map((tunnel) => tunnelRow(tunnel, byName.get(tunnel.name), parts)),
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

function devices(moment: Moment): ComponentChild {
  const { devices: all } = moment.snapshot;
  if (all.length === 0) return null;
  return h(
    "section",
    { class: "card devices", "aria-labelledby": "devices" },
    h("h2", { id: "devices" }, "Devices"),
    h(
      "ul",
      null,
      all.map(({ name, driver, seen, lookAgeMs }) =>
        h(
          "li",
          { key: name },
          h("b", null, name),
          h("span", { class: "faint" }, ` ${driver} `),
          seen && !moment.isStale ? "answers" : "not known",
          h(
            "span",
            { class: "faint" },
            lookAgeMs === null
              ? ", never read"
              : `, last read ${spanText(lookAgeMs + moment.ageMs)} ago`,
          ),
        ),
      ),
    ),
  );
}

function events({ snapshot }: Moment): ComponentChild {
  const { events: all, eventsBefore, status } = snapshot;
  return h(
    "section",
    { class: "card events", "aria-labelledby": "events" },
    h("h2", { id: "events" }, "Events"),
    h(
      "ol",
      { tabIndex: 0, "aria-label": "Events, the newest first" },
      [...all]
        .reverse()
        .map(({ n, at, code, about, text, severity }) =>
          h(
            "li",
            { key: n, class: severity },
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
