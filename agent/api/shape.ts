// The JSON shapes that scripts read from the sockets, apart from status and plan, which have their
// own files.

import { isErrorCode, LinksealError } from "#hal/error.ts";
import type { Estimate } from "../campaign/forecast.ts";
import type { Campaign, CampaignState, Outcome } from "../campaign/model.ts";
import { isoTime } from "../health/status-time.ts";
import type { Move } from "../journal/memory.ts";

/** The error as operators' scripts read it (linkseal.error/1). */
export function errorShape(error: LinksealError): Readonly<Record<string, string>> {
  const { code, effect, where, message: text, next } = error;
  return { schema: "linkseal.error/1", code, effect, where, text, next };
}

/** The other way round, for the client side of a socket. */
export function errorFromShape(value: unknown): LinksealError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, effect, where, text, next } = value as Record<string, unknown>;
  if (!isErrorCode(code) || typeof text !== "string") return undefined;
  const known = effect === "none" || effect === "applied" ? effect : "unknown";
  return new LinksealError(code, text, {
    effect: known,
    where: typeof where === "string" ? where : "",
    next: typeof next === "string" ? next : "linkseal status",
  });
}

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
  because: string;
  by: string;
  heldFrom: CampaignState | null;
  links: readonly {
    readonly name: string;
    readonly outcome: Outcome | null;
    /** What the far end must point at, for the person who changes it. */
    readonly ckn: string;
    readonly cakSecretId: string;
    readonly cknSecretId: string;
  }[];
  /** What it did, move by move, the oldest first. */
  steps: readonly {
    readonly at: string;
    readonly link: string;
    readonly state: CampaignState;
    readonly because: string;
  }[];
  /** What is left, but for the time that a person takes; null = nobody can tell. */
  restMs: Estimate | null;
}>;

export function campaignShape(
  campaign: Campaign,
  trail: readonly Move[],
  rest: Estimate | undefined,
): CampaignShape {
  const { group, kind, goal, urgency, state, because, by, links, at } = campaign;
  return {
    schema: "linkseal.campaign/1",
    group,
    kind,
    goal,
    urgency,
    link: links[at]?.name ?? null,
    state,
    since: isoTime(campaign.since),
    because,
    by,
    heldFrom: campaign.heldFrom ?? null,
    links: links.map(({ name, outcome, new: { key } }) => ({
      name,
      outcome: outcome ?? null,
      ...key,
    })),
    steps: trail.map((move) => ({ ...move, at: isoTime(move.at) })),
    restMs: rest ?? null,
  };
}
