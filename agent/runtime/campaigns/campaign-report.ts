// A campaign with what it did so far and how long the rest of it is expected to take.

import type { Campaign } from "../../model/campaign.ts";
import type { Desired } from "../../model/desired.ts";
import type { Observations } from "../../model/link-snapshot.ts";
import { type CampaignShape, campaignShape } from "../../rotation/campaign-shape.ts";
import { type Estimate, forecast, rest } from "../../rotation/forecast.ts";
import { type Memory, named } from "../../store/journal/memory.ts";

/** The parts of the agent that a report reads. */
interface Reported {
  readonly memory: Memory;
  /** undefined = no intent is served. */
  readonly supervisor:
    | {
        readonly intent: { readonly desired: Desired };
        readonly deviceCache: Pick<Observations, "capabilities">;
      }
    | undefined;
}

/** Returns a campaign as JSON, with its steps so far and the time that is left. */
export function campaignReport(agent: Reported, campaign: Campaign): CampaignShape {
  const trail = named(agent.memory.trails, campaign.group) ?? [];
  return campaignShape(campaign, trail, restOf(agent, campaign));
}

/** An enrolment has no forecast: the operator and the preconditions decide when it ends. */
function restOf({ supervisor, memory }: Reported, campaign: Campaign): Estimate | undefined {
  const { kind, links, urgency } = campaign;
  const desired = supervisor?.intent.desired;
  const group = desired?.groups.find(({ name }) => name === campaign.group);
  if (
    supervisor === undefined ||
    desired === undefined ||
    group === undefined ||
    kind === "enrol"
  ) {
    return undefined;
  }
  const capabilities = (device: string) => supervisor.deviceCache.capabilities(device);
  const { measures } = memory;
  const steps = forecast({ desired, group, kind, links, urgency, measures, capabilities });
  return rest(campaign, steps);
}
