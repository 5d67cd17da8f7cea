// What telemetry tells of one moment: from what the loops saw last, so that no scrape reaches a
// device.

import {
  type DeviceState,
  type IpsecTunnel,
  type MacsecPort,
  type Reading,
  strongValue,
} from "#hal/model.ts";
import type { Clock, WallTime } from "#hal/world.ts";
import type { Campaign } from "../model/campaign.ts";
import {
  type DesiredDevice,
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../model/desired.ts";
import { clockOffsetMs, fresh, portOf } from "../model/link-view.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { SiteView } from "../runtime/health/site-view.ts";
import type { LinkStatus, Status } from "../runtime/health/status.ts";
import type { UsedUntil } from "../runtime/polling/key-watch.ts";
import { named, openCampaign } from "../store/journal/memory.ts";

interface DeviceSnapshot {
  readonly device: DesiredDevice;
  /** The newest look succeeded and still counts. */
  readonly isUp: boolean;
  /** undefined = it was never read. */
  readonly lookAgeMs: number | undefined;
  /** Its clock less ours, at the moment of the look. */
  readonly clockOffsetMs: number | undefined;
}

interface GroupSnapshot {
  readonly group: DesiredGroup;
  readonly verdict: string;
  /** The one that runs. */
  readonly campaign: Campaign | undefined;
}

export interface LinkSnapshot {
  readonly link: DesiredLink;
  readonly group: DesiredGroup;
  readonly status: LinkStatus;
  /** undefined = not readable, or older than `health.staleAfter`. */
  readonly state: DeviceState | undefined;
  /** undefined beside a state: the device lists no such port. */
  readonly port: MacsecPort | undefined;
  readonly keyCreated: WallTime | undefined;
}

export interface TunnelSnapshot {
  readonly tunnel: DesiredTunnel;
  readonly verdict: string;
  /** `absent`: the device was read lately and does not list it. */
  readonly seen: IpsecTunnel | "absent" | "unknown";
  /** null = it is the backup of nothing. */
  readonly backup: Status["tunnels"][number]["backup"];
}

/** Of the webhook: all 0 where none is configured. */
export interface Deliveries {
  readonly delivered: number;
  readonly dropped: number;
  readonly waiting: number;
}

export interface Snapshot {
  readonly wall: WallTime;
  readonly status: Status;
  /** 0 = no config is in force. */
  readonly intent: number;
  /** Journal and accepted config are whole. */
  readonly isStateTrusted: boolean;
  readonly eventsTotal: number;
  readonly deliveries: Deliveries;
  /** What is in use and has a last day, as far as it is known. */
  readonly ends: readonly UsedUntil[];
  readonly devices: readonly DeviceSnapshot[];
  readonly groups: readonly GroupSnapshot[];
  readonly links: readonly LinkSnapshot[];
  readonly tunnels: readonly TunnelSnapshot[];
}

const noDeliveries: Deliveries = { delivered: 0, dropped: 0, waiting: 0 };

/** Of all that the accepted intent wants, whether it is there or not. */
export function snapshotOf(
  agent: AgentView,
  clock: Pick<Clock, "now" | "wall">,
  deliveries: Deliveries = noDeliveries,
): Snapshot {
  const status = agent.status();
  const crew = agent.intentDamage === undefined ? agent.crew : undefined;
  const all = {
    wall: clock.wall(),
    status,
    intent: agent.intent?.number ?? 0,
    isStateTrusted: agent.journalState !== "corrupt" && agent.intentDamage === undefined,
    eventsTotal: agent.events.count,
    deliveries,
    ends: crew?.ends ?? [],
  };
  if (crew === undefined) return { ...all, devices: [], groups: [], links: [], tunnels: [] };
  const { devices, groups, tunnels } = crew.intent.desired;
  return {
    ...all,
    devices: devices.map((device) => deviceOf(crew, device, clock)),
    groups: groups.map((group, index) => ({
      group,
      verdict: status.groups[index]?.verdict ?? "unknown",
      campaign: openCampaign(agent.memory, group.name),
    })),
    links: groups.flatMap((group, index) =>
      group.links.flatMap((link, at): LinkSnapshot[] => {
        const linkStatus = status.groups[index]?.links[at];
        if (linkStatus === undefined) return [];
        const { state } = crew.lookout.view(link);
        const port = portOf(state, link.port);
        const keyCreated = named(agent.memory.bindings, linkId(link))?.created;
        return [{ link, group, status: linkStatus, state, port, keyCreated }];
      }),
    ),
    tunnels: tunnels.map((tunnel, index) => ({
      tunnel,
      verdict: status.tunnels[index]?.verdict ?? "unknown",
      seen: tunnelOf(crew, tunnel, clock),
      backup: status.tunnels[index]?.backup ?? null,
    })),
  };
}

function deviceOf(
  crew: SiteView,
  device: DesiredDevice,
  clock: Pick<Clock, "now" | "wall">,
): DeviceSnapshot {
  const state = crew.lookout.state(device.name);
  const isFresh = fresh(state, crew.intent.desired.health, clock.now()) !== undefined;
  return {
    device,
    isUp: isFresh && crew.lookout.failure(device.name) === undefined,
    lookAgeMs: state === undefined ? undefined : clock.now() - state.at,
    clockOffsetMs: isFresh && state !== undefined ? clockOffsetMs(state, clock) : undefined,
  };
}

function tunnelOf(
  crew: SiteView,
  { name, device }: DesiredTunnel,
  clock: Pick<Clock, "now">,
): TunnelSnapshot["seen"] {
  const { health } = crew.intent.desired;
  const state = fresh(crew.lookout.state(device), health, clock.now());
  if (state === undefined) return "unknown";
  return state.ipsec.find((tunnel) => tunnel.name === name) ?? "absent";
}

/** A figure that somebody told and answers for; nothing otherwise. */
export function told<T>(reading: Reading<T> | undefined): T | undefined {
  return reading === undefined ? undefined : strongValue(reading);
}
