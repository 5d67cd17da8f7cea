// The links and tunnels as rows: by group on a small site; on a large one in one list, what is
// wrong first, with a search.

import { type ComponentChild, h } from "preact";
import { useState } from "preact/hooks";
import { badge } from "./glyph.ts";
import {
  isAllPlanned,
  isFound,
  type Moment,
  partsOf,
  rankOf,
  type Selected,
  verdictNow,
} from "./model.ts";
import { linkRow, type RowParts, tunnelRow } from "./rows.ts";
import { Search } from "./search.ts";

type LinkHere = Extract<Selected, { kind: "link" }>;
type TunnelHere = Extract<Selected, { kind: "tunnel" }>;
const isLink = (part: Selected): part is LinkHere => part.kind === "link";
const isTunnel = (part: Selected): part is TunnelHere => part.kind === "tunnel";

export interface ListProps {
  readonly parts: RowParts;
}

/** Shows all rows of a small site. */
export function smallList({ parts }: ListProps): ComponentChild {
  const { moment } = parts;
  const { status } = moment.snapshot;
  const all = partsOf(moment.snapshot);
  return [
    h(
      "section",
      { key: "links", class: "card", "aria-labelledby": "links" },
      h("h2", { id: "links" }, "Links"),
      status.groups.length === 0
        ? h("p", { class: "faint" }, "No group of links is configured.")
        : null,
      status.groups.map((group) => {
        const links = all.filter(isLink).filter(({ id }) => id.startsWith(`${group.name}/`));
        const rows = links.map((here) => linkRow(here, parts));
        return h(
          "div",
          { key: group.name, class: "group" },
          groupHead(group, links, moment),
          h("ul", { class: "rows" }, rows),
        );
      }),
    ),
    tunnelCard(all.filter(isTunnel), parts),
  ];
}

function groupHead(
  { name, verdict }: Moment["snapshot"]["status"]["groups"][number],
  links: readonly LinkHere[],
  { snapshot, isStale }: Moment,
): ComponentChild {
  const planned = isAllPlanned(snapshot, links);
  const seal = badge(verdictNow(verdict, { isStale }), {
    was: isStale ? verdict : undefined,
    planned,
  });
  return h("header", null, h("h3", null, name), seal);
}

function tunnelCard(all: readonly TunnelHere[], parts: RowParts): ComponentChild {
  if (all.length === 0) return null;
  return h(
    "section",
    { key: "tunnels", class: "card", "aria-labelledby": "tunnels" },
    h("h2", { id: "tunnels" }, "Tunnels"),
    h(
      "ul",
      { class: "rows" },
      all.map((here) => tunnelRow(here, parts)),
    ),
  );
}

/** What a search looks at. */
function textOf(here: Selected): string {
  const { kind, id, status } = here;
  const words = [kind, id, status.verdict, status.device];
  if (here.kind === "tunnel") words.push(here.status.local, here.status.remote);
  else words.push(here.status.port, here.status.azureLink, here.status.ckn ?? "");
  return words.join(" ");
}

/** Shows all rows of a large site. */
export function LargeList({ parts }: ListProps): ComponentChild {
  const { moment } = parts;
  const [search, setSearch] = useState("");
  const [isOnlyWrong, setOnlyWrong] = useState(false);
  const all = partsOf(moment.snapshot);
  const wrong = all.filter(({ status }) => status.verdict !== "protected");
  const found = (isOnlyWrong ? wrong : all)
    .filter((here) => search === "" || isFound(textOf(here), search))
    .map((here) => ({ here, rank: rankOf(moment.snapshot, here) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ here }) => here);
  const links = found.filter(isLink);
  return [
    h(
      "section",
      { key: "links", class: "card list", "aria-labelledby": "links" },
      h(
        "header",
        { class: "tools" },
        h("h2", { id: "links" }, "Links"),
        h(Search, {
          text: search,
          label: "Search links and tunnels",
          placeholder: "Search: link, router, port, key",
          change: setSearch,
        }),
        h(
          "button",
          {
            type: "button",
            "aria-pressed": isOnlyWrong,
            onClick: () => setOnlyWrong(!isOnlyWrong),
          },
          `Only what is wrong (${wrong.length})`,
        ),
        h("span", { class: "faint", role: "status" }, `${found.length} of ${all.length} shown`),
      ),
      links.length === 0 ? h("p", { class: "faint" }, noneText(search, wrong.length)) : null,
      h(
        "ul",
        { class: "rows" },
        links.map((here) => linkRow(here, parts)),
      ),
    ),
    tunnelCard(found.filter(isTunnel), parts),
  ];
}

function noneText(search: string, wrong: number): string {
  if (search !== "") return "No link has these words.";
  return wrong === 0 ? "Nothing is wrong." : "No link is wrong.";
}
