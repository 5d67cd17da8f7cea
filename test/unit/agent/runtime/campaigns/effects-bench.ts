// The effects of a campaign on scripted devices and far ends.

import type { ActionKind, Campaign } from "#agent/model/campaign.ts";
import type { DesiredGroup } from "#agent/model/desired.ts";
import { causeText } from "#agent/model/reason-text.ts";
import { Effects, type Task } from "#agent/runtime/campaigns/effects.ts";
import type { LinksealError } from "#hal/error.ts";
import { calmPort } from "../../../kit/campaign-kit.ts";
import {
  type BenchOptions,
  RotationRunnerBench,
  rotation,
} from "../../../kit/rotation-runner-bench.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";

export class EffectsBench extends RotationRunnerBench {
  readonly effects: Effects;

  constructor(options: BenchOptions = {}, group: Partial<DesiredGroup> = {}) {
    super(options);
    this.effects = new Effects({ ...this.parts, group: { ...this.group, ...group } });
  }

  async run(action: ActionKind, over: Partial<Task> = {}): Promise<void> {
    const recheck = (): void => void this.log.push("recheck");
    const campaign = rotation({ token: "t-9" });
    const observeAgain = async (): Promise<void> => undefined;
    const { link } = this;
    const seen = { port: calmPort, recheck, observeAgain, record: "first" } as const;
    const task = { action, link, campaign, ...seen, ...over };
    await settled(this.clock, this.effects.run(task, never));
  }

  async fails(action: ActionKind, over: Partial<Task> = {}): Promise<LinksealError> {
    return await refused(this.run(action, over));
  }

  /** How the last change is judged by an observation of such a port. */
  judge(port: Partial<Task["port"]> | undefined): LinksealError | undefined {
    const seen = port === undefined ? undefined : { ...calmPort, ...port };
    return this.effects.judge(this.link, seen, this.clock.now());
  }

  replacement(state: Campaign["state"] = "switching", over: Partial<Campaign> = {}): string {
    const found = this.effects.replacement(rotation({ state, ...over }));
    return found.kind === "refused" ? `refused: ${causeText(found.cause)}` : found.kind;
  }
}
