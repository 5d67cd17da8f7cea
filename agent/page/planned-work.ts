// The work on a link that an outage is part of now: a campaign, or a drain by an operator.

import { entryOf } from "../model/campaign.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { isPlannedWork } from "../model/planned.ts";
import { type Memory, named, openCampaign } from "../store/journal/memory.ts";
import type { PlannedWork } from "./shape.ts";

/** Returns the planned work on a link; undefined = there is none, and an outage is not planned. */
export function plannedWork(memory: Memory, link: DesiredLink): PlannedWork | undefined {
  const campaign = openCampaign(memory, link.group);
  const isHere = campaign !== undefined && entryOf(campaign).name === link.name;
  if (isHere && isPlannedWork(campaign.state)) return campaign.kind;
  return named(memory.drains, linkId(link)) === undefined ? undefined : "drain";
}
