// Makes everything that the status page shows at one moment: status, campaigns, events and
// readings. It decides no verdict.

import { type IpsecTunnel, type MacsecFrames, type MacsecPort, strongValue } from "#hal/model.ts";
import { type Instant, wallAfter } from "#hal/world.ts";
import { linkId } from "../model/desired.ts";
import { visible } from "../model/text.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { campaignReport } from "../runtime/campaigns/campaign-report.ts";
import type { SiteLink, SiteSnapshot, SiteTunnel } from "../runtime/health/site-snapshot.ts";
import { pnUsedRatio } from "../telemetry/link-metrics.ts";
import { ikeOf, sasOf, usedRatio } from "../telemetry/tunnel-metrics.ts";
import { plannedWork } from "./planned-work.ts";
import type { LinkSample, PageLink, PageSnapshot, PageTunnel, TunnelSample } from "./shape.ts";

/** When a snapshot was taken. */
type Moment = Pick<SiteSnapshot, "now" | "wall">;

const eventsMax = 80;
/**
 * Ended campaigns are sent with every snapshot, so only those that an operator may still ask about.
 */
const endedMax = 5;

/**
 * Returns the snapshot as JSON, with bidirectional control characters removed from foreign text.
 */
export function pageText(agent: AgentView, history: "withHistory" | "newest"): string {
  const site = agent.snapshot();
  const page = pageSnapshot(agent, site);
  const all = history === "newest" ? page : { ...page, history: historyOf(site) };
  return JSON.stringify(all, (_key, value: unknown) =>
    typeof value === "string" ? visible(value) : value,
  );
}

export function pageSnapshot(agent: AgentView, site = agent.snapshot()): PageSnapshot {
  const groups = site.groups.map(({ status, links }) => ({
    ...status,
    links: links.map((link) => linkOf(agent, link, site)),
  }));
  return {
    schema: "linkseal.page/1",
    at: site.wall,
    status: { ...site.status, groups, tunnels: site.tunnels.map((one) => tunnelOf(one, site)) },
    devices: site.devices.map(({ device, isUp, lookAgeMs }) => ({
      name: device.name,
      driver: device.driver,
      seen: isUp,
      lookAgeMs: lookAgeMs ?? null,
    })),
    ended: endedOf(agent, site),
    ...eventsOf(agent),
  };
}

function eventsOf({ events: ring }: AgentView): Pick<PageSnapshot, "events" | "eventsBefore"> {
  const { events, lost } = ring.after(0);
  const kept = Math.max(0, events.length - eventsMax);
  return { events: events.slice(kept), eventsBefore: { kept, lost } };
}

function endedOf(agent: AgentView, { groups }: SiteSnapshot): PageSnapshot["ended"] {
  return groups
    .flatMap(({ group }) => agent.memory.campaigns[group.name] ?? [])
    .filter(({ state }) => state === "done")
    .sort((a, b) => b.since - a.since)
    .slice(0, endedMax)
    .map((campaign) => campaignReport(agent, campaign));
}

function linkOf({ memory }: AgentView, of: SiteLink, moment: Moment): PageLink {
  const { link, group, status, port, sessions = [] } = of;
  return {
    ...status,
    azureLink: link.azureLink,
    controlledPort: strongValue(port?.session)?.controlledPort ?? null,
    bgp: sessions.length === 0 ? null : sessions.every(({ up }) => up) ? "up" : "down",
    drained: of.isDrained ?? null,
    planned: plannedWork(memory, link) ?? null,
    keys: strongValue(port?.keys)?.map(({ ckn, role }) => ({ ckn, role })) ?? null,
    keyCreatedAt: of.keyCreated ?? null,
    keyMaxAgeMs: group.rotate.maxAgeMs ?? null,
    newest: port === undefined ? null : linkSample(port, moment),
  };
}

function tunnelOf({ tunnel, status, seen }: SiteTunnel, moment: Moment): PageTunnel {
  return {
    ...status,
    device: tunnel.device,
    local: tunnel.localAddress,
    remote: tunnel.remoteAddress,
    insideMacsec: tunnel.insideMacsec ?? null,
    ike: ikeOf(seen) ?? null,
    saCount: sasOf(seen)?.length ?? null,
    newest: typeof seen === "string" ? null : tunnelSample(seen, moment),
  };
}

function historyOf({ links, tunnels, ...moment }: SiteSnapshot): PageSnapshot["history"] {
  return {
    links: Object.fromEntries(
      links.map(({ link, history }) => [
        linkId(link),
        history.map((port) => linkSample(port, moment)),
      ]),
    ),
    tunnels: Object.fromEntries(
      tunnels.map(({ tunnel, history }) => [
        tunnel.name,
        history.map((seen) => tunnelSample(seen, moment)),
      ]),
    ),
  };
}

// Dates an observation by its monotonic age before the wall clock's present time, so that a jump of
// the wall clock dates nothing in the future.
function wallOf(at: Instant, { now, wall }: Moment): number {
  return Math.round(wallAfter(wall, at - now));
}

const failures = [
  "rxNotValid",
  "rxBadTag",
  "rxLate",
  "rxNoSci",
  "rxUnknownSci",
  "rxNotUsingSa",
  "txTooLong",
] as const satisfies readonly (keyof MacsecFrames)[];

/** Returns the values of an observation of a port, dated by the wall clock. */
export function linkSample(port: MacsecPort, moment: Moment): LinkSample {
  const frames = strongValue(port.frames);
  return {
    at: wallOf(port.frames.at, moment),
    protected: frames === undefined ? null : String(frames.rxOk + frames.txProtected),
    clear: sumOf(frames === undefined ? [] : [frames.rxClear, frames.txClear]),
    openPps: openPps(port),
    failed: sumOf(frames === undefined ? [] : failures.map((name) => frames[name])),
    pnUsed: pnUsedRatio(port) ?? null,
    livePeers: strongValue(port.session)?.livePeers ?? null,
  };
}

function openPps({ settings, rate }: MacsecPort): number | null {
  const isOpen = settings.kind === "known" && settings.value === undefined;
  const passing = strongValue(rate);
  return isOpen && passing !== undefined ? passing.rxPps + passing.txPps : null;
}

/** Returns the values of an observation of a tunnel, dated by the wall clock. */
export function tunnelSample(tunnel: IpsecTunnel, moment: Moment): TunnelSample {
  const sas = sasOf(tunnel);
  const packets = (way: "in" | "out"): string | null =>
    sumOf(sas?.filter(({ direction }) => direction === way).map((sa) => sa.packets) ?? []);
  return {
    at: wallOf(tunnel.sas.at, moment),
    received: packets("in"),
    sent: packets("out"),
    sequenceUsed: usedRatio(sas ?? []) ?? null,
  };
}

/** Sums the known counters; null = none is known. */
function sumOf(counters: readonly (bigint | undefined)[]): string | null {
  const known = counters.filter((counter) => counter !== undefined);
  return known.length === 0 ? null : String(known.reduce((sum, counter) => sum + counter, 0n));
}
