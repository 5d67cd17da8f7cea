// The JSON shape of a campaign that scripts read from the sockets.

import type { WallTime } from "#hal/world.ts";
import type { Campaign, CampaignState, Outcome } from "../model/campaign.ts";
import { isoTime } from "../model/iso-time.ts";
import type { Reason } from "../model/reason.ts";
import { reasonText } from "../model/reason-text.ts";
import type { Move } from "../store/journal/memory.ts";
import type { FarEndTask } from "./far-end-task.ts";
import type { Estimate, ForecastStep } from "./forecast.ts";

/** A campaign as scripts read it (linkseal.campaign/1). */
export type CampaignShape = Readonly<{
  schema: "linkseal.campaign/1";
  group: string;
  kind: Campaign["kind"];
  goal: Campaign["goal"];
  urgency: Campaign["urgency"];
  link: string | null;
  state: CampaignState;
  since: string;
  /** The sentence of `reason`. */
  because: string;
  reason: Reason;
  by: string;
  heldFrom: CampaignState | null;
  links: readonly {
    readonly name: string;
    readonly outcome: Outcome | null;
    /** What the far end must point at, for the person who changes it. */
    readonly ckn: string;
    readonly cakSecretId: string;
    readonly cknSecretId: string;
    /** The command that finishes it; absent = it has its new key, or the campaign goes on. */
    readonly next?: string;
  }[];
  /** What an operator sets at the far end of `link`; null = the agent does, or there is nothing. */
  farEnd: FarEndTask | null;
  /** What it did, move by move, the oldest first. */
  steps: readonly {
    readonly at: string;
    readonly link: string;
    readonly state: CampaignState;
    readonly because: string;
    readonly reason: Reason;
  }[];
  /** When the state has lasted too long, in UTC; null = it has no deadline, or it is not known. */
  until: string | null;
  /** The steps after the present one, in order; empty = not known, or there are none. */
  ahead: readonly {
    /** The link's name in the group. */
    readonly link: string;
    readonly state: CampaignState;
    /** What the step does, in words. */
    readonly does: string;
    /** How long it is expected to take, in milliseconds. */
    readonly likelyMs: number;
  }[];
  /** The time that is left, but for what a person takes, in milliseconds; null = not known. */
  restMs: Estimate | null;
}>;

/** What the record of a campaign does not hold. */
interface Beside {
  /** What it did, the oldest first. */
  readonly trail: readonly Move[];
  /** The time left; undefined = not known. */
  readonly rest: Estimate | undefined;
  /** The far end that an operator changes; null = none. */
  readonly farEnd: FarEndTask | null;
  /** When the state has lasted too long; undefined = it has no deadline, or it is not known. */
  readonly until: WallTime | undefined;
  /** The steps after the present one. */
  readonly ahead: readonly ForecastStep[];
}

/** Returns a campaign as JSON. */
export function campaignShape(
  campaign: Campaign,
  { trail, rest, farEnd, until, ahead }: Beside,
): CampaignShape {
  const { group, kind, goal, urgency, state, reason, by, links, at } = campaign;
  return {
    schema: "linkseal.campaign/1",
    group,
    kind,
    goal,
    urgency,
    link: links[at]?.name ?? null,
    state,
    since: isoTime(campaign.since),
    because: unfinished(campaign)[0]?.text ?? reasonText(reason),
    reason,
    by,
    heldFrom: campaign.heldFrom ?? null,
    links: links.map(({ name, outcome, new: { key } }) => ({
      name,
      outcome: outcome ?? null,
      ...key,
      ...nextOf(campaign, name),
    })),
    farEnd,
    steps: trail.map((move) => ({
      ...move,
      at: isoTime(move.at),
      because: reasonText(move.reason),
    })),
    until: until === undefined ? null : isoTime(until),
    ahead: ahead.map(({ link, state: later, does, takes }) => ({
      link: link.slice(group.length + 1),
      state: later,
      does,
      likelyMs: takes.likely,
    })),
    restMs: rest ?? null,
  };
}

/** The links that an ended rotation left on their old key although its goal was another one. */
function unfinished({ group, kind, state, goal, urgency, links }: Campaign) {
  const isMissed = goal === "forward" || urgency === "emergency";
  if (kind !== "rotate" || state !== "done" || !isMissed) return [];
  const isSudden = urgency === "emergency";
  return links
    .filter(({ outcome }) => outcome === "reverted" || outcome === undefined)
    .map(({ name, turnedBack }) => {
      const key = isSudden ? "the key that was declared compromised" : "its old key";
      const why = turnedBack === undefined ? "" : `: ${reasonText(turnedBack)}`;
      const next = `linkseal rotate ${group}/${name}${isSudden ? " --emergency" : ""}`;
      return { name, text: `${group}/${name} is left on ${key}${why}`, next };
    });
}

function nextOf(campaign: Campaign, link: string): { readonly next?: string } {
  const found = unfinished(campaign).find(({ name }) => name === link);
  return found === undefined ? {} : { next: found.next };
}
