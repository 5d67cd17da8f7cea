// The state of one moment for telemetry, from what the loops observed last, so that no scrape
// reaches a device.

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
import { clockOffsetMs, fresh, portOf } from "../model/link-snapshot.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { SiteView } from "../runtime/health/site-view.ts";
import type { LinkStatus, Status } from "../runtime/health/status.ts";
import type { UsedUntil } from "../runtime/polling/key-poller.ts";
import { named, openCampaign } from "../store/journal/memory.ts";

interface ExportedDevice {
  readonly device: DesiredDevice;
  /** True if the newest observation succeeded and is not stale. */
  readonly isUp: boolean;
  /** undefined = the device was never read. */
  readonly lookAgeMs: number | undefined;
  /** The device's clock minus ours at the moment of the observation, in milliseconds. */
  readonly clockOffsetMs: number | undefined;
}

interface ExportedGroup {
  readonly group: DesiredGroup;
  readonly verdict: string;
  /** The running campaign; undefined = none runs. */
  readonly campaign: Campaign | undefined;
}

/** A link at the moment of the snapshot. */
export interface ExportedLink {
  /** The link in the config. */
  readonly link: DesiredLink;
  /** Its group in the config. */
  readonly group: DesiredGroup;
  /** Its entry in the status. */
  readonly status: LinkStatus;
  /** State of its device; undefined = not readable, or older than `health.staleAfter`. */
  readonly state: DeviceState | undefined;
  /** Its port; undefined although `state` is known = the device lists no such port. */
  readonly port: MacsecPort | undefined;
  /** When the CAK version in use was made; undefined = not known. */
  readonly keyCreated: WallTime | undefined;
}

/** A tunnel at the moment of the snapshot. */
export interface ExportedTunnel {
  /** The tunnel in the config. */
  readonly tunnel: DesiredTunnel;
  /** Its verdict. */
  readonly verdict: string;
  /** The cause if the verdict is a consequence; null = it is none. */
  readonly because: Status["tunnels"][number]["because"];
  /** `absent` = the device was observed and does not list it; `unknown` = no fresh observation. */
  readonly seen: IpsecTunnel | "absent" | "unknown";
  /** null = the tunnel is not a backup. */
  readonly backup: Status["tunnels"][number]["backup"];
}

/** Events for the webhook; all 0 if none is configured. */
export interface Deliveries {
  /** Events that the receiver accepted. */
  readonly delivered: number;
  /** Events that were lost. */
  readonly dropped: number;
  /** Events in the queue. */
  readonly waiting: number;
}

/** Everything that telemetry reports about one moment. */
export interface Snapshot {
  /** Wall clock of the agent. */
  readonly wall: WallTime;
  /** The status of linkseal.status/1. */
  readonly status: Status;
  /** Number of the accepted config; 0 = no config is in force. */
  readonly intent: number;
  /** True if journal and accepted config are undamaged. */
  readonly isStateTrusted: boolean;
  /** How late half of the process's timers ring, or later; undefined = not measured yet. */
  readonly loopLagMs: number | undefined;
  /** Events since the agent began. */
  readonly eventsTotal: number;
  /** Counts of the webhook's events. */
  readonly deliveries: Deliveries;
  /** Expiry times of everything in use, as far as they are known. */
  readonly ends: readonly UsedUntil[];
  /** All devices of the config. */
  readonly devices: readonly ExportedDevice[];
  /** All groups of the config. */
  readonly groups: readonly ExportedGroup[];
  /** All links of the config. */
  readonly links: readonly ExportedLink[];
  /** All tunnels of the config. */
  readonly tunnels: readonly ExportedTunnel[];
}

const noDeliveries: Deliveries = { delivered: 0, dropped: 0, waiting: 0 };

/** Takes a snapshot of everything in the accepted config, whether it is there or not. */
export function snapshotOf(
  agent: AgentView,
  clock: Pick<Clock, "now" | "wall">,
  deliveries: Deliveries = noDeliveries,
): Snapshot {
  const status = agent.status();
  const supervisor = agent.intentDamage === undefined ? agent.supervisor : undefined;
  const all = {
    wall: clock.wall(),
    status,
    intent: agent.intent?.number ?? 0,
    isStateTrusted: agent.journalState !== "corrupt" && agent.intentDamage === undefined,
    loopLagMs: agent.loopLag.ms,
    eventsTotal: agent.events.count,
    deliveries,
    ends: supervisor?.ends ?? [],
  };
  if (supervisor === undefined) return { ...all, devices: [], groups: [], links: [], tunnels: [] };
  const { devices, groups, tunnels } = supervisor.intent.desired;
  return {
    ...all,
    devices: devices.map((device) => deviceOf(supervisor, device, clock)),
    groups: groups.map((group, index) => ({
      group,
      verdict: status.groups[index]?.verdict ?? "unknown",
      campaign: openCampaign(agent.memory, group.name),
    })),
    links: groups.flatMap((group, index) =>
      group.links.flatMap((link, at): ExportedLink[] => {
        const linkStatus = status.groups[index]?.links[at];
        if (linkStatus === undefined) return [];
        const { state } = supervisor.deviceCache.snapshot(link);
        const port = portOf(state, link.port);
        const keyCreated = named(agent.memory.bindings, linkId(link))?.created;
        return [{ link, group, status: linkStatus, state, port, keyCreated }];
      }),
    ),
    tunnels: tunnels.map((tunnel, index) => ({
      tunnel,
      verdict: status.tunnels[index]?.verdict ?? "unknown",
      because: status.tunnels[index]?.because ?? null,
      seen: tunnelOf(supervisor, tunnel, clock),
      backup: status.tunnels[index]?.backup ?? null,
    })),
  };
}

function deviceOf(
  supervisor: SiteView,
  device: DesiredDevice,
  clock: Pick<Clock, "now" | "wall">,
): ExportedDevice {
  const state = supervisor.deviceCache.state(device.name);
  const isFresh = fresh(state, supervisor.intent.desired.health, clock.now()) !== undefined;
  return {
    device,
    isUp: isFresh && supervisor.deviceCache.failure(device.name) === undefined,
    lookAgeMs: state === undefined ? undefined : clock.now() - state.at,
    clockOffsetMs: isFresh && state !== undefined ? clockOffsetMs(state, clock) : undefined,
  };
}

function tunnelOf(
  supervisor: SiteView,
  { name, device }: DesiredTunnel,
  clock: Pick<Clock, "now">,
): ExportedTunnel["seen"] {
  const { health } = supervisor.intent.desired;
  const state = fresh(supervisor.deviceCache.state(device), health, clock.now());
  if (state === undefined) return "unknown";
  return state.ipsec.find((tunnel) => tunnel.name === name) ?? "absent";
}

/** Returns the value of a reading that is not weak; undefined otherwise. */
export function reported<T>(reading: Reading<T> | undefined): T | undefined {
  return reading === undefined ? undefined : strongValue(reading);
}
