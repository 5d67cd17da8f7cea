// Makes everything that the status page shows at one moment: status, campaigns, events and
// readings. It decides no verdict.

import { type IpsecTunnel, type MacsecFrames, type MacsecPort, strongValue } from "#hal/model.ts";
import { type Clock, type Instant, wallAfter } from "#hal/world.ts";
import { linkId } from "../model/desired.ts";
import { bgpUp, drainOf } from "../model/link-snapshot.ts";
import { visible } from "../model/text.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { campaignReport } from "../runtime/campaigns/campaign-report.ts";
import { pnUsedRatio } from "../telemetry/link-metrics.ts";
import {
  type ExportedLink,
  type ExportedTunnel,
  reported,
  type Snapshot,
  snapshotOf,
} from "../telemetry/snapshot.ts";
import { ikeOf, sasOf, usedRatio } from "../telemetry/tunnel-metrics.ts";
import { plannedWork } from "./planned-work.ts";
import type { LinkSample, PageLink, PageSnapshot, PageTunnel, TunnelSample } from "./shape.ts";

const eventsMax = 80;
/**
 * Ended campaigns are sent with every snapshot, so only those that an operator may still ask about.
 */
const endedMax = 5;

/** Dates observations: the agent's clock. */
export type PageClock = Pick<Clock, "now" | "wall">;

/**
 * Returns the snapshot as JSON, with bidirectional control characters removed from foreign text.
 */
export function pageText(
  agent: AgentView,
  clock: PageClock,
  history: "withHistory" | "newest",
): string {
  const snapshot = pageSnapshot(agent, clock);
  const all = history === "newest" ? snapshot : { ...snapshot, history: historyOf(agent, clock) };
  return JSON.stringify(all, (_key, value: unknown) =>
    typeof value === "string" ? visible(value) : value,
  );
}

export function pageSnapshot(agent: AgentView, clock: PageClock): PageSnapshot {
  const snapshot = snapshotOf(agent, clock);
  const { status, intent, wall } = snapshot;
  return {
    schema: "linkseal.page/1",
    at: wall,
    status,
    intent,
    links: snapshot.links.map((link) => linkOf(agent, link, clock)),
    tunnels: snapshot.tunnels.map((tunnel) => tunnelOf(tunnel, clock)),
    devices: snapshot.devices.map(({ device, isUp, lookAgeMs }) => ({
      name: device.name,
      driver: device.driver,
      seen: isUp,
      lookAgeMs: lookAgeMs ?? null,
    })),
    ended: endedOf(agent, snapshot),
    ...eventsOf(agent),
  };
}

function eventsOf({ events: ring }: AgentView): Pick<PageSnapshot, "events" | "eventsBefore"> {
  const { events, lost } = ring.after(0);
  const kept = Math.max(0, events.length - eventsMax);
  return { events: events.slice(kept), eventsBefore: { kept, lost } };
}

function endedOf(agent: AgentView, { groups }: Snapshot): PageSnapshot["ended"] {
  return groups
    .flatMap(({ group }) => agent.memory.campaigns[group.name] ?? [])
    .filter(({ state }) => state === "done")
    .sort((a, b) => b.since - a.since)
    .slice(0, endedMax)
    .map((campaign) => campaignReport(agent, campaign));
}

function linkOf(
  { memory }: AgentView,
  { link, group, port, state, keyCreated }: ExportedLink,
  clock: PageClock,
): PageLink {
  const session = reported(port?.session);
  const hasSession = reported(state?.routing)?.sessions.some((each) => each.port === link.port);
  const isDrainKnown = state !== undefined && reported(state.routing) !== undefined;
  return {
    id: linkId(link),
    azureLink: link.azureLink,
    controlledPort: session?.controlledPort ?? null,
    respondedPeers: session?.respondedPeers ?? null,
    bgp:
      state === undefined || hasSession !== true ? null : bgpUp(state, link.port) ? "up" : "down",
    drained: isDrainKnown ? drainOf(state, link.port) === "on" : null,
    planned: plannedWork(memory, link) ?? null,
    keys: reported(port?.keys)?.map(({ ckn, role }) => ({ ckn, role })) ?? null,
    keyCreatedAt: keyCreated ?? null,
    keyMaxAgeMs: group.rotate.maxAgeMs ?? null,
    newest: port === undefined ? null : linkSample(port, clock),
  };
}

function tunnelOf({ tunnel, seen }: ExportedTunnel, clock: PageClock): PageTunnel {
  return {
    name: tunnel.name,
    device: tunnel.device,
    local: tunnel.localAddress,
    remote: tunnel.remoteAddress,
    insideMacsec: tunnel.insideMacsec ?? null,
    ike: ikeOf(seen) ?? null,
    sas: sasOf(seen)?.length ?? null,
    newest: typeof seen === "string" ? null : tunnelSample(seen, clock),
  };
}

function historyOf(
  { supervisor, intentDamage }: AgentView,
  clock: PageClock,
): PageSnapshot["history"] {
  if (supervisor === undefined || intentDamage !== undefined) return { links: {}, tunnels: {} };
  const { deviceCache, intent } = supervisor;
  const { groups, tunnels } = intent.desired;
  return {
    links: Object.fromEntries(
      groups.flatMap(({ links }) =>
        links.map((link) => [
          linkId(link),
          deviceCache.history(link).map((port) => linkSample(port, clock)),
        ]),
      ),
    ),
    tunnels: Object.fromEntries(
      tunnels.map(({ name }) => [
        name,
        deviceCache.tunnelHistory(name).map((tunnel) => tunnelSample(tunnel, clock)),
      ]),
    ),
  };
}

// Dates an observation by its monotonic age before the wall clock's present time, so that a jump of
// the wall clock dates nothing in the future.
function wallOf(at: Instant, clock: PageClock): number {
  return Math.round(wallAfter(clock.wall(), at - clock.now()));
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
export function linkSample(port: MacsecPort, clock: PageClock): LinkSample {
  const frames = strongValue(port.frames);
  return {
    at: wallOf(port.frames.at, clock),
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
export function tunnelSample(tunnel: IpsecTunnel, clock: PageClock): TunnelSample {
  const sas = sasOf(tunnel);
  const packets = (way: "in" | "out"): string | null =>
    sumOf(sas?.filter(({ direction }) => direction === way).map((sa) => sa.packets) ?? []);
  return {
    at: wallOf(tunnel.sas.at, clock),
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
