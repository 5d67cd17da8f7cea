// What a forecast is made of, with one wish at a time.

import type { Campaign, Overlap } from "#agent/model/campaign.ts";
import type { ForecastInput } from "#agent/rotation/forecast.ts";
import type { Memory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { routerWith } from "#sim/site/site-plan.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { desiredOf } from "../../kit/snapshot-kit.ts";

export interface Wish {
  readonly overlap: Overlap;
  readonly kind?: ForecastInput["kind"];
  readonly edit?: (config: string) => string;
  readonly urgency?: Campaign["urgency"];
  readonly measures?: Memory["measures"];
  readonly capabilities?: Partial<Capabilities>;
  readonly over?: (campaign: Campaign) => Campaign;
}

export function inputOf(wish: Wish): ForecastInput {
  const { overlap, kind = "rotate", urgency = "planned", measures = {} } = wish;
  const desired = desiredOf(wish.edit);
  const [group] = desired.groups;
  if (group === undefined) throw new Error("the site has a group");
  const campaign = campaignOf("queued", { kind }, overlap);
  const { links } = wish.over?.(campaign) ?? campaign;
  const held = overlap === "breakBeforeMake" ? "none" : overlap;
  const capabilities = () => ({ ...routerWith(held), ...wish.capabilities }) as Capabilities;
  return { desired, group, kind, links, urgency, measures, capabilities };
}

export const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");
export const shuts = (text: string): string =>
  text.replaceAll("driver: sim", "driver: sim\n    quirks: [shutBeforeKeyChange]");
export const afterSoak = (text: string): string =>
  text.replace("    drain: prepend", "    drain: prepend\n    retire: afterSoak");

const risks = ["noDrain", "hardDrain"].map((risk) => `  - { risk: ${risk}, until: 2027-11-24 }`);
export const drainedBy =
  (how: string) =>
  (text: string): string =>
    text
      .replace("    drain: prepend", `    drain: ${how}`)
      .replace("acceptRisks:", ["acceptRisks:", ...risks].join("\n"));
