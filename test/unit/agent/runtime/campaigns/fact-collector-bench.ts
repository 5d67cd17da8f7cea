// Looks at scripted ends, as the tables of a campaign get them.

import type { Campaign, Facts } from "#agent/model/campaign.ts";
import type { Desired, DesiredGroup } from "#agent/model/desired.ts";
import { Effects } from "#agent/runtime/campaigns/effects.ts";
import {
  FactCollector,
  type FactCollectorParts,
  type Report,
} from "#agent/runtime/campaigns/fact-collector.ts";
import {
  type BenchOptions,
  RotationRunnerBench,
  rotation,
} from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";

export const inGroup =
  (over: Partial<DesiredGroup>) =>
  (wanted: Desired): Desired => ({
    ...wanted,
    groups: wanted.groups.map((group) => ({ ...group, ...over })),
  });

export class FactCollectorBench extends RotationRunnerBench {
  readonly effects: Effects;
  readonly factCollector: FactCollector;

  constructor(options: BenchOptions = {}, over: Partial<FactCollectorParts> = {}) {
    super(options);
    const parts = { ...this.parts, ...over };
    this.effects = new Effects(parts);
    this.factCollector = new FactCollector(parts, this.effects);
  }

  async report(campaign: Campaign = rotation()): Promise<Report> {
    return await settled(this.clock, this.factCollector.observe(campaign, this.link, never));
  }

  async see(campaign: Campaign = rotation()): Promise<Facts> {
    return (await this.report(campaign)).facts;
  }

  /** The facts after so many milliseconds. */
  async later(ms: number, campaign: Campaign = rotation()): Promise<Facts> {
    await this.clock.runFor(ms);
    return await this.see(campaign);
  }
}

/** The links of a campaign that found no key. */
export function enrolled(): Campaign["links"] {
  return rotation().links.map((link) => ({ ...link, old: undefined }));
}
