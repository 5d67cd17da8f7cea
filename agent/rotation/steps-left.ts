// What a campaign still has to do: the steps of its forecast from the present one on.

import type { Campaign } from "../model/campaign.ts";
import { type Estimate, type ForecastStep, sum } from "./forecast.ts";

/**
 * Returns what is left of a campaign that goes forward, in milliseconds; undefined = not known,
 * because it is held or goes back.
 */
export function rest(campaign: Campaign, steps: readonly ForecastStep[]): Estimate | undefined {
  const left = stepsLeft(campaign, steps);
  return left === undefined ? undefined : sum(left.map(({ takes }) => takes));
}

/** Returns the steps from the present one on; undefined for a campaign without such steps. */
function stepsLeft(
  campaign: Campaign,
  steps: readonly ForecastStep[],
): readonly ForecastStep[] | undefined {
  const { state, goal, links, at, group } = campaign;
  if (state === "held" || state === "reverting" || state === "done" || goal === "revert")
    return undefined;
  const id = `${group}/${links[at]?.name ?? ""}`;
  const own = steps.filter(({ link }) => link === id);
  const later = links.slice(at + 1).map(({ name }) => `${group}/${name}`);
  const after = steps.filter(({ link }) => later.includes(link));
  const ahead = own.slice(passAt(campaign, own));
  const present = ahead.findIndex((step) => step.state === state);
  return [...ahead.slice(Math.max(0, present)), ...after];
}

/** Returns the steps after the state that a campaign is in; empty if it does not go forward. */
export function stepsAhead(
  campaign: Campaign,
  steps: readonly ForecastStep[],
): readonly ForecastStep[] {
  const here = `${campaign.group}/${campaign.links[campaign.at]?.name ?? ""}`;
  const left = stepsLeft(campaign, steps) ?? [];
  const next = left.findIndex(({ link, state }) => link !== here || state !== campaign.state);
  return next === -1 ? [] : left.slice(next);
}

/** Where the present pass begins: a person has said go on, or the first pass has soaked. */
function passAt({ soaked, asked }: Campaign, own: readonly ForecastStep[]): number {
  if (soaked) {
    const drain = own.findLastIndex(({ state }) => state === "draining");
    // If the link is not drained, the second pass begins with its proof.
    return drain >= 0 ? drain : own.findLastIndex(({ state }) => state === "proving");
  }
  return asked ? 1 + own.findIndex(({ state }) => state === "awaitingPeer") : 0;
}
