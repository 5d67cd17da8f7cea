// Shows a campaign as a timeline: what it did, its state, and what it waits for.

import { type ComponentChild, h } from "preact";
import { stateText } from "../model/state-text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Moment } from "./model.ts";
import { Command } from "./pieces.ts";
import { spanText, timeText } from "./words.ts";

const shownMoves = 6;

export function campaignCard(campaign: CampaignShape, moment: Moment): ComponentChild {
  const { group, kind, urgency, by, state, steps } = campaign;
  const isOver = state === "done";
  const earlier = steps.slice(0, -shownMoves);
  const moves = steps.slice(-shownMoves);
  const words = urgency === "emergency" ? "emergency " : "";
  return h(
    "section",
    { key: group, class: `campaign ${isOver ? "over" : "running"}`, "data-group": group },
    h(
      "header",
      null,
      h("h3", null, `${words}${kind} of ${group}`),
      h("span", { class: `state ${state}` }, stateText(state)),
    ),
    h("p", { class: "waits" }, waitText(campaign, moment)),
    linkList(campaign),
    farEndCommand(campaign),
    earlier.length === 0
      ? null
      : h(
          "details",
          null,
          h("summary", null, `${earlier.length} earlier moves`),
          moveList(earlier, moment, false),
        ),
    moveList(moves, moment, !isOver),
    h("p", { class: "faint" }, `asked for by ${by}`),
  );
}

function waitText(
  { state, since, because, restMs, heldFrom }: CampaignShape,
  moment: Moment,
): ComponentChild {
  if (state === "done") return h("span", null, `ended: ${because}`);
  const age = spanText(moment.now - Date.parse(since));
  const from = heldFrom === null ? "" : `, was ${stateText(heldFrom)}`;
  const rest =
    restMs === null ? "" : `; about ${spanText(restMs.likely)} more (${rangeText(restMs)})`;
  return h(
    "span",
    null,
    h("b", null, `${stateText(state, age)}${from}: `),
    `${because}${rest}`,
    moment.isStale ? h("em", null, " when it was last reported") : null,
  );
}

function rangeText({ low, high }: NonNullable<CampaignShape["restMs"]>): string {
  return `${spanText(low)} to ${spanText(high)}`;
}

/** Shows the command that an operator runs at the far end now. */
function farEndCommand({ farEnd }: CampaignShape): ComponentChild {
  const command = farEnd?.when === "now" ? (farEnd.command ?? farEnd.note) : null;
  return command === null ? null : h("p", null, h(Command, { text: command }));
}

function linkList({ links, link, state }: CampaignShape): ComponentChild {
  return h(
    "ol",
    { class: "stations" },
    links.map(({ name, outcome }) => {
      const isHere = outcome === null && name === link;
      const word = outcome ?? (isHere ? stateText(state) : "waits its turn");
      const kind = outcome !== null ? "past" : isHere ? "present" : "future";
      return h("li", { key: name, class: kind }, h("b", null, name), ` ${word}`);
    }),
  );
}

function moveList(
  moves: CampaignShape["steps"],
  moment: Moment,
  isRunning: boolean,
): ComponentChild {
  const now = moment.snapshot.status.at;
  return h(
    "ol",
    { class: "moves" },
    moves.map(({ at, link, state, because }, index) =>
      h(
        "li",
        {
          key: `${at} ${link} ${state} ${index}`,
          class: isRunning && index === moves.length - 1 ? "present" : "past",
        },
        h("time", { dateTime: at }, timeText(at, now)),
        h("span", null, h("b", null, `${link} ${stateText(state)}`), ` ${because}`),
      ),
    ),
  );
}
