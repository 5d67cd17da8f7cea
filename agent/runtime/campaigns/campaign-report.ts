// A campaign with what it did so far, how long the rest of it is expected to take, and what an
// operator sets at its far end.

import { strongValue } from "#hal/model.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import { type Campaign, entryOf } from "../../model/campaign.ts";
import { deadlineMs } from "../../model/deadline.ts";
import type { Desired } from "../../model/desired.ts";
import {
  drainOf,
  isDark,
  type LinkSnapshot,
  type Observations,
  portOf,
} from "../../model/link-snapshot.ts";
import type { FarEnd } from "../../model/reason.ts";
import { type CampaignShape, campaignShape } from "../../rotation/campaign-shape.ts";
import { setTo } from "../../rotation/facts.ts";
import { type FarEndTask, farEndTask } from "../../rotation/far-end-task.ts";
import { type ForecastStep, forecast } from "../../rotation/forecast.ts";
import { rest, stepsAhead } from "../../rotation/steps-left.ts";
import { type Memory, named } from "../../store/journal/memory.ts";

/** The parts of the agent that a report reads. */
interface Reported {
  readonly memory: Memory;
  /** undefined = no intent is served. */
  readonly supervisor:
    | {
        readonly intent: { readonly desired: Desired };
        readonly deviceCache: Pick<Observations, "capabilities" | "snapshot" | "peerFailure">;
      }
    | undefined;
}

/** Returns a campaign as JSON, with all that is known beside its record. */
export function campaignReport(agent: Reported, campaign: Campaign): CampaignShape {
  const trail = named(agent.memory.trails, campaign.group) ?? [];
  const farEnd = farEndOf(agent, campaign);
  const steps = stepsOf(agent, campaign);
  return campaignShape(campaign, {
    ...{ trail, farEnd, until: untilOf(agent, campaign) },
    rest: steps === undefined ? undefined : rest(campaign, steps),
    ahead: steps === undefined ? [] : stepsAhead(campaign, steps),
  });
}

/** A restart of the agent moves the deadline a little further away. */
function untilOf({ supervisor }: Reported, { state, since }: Campaign): WallTime | undefined {
  if (supervisor === undefined) return undefined;
  const ms = deadlineMs(state, supervisor.intent.desired.rotation);
  return Number.isFinite(ms) ? wallAfter(since, ms) : undefined;
}

function farEndOf({ supervisor }: Reported, campaign: Campaign): FarEndTask | null {
  if (supervisor === undefined) return null;
  const { azure, groups } = supervisor.intent.desired;
  const group = groups.find(({ name }) => name === campaign.group);
  const link = group?.links.find(({ name }) => name === entryOf(campaign).name);
  // A newer config may not name the link any more.
  if (group === undefined || link === undefined) return null;
  const { deviceCache } = supervisor;
  const snapshot = deviceCache.snapshot(link);
  const { state, peer } = snapshot;
  const port = portOf(state, link.port);
  const keys = port === undefined ? undefined : strongValue(port.keys);
  const isRead = deviceCache.peerFailure(link) === undefined;
  return farEndTask({
    campaign,
    azure,
    resource: group.expressRoutePort,
    azureLink: link.azureLink,
    far: isRead ? lastFar(peer, campaign) : "unknown",
    dark: isDark(snapshot),
    held: keys?.map(({ ckn }) => ckn),
    drained: group.drain === "none" || (state !== undefined && drainOf(state, link.port) === "on"),
  });
}

function lastFar(peer: LinkSnapshot["peer"], campaign: Campaign): FarEnd {
  if (peer === undefined) return "unknown";
  return peer.provisioning === "updating" ? "updating" : setTo(peer, entryOf(campaign));
}

/** An enrolment has no forecast: the operator and the preconditions decide when it ends. */
function stepsOf(
  { supervisor, memory }: Reported,
  campaign: Campaign,
): readonly ForecastStep[] | undefined {
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
  return forecast({ desired, group, kind, links, urgency, measures, capabilities });
}
