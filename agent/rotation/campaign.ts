// The campaign machine: (campaign, facts) to step. Pure; the rotation runner is its only caller.

import type { WallTime } from "#hal/world.ts";
import {
  type ActionKind,
  type Campaign,
  type CampaignState,
  type Context,
  entryOf,
  type Facts,
  type Guards,
  noMarks,
  type Row,
  type Step,
  type Table,
} from "../model/campaign.ts";
import { fitting } from "../model/machine.ts";
import type { Reason } from "../model/reason.ts";
import { guards } from "./guards.ts";
import { draining } from "./rows-draining.ts";
import { awaitingPeer, done, gated, held, listensIn, queued, timeAlone } from "./rows-parked.ts";
import { promoting, proving, retiring } from "./rows-proving.ts";
import { restoring, reverting } from "./rows-restoring.ts";
import { bothEnds } from "./rows-shared.ts";
import { staged, staging } from "./rows-staging.ts";
import { switching } from "./rows-switching.ts";

/** The rows of each state; the first one that fits is taken. */
export const table: Table = {
  queued,
  gated,
  draining,
  staging,
  staged,
  awaitingPeer,
  switching,
  proving,
  promoting,
  retiring,
  restoring,
  reverting,
  held,
  done,
};

/** Returns the next step for what was observed; anything that the tables do not list is `held`. */
export function decide(campaign: Campaign, facts: Facts): Step {
  return decideBy(table, guards, campaign, facts);
}

/** `decide` with other rows or guards, for the proof that each of them is needed. */
export function decideBy(rows: Table, guarded: Guards, campaign: Campaign, facts: Facts): Step {
  const context: Context = { campaign, link: entryOf(campaign), facts, port: facts.port };
  const row = fitting(rows[campaign.state], guarded, context);
  if (row === undefined) return unlisted(context);
  const listens = row.action === undefined && row.next === campaign.state && isParked(row.next);
  return {
    row: row.name,
    next: row.next,
    action: listens && listensIn(context) ? "probe" : row.action,
    reason: reasonOf(row, context),
    mark: { ...row.mark, ...shutMark(context, row.action) },
  };
}

function reasonOf(row: Row, context: Context): Reason {
  if (row.cause === undefined) return { code: row.name };
  if (row.cause === "kept") return context.campaign.reason;
  return { code: row.name, cause: row.cause(context) };
}

/** The actions that change a key on the router. */
export const keyActions: readonly (ActionKind | undefined)[] = [
  "stage",
  "add",
  "promote",
  "removeOld",
  "removeNew",
  "replace",
  "replaceBack",
];

/** Marked before a port may be shut, so that a successor opens it; gone once it is seen open. */
function shutMark({ campaign, facts, port }: Context, action: ActionKind | undefined) {
  if (facts.shutsFirst && keyActions.includes(action)) return { shut: true };
  // Not every router makes a SAK on request: the others shut the port for it.
  if (action === "rekeySak") return { shut: true };
  // A person may have opened, since the commit, the port to which undoing it goes back.
  if (action === "rollBack" && port?.admin === "up") return { shut: true };
  // A pending commit would go back to the shut port.
  return campaign.shut && port?.admin === "up" && port.pending === "none" ? { shut: false } : {};
}

function isParked(state: CampaignState): boolean {
  return state === "gated" || state === "awaitingPeer" || state === "held";
}

function unlisted({ campaign, facts, port }: Context): Step {
  return {
    row: "unlisted",
    next: "held",
    action: undefined,
    reason: { code: "unlisted", state: campaign.state, cause: bothEnds(port, facts.far) },
    mark: {},
  };
}

/** The step sends the first effect that takes a link: the drain, even where a group has none. */
const takesLink = ({ action }: Step): boolean => action === "drain";

/** The step does more than wait for the link's turn and its checks. */
const touches = ({ action, next }: Step): boolean =>
  action !== undefined || (next !== "queued" && next !== "gated");

/** The first step back has the cause of all that follow it; an operator who asks for it knows. */
function turnedBack(campaign: Campaign, { next, mark, reason }: Step) {
  const isBack = next === "reverting" || mark.outcome === "reverted";
  const isFirst = entryOf(campaign).turnedBack === undefined && campaign.goal === "forward";
  return isBack && isFirst ? { turnedBack: reason } : {};
}

/** A link goes on by itself once: a second hold waits for a person. */
function again(campaign: Campaign, { row, next }: Step): Pick<Campaign, "again"> {
  if (next !== "held" || campaign.state === "held") return {};
  return { again: timeAlone.has(row) && campaign.again !== true };
}

function heldFrom(campaign: Campaign, next: Step["next"]): Campaign["heldFrom"] {
  if (next === campaign.state) return campaign.heldFrom;
  return next === "held" ? campaign.state : undefined;
}

/** Returns the record after a step; after success the campaign goes on with its next link. */
export function advance(campaign: Campaign, taken: Step, at: WallTime): Campaign {
  const { outcome, ...mark } = taken.mark;
  const links = campaign.links.map((link, index) =>
    index === campaign.at
      ? { ...link, ...turnedBack(campaign, taken), ...(outcome && { outcome }) }
      : link,
  );
  const moved = taken.next !== campaign.state;
  const next: Campaign = {
    ...campaign,
    ...mark,
    // A record of an earlier version has no such mark, and may have begun.
    touched: campaign.touched !== false || touches(taken),
    links,
    state: taken.next,
    since: moved ? at : campaign.since,
    begunAt: campaign.begunAt ?? (takesLink(taken) ? at : undefined),
    reason: taken.reason,
    heldFrom: heldFrom(campaign, taken.next),
    ...again(campaign, taken),
  };
  const succeeded = ["enrolled", "changed", "rotated"].includes(links[campaign.at]?.outcome ?? "");
  if (taken.next !== "done" || !succeeded || campaign.at + 1 >= links.length) return next;
  return {
    ...next,
    ...noMarks,
    at: campaign.at + 1,
    state: "queued",
    since: at,
    reason: { code: "next.link" },
    heldFrom: undefined,
  };
}
