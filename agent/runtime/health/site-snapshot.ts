// The site at one moment: what is wanted, what was observed last, and the status that follows.
// Status, metrics and page take from it, and so no reader of theirs reaches a device.

import {
  type BgpSession,
  type DeviceState,
  type IpsecTunnel,
  type MacsecPort,
  strongValue,
} from "#hal/model.ts";
import type { Clock, WallTime } from "#hal/world.ts";
import type { LaterSakWatch } from "../../health/sak-watch.ts";
import type { VisibleWarning } from "../../health/warnings.ts";
import type { Campaign } from "../../model/campaign.ts";
import {
  type DesiredDevice,
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../../model/desired.ts";
import type { LinkHealth, Reason, TunnelHealth } from "../../model/health.ts";
import { clockOffsetMs, fresh, portOf } from "../../model/link-snapshot.ts";
import { named, openCampaign } from "../../store/journal/memory.ts";
import { campaignReport } from "../campaigns/campaign-report.ts";
import type { UsedUntil } from "../polling/key-poller.ts";
import type { BackupStatus } from "./backup-report.ts";
import { insideOf } from "./bgp-report.ts";
import { ppkOf } from "./observed.ts";
import type { EvaluatedAgent, SiteView } from "./site-view.ts";
import {
  type GroupStatus,
  groupStatus,
  type LinkStatus,
  linkStatus,
  type Moment,
  type SeenTunnel,
  type Status,
  siteStatus,
  type TunnelStatus,
  tunnelStatus,
} from "./status.ts";
import { unmanagedOf } from "./unmanaged.ts";

/** A device of the config. */
interface SiteDevice {
  readonly device: DesiredDevice;
  /** True if the newest observation succeeded and is not stale. */
  readonly isUp: boolean;
  /** undefined = the device was never read. */
  readonly lookAgeMs: number | undefined;
  /** The device's clock minus ours at the moment of the observation, in milliseconds. */
  readonly clockOffsetMs: number | undefined;
}

/** A group of the config. */
interface SiteGroup {
  readonly group: DesiredGroup;
  readonly status: GroupStatus;
  /** The running campaign; undefined = none runs. */
  readonly campaign: Campaign | undefined;
  readonly links: readonly SiteLink[];
}

/** A link of the config; undefined = not known, or its device was not read lately. */
export interface SiteLink {
  /** The link in the config. */
  readonly link: DesiredLink;
  /** Its group in the config. */
  readonly group: DesiredGroup;
  /** Its entry in the status. */
  readonly status: LinkStatus;
  /** State of its device, no older than `health.staleAfter`. */
  readonly state: DeviceState | undefined;
  /** undefined also although `state` is known = the device lists no such port. */
  readonly port: MacsecPort | undefined;
  /** The BGP sessions over the port. */
  readonly sessions: readonly BgpSession[] | undefined;
  /** True if the traffic of the port is moved away. */
  readonly isDrained: boolean | undefined;
  /** When the accepted CAK version was made. */
  readonly keyCreated: WallTime | undefined;
  /** Earlier observations that are kept, the newest last. */
  readonly history: readonly MacsecPort[];
}

/** A tunnel of the config. */
export interface SiteTunnel {
  /** The tunnel in the config. */
  readonly tunnel: DesiredTunnel;
  /** Its entry in the status. */
  readonly status: TunnelStatus;
  /** The tunnel on its device. */
  readonly seen: SeenTunnel;
  /** Earlier observations that are kept, the newest last. */
  readonly history: readonly IpsecTunnel[];
}

/** A site at one moment, with everything of the config in its order, whether it is there or not. */
export interface SiteSnapshot extends Moment {
  /** The status of linkseal.status/1. */
  readonly status: Status;
  /** Expiry times of everything in use, as far as they are known. */
  readonly ends: readonly UsedUntil[];
  /** All devices. */
  readonly devices: readonly SiteDevice[];
  /** All groups. */
  readonly groups: readonly SiteGroup[];
  /** The links of all groups. */
  readonly links: readonly SiteLink[];
  /** All tunnels. */
  readonly tunnels: readonly SiteTunnel[];
}

/** Returns the snapshot without a config in force, for a reason. */
export function blindSnapshot({ now, wall }: Moment, reason: Reason): SiteSnapshot {
  const none = { groups: [], tunnels: [] };
  const parts = { site: null, reasons: [reason], ...none, warnings: [], unmanaged: [] };
  return {
    now,
    wall,
    status: siteStatus(parts, { now, wall }),
    ends: [],
    devices: [],
    links: [],
    ...none,
  };
}

/** What is evaluated, and what the evaluation said. */
interface Evaluation {
  readonly agent: EvaluatedAgent;
  readonly supervisor: SiteView;
  readonly health: (link: DesiredLink) => LinkHealth;
  readonly laterSaks: (link: DesiredLink) => LaterSakWatch | undefined;
  readonly tunnel: (tunnel: DesiredTunnel) => {
    readonly health: TunnelHealth;
    readonly backup?: BackupStatus;
  };
  readonly warnings: readonly VisibleWarning[];
}

type Now = Pick<Clock, "now" | "wall">;

/** Takes the snapshot of a site whose config is in force. */
export function siteSnapshot(evaluation: Evaluation, clock: Now): SiteSnapshot {
  const { agent, supervisor, warnings } = evaluation;
  const { site, devices, groups: wanted, tunnels: wantedTunnels } = supervisor.intent.desired;
  const moment = { now: clock.now(), wall: clock.wall() };
  const groups = wanted.map((group) => groupOf(evaluation, group, moment));
  const tunnels = wantedTunnels.map((tunnel) => tunnelOf(evaluation, tunnel, moment));
  const parts = {
    ...{ site, reasons: [], warnings, unmanaged: unmanagedOf(agent, supervisor) },
    groups: groups.map(({ status }) => status),
    tunnels: tunnels.map(({ status }) => status),
  };
  return {
    ...moment,
    status: siteStatus(parts, moment),
    ends: supervisor.ends,
    devices: devices.map((device) => deviceOf(supervisor, device, clock)),
    groups,
    links: groups.flatMap(({ links }) => links),
    tunnels,
  };
}

function deviceOf(
  { deviceCache, intent }: SiteView,
  device: DesiredDevice,
  clock: Now,
): SiteDevice {
  const last = deviceCache.state(device.name);
  const state = fresh(last, intent.desired.health, clock.now());
  return {
    device,
    isUp: state !== undefined && deviceCache.failure(device.name) === undefined,
    lookAgeMs: last === undefined ? undefined : clock.now() - last.at,
    clockOffsetMs: state === undefined ? undefined : clockOffsetMs(state, clock),
  };
}

function groupOf(evaluation: Evaluation, group: DesiredGroup, moment: Moment): SiteGroup {
  const { agent } = evaluation;
  const campaign = openCampaign(agent.memory, group.name);
  const rotation = campaign === undefined ? null : campaignReport(agent, campaign);
  const links = group.links.map((link) => linkOf(evaluation, { group, link, campaign }, moment));
  const statuses = links.map(({ status }) => status);
  return { group, status: groupStatus(group.name, rotation, statuses), campaign, links };
}

function linkOf(
  { agent, supervisor, health, laterSaks }: Evaluation,
  { group, link, campaign }: Pick<SiteLink, "group" | "link"> & Pick<SiteGroup, "campaign">,
  moment: Moment,
): SiteLink {
  const { deviceCache, intent } = supervisor;
  const { state } = deviceCache.snapshot(link);
  const history = deviceCache.history(link);
  const routing = strongValue(state?.routing);
  const binding = named(agent.memory.bindings, linkId(link));
  const entry = campaign?.links.find((each) => each.name === link.name);
  const facts = {
    ...{ link, health: health(link), laterSaks: laterSaks(link), binding },
    observation: history.at(-1),
    // The link may use the key already that a campaign has not yet finished to bring in.
    next: entry?.outcome === undefined ? entry?.new.key : undefined,
    staleAfterMs: intent.desired.health.staleAfterMs,
    telemetry: deviceCache.telemetry(link),
  };
  return {
    ...{ link, group, state, history },
    status: linkStatus(facts, moment),
    port: portOf(state, link.port),
    sessions: routing?.sessions.filter(({ port }) => port === link.port),
    isDrained: routing?.drains.some(({ port }) => port === link.port),
    keyCreated: binding?.created,
  };
}

function tunnelOf(
  { supervisor, tunnel: evaluate }: Evaluation,
  tunnel: DesiredTunnel,
  { now }: Moment,
): SiteTunnel {
  const { deviceCache, intent } = supervisor;
  const { name, device } = tunnel;
  const { health } = intent.desired;
  const state = fresh(deviceCache.state(device), health, now);
  const listed = state?.ipsec.find((each) => each.name === name);
  const seen: SeenTunnel = state === undefined ? "unknown" : (listed ?? "absent");
  const facts = {
    ...{ name, seen, ...evaluate(tunnel), staleAfterMs: health.staleAfterMs },
    gateway: deviceCache.gateway(name),
    ...insideOf(supervisor, tunnel, now),
    ...ppkOf(tunnel, supervisor, now),
  };
  const history = deviceCache.tunnelHistory(name);
  return { tunnel, status: tunnelStatus(facts, now), seen, history };
}
