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
  const rest = campaign.links.find(({ next }) => next !== undefined)?.next;
  return h(
    "section",
    { key: group, class: `campaign ${isOver ? "over" : "running"}`, "data-group": group },
    h(
      "header",
      null,
      h("h3", null, `${words}${kind} of ${group}`),
      h(
        "span",
        { class: `state ${state}` },
        rest === undefined ? stateText(state) : "not finished",
      ),
    ),
    h("p", { class: "waits" }, waitText(campaign, moment)),
    endLine(campaign, moment),
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
    aheadList(campaign),
    h("p", { class: "faint" }, `asked for by ${by}`),
  );
}

function waitText(
  { state, since, because, heldFrom }: CampaignShape,
  moment: Moment,
): ComponentChild {
  if (state === "done") return h("span", null, `ended: ${because}`);
  const age = spanText(moment.now - Date.parse(since));
  const from = heldFrom === null ? "" : `, was ${stateText(heldFrom)}`;
  return h(
    "span",
    null,
    h("b", null, `${stateText(state, age)}${from}: `),
    because,
    moment.isStale ? h("em", null, " when it was last reported") : null,
  );
}

/** Says until when it waits, and when the campaign is expected to end. */
function endLine({ state, until, restMs }: CampaignShape, moment: Moment): ComponentChild {
  if (state === "done" || moment.isStale) return null;
  const now = moment.snapshot.status.at;
  const waits = until === null ? openWait(state) : `Until ${timeText(until, now)} at the latest.`;
  return h("p", { class: "until" }, waits, restMs === null ? "" : ` ${endText(restMs, moment)}`);
}

function endText({ low, likely, high }: NonNullable<CampaignShape["restMs"]>, moment: Moment) {
  const at = (ms: number): string =>
    timeText(new Date(moment.now + ms).toISOString(), moment.snapshot.status.at);
  const range = `${at(low)} to ${at(high)}`;
  return `Expected to end at ${at(likely)} (${range}), in about ${spanText(likely)}.`;
}

/** What ends a state that has no deadline. */
function openWait(state: CampaignShape["state"]): string {
  if (state === "held") return "No deadline: it waits for an operator.";
  if (state === "awaitingPeer") {
    return "No deadline: it waits for an operator, and the link has its traffic.";
  }
  return "No deadline: the link has its traffic meanwhile.";
}

const aheadMax = 4;

/** Shows the steps to come, with how long each is expected to take. */
function aheadList({ ahead }: CampaignShape): ComponentChild {
  if (ahead.length === 0) return null;
  const rest = ahead.slice(aheadMax);
  const item = ({ link, state, does, likelyMs }: CampaignShape["ahead"][number], index: number) =>
    h(
      "li",
      { key: `${link} ${state} ${index}`, class: "future" },
      h("span", { class: "faint" }, `~ ${spanText(likelyMs)}`),
      h("span", null, h("b", null, `${link} ${stateText(state)}`), ` ${does}`),
    );
  return [
    h(
      "ol",
      { key: "next", class: "moves ahead", "aria-label": "Steps to come" },
      ahead.slice(0, aheadMax).map(item),
    ),
    rest.length === 0
      ? null
      : h(
          "details",
          { key: "later" },
          h(
            "summary",
            null,
            rest.length === 1 ? "1 step after these" : `${rest.length} steps after these`,
          ),
          h("ol", { class: "moves ahead" }, rest.map(item)),
        ),
  ];
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
